"""The outbox: in order, once, and nothing lost."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.clock import VirtualClock
from bot.ids import DeviceId, EventId, NoticeKey, PatchId, ProjectName, RoomId, SeriesId, UserId
from bot.notices.chart import Chart, Week
from bot.notices.notice import (
    ClaimedNotice,
    Dead,
    Lane,
    Message,
    Notice,
    NoticeKind,
    NoticeState,
    Outcome,
    RetryAt,
    SendCandidate,
    Sent,
    Suspend,
    Tag,
    txn_id,
)
from bot.store import book, migrate, schema
from bot.store.engine import connect
from bot.store.retention import delete_outdated
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.store_rig import DEVICE, OTHER_ROOM, ROOM, SERVER, StoreRig, a_notice

CARD = SubmissionRef(SERVER, SubmissionKind.SERIES, 5)
SENT = Sent(EventId("$1"))


async def add(store: Store, *notices: Notice) -> None:
    async with store.transaction() as tx:
        await tx.outbox.add(notices)


async def claim(store: Store, limit: int = 10, device: DeviceId = DEVICE) -> list[ClaimedNotice]:
    async with store.transaction() as tx:
        return (await tx.outbox.claim(limit, device)).notices


async def settle(store: Store, notice: ClaimedNotice, outcome: Outcome = SENT) -> None:
    async with store.transaction() as tx:
        await tx.outbox.settle(notice, outcome)


async def claimed_keys(store: Store, limit: int = 10) -> list[str]:
    return [notice.message.tag.key for notice in await claim(store, limit)]


async def counts(store: Store) -> dict[NoticeState, int]:
    async with store.transaction() as tx:
        return dict(await tx.outbox.count())


# Written once


async def test_a_key_is_written_once(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"), a_notice("card/1"))

    await add(store, a_notice("card/1", OTHER_ROOM))

    assert rig.count("notice") == 1
    assert [notice.room for notice in await claim(store)] == [ROOM]


async def test_a_message_comes_out_as_it_was_written(store: Store) -> None:
    tag = Tag(NoticeKind.ANSWER, NoticeKey("a"), SERVER, ProjectName("qemu-devel"), SeriesId(5), PatchId(6), version=7)
    message = Message(
        "body\n“quoted” 🎉",
        "<p>ü</p>",
        tag,
        rings=True,
        thread=EventId("$root"),
        replies_to=EventId("$asked"),
        reaction=EventId("$on"),
        chart=Chart("7 days", "from:Ünal", (Week("2026-11-24", 7, 3, 1, 5),)),
    )
    await add(store, Notice(ROOM, Lane.ANSWER, message))

    (claimed,) = await claim(store)

    assert claimed.message == message
    assert claimed.txn == txn_id(NoticeKey("a"))


async def test_a_message_that_an_earlier_version_wrote_hangs_on_nothing(store: Store, rig: StoreRig) -> None:
    notice = a_notice("card/1")
    await add(store, notice)
    stored = asdict(notice.message)
    for name in ("thread", "replies_to", "reaction"):
        del stored[name]
    rig.execute(f"UPDATE notice SET message = '{json.dumps(stored)}'")  # noqa: S608  # our own words

    (claimed,) = await claim(store)

    assert claimed.message == notice.message


# Claimed in order


async def test_a_room_gets_one_notice_at_a_time_in_the_order_of_writing(store: Store) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2"), a_notice("card/3"))
    seen: list[str] = []

    for _ in range(3):
        (notice,) = await claim(store)
        seen.append(notice.message.tag.key)
        await settle(store, notice)

    assert seen == ["card/1", "card/2", "card/3"]
    assert await claim(store) == []


async def test_answers_go_before_cards_written_earlier(store: Store) -> None:
    await add(store, a_notice("card/1"), a_notice("answer/1", lane=Lane.ANSWER))
    await add(store, a_notice("card/2", OTHER_ROOM), a_notice("answer/2", OTHER_ROOM, Lane.ANSWER))

    assert await claimed_keys(store) == ["answer/1", "answer/2"]


async def test_no_more_are_claimed_than_asked_for(store: Store) -> None:
    await add(store, *[a_notice(f"card/{number}", RoomId(f"!{number}:hs")) for number in range(5)])

    assert await claimed_keys(store, limit=0) == []
    assert await claimed_keys(store, limit=2) == ["card/0", "card/1"]
    assert (await counts(store))[NoticeState.WAITING] == 3


async def test_a_busy_room_is_left_alone(store: Store) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2", OTHER_ROOM))

    async with store.transaction() as tx:
        claimed = (await tx.outbox.claim(10, DEVICE, {ROOM})).notices
        next_at = await tx.outbox.next_at({ROOM, OTHER_ROOM})

    assert [notice.room for notice in claimed] == [OTHER_ROOM]
    assert next_at is None
    assert (await claimed_keys(store))[0] == "card/1"


async def test_a_notice_that_waits_for_another_try_holds_back_its_lane_alone(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2"), a_notice("card/3", OTHER_ROOM))
    for notice in await claim(store):
        await settle(store, notice, RetryAt(rig.now + timedelta(minutes=1), "busy"))
    await add(store, a_notice("answer/1", lane=Lane.ANSWER))

    before = await claimed_keys(store)
    rig.advance(minutes=1)

    assert before == ["answer/1"]
    assert await claimed_keys(store) == ["answer/1", "card/3"]


async def test_a_dead_notice_lets_the_next_one_pass(store: Store) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2"))
    (first,) = await claim(store)

    await settle(store, first, Dead("forbidden"))

    assert await claimed_keys(store) == ["card/2"]
    assert await counts(store) == {NoticeState.DEAD: 1, NoticeState.TRIED: 1}


async def test_answers_to_one_person_keep_their_order_and_hold_back_no_other_person(store: Store) -> None:
    ada = [replace(a_notice(f"ada/{number}", lane=Lane.ANSWER), asked_by=UserId("@ada:hs")) for number in range(2)]
    bob = replace(a_notice("bob", lane=Lane.ANSWER), asked_by=UserId("@bob:hs"))
    await add(store, *ada, bob)
    offered: list[SendCandidate] = []

    def choose_none(candidates: Sequence[SendCandidate], _: int) -> list[SendCandidate]:
        offered.extend(candidates)
        return []

    async with store.transaction() as tx:
        assert (await tx.outbox.claim(1, DEVICE, choose=choose_none)).notices == []

    assert [each.asked_by for each in offered] == ["@ada:hs", "@bob:hs"]
    assert [each.id for each in offered] == [1, 3]


@pytest.mark.parametrize("rooms", [1, 300])
async def test_a_claim_takes_three_statements_and_reads_only_what_it_takes(store: Store, rooms: int) -> None:
    await add(store, *[a_notice(f"card/{number}", RoomId(f"!{number}:hs")) for number in range(rooms)])
    statements: list[str] = []
    sa.event.listen(store._engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    async with store.transaction() as tx:
        statements.clear()
        claimed = (await tx.outbox.claim(8, DEVICE)).notices

    assert len(claimed) == min(rooms, 8)
    assert len(statements) == 3
    assert "message" not in statements[0]


async def test_unsent_answers_are_counted_by_person_and_room(store: Store) -> None:
    ada, bob = UserId("@ada:hs"), UserId("@bob:hs")
    answers = [a_notice(f"a/{number}", lane=Lane.ANSWER) for number in range(3)]
    await add(store, *(replace(each, asked_by=ada) for each in answers), a_notice("card/1"))
    async with store.transaction() as tx:
        await tx.session.suspend(ROOM)
    await add(store, replace(a_notice("b", OTHER_ROOM, Lane.ANSWER), asked_by=bob))

    async with store.transaction() as tx:
        unsent = await tx.outbox.unsent_answers()

    assert unsent.people == {bob: 1}
    assert unsent.rooms == {ROOM: 3, OTHER_ROOM: 1}


async def test_an_unsent_notice_names_the_one_that_is_sent_before_it(store: Store) -> None:
    ada = UserId("@ada:hs")
    await add(store, a_notice("card/1"), a_notice("card/2"), a_notice("card/3", OTHER_ROOM))
    await add(store, replace(a_notice("reply/1", lane=Lane.REPLY), of=NoticeKey("card/2")))
    await add(store, a_notice("edit/1", lane=Lane.EDIT), a_notice("a", lane=Lane.ANSWER))
    await add(store, replace(a_notice("b", lane=Lane.ANSWER), asked_by=ada))

    async with store.transaction() as tx:
        unsent = await tx.outbox.unsent()
        few = await tx.outbox.unsent([2])

    keys = {each.id: each.key for each in unsent}
    assert {each.key: keys[each.after] for each in unsent if each.after is not None} == {
        "card/2": "card/1",
        "reply/1": "card/2",
    }
    assert [(each.key, each.after) for each in few] == [("card/2", 1)]


async def test_notices_that_may_be_sent_are_due_since_they_could_be(store: Store, rig: StoreRig) -> None:
    since = rig.clock.now()
    await add(store, a_notice("card/1"), a_notice("card/2"))
    rig.advance(minutes=5)
    async with store.transaction() as tx:
        waiting = (await tx.outbox.queue()).due_since
    (first,) = await claim(store)
    await settle(store, first, RetryAt(rig.clock.now() + timedelta(minutes=1), "HTTP 502"))
    async with store.transaction() as tx:
        again = (await tx.outbox.queue()).due_since
        await tx.session.suspend(ROOM)
        suspended = (await tx.outbox.queue()).due_since

    assert (waiting, again, suspended) == (since, None, None)


# Tried again


async def test_a_claim_outlives_the_program_and_is_claimed_again(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"))
    (first,) = await claim(store)
    await store.close()
    rig.advance(minutes=5)
    later = await rig.open()

    (again,) = await claim(later, device=DeviceId("TWO"))

    assert await counts(later) == {NoticeState.TRIED: 1}
    assert (again.id, again.txn, again.attempts) == (first.id, first.txn, 2)
    assert again.first_tried == first.first_tried == rig.now - timedelta(minutes=5)
    assert again.first_device == DEVICE
    await later.close()


async def test_a_notice_that_two_devices_tried_is_looked_up_by_either(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"))
    unknown = []

    for device in (DEVICE, DeviceId("TWO"), DEVICE):
        rig.advance(minutes=5)
        (again,) = await claim(store, device=device)
        unknown.append(again.outcome_is_unknown(device, rig.now))

    assert unknown == [False, True, True]


async def test_what_was_sent_or_given_up_is_never_claimed_again(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2", OTHER_ROOM))
    first, second = await claim(store)
    await settle(store, first, SENT)
    await settle(store, second, Dead("forbidden"))
    rig.advance(days=1)

    assert await claim(store) == []
    assert await counts(store) == {NoticeState.DONE: 1, NoticeState.DEAD: 1}


# When to look again


async def test_when_all_is_said_there_is_no_next_time(store: Store) -> None:
    await add(store, a_notice())
    (notice,) = await claim(store)
    await settle(store, notice)

    async with store.transaction() as tx:
        assert await tx.outbox.next_at() is None


async def test_the_next_time_is_the_earliest_of_all_rooms(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2", OTHER_ROOM))
    first, second = await claim(store)
    await settle(store, first, RetryAt(rig.now + timedelta(minutes=9), "busy"))
    await settle(store, second, RetryAt(rig.now + timedelta(minutes=3), "busy"))

    async with store.transaction() as tx:
        assert await tx.outbox.next_at() == rig.now + timedelta(minutes=3)


async def test_what_waits_behind_a_failing_notice_does_not_keep_the_sender_awake(store: Store, rig: StoreRig) -> None:
    await add(store, a_notice("card/1"), a_notice("card/2"))
    (first,) = await claim(store)
    await settle(store, first, RetryAt(rig.now + timedelta(minutes=15), "busy"))

    async with store.transaction() as tx:
        assert await tx.outbox.next_at() == rig.now + timedelta(minutes=15)


# Cards


async def test_a_card_is_remembered_by_room_and_object(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.cards.add(CARD, a_notice("card/1"), [(1, "path:a/", "a/b.c")])
        await tx.cards.add(CARD, a_notice("card/2", OTHER_ROOM), [])

        assert await tx.cards.rooms_with(CARD) == {ROOM, OTHER_ROOM}
        assert await tx.cards.rooms_with(SubmissionRef(SERVER, SubmissionKind.PATCH, 5)) == set()
        assert await tx.cards.rooms_with(SubmissionRef(SERVER, SubmissionKind.SERIES, 6)) == set()


async def about(store: Store, event: str, room: RoomId = ROOM) -> SubmissionRef | None:
    async with store.transaction() as tx:
        return await tx.cards.about_event(room, EventId(event))


async def test_a_card_is_known_by_its_event_for_longer_than_notices_are_kept(store: Store, rig: StoreRig) -> None:
    async with store.transaction() as tx:
        await tx.cards.add(CARD, a_notice("card/1"), [])
        await tx.cards.add(SubmissionRef(SERVER, SubmissionKind.PATCH, 6), a_notice("card/2", OTHER_ROOM), [])
        await tx.outbox.add([a_notice("card/1"), a_notice("card/2", OTHER_ROOM)])
    first, second = await claim(store)
    assert await about(store, "$1") is None

    await settle(store, first, Sent(EventId("$1")))
    await settle(store, second, Sent(EventId("$2")))
    rig.advance(days=30)
    await delete_outdated(store)

    assert await counts(store) == {}
    assert await about(store, "$1") == CARD
    assert await about(store, "$2", OTHER_ROOM) == SubmissionRef(SERVER, SubmissionKind.PATCH, 6)
    assert await about(store, "$2") is None
    assert await about(store, "$3") is None


@pytest.mark.parametrize(
    ("series", "patch", "found"),
    [
        (5, 7, SubmissionRef(SERVER, SubmissionKind.PATCH, 7)),
        (5, None, SubmissionRef(SERVER, SubmissionKind.SERIES, 5)),
        (None, 7, SubmissionRef(SERVER, SubmissionKind.PATCH, 7)),
        (None, None, None),
    ],
)
async def test_an_answer_is_about_its_patch_else_its_series(
    store: Store, series: SeriesId | None, patch: PatchId | None, found: SubmissionRef | None
) -> None:
    tag = Tag(NoticeKind.ANSWER, NoticeKey("answer/1"), SERVER, series=series, patch=patch)
    await add(store, Notice(ROOM, Lane.ANSWER, Message("body", "<p>body</p>", tag)))
    [notice] = await claim(store)

    await settle(store, notice)

    assert await about(store, SENT.event) == found


async def test_the_text_of_a_message_is_kept_until_it_is_sent_and_no_longer(store: Store, rig: StoreRig) -> None:
    rooms = [RoomId(f"!{number}:hs") for number in range(4)]
    await add(store, *[a_notice(f"card/{room}", room) for room in rooms])
    outcomes: list[Outcome] = [SENT, Dead("M_UNKNOWN"), Suspend("M_FORBIDDEN")]

    for notice, outcome in zip(await claim(store), outcomes, strict=False):
        await settle(store, notice, outcome)

    has_text = 'CAST(message AS text) NOT LIKE \'%"body": "", "html": ""%\''
    states = rig.execute(f"SELECT state FROM notice WHERE {has_text} ORDER BY id")  # noqa: S608  # our own words
    assert states == [(NoticeState.DEAD,), (NoticeState.SUSPENDED,), (NoticeState.TRIED,)]


# Housekeeping


async def test_what_was_said_is_forgotten_after_a_week_and_what_failed_is_not(store: Store, rig: StoreRig) -> None:
    rooms = [RoomId(f"!{number}:hs") for number in range(3)]
    await add(store, *[a_notice(f"card/{room}", room) for room in rooms])
    done, dead, _ = await claim(store)
    await settle(store, done, SENT)
    await settle(store, dead, Dead("forbidden"))
    rig.advance(days=7)
    await delete_outdated(store)
    after_a_week = await counts(store)
    rig.advance(seconds=1)

    await delete_outdated(store)

    assert after_a_week[NoticeState.DONE] == 1
    assert await counts(store) == {NoticeState.DEAD: 1, NoticeState.TRIED: 1}


@pytest.mark.parametrize(("lane", "days"), [(Lane.ANSWER, 7), (Lane.CARD, 180)])
@pytest.mark.parametrize("outcome", [Dead("M_UNKNOWN"), Suspend("M_FORBIDDEN")])
async def test_what_cannot_be_sent_does_not_pile_up_for_ever(
    store: Store, rig: StoreRig, lane: Lane, days: int, outcome: Outcome
) -> None:
    """A member may ask in threads that the homeserver does not know; a room may throw the bot out for good."""
    await add(store, a_notice("first", lane=lane))
    [notice] = await claim(store)
    await settle(store, notice, outcome)
    await add(store, replace(a_notice("reply", lane=Lane.REPLY), of=NoticeKey("first")))
    rig.advance(days=days)
    await delete_outdated(store)
    assert rig.count("notice") == 2

    rig.advance(seconds=1)
    await delete_outdated(store)

    assert rig.count("notice") == 0


async def test_the_outbox_is_tidied_in_batches(store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "BATCH", 2)
    rooms = [RoomId(f"!{number}:hs") for number in range(5)]
    await add(store, *[a_notice(f"card/{room}", room) for room in rooms])
    for notice in await claim(store):
        await settle(store, notice)
    rig.advance(days=8)

    async with store.transaction() as tx:
        more = await tx.outbox.tidy()

    assert more
    assert rig.count("notice") == 3


# Any interleaving


@dataclass
class Row:
    """What the model knows of a notice."""

    notice: Notice
    state: NoticeState = NoticeState.WAITING
    due: float = 0.0
    attempts: int = 0
    claim: ClaimedNotice | None = None


@dataclass
class Model:
    """The outbox as a list."""

    rows: list[Row] = field(default_factory=list)

    def add(self, notice: Notice) -> None:
        """Once a key."""
        if notice.key not in {row.notice.key for row in self.rows}:
            self.rows.append(Row(notice))

    def claimable(self, now: float, limit: int) -> list[Row]:
        """The heads that are due: by room the first lane, then by lane and age."""
        open_rows = [row for row in self.rows if row.state in {NoticeState.WAITING, NoticeState.TRIED}]
        heads: dict[tuple[RoomId, Lane], Row] = {}
        for row in open_rows:
            heads.setdefault((row.notice.room, row.notice.lane), row)
        due = [row for row in heads.values() if row.due <= now]
        due.sort(key=lambda row: (row.notice.lane, self.rows.index(row)))
        by_room: dict[RoomId, Row] = {}
        for row in due:
            by_room.setdefault(row.notice.room, row)
        return list(by_room.values())[:limit]


async def forget_all(store: Store) -> None:
    """As if nothing had been written yet."""
    async with store.transaction() as tx:
        await tx.outbox._connection.execute(sa.delete(schema.notice))


class OutboxMachine(RuleBasedStateMachine):
    """Any interleaving of add, claim, settle, restart and time."""

    url = "sqlite://"

    @initialize()
    def start(self) -> None:
        """An empty outbox; one event loop for the whole run."""
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.engine = connect(self.url)
        self.loop.run_until_complete(migrate.upgrade(self.engine))
        self.store = Store(self.engine, self.clock)
        self.loop.run_until_complete(forget_all(self.store))
        self.model = Model()
        self.sent: list[Notice] = []

    @rule(number=st.integers(1, 8), room=st.sampled_from([ROOM, OTHER_ROOM]), lane=st.sampled_from(Lane))
    def add(self, number: int, room: RoomId, lane: Lane) -> None:
        """A key may come again, even for another room."""
        notice = a_notice(f"key/{number}", room, lane)
        self.loop.run_until_complete(add(self.store, notice))
        self.model.add(notice)

    @rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        """What is claimed is what the model says."""
        expected = self.model.claimable(self.clock.monotonic(), limit)
        found = self.loop.run_until_complete(claim(self.store, limit))
        assert [item.message for item in found] == [row.notice.message for row in expected]
        for row, item in zip(expected, found, strict=True):
            row.state, row.attempts, row.claim = NoticeState.TRIED, row.attempts + 1, item
            assert item.attempts == row.attempts
            assert item.txn == txn_id(row.notice.key)

    @precondition(lambda self: any(row.claim for row in self.model.rows))
    @rule(data=st.data(), how=st.sampled_from(["sent", "retry", "dead"]))
    def settle(self, data: st.DataObject, how: str) -> None:
        """An attempt ends somehow."""
        row = data.draw(st.sampled_from([row for row in self.model.rows if row.claim]))
        assert row.claim is not None
        outcome: Outcome
        match how:
            case "sent":
                outcome, row.state = SENT, NoticeState.DONE
                self.sent.append(row.notice)
            case "retry":
                outcome, row.due = RetryAt(self.clock.now() + timedelta(seconds=5), "busy"), self.clock.monotonic() + 5
            case _:
                outcome, row.state = Dead("forbidden"), NoticeState.DEAD
        self.loop.run_until_complete(settle(self.store, row.claim, outcome))
        row.claim = None

    @rule()
    def restart(self) -> None:
        """What was claimed and not settled is forgotten by everybody but the database."""
        self.store = Store(self.engine, self.clock)
        for row in self.model.rows:
            row.claim = None

    @rule(seconds=st.sampled_from([1, 5]))
    def time_passes(self, seconds: int) -> None:
        """Enough for another try, or not."""
        self.clock.advance(seconds)

    @invariant()
    def nothing_is_lost_and_nothing_is_there_twice(self) -> None:
        """Each key stands where the model has it."""
        found = self.loop.run_until_complete(counts(self.store))
        states = [row.state for row in self.model.rows]
        assert found == {state: states.count(state) for state in set(states)}

    @invariant()
    def a_lane_is_said_in_the_order_of_writing(self) -> None:
        """Whatever failed in between."""
        order = [row.notice for row in self.model.rows]
        for room in (ROOM, OTHER_ROOM):
            for lane in Lane:
                said = [order.index(item) for item in self.sent if (item.room, item.lane) == (room, lane)]
                assert said == sorted(said)

    def teardown(self) -> None:
        """Give the connection back."""
        self.loop.run_until_complete(self.engine.dispose())
        self.loop.close()


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def test_any_interleaving_on_postgresql(postgres_url: str) -> None:
    class OnPostgresql(OutboxMachine):
        url = postgres_url

    run_state_machine_as_test(OnPostgresql, settings=settings(max_examples=5, stateful_step_count=30, deadline=None))
