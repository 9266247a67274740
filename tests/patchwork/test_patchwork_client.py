"""What the client makes of the answers of real servers on the loopback interface."""

import asyncio
import gzip
import itertools
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import __version__
from bot.clock import VirtualClock
from bot.data_dir import user_agent
from bot.errors import Permanent, Temporary, TransportError
from bot.notices.status import MAX_REASON
from bot.patchwork.client import PatchworkClient, RequestLimits
from bot.patchwork.responses import InvalidResponse, NoSuchPage, NotFound, TooMany, Wall
from bot.sample_patchwork.server import serve
from support.poll_rig import a_patchwork
from support.rig import a_series

SMALL = RequestLimits(request_seconds=5, max_bytes=1_000)
JSON = "content-type: application/json"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def an_answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An HTTP answer as it stands on the wire; it ends with the connection unless a header says its length."""
    return "\r\n".join([f"HTTP/1.1 {status}", "connection: close", *headers, "", ""]).encode() + body


@asynccontextmanager
async def serving(answer: bytes | Answer, asked: list[bytes] | None = None) -> AsyncIterator[str]:
    """A server that answers every request so; its address. *asked* takes the requests' heads."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head)
        try:
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except ConnectionError:
            pass  # the client has heard enough
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def ask(url: str, limits: RequestLimits = SMALL, *, agent: str = "agent/1 (ops@example.org)") -> bytes:
    """The body of an answer from the API."""
    async with PatchworkClient(url, agent, limits=limits) as client:
        client.version = "1.3"
        return (await client.json("events/", [("project", "a b")])).body


async def refusal(answer: bytes | Answer, limits: RequestLimits = SMALL) -> TransportError:
    """What the client says to an answer that it does not take."""
    async with serving(answer) as url:
        with pytest.raises(TransportError) as caught:
            await ask(url, limits)
    return caught.value


async def test_an_answer_of_the_asked_type_is_handed_on() -> None:
    async with serving(an_answer("200 OK", f"{JSON}; charset=utf-8", body=b"[1]")) as url:
        assert await ask(url) == b"[1]"


async def test_a_gzipped_answer_is_unpacked() -> None:
    async with serving(an_answer("200 OK", JSON, "content-encoding: gzip", body=gzip.compress(b"[1]"))) as url:
        assert await ask(url) == b"[1]"


@pytest.mark.parametrize(
    ("status", "headers", "kind", "said"),
    [
        ("200 OK", ["content-type: text/html"], Wall, "HTTP 200 with a login page or a bot challenge (text/html); set"),
        ("200 OK", ["content-type: text/plain"], Temporary, "answered text/plain instead of application/json"),
        ("200 OK", [], Temporary, "answered no type instead of application/json"),
        ("200 OK", [JSON, "content-encoding: br"], Temporary, "the response has the encoding br"),
        ("200 OK", [JSON, "content-encoding: gzip, gzip"], Temporary, "the response has the encoding gzip, gzip"),
        ("404 Not Found", [JSON], NoSuchPage, "HTTP 404 (application/json), not from Patchwork itself"),
        ("404 Not Found", ["content-type: text/html"], NoSuchPage, "HTTP 404 (text/html)"),
        ("410 Gone", [JSON], NoSuchPage, "HTTP 410"),
        ("408 Request Timeout", [], Temporary, "HTTP 408"),
        ("429 Too Many Requests", [JSON], TooMany, "HTTP 429"),
        ("500 Internal Server Error", ["content-type: text/html"], Temporary, "HTTP 500"),
        ("503 Service Unavailable", [JSON], Temporary, "HTTP 503"),
        (
            "301 Moved",
            ["location: https://elsewhere/"],
            InvalidResponse,
            "redirects to https://elsewhere/; configure that",
        ),
        ("302 Found", [], InvalidResponse, "redirects to nowhere"),
        (
            "302 Found",
            ["location: /accounts/login/?next=/"],
            Wall,
            "redirects to /accounts/login/?next=/, a login page",
        ),
        ("401 Unauthorized", [], Wall, "HTTP 401 (no type), not from Patchwork itself; set contact"),
        ("403 Forbidden", [JSON], Wall, "HTTP 403 (application/json), not from Patchwork itself; set contact"),
        ("204 No Content", [], InvalidResponse, "HTTP 204"),
    ],
)
async def test_each_status_is_judged(status: str, headers: Sequence[str], kind: type[Exception], said: str) -> None:
    error = await refusal(an_answer(status, *headers, body=b"" if status.startswith("204") else b"[]"))

    assert type(error) is kind
    assert str(error).startswith(said)


