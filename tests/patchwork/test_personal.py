"""Requests in a person's name: where the token goes, and what the server's answers mean."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from bot.clock import VirtualClock
from bot.errors import Permanent, Temporary
from bot.ids import PatchId
from bot.lease import Tenure, boot_seconds
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import Network, PatchworkClient, RequestLimits
from bot.patchwork.personal import Refused, TokenRefused
from bot.patchwork.tokens import ApiToken
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport, serve
from support.rig import PROJECT, a_series

URL = "https://patchwork.example.org"
SEVEN = PatchId(7)
TOKEN = ApiToken("0123456789abcdef0123456789abcdef01234567")


class Recorder(httpx.AsyncBaseTransport):
    """A server that answers each request as it is told, and remembers them."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.requests.append(request)
        return self.answer(request)


def api_of(transport: httpx.AsyncBaseTransport, version: str = "1.3", url: str = URL) -> PatchworkApi:
    client = PatchworkClient(url, "bot", transport=transport, limits=RequestLimits(request_seconds=5))
    client.version = version
    return PatchworkApi(client)


class Server:
    """A sample server with a patch of a project that Ann maintains."""

    def __init__(self, version: str = "1.3") -> None:
        versions = tuple(each for each in ("1.0", "1.1", "1.2", "1.3") if each <= version)
        self.patchwork = SamplePatchwork(VirtualClock(), api_versions=versions)
        self.patchwork.add_project(PROJECT, maintainers=("ann",))
        self.patchwork.set_profiles_ahead(1)
        self.patch = PatchId(self.patchwork.post_series(PROJECT, a_series("hw/a.c")).patches[0])
        self.api = api_of(SampleTransport(self.patchwork), version)
        self.ann = self.api.personal(ApiToken(self.patchwork.add_token("ann")))
        self.bob = self.api.personal(ApiToken(self.patchwork.add_token("bob")))


@pytest.fixture(params=["1.1", "1.2", "1.3"])
def server(request: pytest.FixtureRequest) -> Server:
    return Server(request.param)


async def test_a_valid_token_is_told_from_a_wrong_one(server: Server) -> None:
    await server.ann.check()

    with pytest.raises(TokenRefused, match=r"HTTP 403: Invalid token\."):
        await server.api.personal(TOKEN).check()
    server.patchwork.deactivate("ann")
    with pytest.raises(TokenRefused, match="User inactive or deleted"):
        await server.ann.check()


async def test_an_account_is_found_by_its_name_and_known_as_the_token_s_own(server: Server) -> None:
    (ann,) = await server.ann.accounts("ann")
    (bob,) = await server.ann.accounts("bob")

    assert [await server.ann.is_own(account.id) for account in (ann, bob)] == [True, False]
    assert [await server.bob.is_own(account.id) for account in (ann, bob)] == [False, True]
    assert await server.api.maintainers(PROJECT) == ("ann",)


async def test_a_change_is_answered_with_the_patch_as_it_is_then(server: Server) -> None:
    (ann,) = await server.ann.accounts("ann")

    assert (await server.ann.change(server.patch, {"state": "under-review"})).state == "under-review"
    assert (await server.ann.change(server.patch, {"delegate": ann.id})).delegate == "ann"
    assert (await server.ann.change(server.patch, {"delegate": None})).delegate is None
    assert (await server.ann.change(server.patch, {"archived": True})).archived


async def test_a_refusal_has_the_server_s_own_words(server: Server) -> None:
    with pytest.raises(Refused, match=r"HTTP 403: You do not have permission to perform this action\.") as refused:
        await server.bob.change(server.patch, {"state": "accepted"})
    assert not isinstance(refused.value, TokenRefused)
    with pytest.raises(Refused, match=r"HTTP 400: Invalid state merged\. Expected one of: "):
        await server.ann.change(server.patch, {"state": "merged"})
    with pytest.raises(Refused, match=r"HTTP 404: No Patch matches"):
        await server.ann.change(PatchId(999), {"state": "new"})
    server.patchwork.revoke_tokens("ann")
    with pytest.raises(TokenRefused):
        await server.ann.change(server.patch, {"state": "new"})


def json_answer(status: int, body: bytes, **headers: str) -> httpx.Response:
    stream = httpx.ByteStream(body)
    return httpx.Response(status, headers={"content-type": "application/json", **headers}, stream=stream)


