"""What networks, proxies and tired homeservers do, between the bot and a real homeserver."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from bot.clock import VirtualClock
from bot.delivery.pacing import Pace
from bot.delivery.sender import Sender
from bot.errors import Temporary
from bot.ids import NoticeKey, RoomId, TxnId
from bot.matrix.client import Deadlines, MatrixClient
from bot.matrix.session_memory import InMemorySession
from bot.notices.notice import Lane, Message, Notice, NoticeKind, NoticeState, Tag
from bot.store.store import Store
from support.fault_proxy import FAULTS, Fault, FaultProxy, empty_object, proxied, redirect_elsewhere
from support.homeserver import Homeserver
from support.matrix_rig import Account, LeapClock, impatient, listening
from support.new_database import put_new_database
from support.person import Person

VIRTUAL_SECONDS = 10
FEW = 20  # requests in that time


@pytest.fixture
async def proxy(homeserver: Homeserver) -> AsyncIterator[FaultProxy]:
    async with proxied(homeserver) as proxy:
        yield proxy


@pytest.fixture
def account(homeserver: Homeserver, proxy: FaultProxy, tmp_path: Path) -> Account:
    deadlines = Deadlines(listen_seconds=0.3, sync_seconds=1)
    return Account(homeserver, tmp_path / "data", proxy.url, deadlines=deadlines)


@dataclass
class Desk:
    """A sender with its outbox, in virtual time."""

    store: Store
    clock: VirtualClock
    sender: Sender
    room: RoomId

    async def write(self, *keys: str) -> None:
        """Put notices into the outbox."""
        tags = [Tag(NoticeKind.CARD, NoticeKey(key)) for key in keys]
        async with self.store.transaction() as tx:
            await tx.outbox.add(
                [Notice(self.room, Lane.CARD, Message(tag.key, f"<p>{tag.key}</p>", tag)) for tag in tags]
            )

    async def deliver_for(self, seconds: int) -> None:
        """Let *seconds* pass, delivering each second."""
        for _ in range(seconds):
            while (await self.sender.deliver()).tried:
                pass
            self.clock.advance(1)

    async def count(self, state: NoticeState) -> int:
        """How many notices stand in *state*."""
        async with self.store.transaction() as tx:
            return (await tx.outbox.count()).get(state, 0)


@pytest.fixture
async def client(account: Account) -> AsyncIterator[MatrixClient]:
    async with account.logged_in() as client:
        yield client


@pytest.fixture
async def desk(account: Account, client: MatrixClient, ann: Person, tmp_path: Path) -> AsyncIterator[Desk]:
    clock = VirtualClock()
    put_new_database(tmp_path / "bot.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'bot.db'}", clock)
    room = await account.room_of(ann, client)
    yield Desk(store, clock, Sender(store, client, clock, Pace.full(1000, 1000, 0)), room)
    await store.close()


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_was_written_arrives_once_after_any_fault_of_sending(
    desk: Desk, client: MatrixClient, proxy: FaultProxy, ann: Person, fault: Fault
) -> None:
    proxy.break_down("/send/", fault)
    await desk.write("one", "two", "three")

    with impatient(client):
        await desk.deliver_for(VIRTUAL_SECONDS)
    suffered = proxy.suffered
    proxy.heal()
    await desk.deliver_for(30)

    assert 0 < suffered < FEW
    assert await ann.bodies(desk.room, client.user) == ["one", "two", "three"]
    assert await desk.count(NoticeState.DONE) == 3


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_was_said_is_heard_once_after_any_fault_of_listening(
    account: Account, proxy: FaultProxy, ann: Person, fault: Fault
) -> None:
    clock, memory = LeapClock(), InMemorySession()
    async with listening(account, memory, clock=clock) as bot:
        room = await account.room_of(ann, bot.client)
        await ann.say(room, "before")
        await bot.until(lambda: memory.bodies() == ["before"])
        start = clock.leapt
        proxy.break_down("/sync", fault)
        await ann.say(room, "meanwhile")  # ends the sync that is under way, and may be heard by it
        await clock.until(start + VIRTUAL_SECONDS)
        suffered, waited = proxy.suffered, clock.leapt - start

        assert bot.session.outages()[0].startswith("The homeserver has not answered as it should since ")
        proxy.heal()
        await ann.say(room, "after")
        await bot.until(lambda: "after" in memory.bodies())

        assert (bot.session.outages(), bot.session.remarks()) == ((), ())
    assert 0 < suffered < FEW * waited / VIRTUAL_SECONDS
    assert memory.bodies() == ["before", "meanwhile", "after"]


async def test_a_homeserver_that_answers_nothing_new_at_once_is_not_asked_all_the_time(
    account: Account, proxy: FaultProxy
) -> None:
    """A proxy that caches the answer to a sync, say."""
    clock, memory = LeapClock(), InMemorySession()
    async with listening(account, memory, clock=clock) as bot:
        start = clock.leapt
        proxy.break_down("/sync", repeat(memory))
        async with Person(account.homeserver) as ann:
            await account.room_of(ann, bot.client)  # ends the sync that is under way
        await clock.until(start + VIRTUAL_SECONDS)

        assert proxy.suffered < FEW * (clock.leapt - start) / VIRTUAL_SECONDS
        assert bot.session.outages() == ()


async def test_a_redirect_is_never_followed_with_what_is_secret_and_what_is_said(
    account: Account, proxy: FaultProxy, homeserver: Homeserver, ann: Person, client: MatrixClient
) -> None:
    room = await account.room_of(ann, client)
    message = Message("secret", "<p>secret</p>", Tag(NoticeKind.CARD, NoticeKey("one")))
    async with proxied(homeserver) as elsewhere:
        elsewhere.break_down("/", empty_object)
        proxy.elsewhere = elsewhere.url
        proxy.break_down("/", redirect_elsewhere)
        with pytest.raises(Temporary, match="redirects to http://127"):
            await client.send(room, TxnId("one"), message)
        async with Account(homeserver, account.folder.parent / "another", proxy.url).client() as another:
            with pytest.raises(Temporary, match="redirects to http://127"):
                await another.log_in()

    assert elsewhere.suffered == 0
    assert proxy.suffered == 2


def repeat(memory: InMemorySession) -> Fault:
    async def same_again(_: FaultProxy, __: web.Request) -> web.StreamResponse:
        return web.json_response({"next_batch": memory.since})

    return same_again


@pytest.mark.parametrize(
    "date", ["Mon, 30 Nov 2026 09:00:00 +99999999999999999999", "Fri, 31 Dec 99999999999 23:59:59 GMT"]
)
async def test_a_date_that_no_clock_shows_in_front_of_an_answer_does_not_spoil_it(
    account: Account, proxy: FaultProxy, date: str
) -> None:
    async def dated(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        answer = await proxy.passed_on(request)
        answer.headers["Date"] = date
        return answer

    async with account.logged_in() as client:
        proxy.break_down("/sync", dated)

        assert (await client.sync(None, 0)).next_batch
