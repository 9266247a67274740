"""Polls and commands share the requests that a server is asked at once, and neither keeps the other waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from bot.errors import Temporary
from bot.patchwork.client import AT_ONCE, PatchworkClient, RequestLimits
from bot.patchwork.request_turns import Purpose

URL = "https://patchwork.example.org"


class Server(httpx.AsyncBaseTransport):
    """Answers what it is let answer; *asked* are the paths of the requests that reached it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.hangs = True
        self._changed = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, once it may."""
        self.asked.append(request.url.path.rpartition("1.3/")[2])
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            while self.hangs:
                await self._changed.wait()
        finally:
            self.in_flight -= 1
        return httpx.Response(200, headers={"content-type": "application/json"}, stream=httpx.ByteStream(b"[]"))

    def recover(self) -> None:
        """Answer everything from now on."""
        self.hangs = False
        self._changed.set()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def polls(server: Server) -> AsyncIterator[PatchworkClient]:
    limits = RequestLimits(request_seconds=30, silent_seconds=0.01)
    async with PatchworkClient(URL, "ops@example.org", transport=server, limits=limits) as client:
        client.version = "1.3"
        yield client


async def until(claim: Callable[[], bool]) -> None:
    while not claim():  # noqa: ASYNC110  # what makes it true has no event
        await asyncio.sleep(0)


async def test_a_poll_is_asked_beside_commands_that_hang(polls: PatchworkClient, server: Server) -> None:
    commands = polls.for_commands()
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(commands.json(f"c{number}"))
        await until(lambda: server.in_flight == 1)

        group.create_task(polls.json("poll"))
        await until(lambda: server.in_flight == 2)

        assert server.asked == ["c0", "poll"]
        server.recover()


async def test_a_command_is_asked_after_the_requests_of_a_poll_that_were_made_before(
    polls: PatchworkClient, server: Server
) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(polls.json(f"p{number}"))
        await until(lambda: server.in_flight == AT_ONCE)
        group.create_task(polls.for_commands().json("command"))
        await asyncio.sleep(0)
        for number in range(4, 20):
            group.create_task(polls.json(f"p{number}"))
        server.recover()

    assert server.asked.index("command") == 4
    assert server.most_in_flight == AT_ONCE


async def test_the_time_of_a_command_runs_while_it_waits_for_its_turn(polls: PatchworkClient, server: Server) -> None:
    """Ten who ask a server that hangs wait for as long as one request may take, not for ten of them."""
    commands = polls.for_commands()
    commands._limits = RequestLimits(request_seconds=0.01)
    async with polls._turns.slot(Purpose.COMMAND):
        with pytest.raises(Temporary, match=r"no answer within 0.01 s; earlier requests are still unanswered"):
            await commands.json("late")

    assert server.asked == []


async def test_the_time_of_a_poll_begins_with_its_request(polls: PatchworkClient, server: Server) -> None:
    """A poll makes its requests itself, so that those before it are no reason to give up."""
    server.recover()
    polls._limits = RequestLimits(request_seconds=5)
    async with AsyncExitStack() as stack:
        for _ in range(AT_ONCE):
            await stack.enter_async_context(polls._turns.slot(Purpose.POLL))
        waiting = asyncio.create_task(polls.json("poll"))
        await asyncio.sleep(0)
        assert not waiting.done()

    assert (await waiting).body == b"[]"


async def test_a_server_that_left_a_request_without_an_answer_is_not_waited_for_long_until_it_answers_again(
    polls: PatchworkClient, server: Server
) -> None:
    commands = polls.for_commands()
    polls._limits = RequestLimits(request_seconds=0.01)
    with pytest.raises(Temporary, match=r"no answer within 0.01 s"):
        await polls.json("poll")

    with pytest.raises(Temporary, match=r"no answer within 0.01 s"):  # and not 30 s, as it would be otherwise
        await commands.json("silent")
    server.recover()
    await commands.json("recovered")

    assert commands._patience() == 30


async def test_a_command_that_gives_up_leaves_its_turn_to_the_next(polls: PatchworkClient, server: Server) -> None:
    commands = polls.for_commands()
    first = asyncio.create_task(commands.json("first"))
    await until(lambda: server.in_flight == 1)
    second = asyncio.create_task(commands.json("second"))

    first.cancel()
    await until(lambda: server.asked == ["first", "second"])
    server.recover()

    assert (await second).body == b"[]"


async def test_what_polls_learn_of_a_server_commands_know(polls: PatchworkClient) -> None:
    commands = polls.for_commands()

    commands.version = "1.2"

    assert polls.version == "1.2"
