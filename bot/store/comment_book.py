"""Storage of who wrote comments, and when: of all that were read, whoever needed them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

import sqlalchemy as sa

from bot.ids import PatchId, ServerName
from bot.patchwork.model import Comment, Person, TrailerKind
from bot.patchwork.updates import CommentTarget, MailComments, MailKind
from bot.poll import Poll
from bot.store import schema
from bot.store.book import Book, batched, drop_batch, upsert
from bot.store.patch_book import KEEP_PATCHES
from bot.store.queue_tables import mail_comment, mail_read
from bot.subscriptions.turns import ReviewComment, mail_time

_MAX_NAME: Final = 200  # characters of a name, and of an address
_CHUNK: Final = 400  # mails in a statement, below the parameter limit of every SQLite version


@dataclass(frozen=True, slots=True)
class CommentsOfMail:
    """The known comments on a patch or a cover letter; *is_read* is true if all that there were have been read."""

    comments: Sequence[ReviewComment] = ()
    is_read: bool = False


NO_COMMENTS: Final = CommentsOfMail()


class CommentBook(Book):
    """The authors of comments in one transaction."""

    async def save(self, poll: Poll) -> None:
        """Store the authors of all comments that a *poll* read."""
        read = [*chain.from_iterable(each.comments for each in poll.followed.trailers), *_read_for_somebody(poll)]
        if not read:
            return
        rows = {
            (on.kind, comment.id): self._row(poll.server, on, comment) for on, comments in read for comment in comments
        }
        await self._insert_new(mail_comment, rows.values())
        marks = {
            (on.kind, on.id): {"server": poll.server, "kind": on.kind, "object": on.id, "read_at": self._now}
            for on, _ in read
        }
        mark = upsert(self._connection.dialect.name, mail_read)
        mark = mark.on_conflict_do_update(
            index_elements=list(mail_read.primary_key), set_={"read_at": mark.excluded.read_at}
        )
        for some in batched(marks.values(), _CHUNK):
            await self._connection.execute(mark, some)

    async def of(self, server: ServerName, kind: MailKind, mails: Iterable[int]) -> dict[int, CommentsOfMail]:
        """Return the known comments on *mails*, by id; those that were announced but not read have no author."""
        found: dict[int, list[ReviewComment]] = {}
        read: set[int] = set()
        for some in batched(sorted(set(mails)), _CHUNK):
            for row in await self._all(_on(mail_comment, server, kind, some)):
                found.setdefault(row["object"], []).append(_comment(row, kind))
            for row in await self._all(_on(schema.comment, server, kind, some).where(~_is_read())):
                found.setdefault(row["object"], []).append(ReviewComment(None, row["seen_at"]))
            read.update(row["object"] for row in await self._all(_on(mail_read, server, kind, some)))
        return {mail: CommentsOfMail(tuple(found.get(mail, ())), mail in read) for mail in found.keys() | read}

    async def tidy(self) -> bool:
        """Delete a batch of old comments, and return whether there may be more."""
        tables = (mail_comment, mail_read)
        old = [
            await drop_batch(self._connection, table, table.c.read_at < self._now - KEEP_PATCHES) for table in tables
        ]
        return any(old)

    async def forget(self, server: ServerName) -> None:
        """Delete the comments of a server whose ids started over."""
        for table in (mail_comment, mail_read):
            await self._connection.execute(sa.delete(table).where(table.c.server == server))

    def _row(self, server: ServerName, on: CommentTarget, comment: Comment) -> dict[str, object]:
        return {
            "server": server,
            "kind": on.kind,
            "id": comment.id,
            "object": on.id,
            "name": comment.submitter.name[:_MAX_NAME],
            "email": comment.submitter.email[:_MAX_NAME],
            "sent_at": _sent_at(comment, self._now),
            "trailers": sorted({trailer.kind.value for trailer in comment.trailers}),
            "read_at": self._now,
        }


def _read_for_somebody(poll: Poll) -> Iterator[MailComments]:
    return ((read.on, read.comments) for read in poll.followed.comments if read.comments is not None)


def _is_read() -> sa.ColumnElement[bool]:
    """Return whether an announced comment has been read."""
    announced = schema.comment
    same = (mail_comment.c[name] == announced.c[name] for name in ("server", "kind", "id"))
    return sa.exists().where(*same)


def _on(table: sa.Table, server: ServerName, kind: MailKind, mails: Sequence[int]) -> sa.Select[tuple[object, ...]]:
    return sa.select(table).where(table.c.server == server, table.c.kind == kind, table.c.object.in_(mails))


def _sent_at(comment: Comment, now: datetime) -> datetime:
    """Return when a comment was sent; not after *now*, whatever its date says."""
    sent = mail_time(comment.date)
    return now if sent is None else min(sent, now)


def _comment(row: sa.RowMapping, kind: MailKind) -> ReviewComment:
    trailers = frozenset(map(TrailerKind, row["trailers"]))
    patch = PatchId(row["object"]) if kind is MailKind.PATCH else None
    return ReviewComment(Person(row["name"], row["email"]), row["sent_at"], trailers, patch)