@pytest.mark.parametrize(
    ("content_type", "body", "is_own_word"),
    [
        (JSON, b'{"detail":"No Patch matches the given query."}', True),
        (f"{JSON}; charset=utf-8", b'{"detail":"Not found."}', True),
        (JSON, b'{"message":"no Route matched"}', False),
        (JSON, b'{"detail":null}', False),
        (JSON, b'{"detail":"No Patch mat', False),
        (JSON, b"[" * 9_000, False),
        (JSON, b"", False),
        ("content-type: text/html", b'{"detail":"No Patch matches the given query."}', False),
        ("content-type: text/html", b"<html>Not found</html>", False),
        ("x: no type", b'{"detail":"No Patch matches the given query."}', False),
    ],
)
async def test_only_patchworks_own_not_found_says_that_something_is_not_there(
    content_type: str, body: bytes, is_own_word: bool
) -> None:
    error = await refusal(an_answer("404 Not Found", content_type, body=body))

    assert type(error) is (NotFound if is_own_word else NoSuchPage)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        ("200 OK", ["content-type: text/html"], b"<html>Checking your browser</html>"),
        ("200 OK", [JSON], b"\n<!DOCTYPE html><html>Log in</html>"),
        ("200 OK", [], b"<html><head>"),
        ("202 Accepted", ["content-type: text/html"], b"<html>Wait</html>"),
        ("202 Accepted", ["x-amzn-waf-action: challenge"], b""),
        ("200 OK", [JSON], b"<!-- made for you --><html>Log in</html>"),
        ("200 OK", [JSON], b'<?xml version="1.0"?><!DOCTYPE html>'),
        ("403 Forbidden", ["content-type: text/html"], b"<title>Just a moment...</title>"),
        ("403 Forbidden", ["content-type: text/html"], b"<html><center>nginx</center></html>"),
        ("403 Forbidden", ["content-type: text/plain"], b"error code: 1010"),
        ("403 Forbidden", [JSON], b'{"url":"https://captcha.example.org/"}'),
        ("404 Not Found", ["content-type: text/html"], b"<title>Making sure you're not a bot!</title>"),
        ("405 Not Allowed", ["x-amzn-waf-action: captcha"], b""),
        ("410 Gone", [], b"<html>Please solve the CAPTCHA</html>"),
        ("429 Too Many Requests", ["content-type: text/html"], b"<h1>Checking your browser</h1>"),
        ("500 Internal Server Error", ["content-type: text/html"], b"<title>Access denied</title>"),
        ("503 Service Unavailable", ["content-type: text/html", "cf-mitigated: challenge"], b""),
        ("503 Service Unavailable", ["content-type: text/html"], b"<h1>Just a moment" + b"x" * 100_000),
        ("401 Unauthorized", ["content-type: text/html"], b'<input type="password">'),
        ("503 Service Unavailable", ["content-type: text/html"], b"<script src=/cdn-cgi/challenge-platform>"),
        ("307 Temporary Redirect", ["location: https://sso.example.org/"], b""),
        ("302 Found", ["location: https://example.org/login?next=/api/"], b""),
    ],
)
async def test_a_wall_is_named_with_what_to_do(status: str, headers: Sequence[str], body: bytes) -> None:
    error = await refusal(an_answer(status, *headers, body=body))

    assert type(error) is Wall
    assert str(error).endswith("; set contact or user_agent, or ask the server's administrator to let the bot pass")
    assert len(str(error)) <= MAX_REASON


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        ("403 Forbidden", [JSON], b'{"detail":"Authentication credentials were not provided."}', InvalidResponse),
        ("404 Not Found", ["content-type: text/html"], b'<html><a href="/user/login/">Login</a> Not found', NoSuchPage),
        ("502 Bad Gateway", ["content-type: text/html"], b"<html><center>nginx</center></html>", Temporary),
    ],
)
async def test_what_the_server_itself_answers_is_no_wall(
    status: str, headers: Sequence[str], body: bytes, kind: type[Exception]
) -> None:
    assert type(await refusal(an_answer(status, *headers, body=body))) is kind


