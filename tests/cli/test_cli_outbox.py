"""`patchbot outbox list`, `retry` and `drop`."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.cli import main
from bot.clock import VirtualClock
from bot.ids import DeviceId, NoticeKey, RoomId, ServerName
from bot.notices.notice import Dead, Lane, Message, Notice, NoticeKind, RetryAt, Suspend, Tag, card_key
from bot.store.store import Store, Transaction
from support.cli_rig import work_in, write_config

DEVICE = DeviceId("ONE")
NAMELESS = "name messages by their ids, as `patchbot outbox list` shows them, or all dead ones with --dead"


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(work_in(tmp_path, monkeypatch))
    monkeypatch.setenv("COLUMNS", "100")


def in_the_store(do: Callable[[Transaction], Awaitable[None]]) -> None:
    async def done() -> None:
        store = await Store.open("sqlite:///patchbot.db", VirtualClock())
        try:
            async with store.transaction() as tx:
                await do(tx)
        finally:
            await store.close()

    asyncio.run(done())


def a_notice(number: int, room: RoomId | None = None) -> Notice:
    room = room or RoomId(f"!room{number}:hs")
    tag = Tag(NoticeKind.CARD, card_key(room, ServerName("ozlabs"), "series", number))
    return Notice(room, Lane.CARD, Message("body", "<p>html</p>", tag))


@pytest.fixture
def _outbox() -> None:
    """One notice was given up, one waits for another try, one for its first."""

    async def filled(tx: Transaction) -> None:
        await tx.outbox.add([a_notice(1), a_notice(2)])
        first, second = (await tx.outbox.claim(10, DEVICE)).notices
        await tx.outbox.settle(first, Dead("HTTP 400 M_TOO_LARGE \x1b[31m"))
        await tx.outbox.settle(second, RetryAt(VirtualClock().now(), "HTTP 502"))
        await tx.outbox.add([a_notice(3)])

    in_the_store(filled)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit status and what was said, on whichever stream."""
    status = main(["outbox", *arguments])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def states(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The state of each notice that is listed, with its id."""
    lines = run(capsys, "list")[1].splitlines()[1:]
    return [" ".join(line.split()[:2]) for line in lines if line[:6].strip()]


@pytest.mark.usefixtures("_outbox")
def test_what_is_not_said_is_listed_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(capsys, "list")

    assert status == 0
    assert said == snapshot("""\
    id  state      written (UTC)     tries  why
     1  dead       2026-01-01 00:00      1  HTTP 400 M_TOO_LARGE �[31m
        card/ozlabs/series/1/!room1:hs
     2  tried      2026-01-01 00:00      1  HTTP 502; next try now
        card/ozlabs/series/2/!room2:hs
     3  waiting    2026-01-01 00:00      0  due: goes as soon as the rate limit allows it
        card/ozlabs/series/3/!room3:hs
""")


def test_each_reason_to_wait_is_told_within_a_hundred_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long_name = RoomId(f"!{'q' * 43}")

    async def filled(tx: Transaction) -> None:
        cards = [a_notice(1), a_notice(2), a_notice(3), a_notice(4), a_notice(5, room=long_name)]
        await tx.outbox.add(cards)
        claimed = (await tx.outbox.claim(4, DEVICE)).notices
        await tx.outbox.settle(claimed[0], RetryAt(VirtualClock().now() + timedelta(hours=1), "HTTP 429 " * 20))
        await tx.outbox.settle(claimed[1], Suspend("HTTP 403 M_FORBIDDEN"))
        await tx.outbox.settle(claimed[2], Dead("HTTP 413 M_TOO_LARGE"))
        reply = replace(a_notice(6, room=long_name), lane=Lane.REPLY, of=cards[4].key)
        await tx.outbox.add([a_notice(7, room=long_name), reply])
        await tx.session.suspend(RoomId("!room2:hs"))
        await tx.outbox.add([a_notice(8, room=RoomId("!room2:hs"))])

    in_the_store(filled)
    said = run(capsys, "list")[1]
    monkeypatch.setenv("COLUMNS", "60")
    narrow = run(capsys, "list")[1]

    assert max(map(len, said.splitlines())) <= 100
    assert max(map(len, narrow.splitlines())) <= 72  # its narrowest column is for words
    assert said == snapshot("""\
    id  state      written (UTC)     tries  why
     1  tried      2026-01-01 00:00      1  HTTP 429 HTTP 429 HTTP 429 HTTP 429 HTTP 429 HTTP 429
                                            HTTP 429 HTTP 429 HTTP 429 HTTP 429 HTTP 429 HTTP 429
                                            HTTP 429 HTTP 429 HTTP 429 HTTP 429 HTTP 429 HTTP 429
                                            HTTP 429 HTTP 429 ; next try now
        card/ozlabs/series/1/!room1:hs
     2  suspended  2026-01-01 00:00      1  the room does not let the bot speak (HTTP 403
                                            M_FORBIDDEN)
        card/ozlabs/series/2/!room2:hs
     3  dead       2026-01-01 00:00      1  HTTP 413 M_TOO_LARGE
        card/ozlabs/series/3/!room3:hs
     4  tried      2026-01-01 00:00      1  being sent, or the bot ended before it had an answer; it
                                            is tried again
        card/ozlabs/series/4/!room4:hs
     5  waiting    2026-01-01 00:00      0  due: goes as soon as the rate limit allows it
        card/ozlabs/series/5/!qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
     6  waiting    2026-01-01 00:00      0  comes after 5
        card/ozlabs/series/7/!qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
     7  waiting    2026-01-01 00:00      0  comes after 5
        card/ozlabs/series/6/!qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
     8  suspended  2026-01-01 00:00      0  the room does not let the bot speak
        card/ozlabs/series/8/!room2:hs
""")


def test_an_empty_outbox_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    capsys.readouterr()

    assert run(capsys, "list") == (0, "The outbox is empty.\n")
    assert run(capsys, "retry", "--dead") == (0, "There are no dead messages.\n")
    assert run(capsys, "drop", "--dead") == (0, "There are no dead messages.\n")


@pytest.mark.usefixtures("_outbox")
def test_what_was_given_up_is_tried_again_where_it_stood(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "retry", "--dead") == (
        0,
        "1 message will be tried again; a running bot does so within a minute.\n",
    )

    assert states(capsys) == ["1 tried", "2 tried", "3 waiting"]


@pytest.mark.usefixtures("_outbox")
def test_what_is_dropped_is_shown_first_and_gone_when_it_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = run(capsys, "drop", "2", "3", "--yes")

    assert status == 0
    assert "card/ozlabs/series/2/" in said
    assert said.endswith("2 messages dropped.\n")
    assert states(capsys) == ["1 dead"]


@pytest.mark.usefixtures("_outbox")
@pytest.mark.parametrize(("typed", "status", "left"), [("n\n", 1, 3), ("\n", 1, 3), ("", 1, 3), ("y\n", 0, 2)])
def test_dropping_asks_at_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str, status: int, left: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))

    assert run(capsys, "drop", "1")[0] == status
    assert len(states(capsys)) == left


@pytest.mark.usefixtures("_outbox")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["drop", "1"], "dropped messages cannot be restored; confirm with --yes"),
        (["retry", "1", "99"], "no unsent message has the id 99; nothing was changed"),
        (["drop", "98", "99", "--yes"], "no unsent message has the id 98 or 99; nothing was changed"),
        (["retry"], NAMELESS),
        (["retry", "1", "--dead"], NAMELESS),
    ],
)
def test_a_mistake_changes_nothing_and_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    status, said = run(capsys, *arguments)

    assert status == 2
    assert said.splitlines()[-1] == reason
    assert states(capsys) == ["1 dead", "2 tried", "3 waiting"]


def test_looking_makes_no_database(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capsys, "list") == (1, "there is no database at patchbot.db\n")
    assert list(tmp_path.glob("*.db*")) == []


def test_a_room_that_lets_the_bot_again_by_hand_takes_what_comes_next_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def refused(tx: Transaction) -> None:
        await tx.outbox.add([a_notice(1)])
        await tx.session.suspend(RoomId("!room1:hs"))

    async def another(tx: Transaction) -> None:
        tag = Tag(NoticeKind.CARD, NoticeKey("card/next"))
        await tx.outbox.add([Notice(RoomId("!room1:hs"), Lane.CARD, Message("body", "<p>html</p>", tag))])

    in_the_store(refused)
    before = states(capsys)
    run(capsys, "retry", "1")
    in_the_store(another)

    assert before == ["1 suspended"]
    assert states(capsys) == ["1 waiting", "2 waiting"]
