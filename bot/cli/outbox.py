"""Implements `patchbot outbox`, which lists, retries and drops unsent notices."""

import argparse
import asyncio
import sys
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

_PIPE_COLUMNS = 10_000  # whoever reads through a pipe wants whole lines


def list_unsent(arguments: argparse.Namespace) -> int:
    """Print unsent notices, oldest first, and how many cards are due for an edit."""
    from bot.notices.status import to_the_second

    async def unsent() -> "tuple[list[Unsent], int, datetime | None]":
        async with _transaction(arguments) as tx:
            return await tx.outbox.unsent(), *await tx.cards.to_be_edited()

    notices, edits, next_edit = asyncio.run(unsent())
    if notices:
        _print(notices)
    else:
        print("the outbox is empty")
    if next_edit is not None:
        cards = "1 card is" if edits == 1 else f"{edits} cards are"
        print(f"{cards} to be edited, the next at {to_the_second(next_edit)}")
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
        print(f"{_count(notices)} due now; a running bot takes them up within a minute")
    else:
        print("no dead notices")
    return 0


def drop(arguments: argparse.Namespace) -> int:
    """Delete notices after confirmation."""

    async def chosen() -> "list[Unsent]":
        async with _transaction(arguments) as tx:
            return await _chosen(tx, arguments)

    async def dropped(ids: "Sequence[NoticeId]") -> None:
        async with _transaction(arguments) as tx:
            await tx.outbox.drop(ids)

    notices = asyncio.run(chosen())
    if not notices:
        print("no dead notices")
        return 0
    _print(notices)
    if not arguments.yes and not _is_meant(notices):
        print("nothing was dropped")
        return 1
    asyncio.run(dropped([notice.id for notice in notices]))
    print(f"{_count(notices)} dropped")
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
            "name either notices by their ids, as `patchbot outbox list` shows them, or all that were given up: --dead"
        )
    notices = await tx.outbox.unsent(arguments.ids or None)
    if missing := sorted(set(arguments.ids) - {notice.id for notice in notices}):
        raise UserError(f"there is no unsent notice {', '.join(map(str, missing))}; nothing was changed")
    return [notice for notice in notices if arguments.ids or notice.state is NoticeState.DEAD]


def _print(notices: "Sequence[Unsent]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "id", "state", "since (UTC)", "tries", "room", "key", "why", box=None, header_style="bold", pad_edge=False
    )
    for notice in notices:
        since = f"{notice.created_at:%Y-%m-%d %H:%M}"
        tries = str(notice.attempts)
        cells = (str(notice.id), notice.state.value, since, tries, notice.room, notice.key, notice.reason)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS, highlight=False).print(table)


def _is_meant(notices: "Sequence[Unsent]") -> bool:
    if not sys.stdin.isatty():
        raise UserError("dropped notices cannot be restored: confirm with --yes")
    try:
        return input(f"Drop {_count(notices)} for good? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _count(notices: "Sequence[Unsent]") -> str:
    return "1 notice" if len(notices) == 1 else f"{len(notices)} notices"
