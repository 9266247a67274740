"""Writes what a poll found; an object that cannot be written affects nothing else, and is read again later."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from bot.ids import ProjectName
from bot.incidents import Incidents
from bot.notices.changes import ChangedSubmission
from bot.patchwork.updates import MailKind
from bot.poll import CommentsRead, FollowUpResult, Pending, PendingKind, Poll, Rechecks
from bot.store.store import Transaction
from bot.watch.item_isolation import isolated

NOT_SAVED = "poll.object_not_saved"


@dataclass(frozen=True, slots=True)
class SavedPoll:
    """The part of a *poll* that was written, and what *changed*."""

    poll: Poll
    changed: tuple[ChangedSubmission, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a poll about one object; *again* says how to read it again, None if that is impossible."""

    name: str
    poll: Poll
    again: Pending | None = None


async def save_whole(tx: Transaction, poll: Poll) -> SavedPoll:
    """Write what a *poll* found, all of it or nothing."""
    return SavedPoll(poll, await tx.watch.save(poll))


async def save(tx: Transaction, poll: Poll, incidents: Incidents, now: datetime) -> SavedPoll:
    """Write what a *poll* found: as a whole, or, if that fails, piece by piece without those that cannot be written.

    An unwritable object is read again like one that could not be read; what an event said about it is lost.

    Raises:
        StoreError: when the database cannot be used at all.
    """
    whole = await isolated(tx, [poll], lambda polls: _saved(tx, polls), _nothing)
    if whole:
        return SavedPoll(poll, whole[0].changed)
    base = replace(
        poll, series=(), patches=(), told=(), shown=(), followed=FollowUpResult(rechecks=poll.followed.rechecks)
    )
    changed = list(await tx.watch.save(base))

    async def put_off(piece: _Piece, error: Exception) -> None:
        incidents.record(NOT_SAVED, piece.name, error)
        if piece.again is not None:
            await tx.watch.save(replace(_empty(poll), pending=(piece.again.again(now),)))

    async def write(pieces: Sequence[_Piece]) -> list[SavedPoll]:
        return await _saved(tx, [piece.poll for piece in pieces])

    written = await isolated(tx, list(_pieces(poll, now)), write, put_off)
    changed += [each for saved in written for each in saved.changed]
    series = tuple(read for saved in written for read in saved.poll.series)
    patches = tuple(patch for saved in written for patch in saved.poll.patches)
    return SavedPoll(replace(poll, series=series, patches=patches), tuple(changed))


async def _saved(tx: Transaction, polls: Sequence[Poll]) -> list[SavedPoll]:
    return [await save_whole(tx, poll) for poll in polls]


async def _nothing(poll: Poll, error: Exception) -> None:
    """Record nothing: the fault is located piece by piece."""


def _empty(poll: Poll) -> Poll:
    """Return a poll that only moves the cursor to where *poll* does."""
    rechecks = None if poll.followed.rechecks is None else Rechecks()
    return Poll(poll.server, poll.cursor, followed=FollowUpResult(rechecks=rechecks))


def _pieces(poll: Poll, now: datetime) -> Iterator[_Piece]:
    """Return what a *poll* found, object by object."""
    empty, server, followed = _empty(poll), poll.server, poll.followed
    nothing = empty.followed
    for read in poll.series:
        item = _item(poll, PendingKind.SERIES, read.series.id, read.series.project, now)
        yield _Piece(f"series {read.series.id} of {server}", replace(empty, series=(read,)), item)
    for patch in poll.patches:
        item = _item(poll, PendingKind.PATCH, patch.id, patch.project, now)
        yield _Piece(f"patch {patch.id} of {server}", replace(empty, patches=(patch,), past=poll.past), item)
    for number, told in groupby(sorted(poll.told, key=lambda each: each.patch), key=lambda each: each.patch):
        yield _Piece(f"what was told of patch {number} of {server}", replace(empty, told=tuple(told)))
    for series in poll.shown:
        yield _Piece(f"series {series.id} of {server}", replace(empty, shown=(series,)))
    for heard in followed.heard:
        name = f"comment {heard.id} of {server}"
        yield _Piece(name, replace(empty, followed=replace(nothing, heard=(heard,))))
    for comments in followed.comments:
        name = f"comments on {comments.on.kind} {comments.on.id} of {server}"
        yield _Piece(name, replace(empty, followed=replace(nothing, comments=(comments,))), _comments(poll, comments))
    for trailers in followed.trailers:
        kind = PendingKind.PATCH_TRAILERS if trailers.series is None else PendingKind.SERIES_TRAILERS
        number = trailers.series or next((patch for patch, _ in trailers.patches), 0)
        name = f"trailers of {number} of {server}"
        yield _Piece(
            name, replace(empty, followed=replace(nothing, trailers=(trailers,))), _settled(poll, kind, number)
        )
    for checks in followed.checks:
        name, again = f"checks of patch {checks.patch} of {server}", _settled(poll, PendingKind.CHECKS, checks.patch)
        yield _Piece(name, replace(empty, followed=replace(nothing, checks=(checks,))), again)


def _item(poll: Poll, kind: PendingKind, number: int, project: ProjectName, now: datetime) -> Pending:
    """Return the pending item that reads an object again."""
    new = Pending(kind, number, project, name="", first_seen=now, due=now, deadline=now)
    return _settled(poll, kind, number) or new


def _settled(poll: Poll, kind: PendingKind, number: int) -> Pending | None:
    """Return the pending item of an object that waited before the poll; None without one."""
    return next((item for item in poll.settled if item.key == (kind, number)), None)


def _comments(poll: Poll, read: CommentsRead) -> Pending | None:
    kind = PendingKind.PATCH_COMMENTS if read.on.kind is MailKind.PATCH else PendingKind.COVER_COMMENTS
    return _settled(poll, kind, read.on.id)


def resolve_saved(saved: SavedPoll, incidents: Incidents) -> None:
    """Resolve the incidents of objects that are written now; to be called after the commit."""
    for read in saved.poll.series:
        incidents.resolve(NOT_SAVED, f"series {read.series.id} of {saved.poll.server}")
    for patch in saved.poll.patches:
        incidents.resolve(NOT_SAVED, f"patch {patch.id} of {saved.poll.server}")
