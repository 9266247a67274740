"""Determines when each duty has something to do, in one statement over the tables of all duties."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import schema
from bot.store.book import Book
from bot.store.card_book import next_edit
from bot.store.digest_book import next_digest
from bot.store.flood_book import FloodBook
from bot.store.nudge_book import next_nudge
from bot.store.queued_change_book import next_reply
from bot.store.retry_book import RetryBook, RetryKind, next_try
from bot.store.snooze_book import next_return

DUE_TABLES: Final = frozenset({"card", "queued_change", "digest", "flood", "retry", "server", "snooze", "nudge"})
"""The tables whose rows decide when something is due; a flood also waits for a poll of its server."""
_DUTIES: Final = (
    RetryKind.EDIT,
    RetryKind.REPLY,
    RetryKind.DIGEST,
    RetryKind.FLOOD,
    RetryKind.SNOOZE,
    RetryKind.NUDGE,
)


@dataclass(frozen=True, slots=True)
class DueTimes:
    """The time (UTC) from which each duty has work, and the time of the first retry of failed work.

    A duty without work, or only with failed work, is not in *waiting*; *retry_at* is None if nothing failed.
    """

    waiting: Mapping[RetryKind, datetime]
    retry_at: datetime | None = None


class DueBook(Book):
    """The due times of all duties, read in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, floods: FloodBook, retries: RetryBook) -> None:
        super().__init__(connection, now)
        self._floods = floods
        self._retries = retries

    async def times(self) -> DueTimes:
        """Return the due times, with one statement, and a few more while a flood is open."""
        firsts = {
            RetryKind.EDIT: next_edit(self._now),
            RetryKind.REPLY: next_reply(self._now),
            RetryKind.DIGEST: next_digest(self._now),
            RetryKind.SNOOZE: next_return(self._now),
            RetryKind.NUDGE: next_nudge(self._now),
        }
        has_flood = sa.exists(sa.select(schema.flood.c.key)).label("has_flood")
        columns = [first.scalar_subquery().label(kind) for kind, first in firsts.items()]
        retry_at = next_try(self._now, _DUTIES).scalar_subquery().label("retry_at")
        row = await self._one(sa.select(*columns, retry_at, has_flood))
        assert row is not None  # noqa: S101  # for the type; there is always one
        waiting = {kind: row[kind] for kind in firsts if row[kind] is not None}
        if row["has_flood"]:
            first = await self._floods.next_due(await self._retries.waiting(RetryKind.FLOOD))
            waiting |= {} if first is None else {RetryKind.FLOOD: first}
        return DueTimes(waiting, row["retry_at"])
