"""A fault in one submission, at each step of a poll, costs that one only: the others are told, and it is later."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog

from bot.app import Bot
from bot.ids import RoomId
from bot.notices.changes import ChangedSubmission, RoomChanges
from bot.notices.notice import Notice
from bot.store.store import Transaction
from bot.submission import Submission
from bot.watch.announce import Announcer, Arrived, CardRequest
from bot.watch.change_replies import ChangeReplies
from support.broken_rows import execute, fail
from support.rig import ROOM, Rig

pytestmark = pytest.mark.slow

OTHER = RoomId("!other:hs")
HOUR = 3600.0
Mend = Callable[[], None]
Break = Callable[[Rig, Bot, int], Mend]


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    if request.param == "postgresql":
        return Rig(tmp_path, url=request.getfixturevalue("migrated_postgres_url"))
    return Rig(tmp_path)


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, object]]]:
    """The log, which to draw with all its traces takes longer than the tests."""
    with structlog.testing.capture_logs() as entries:
        yield entries


@dataclass
class Fault:
    """A fault of the program about one series, as long as it is *there*."""

    series: int
    there: bool = True

    def at(self, number: int) -> None:
        """Raise where the number is that of the series."""
        if self.there and number == self.series:
            raise TypeError("a fault of the bot")

    def mend(self) -> None:
        """Raise no more."""
        self.there = False


class FaultyAnnouncer(Announcer):
    """An announcer that fails one series in one of its steps."""

    fault: Fault
    step: str

    async def _requests(self, tx: Transaction, new: Arrived, submission: Submission) -> list[CardRequest]:
        """As it is, but for the one."""
        if self.step == "matching":
            self.fault.at(new.about.id)
        return await super()._requests(tx, new, submission)

    def _cards(self, wanted: Sequence[CardRequest], *known: object) -> list[tuple[CardRequest, Notice]]:
        for each in wanted if self.step == "composing" else ():
            self.fault.at(each.about.id)
        return super()._cards(wanted, *known)  # type: ignore[arg-type]


class FaultyChangeReplies(ChangeReplies):
    """One that fails what changes in one series."""

    fault: Fault

    def _by_room(self, changed: ChangedSubmission, followers: AbstractSet[RoomId]) -> list[RoomChanges]:
        self.fault.at(changed.about.id)
        return super()._by_room(changed, followers)


def in_the_announcer(step: str) -> Break:
    def break_it(_rig: Rig, bot: Bot, series: int) -> Mend:
        [(watch, _)] = bot.watches
        announcer = watch._makers.announcer
        faulty = FaultyAnnouncer(watch.server, announcer._audience, announcer._site, announcer._maintainers)
        faulty.fault, faulty.step = Fault(series), step
        watch._makers = replace(watch._makers, announcer=faulty)
        watch._makers.catch_up._announcer = faulty
        return faulty.fault.mend

    return break_it


def in_the_change_replies(_rig: Rig, bot: Bot, series: int) -> Mend:
    [(watch, _)] = bot.watches
    replies = watch._makers.change_replies
    faulty = FaultyChangeReplies(replies._audience, replies._maintainers)
    faulty.fault = Fault(series)
    watch._makers = replace(watch._makers, change_replies=faulty)
    return faulty.fault.mend


def in_the_rows(what: str, condition: str) -> Break:
    """The database refuses the rows about the series; each has one patch, with the same number."""

    def break_it(rig: Rig, _bot: Bot, series: int) -> Mend:
        return fail(url_of(rig), what, condition.format(series))

    return break_it


ARRIVING = {
    "its series is written": in_the_rows("INSERT ON series", "NEW.id = {}"),
    "its patch is written": in_the_rows("INSERT ON patch", "NEW.series = {}"),
    "it is matched": in_the_announcer("matching"),
    "it is composed": in_the_announcer("composing"),
    "its card is written": in_the_rows("INSERT ON card", "NEW.object = {}"),
    "its notice is written": in_the_rows("INSERT ON notice", "NEW.key LIKE 'card/sample/series/{}/%'"),
}
CHANGING = {
    "its state is written": in_the_rows("UPDATE OF state ON patch", "NEW.series = {}"),
    "its card is marked": in_the_rows("UPDATE OF touched_at ON card", "NEW.object = {}"),
    "it is heard": in_the_change_replies,
    "its reply is queued": in_the_rows("INSERT ON queued_change", "NEW.card LIKE 'card/sample/series/{}/%'"),
}


@pytest.mark.parametrize("step", ARRIVING)
async def test_a_fault_when_a_series_arrives_costs_that_one_only(rig: Rig, step: str) -> None:
    async with rig.running() as bot:
        await bot.settle()
        series = [int(rig.post("migration/ram.c", name=f"number {number}").series or 0) for number in range(3)]
        before, mend = await cursor(bot), ARRIVING[step](rig, bot, series[1])
        await rig.poll(bot, times=2)

        assert rig.titles() == ["number 0", "number 2"]
        assert await cursor(bot) != before
        assert [name for name in await failed(bot) if name.startswith(f"series {series[1]} of sample")]
        mend()
        await rig.poll(bot, times=2)
        assert await failed(bot) == []

    assert rig.titles() == ["number 0", "number 2", "number 1"]


@pytest.mark.parametrize("step", ["it is matched", "it is composed"])
async def test_what_failed_is_tried_again_after_a_restart(rig: Rig, step: str) -> None:
    rig.subscribe = {ROOM: ('path:migration/ text:"int"',), OTHER: ("path:migration/",)}
    async with rig.running() as bot:
        await bot.settle()
        series = [int(rig.post("migration/ram.c", name=f"number {number}").series or 0) for number in range(2)]
        ARRIVING[step](rig, bot, series[0])
        await rig.poll(bot)
        assert rig.titles(OTHER) == ["number 1"]
        told = rig.titles()
    async with rig.running() as bot:
        await rig.poll(bot, times=2)

    assert rig.titles(OTHER) == ["number 1", "number 0"]
    assert rig.titles() == [*told, *(["number 0"] if told else [])]


async def test_a_card_that_fails_in_one_room_is_there_in_the_others(rig: Rig) -> None:
    rig.subscribe = dict.fromkeys((ROOM, OTHER), ("path:migration/",))
    async with rig.running() as bot:
        await bot.settle()
        mend = fail(url_of(rig), "INSERT ON card", f"NEW.room = '{ROOM}'")
        rig.post("migration/ram.c", name="one")
        await rig.poll(bot, times=2)
        assert (rig.titles(), rig.titles(OTHER)) == ([], ["one"])
        assert [name for name in await failed(bot) if name.endswith(f"for {ROOM}")]
        mend()
        await rig.poll(bot, times=5)

    assert (rig.titles(), rig.titles(OTHER)) == (["one"], ["one"])


@pytest.mark.parametrize("step", CHANGING)
async def test_a_fault_when_a_series_changes_costs_that_one_only(rig: Rig, step: str) -> None:
    rig.subscribe = {ROOM: ("path:migration/ on:new,state",)}
    async with rig.running() as bot:
        await bot.settle()
        posted = [rig.post("migration/ram.c", name=f"number {number}") for number in range(3)]
        await rig.poll(bot)
        before, mend = await cursor(bot), CHANGING[step](rig, bot, int(posted[1].series or 0))
        for each in posted:
            rig.patchwork.set_state(each.patches[0], "accepted")
        await rig.poll(bot, times=4)

        assert await cursor(bot) != before
        assert len(replies(rig)) == 2
        assert len(await failed(bot)) >= 1
        mend()
        await rig.poll(bot, times=40)  # what an event told and could not be written is seen by the net

    assert len(replies(rig)) == 3
    shown = [body for each, body in zip(rig.chat.posted, rig.chat.shown(ROOM), strict=False) if not each.message.thread]
    assert ["Accepted" in body for body in shown[:3]] == [True] * 3


async def test_a_version_that_cannot_be_linked_has_its_card_and_is_linked_later(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="linked")
        await rig.poll(bot)
        new = rig.post("migration/ram.c", name="linked", version=2)
        mend = fail(url_of(rig), "UPDATE OF former ON series", f"NEW.id = {new.series}")
        rig.post("migration/ram.c", name="another")
        await rig.poll(bot)

        assert rig.titles() == ["linked", "[v2] linked", "another"]
        assert await failed(bot) == [f"series {new.series} of sample"]
        mend()
        await rig.poll(bot, times=2)
        assert await failed(bot) == []
        await rig.pass_quietly(bot, 600)  # what a version changed is a count, which waits so long
        await rig.poll(bot)

    shown = rig.chat.shown(ROOM)
    assert "v2" in shown[0]
    assert "v1" in shown[1]


async def test_a_version_whose_cards_cannot_be_marked_is_told_of_later(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        old = rig.post("migration/ram.c", name="linked")
        await rig.poll(bot)
        mend = fail(url_of(rig), "UPDATE OF touched_at ON card", f"NEW.object = {old.series}")
        new = rig.post("migration/ram.c", name="linked", version=2)
        [(watch, _)] = bot.watches
        rig.clock.advance(60)
        await watch.tick()
        failures = await failed(bot)
        mend()
        await rig.poll(bot, times=5)

    assert failures in ([], [f"series {new.series} of sample"])
    assert "v2" in rig.chat.shown(ROOM)[0]


async def test_a_series_that_a_digest_cannot_keep_is_kept_later(rig: Rig) -> None:
    rig.subscribe = {ROOM: ('path:migration/ digest:"daily 09:00"',)}
    async with rig.running() as bot:
        await bot.settle()
        series = [int(rig.post("migration/ram.c", name=f"number {number}").series or 0) for number in range(3)]
        mend = fail(url_of(rig), "INSERT ON digest_entry", f"NEW.object = {series[1]}")
        await rig.poll(bot)
        assert await failed(bot) == [f"series {series[1]} of sample for {ROOM}"]
        mend()
        await rig.poll(bot, times=2)
        rig.clock.advance(10 * HOUR)
        await bot.settle()

    [body] = rig.chat.bodies(ROOM)
    assert [body.count(f"number {number}") for number in range(3)] == [1, 1, 1]


async def test_a_series_that_a_flood_cannot_take_is_told_beside_it(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        series = [int(rig.post("migration/ram.c", name=f"number {number}").series or 0) for number in range(14)]
        mend = fail(url_of(rig), "INSERT ON flood_entry", f"NEW.object = {series[5]}")
        await rig.poll(bot)
        assert await failed(bot) == [f"series {series[5]} of sample for {ROOM}"]
        await rig.poll(bot, times=4)
        mend()
        await rig.poll(bot, times=5)

    said = "\n".join(rig.chat.bodies(ROOM))
    assert "13 series at once" in said
    assert said.count("number 5") == 1


async def test_a_series_that_cannot_be_held_after_an_absence_is_told_all_the_same(rig: Rig) -> None:
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
    rig.clock.advance(6 * HOUR)
    series = [int(rig.post("migration/ram.c", name=f"number {number}").series or 0) for number in range(3)]
    async with rig.running() as bot:
        mend = fail(url_of(rig), "INSERT ON flood_entry", f"NEW.object = {series[1]}")
        await bot.settle()
        assert rig.titles()[1:] == ["number 0", "number 2"]
        assert await failed(bot) == [f"series {series[1]} of sample for {ROOM}"]
        mend()
        await rig.poll(bot, times=5)

    assert rig.titles()[1:] == ["number 0", "number 2", "number 1"]


async def test_a_line_after_an_absence_that_cannot_be_written_in_one_room_is_there_in_the_others(rig: Rig) -> None:
    rig.subscribe = dict.fromkeys((ROOM, OTHER), ("path:migration/",))
    async with rig.running() as bot:
        await rig.poll(bot, times=2)
    rig.clock.advance(6 * HOUR)
    names = [f"number {number}" for number in range(3)]
    for name in names:
        rig.post("migration/ram.c", name=name)
    async with rig.running() as bot:
        mend = fail(url_of(rig), "INSERT ON notice", f"NEW.key LIKE 'catch_up/%{ROOM}'")
        await bot.settle()
        assert rig.titles(OTHER)[1:] == names
        assert len(await failed(bot)) == 3
        mend()
        await rig.poll(bot, times=5)

    assert rig.titles()[-3:] == names


async def test_a_row_that_cannot_be_read_does_not_stop_the_poll(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        for number in range(14):
            rig.post("migration/ram.c", name=f"number {number}")
        await rig.poll(bot)
        execute(url_of(rig), "UPDATE flood SET cause = 'of a later version'")
        execute(
            url_of(rig),
            "INSERT INTO pending (server, kind, id, project, name, first_seen, due, deadline, attempts)"
            " SELECT name, 'of a later version', 1, 'p', '', polled_at, polled_at, polled_at, 0 FROM server",
        )
        await rig.poll(bot, times=3)
        rig.post("migration/ram.c", name="the next one")
        await rig.poll(bot)
        names = await failed(bot)
        execute(url_of(rig), "UPDATE flood SET cause = 'at once'")
        await rig.poll(bot, times=3)

    assert [name for name in names if name.startswith("flood/")]
    assert [name for name in names if name.startswith("pending of a later version")]
    assert rig.titles()[:2] == ["the next one", "14 series at once"]


def url_of(rig: Rig) -> str:
    return rig.url or f"sqlite:///{rig.folder / 'bot.db'}"


async def cursor(bot: Bot) -> tuple[str | None, int]:
    async with bot.store.transaction() as tx:
        watched = await tx.watch.watched(bot.watches[0][0].server)
    return watched.cursor, watched.highest


async def failed(bot: Bot) -> list[str]:
    """The names of what could not be handled, as `status` has them."""
    return [sentence.partition(": ")[0] for sentence in (await bot.overview.condition()).incidents]


def replies(rig: Rig) -> list[str]:
    return [each.message.body for each in rig.chat.posted if each.message.tag.kind == "reply"]