async def test_a_token_goes_into_its_own_request_alone() -> None:
    transport = Recorder(lambda _: json_answer(200, b"[]"))
    api = api_of(transport)

    await api.personal(TOKEN).check()
    await api.events([PROJECT])

    first, second = transport.requests
    assert first.headers["authorization"] == f"Token {TOKEN.text}"
    assert "authorization" not in second.headers
    assert TOKEN.text not in str(first.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    elsewhere = "https://elsewhere.example.org/api/1.3/users/"
    transport = Recorder(lambda _: json_answer(status, b"", location=elsewhere))

    with pytest.raises(Temporary, match="redirects to"):
        await api_of(transport).personal(TOKEN).check()

    assert [request.url.host for request in transport.requests] == ["patchwork.example.org"]


@pytest.mark.parametrize(
    "url", ["http://patchwork.example.org", "http://192.0.2.1:8000", "http://localhost.example.org"]
)
async def test_no_token_is_sent_over_http_to_another_machine(url: str) -> None:
    transport = Recorder(lambda _: json_answer(200, b"[]"))

    with pytest.raises(Permanent, match="over https only"):
        await api_of(transport, url=url).personal(TOKEN).check()

    assert transport.requests == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost", URL])
async def test_a_token_is_sent_over_https_and_to_this_machine(url: str) -> None:
    transport = Recorder(lambda _: json_answer(200, b"[]"))

    await api_of(transport, url=url).personal(TOKEN).check()

    assert len(transport.requests) == 1


async def test_a_proxy_sees_no_token_for_this_machine() -> None:
    async with PatchworkClient("http://127.0.0.1:8000", "bot", Network("http://127.0.0.1:9")) as proxied:
        assert not proxied.is_private
    async with PatchworkClient(URL, "bot", Network("http://127.0.0.1:9")) as proxied:
        assert proxied.is_private  # it gets no more than the name of the host


async def test_nothing_is_sent_for_a_person_without_the_right_to_act() -> None:
    tenure, transport = Tenure(1), Recorder(lambda _: json_answer(200, b"[]"))
    api = api_of(transport)
    api._client.permit = tenure

    tenure.extend(boot_seconds())
    await api.personal(TOKEN).check()
    tenure.lose()
    with pytest.raises(Temporary, match="this instance may not act"):
        await api.personal(TOKEN).check()

    assert len(transport.requests) == 1


async def test_what_a_person_asked_for_is_dropped_if_it_cannot_be_delivered_in_time() -> None:
    made: list[socket.socket] = []
    async with serve(SamplePatchwork(VirtualClock())) as url:
        client = PatchworkClient(url, "bot", Network(delivery_seconds=6.0))
        client.version = "1.3"
        async with client:
            with suppress(TokenRefused):
                await PatchworkApi(client).personal(TOKEN).check()
            made += [
                connection._connection._network_stream.get_extra_info("socket")
                for connection in client._personal._transport._pool.connections  # type: ignore[attr-defined]
            ]
            options = [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for each in made]

    assert options == [6000]


async def test_a_cookie_for_one_person_is_not_sent_for_another() -> None:
    """A session in it would come before the token."""
    transport = Recorder(lambda _: json_answer(200, b"[]", **{"set-cookie": "sessionid=anns; Path=/"}))
    api = api_of(transport)

    for _ in range(2):
        await api.personal(TOKEN).check()
    await api.events([PROJECT])

    assert [request.headers.get("cookie") for request in transport.requests] == [None, None, None]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: httpx.Response(502, headers={"content-type": "text/html"}, text="Bad Gateway"), Temporary),
        (lambda: httpx.Response(403, headers={"content-type": "text/html"}, text="<html>captcha"), Temporary),
        (lambda: json_answer(200, b"{}"), Temporary),
        (lambda: json_answer(200, b"garbage"), Temporary),
        (lambda: json_answer(429, b'{"detail":"Request was throttled."}'), Temporary),
        (lambda: json_answer(403, b'{"nothing": 1}'), Temporary),
        (lambda: json_answer(403, b'{"detail":"Authentication credentials were not provided."}'), TokenRefused),
        (lambda: json_answer(401, b'{"detail":"Invalid token."}'), TokenRefused),
        (lambda: json_answer(400, b'{"state":["One.","Two."],"archived":"Three."}'), Refused),
    ],
)
async def test_only_the_server_s_own_word_is_a_refusal(
    answer: Callable[[], httpx.Response], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        await api_of(Recorder(lambda _: answer())).personal(TOKEN).change(SEVEN, {"state": "new"})

    assert type(raised.value) is error or issubclass(type(raised.value), Temporary)
    assert TOKEN.text not in str(raised.value)


async def test_an_answer_about_another_patch_is_none() -> None:
    server = Server()
    body = server.patchwork.answer("GET", f"/api/1.3/patches/{server.patch}/").body

    with pytest.raises(Temporary, match="where 99 was changed"):
        await api_of(Recorder(lambda _: json_answer(200, body))).personal(TOKEN).change(PatchId(99), {})


async def test_an_error_on_the_way_does_not_have_the_token_in_it() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("cut", request=request)

    with pytest.raises(Temporary) as raised:
        await api_of(Recorder(broken)).personal(TOKEN).change(SEVEN, {"state": "new"})

    error: BaseException | None = raised.value
    while error is not None:
        assert TOKEN.text not in f"{error} {error!r}"
        error = error.__cause__


async def test_a_server_that_does_not_answer_is_not_waited_for_longer_than_a_request_may_take() -> None:
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            return httpx.Response(200, request=request)

    client = PatchworkClient(URL, "bot", transport=Silent(), limits=RequestLimits(request_seconds=0.05))
    client.version = "1.3"

    with pytest.raises(Temporary, match=r"no answer within 0\.05 s"):
        await PatchworkApi(client).personal(TOKEN).change(SEVEN, {"state": "new"})