async def test_a_wall_that_wants_fewer_requests_is_asked_less_often() -> None:
    page = b"<title>Are you a human?</title>"

    silent = await refusal(an_answer("429 Too Many Requests", "content-type: text/html", body=page))
    asking = await refusal(an_answer("429 Too Many Requests", "content-type: text/html", "retry-after: 90", body=page))

    assert isinstance(silent, Wall)
    assert silent.retry_after == timedelta(minutes=1)
    assert isinstance(asking, Wall)
    assert asking.retry_after == timedelta(seconds=90)


async def test_an_error_whose_body_is_broken_or_endless_keeps_its_status() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(an_answer("503 Service Unavailable", "retry-after: 90"))
        while not writer.is_closing():
            writer.write(b"x" * 10_000)
            await writer.drain()

    endless = await refusal(pour)
    broken = await refusal(an_answer("403 Forbidden", "content-encoding: gzip", body=b"not packed"))

    assert isinstance(endless, Temporary)
    assert (str(endless), endless.retry_after) == ("HTTP 503", timedelta(seconds=90))
    assert str(broken).startswith("HTTP 403 (no type)")


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "502 Bad Gateway"])
async def test_what_the_server_asks_for_is_told(status: str) -> None:
    error = await refusal(an_answer(status, "retry-after: 90"))

    assert isinstance(error, Temporary)
    assert error.retry_after == timedelta(seconds=90)


async def test_a_redirect_is_never_followed() -> None:
    asked: list[bytes] = []
    async with (
        serving(an_answer("200 OK", JSON, body=b"[]"), asked) as there,
        serving(an_answer("302 Found", f"location: {there}/")) as url,
    ):
        with pytest.raises(InvalidResponse):
            await ask(url)

    assert asked == []


async def test_an_endless_answer_is_cut_while_it_streams() -> None:
    sent = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(an_answer("200 OK", JSON))
        while sent < 1_000_000_000:
            writer.write(b"[" * 10_000)
            sent += 10_000
            await writer.drain()

    error = await refusal(pour, RequestLimits(max_bytes=200_000))

    assert str(error) == "the answer is larger than 200,000 bytes"
    assert isinstance(error, Permanent)
    assert sent < 50_000_000


