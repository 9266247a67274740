"""Storage of changes that rooms subscribed to, until they are posted together in the thread of a card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import NoticeKey, PatchId, RoomId, ServerName
from bot.notices.changes import Change, ChangedSubmission, ChangeKind
from bot.patchwork.model import CheckState, Comment, Patch, Person, Series
from bot.store import columns, rows, schema
from bot.store.book import read_each
from bot.store.card_book import is_there
from bot.store.retry_book import RetryBook, RetryKind, is_put_off
from bot.submission import Contexts, SubmissionKind, SubmissionRef


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """The queued changes of a card, oldest first; *first* is the number of the first one.

    *since* is when the first change was seen (UTC), *ended* is why the card is no longer edited, None if it still is.
    *is_there* is true if the card was sent, or may still be.
    """

    card: NoticeKey
    room: RoomId
    about: SubmissionRef
    ended: str | None
    is_there: bool
    first: int
    since: datetime
    last: int
    changes: tuple[Change, ...]


class QueuedChangeBook:
    """The queued changes in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, retries: RetryBook) -> None:
        self._connection = connection
        self._now = now
        self._retries = retries

    async def add(self, card: NoticeKey, changes: Sequence[Change]) -> None:
        """Queue *changes* for the thread of a card, which may not be stored yet."""
        if changes:
            rows = [{"card": card, "seen_at": self._now, **of_change(change)} for change in changes]
            await self._connection.execute(sa.insert(schema.queued_change), rows)

    async def due(self, gathering: timedelta, limit: int) -> list[ChangeBatch]:
        """Return at most *limit* batches whose first change is at least *gathering* old; a clock set back delays none.

        A batch that failed, or that cannot be read, is not due before its retry.
        """
        table, card = schema.queued_change, schema.card
        first = sa.func.min(table.c.seen_at, type_=columns.Utc)
        is_due = sa.or_(first <= self._now - gathering, first > self._now)
        waits = is_put_off(RetryKind.REPLY, table.c.card, self._now)
        keys = sa.select(table.c.card).where(~waits).group_by(table.c.card).having(is_due)
        keys = keys.order_by(sa.func.min(table.c.id)).limit(limit)
        due = [NoticeKey(key) for key in (await self._connection.execute(keys)).scalars()]
        query = sa.select(table).where(table.c.card.in_(due)).order_by(table.c.id)
        queued: dict[str, list[sa.RowMapping]] = {}
        for row in (await self._connection.execute(query)).mappings():
            queued.setdefault(row["card"], []).append(row)
        cards = (
            await self._connection.execute(sa.select(card, is_there()).where(card.c.notice_key.in_(due)))
        ).mappings()
        known = {row["notice_key"]: row for row in cards}
        await self._drop([key for key in due if key not in known])
        in_order = [known[key] for key in due if key in known]
        batches, unreadable = read_each(
            in_order, lambda row: _batch(row, queued[row["notice_key"]]), lambda row: str(row["notice_key"])
        )
        for each in unreadable:
            await self._retries.put_off(RetryKind.REPLY, each.key, each.error)
        return batches

    async def remove(self, batch: ChangeBatch) -> None:
        """Delete the changes of a batch."""
        table = schema.queued_change
        where = (table.c.card == batch.card, table.c.id <= batch.last)
        await self._connection.execute(sa.delete(table).where(*where))

    async def _drop(self, cards: Sequence[NoticeKey]) -> None:
        """Delete the changes of cards that were never stored, or are deleted."""
        table = schema.queued_change
        if cards:
            await self._connection.execute(sa.delete(table).where(table.c.card.in_(cards)))


def next_reply(now: datetime) -> sa.Select[tuple[datetime]]:
    """Select since when the oldest change is queued, ignoring batches that wait for a retry; null if none is."""
    table = schema.queued_change
    waits = is_put_off(RetryKind.REPLY, table.c.card, now)
    first = sa.func.min(table.c.seen_at, type_=columns.Utc()).label("first")
    cards = sa.select(first).where(~waits).group_by(table.c.card).subquery()
    moment = sa.case((cards.c.first > now, columns.LONG_AGO), else_=cards.c.first)  # the clock was set back
    return sa.select(sa.func.min(moment, type_=columns.Utc()))


