"""Requests to the homeserver under a lease: none is written after its end, and what runs then is aborted."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from bot.clock import SystemClock
from bot.config import Settings
from bot.errors import Temporary
from bot.lease import DEADLINE_SECONDS, SOCKET_SECONDS, USABLE_SECONDS, Tenure
from bot.matrix.http import HomeserverHttp
from bot.matrix.model import Content, MatrixResponse
from bot.matrix.requests import MatrixRequest
from support.fault_proxy import FaultProxy, hang, proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account

VERSIONS = MatrixRequest("GET", "/_matrix/client/versions")
CHANGE = MatrixRequest("PUT", "/_matrix/client/v3/rooms/!r/send/m.room.message/txn", {"body": "hello"})


class Seconds:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def content(answer: MatrixResponse) -> Content:
    return answer.content


@pytest.fixture
async def proxy(homeserver: Homeserver) -> AsyncIterator[FaultProxy]:
    async with proxied(homeserver) as proxy:
        yield proxy


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def tenure(seconds: Seconds) -> Tenure:
    tenure = Tenure(1, seconds)
    tenure.extend(asked_at=0.0)
    return tenure


def settings(account: Account, url: str) -> Settings:
    account.url = url
    return account.settings()


@pytest.fixture
async def carrier(account: Account, proxy: FaultProxy, tenure: Tenure) -> AsyncIterator[HomeserverHttp]:
    carrier = HomeserverHttp(settings(account, proxy.url), SystemClock(), 30, tenure)
    tenure.on_lapse(carrier.abort)
    yield carrier
    await carrier.close()


async def test_no_request_is_made_after_the_end_of_the_lease(
    carrier: HomeserverHttp, proxy: FaultProxy, seconds: Seconds
) -> None:
    proxy.break_down("/", lambda proxy, request: proxy.passed_on(request))  # only to count them
    assert "versions" in await carrier.answer(VERSIONS, None, content)

    seconds.now = USABLE_SECONDS
    with pytest.raises(Temporary, match="its lease was not renewed in time"):
        await carrier.answer(VERSIONS, None, content)

    assert proxy.suffered == 1


async def test_a_request_whose_lease_ends_while_it_connects_is_not_written(
    account: Account, tenure: Tenure, seconds: Seconds
) -> None:
    accepted = asyncio.Event()
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        received.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    carrier = HomeserverHttp(settings(account, f"http://127.0.0.1:{port}"), SystemClock(), 30, tenure)
    open_socket = carrier._socket

    def connecting(address: tuple[object, ...]) -> socket.socket:
        seconds.now = USABLE_SECONDS  # the lease ends when the check before the connection is over
        return open_socket(address)  # type: ignore[arg-type]

    carrier._socket = connecting  # type: ignore[method-assign]
    with pytest.raises(Temporary, match="its lease was not renewed in time"):
        await carrier.answer(CHANGE, "token", content)
    await asyncio.wait_for(accepted.wait(), 10)
    await carrier.close()
    server.close()

    assert bytes(received) == b""


@pytest.mark.parametrize(("request_", "checks_of_it"), [(VERSIONS, 2), (CHANGE, 3)])
async def test_a_request_is_checked_just_before_it_is_written(
    carrier: HomeserverHttp, proxy: FaultProxy, tenure: Tenure, request_: MatrixRequest, checks_of_it: int
) -> None:
    assert "versions" in await carrier.answer(VERSIONS, None, content)
    proxy.break_down("/", lambda proxy, request: proxy.passed_on(request))  # only to count them
    check, checks = tenure.check, list[int]()

    def count() -> None:
        checks.append(proxy.suffered)
        if len(checks) == checks_of_it:
            tenure.lose()
        check()

    tenure.check = count  # type: ignore[method-assign]
    with pytest.raises(Temporary):
        await carrier.answer(request_, "token", content)

    assert checks == [0] * checks_of_it
    assert proxy.suffered == 0


async def test_what_runs_when_the_lease_ends_is_aborted_and_in_doubt(
    carrier: HomeserverHttp, proxy: FaultProxy, tenure: Tenure
) -> None:
    proxy.break_down("/send/", hang)
    running = asyncio.ensure_future(carrier.answer(CHANGE, "token", content))
    async with asyncio.timeout(10):
        while not proxy.suffered:  # noqa: ASYNC110  # the proxy has no event
            await asyncio.sleep(0.01)  # between two looks

    tenure.lose()

    with pytest.raises(Temporary):
        await asyncio.wait_for(running, 10)
    assert tenure.seconds_in_doubt == DEADLINE_SECONDS


async def test_an_answered_request_is_not_in_doubt(carrier: HomeserverHttp, tenure: Tenure) -> None:
    with pytest.raises(Exception, match="access token"):
        await carrier.answer(CHANGE, "token", content)

    assert tenure.seconds_in_doubt == 0


async def test_the_kernel_drops_what_does_not_arrive_before_another_instance_may_act(carrier: HomeserverHttp) -> None:
    await carrier.answer(VERSIONS, None, content)

    [kept] = carrier._sockets
    assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == SOCKET_SECONDS * 1000


async def test_a_bot_without_a_lease_has_ordinary_sockets(account: Account) -> None:
    carrier = HomeserverHttp(account.settings(), SystemClock(), 30)

    assert "versions" in await carrier.answer(VERSIONS, None, content)
    assert list(carrier._sockets) == []

    await carrier.close()