async def test_a_gzip_bomb_is_measured_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)

    tracemalloc.start()
    error = await refusal(
        an_answer("200 OK", JSON, "content-encoding: gzip", body=bomb), RequestLimits(max_bytes=1_000_000)
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert str(error) == "the answer is larger than 1,000,000 bytes"
    assert most < 10_000_000


async def test_an_answer_that_drips_is_given_up_when_its_time_is_over() -> None:
    """Each byte comes in time, all of them never would."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(an_answer("200 OK", JSON))
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    error = await refusal(drip, RequestLimits(request_seconds=0.2))

    assert isinstance(error, Temporary)
    assert str(error) == "no answer within 0.2 s"


async def test_a_cut_answer_is_temporary() -> None:
    error = await refusal(an_answer("200 OK", JSON, "content-length: 500", body=b"[1, 2"))

    assert isinstance(error, Temporary)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.9\r\n", an_answer("200 OK", JSON, "x: \x00y")])
async def test_what_is_no_http_is_temporary(answer: bytes) -> None:
    error = await refusal(answer)

    assert isinstance(error, Temporary)
    assert str(error)


async def test_a_packed_answer_that_is_cut_is_temporary() -> None:
    packed = gzip.compress(b"[1, 2, 3]" * 9)

    error = await refusal(an_answer("200 OK", JSON, "content-encoding: gzip", body=packed[:-9]))

    assert isinstance(error, Temporary)


async def test_a_body_that_is_not_in_the_encoding_it_claims_is_temporary() -> None:
    error = await refusal(an_answer("200 OK", JSON, "content-encoding: gzip", body=b"not packed"))

    assert isinstance(error, Temporary)


async def test_a_refused_connection_is_temporary() -> None:
    async with serving(b"") as url:
        pass

    with pytest.raises(Temporary) as caught:
        await ask(url)

    assert str(caught.value)


async def test_who_asks_says_so_and_asks_for_what_it_can_read() -> None:
    asked: list[bytes] = []
    async with serving(an_answer("200 OK", JSON, body=b"[]"), asked) as url:
        await ask(url)

    head = asked[0].decode().lower()
    assert head.startswith("get /api/1.3/events/?project=a+b http/1.1\r\n")
    assert "user-agent: agent/1 (ops@example.org)\r\n" in head
    assert "accept: application/json\r\n" in head
    assert "accept-encoding: gzip\r\n" in head
    assert "authorization" not in head
    assert "cookie" not in head


async def test_a_cookie_is_given_back_and_a_server_that_sets_ever_more_of_them_fills_no_memory() -> None:
    asked: list[bytes] = []
    numbers = itertools.count()

    async def set_cookies(writer: asyncio.StreamWriter) -> None:
        cookies = (f"set-cookie: c{next(numbers)}={'x' * 100}" for _ in range(8))
        writer.write(an_answer("200 OK", JSON, *cookies, body=b"[]"))
        await writer.drain()

    async with serving(set_cookies, asked) as url, PatchworkClient(url, "ops@example.org") as client:
        client.version = "1.3"
        for _ in range(20):
            await client.json("events/")

    sent = [head.count(b"=xxx") for head in asked]
    assert sent[:3] == [0, 8, 16]
    assert max(sent) == 16


@pytest.mark.parametrize(
    ("contact", "said"),
    [
        ("ops@example.org", "(ops@example.org)"),
        ("", "(no contact configured)"),
        ("ops@example.org\r\nX-Evil: 1", "(ops@example.orgX-Evil:1)"),
        ("Ada Müller <ada@example.org>", "(AdaMller<ada@example.org>)"),
        ("ops@example.org) (x", "(ops@example.orgx)"),
    ],
)
async def test_no_contact_breaks_the_request(contact: str, said: str) -> None:
    asked: list[bytes] = []
    async with serving(an_answer("200 OK", JSON, body=b"[]"), asked) as url:
        await ask(url, agent=user_agent(contact))

    lines = asked[0].decode().split("\r\n")
    assert f"User-Agent: patchwork-matrix-bot/{__version__} {said}" in lines
    assert not any(line.lower().startswith("x-evil") for line in lines)


def test_another_name_may_stand_before_the_contact_and_the_installation() -> None:
    assert user_agent("ops@example.org", installation="0123456789abcdef") == (
        f"patchwork-matrix-bot/{__version__} (ops@example.org; installation 0123456789abcdef)"
    )
    assert user_agent("ops@example.org", "patch-notifier/1.0", "0123456789abcdef") == (
        "patch-notifier/1.0 (ops@example.org; installation 0123456789abcdef)"
    )


@given(st.text(max_size=60))
def test_every_contact_makes_a_valid_header(contact: str) -> None:
    assert all(" " <= char < "\x7f" for char in user_agent(contact))


async def test_at_most_two_requests_are_under_way() -> None:
    under_way, most = 0, 0

    async def count(writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(20):
            await asyncio.sleep(0)
        under_way -= 1
        writer.write(an_answer("200 OK", JSON, body=b"[]"))

    async with serving(count) as url, PatchworkClient(url, "") as client:
        await asyncio.gather(*(client.json("") for _ in range(8)))

    assert most == 2


async def test_the_sample_server_is_spoken_to_over_real_http() -> None:
    patchwork = a_patchwork(VirtualClock())
    posted = patchwork.post_series("qemu-devel", a_series("a.c", patches=2))
    async with serve(patchwork) as url, PatchworkClient(f"{url}/", "ops@example.org") as client:
        client.version = "1.3"

        page = await client.json("events/", [("per_page", "3")])
        text = await client.text(f"/series/{posted.series}/mbox/")

        assert page.has_next
        assert text.startswith("From patchwork ")
        with pytest.raises(NotFound):
            await client.json("series/99/")