def _batch(card: sa.RowMapping, rows: Sequence[sa.RowMapping]) -> ChangeBatch:
    return ChangeBatch(
        card=NoticeKey(card["notice_key"]),
        room=RoomId(card["room"]),
        about=SubmissionRef(ServerName(card["server"]), SubmissionKind(card["kind"]), card["object"]),
        ended=card["ended"],
        is_there=bool(card["is_there"]),
        first=rows[0]["id"],
        since=rows[0]["seen_at"],
        last=rows[-1]["id"],
        changes=tuple(map(to_change, rows)),
    )


def of_change(change: Change) -> dict[str, object]:
    """Return the columns of a change."""
    return {
        "kind": change.kind,
        "patch": change.patch,
        "before": change.before,
        "after": change.after,
        "context": change.context,
        "actor": change.actor,
        "comment": None if change.comment is None else _of_comment(change.comment),
    }


def to_change(row: sa.RowMapping | Mapping[str, Any]) -> Change:
    """Return the change in a row."""
    return Change(
        kind=ChangeKind(row["kind"]),
        patch=None if row["patch"] is None else PatchId(row["patch"]),
        before=row["before"],
        after=row["after"],
        context=row["context"],
        actor=row["actor"],
        comment=None if row["comment"] is None else _to_comment(row["comment"]),
    )


def _of_comment(comment: Comment) -> dict[str, object]:
    return {
        "id": comment.id,
        "name": comment.submitter.name,
        "email": comment.submitter.email,
        "date": comment.date,
        "text": comment.text,
        "trailers": rows.of_trailers(comment.trailers),
    }


def _to_comment(stored: Mapping[str, object]) -> Comment:
    match stored:
        case {"id": int(id_), "name": str(name), "email": str(email), "date": str(date), "text": str(text)}:
            given = stored["trailers"]
            trailers = rows.to_trailers(given if isinstance(given, list) else [])
            return Comment(id_, Person(name, email), date, text, trailers)
        case _:
            raise TypeError("a queued comment has another shape than this program writes")


_NO_TIME = datetime.min.replace(tzinfo=UTC)  # required by the rows, but not stored


def of_changed(changed: ChangedSubmission) -> dict[str, Any]:
    """Return *changed* as JSON."""
    return {
        "kind": changed.about.kind,
        "object": changed.about.id,
        "rebuilds": changed.about.rebuilds,
        "series": _of_series(changed.series),
        "former": _of_series(changed.former),
        "before": [_of_patch(patch) for patch in changed.before],
        "after": [_of_patch(patch) for patch in changed.after],
        "changes": [of_change(change) for change in changed.changes],
        "checks": _of_checks(changed.checks),
        "former_checks": _of_checks(changed.former_checks),
    }


def to_changed(server: ServerName, stored: Mapping[str, Any]) -> ChangedSubmission:
    """Return the stored change of *server*.

    Raises:
        KeyError, TypeError, ValueError: it has another shape than this program writes.
    """
    return ChangedSubmission(
        about=SubmissionRef(server, SubmissionKind(stored["kind"]), stored["object"], stored["rebuilds"]),
        series=rows.to_series(stored["series"]) if stored["series"] else None,
        before=tuple(map(rows.to_patch, stored["before"])),
        after=tuple(map(rows.to_patch, stored["after"])),
        changes=tuple(map(to_change, stored["changes"])),
        checks=_to_checks(stored["checks"]),
        former_checks=_to_checks(stored["former_checks"]),
        former=rows.to_series(stored["former"]) if stored["former"] else None,
    )


def _of_series(series: Series | None) -> dict[str, object] | None:
    if series is None:
        return None
    row = {"id": series.id, "trailers": rows.of_trailers(series.trailers), **rows.of_series(series, _NO_TIME)}
    return {name: value for name, value in row.items() if value is not _NO_TIME}


def _of_patch(patch: Patch) -> dict[str, object]:
    row = {"id": patch.id, **rows.of_patch(patch, _NO_TIME)}
    return {name: value for name, value in row.items() if value is not _NO_TIME}


def _of_checks(checks: Mapping[PatchId, Contexts]) -> list[list[object]]:
    return [[patch, [list(context) for context in contexts]] for patch, contexts in checks.items()]


def _to_checks(stored: Sequence[Sequence[Any]]) -> dict[PatchId, Contexts]:
    return {
        PatchId(patch): tuple((context, CheckState(state)) for context, state in contexts) for patch, contexts in stored
    }
