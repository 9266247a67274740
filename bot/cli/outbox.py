"""Implements `patchbot outbox`, which lists, retries and drops unsent notices."""

import argparse
import asyncio
import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.cli.database import quiet_log, store_url
from bot.errors import UserError
from bot.text import printable

if TYPE_CHECKING:
    from datetime import datetime

    from bot.ids import NoticeId
    from bot.store.outbox_book import Unsent
    from bot.store.store import Transaction

_COLUMNS = 100
_LEAST_COLUMNS = 20
_ROW = "{:>6}  {:9}  {:16}  {:>5}  {}"
_BELOW = " " * 8
_NONE_DEAD = "There are no dead messages."


def list_unsent(arguments: argparse.Namespace) -> int:
    """Print unsent notices, oldest first, and how many cards are due for an edit."""
    from bot.notices.status import to_the_second

    async def unsent() -> "tuple[list[Unsent], datetime, int, datetime | None]":
        async with _transaction(arguments) as tx:
            return await tx.outbox.unsent(), tx.now, *await tx.cards.to_be_edited()

    notices, now, edits, next_edit = asyncio.run(unsent())
    if notices:
        _print(notices, now)
    else:
        print("The outbox is empty.")
    if next_edit is not None:
        cards = "1 card is" if edits == 1 else f"{edits} cards are"
        print(f"{cards} to be edited, the next at {to_the_second(next_edit)}.")
    return 0


def retry(arguments: argparse.Namespace) -> int:
    """Make notices due now."""
    from bot.notices.notice import NoticeState

    async def done() -> "list[Unsent]":
        async with _transaction(arguments) as tx:
            notices = await _chosen(tx, arguments)
            for room in {notice.room for notice in notices if notice.state is NoticeState.SUSPENDED}:
                await tx.session.resume(room)  # or what comes after them would wait on
            await tx.outbox.retry([notice.id for notice in notices])
            return notices

    notices = asyncio.run(done())
    if notices:
        print(f"{_count(notices)} will be tried again; a running bot does so within a minute.")
    else:
        print(_NONE_DEAD)
    return 0


def drop(arguments: argparse.Namespace) -> int:
    """Delete notices after confirmation."""

    async def chosen() -> "tuple[list[Unsent], datetime]":
        async with _transaction(arguments) as tx:
            return await _chosen(tx, arguments), tx.now

    async def dropped(ids: "Sequence[NoticeId]") -> None:
        async with _transaction(arguments) as tx:
            await tx.outbox.drop(ids)

    notices, now = asyncio.run(chosen())
    if not notices:
        print(_NONE_DEAD)
        return 0
    _print(notices, now)
    if not arguments.yes and not _is_meant(notices):
        print("Nothing was dropped.")
        return 1
    asyncio.run(dropped([notice.id for notice in notices]))
    print(f"{_count(notices)} dropped.")
    return 0


@asynccontextmanager
async def _transaction(arguments: argparse.Namespace) -> "AsyncIterator[Transaction]":
    from bot.clock import SystemClock
    from bot.store.store import Store

    quiet_log()
    store = await Store.beside(store_url(arguments), SystemClock())
    try:
        async with store.transaction() as tx:
            yield tx
    finally:
        await store.close()


async def _chosen(tx: "Transaction", arguments: argparse.Namespace) -> "list[Unsent]":
    """Return the notices that the arguments name.

    Raises:
        UserError: one of them does not exist, or none is named.
    """
    from bot.notices.notice import NoticeState

    if bool(arguments.ids) == arguments.dead:
        raise UserError(
            "name messages by their ids, as `patchbot outbox list` shows them, or all dead ones with --dead"
        )
    notices = await tx.outbox.unsent(arguments.ids or None)
    if missing := sorted(set(arguments.ids) - {notice.id for notice in notices}):
        raise UserError(f"no unsent message has the id {' or '.join(map(str, missing))}; nothing was changed")
    return [notice for notice in notices if arguments.ids or notice.state is NoticeState.DEAD]


def _print(notices: "Sequence[Unsent]", now: "datetime") -> None:
    """Print two or more lines for each notice: its state and why it waits, and its key, which names its room."""
    columns = min(_COLUMNS, shutil.get_terminal_size((_COLUMNS, 0)).columns)
    print(_ROW.format("id", "state", "written (UTC)", "tries", "why"))
    for notice in notices:
        written = f"{notice.created_at:%Y-%m-%d %H:%M}"
        before = _ROW.format(notice.id, notice.state.value, written, notice.attempts, "")
        _print_folded(before, printable(_why(notice, now)), columns)
        room = "" if notice.room in notice.key else f" in {notice.room}"
        _print_folded(_BELOW, printable(f"{notice.key}{room}"), columns)


def _print_folded(before: str, text: str, columns: int) -> None:
    """Print *text* after *before*, with further lines below it."""
    width = max(columns - len(before), _LEAST_COLUMNS)
    for number, line in enumerate(textwrap.wrap(text, width, break_on_hyphens=False)):
        print(f"{' ' * len(before) if number else before}{line}")


def _why(notice: "Unsent", now: "datetime") -> str:
    """Return why a notice is not sent."""
    from bot.notices.notice import NoticeState
    from bot.notices.status import to_the_second

    if notice.state is NoticeState.DEAD:
        return notice.reason or "refused for good"
    if notice.state is NoticeState.SUSPENDED:
        return f"the room does not let the bot speak{f' ({notice.reason})' if notice.reason else ''}"
    if notice.after is not None:
        return f"comes after {notice.after}"
    if notice.state is NoticeState.WAITING:
        return "due: goes as soon as the rate limit allows it"
    if not notice.reason:
        return "being sent, or the bot ended before it had an answer; it is tried again"
    again = f"next try at {to_the_second(notice.next_at)}" if notice.next_at > now else "next try now"
    return f"{notice.reason}; {again}"


def _is_meant(notices: "Sequence[Unsent]") -> bool:
    if not sys.stdin.isatty():
        raise UserError("dropped messages cannot be restored; confirm with --yes")
    try:
        return input(f"Drop {_count(notices)} for good? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _count(notices: "Sequence[Unsent]") -> str:
    return "1 message" if len(notices) == 1 else f"{len(notices)} messages"
