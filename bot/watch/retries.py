"""Stores parts of a poll until they are retried, and names them for incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from bot.ids import PatchId, RoomId, ServerName
from bot.query.options import CardForm, read_digest
from bot.store.flood_book import HeldSubmission
from bot.store.queued_change_book import of_changed, to_changed
from bot.store.retry_book import Retry, RetryKind
from bot.store.store import Transaction
from bot.submission import SubmissionKind, SubmissionRef
from bot.watch.announce import Arrived, CardRequest
from bot.watch.change_replies import PendingChange
from bot.watch.version_links import UnlinkedSeries

Part: TypeAlias = Arrived | PendingChange | CardRequest | UnlinkedSeries


@dataclass(frozen=True, slots=True)
class PollParts:
    """What one transaction handles: arrivals, changes, requested cards, and versions to be linked.

    *learned* are known series of which a cover letter says what they need.
    """

    submissions: Sequence[Arrived] = ()
    changes: Sequence[PendingChange] = ()
    cards: Sequence[CardRequest] = ()
    links: Sequence[UnlinkedSeries] = ()
    learned: Sequence[SubmissionRef] = ()


def incident_of(retry: Retry) -> tuple[str, str]:
    """Return the kind and the name of the incident for a part that failed."""
    return retry.kind.incident, f"{retry.key} for {retry.room}" if retry.room else retry.key


def retry_of(part: Part) -> Retry:
    """Return the retry to store for a *part* that failed once more."""
    about, failures = _about(part), part.failures + 1
    key, server = f"{about.kind} {about.id} of {about.server}", about.server
    match part:
        case Arrived():
            work: dict[str, Any] = {**_of_about(about), "texts": [[*each] for each in part.texts.items()]}
            return Retry(RetryKind.SUBMISSION, key, server, None, work, failures)
        case PendingChange():
            return Retry(RetryKind.CHANGE, key, server, part.room, of_changed(part.changed), failures)
        case CardRequest():
            work = {**_of_about(about), "why": part.why, "paths": list(part.match.paths), "form": part.form}
            work |= {"digests": [str(digest) for digest in part.digests], "by_change": part.by_change}
            return Retry(RetryKind.CARD, key, server, part.room, work, failures)
        case UnlinkedSeries():
            return Retry(RetryKind.LINK, key, server, None, _of_about(about), failures)


async def part_of(tx: Transaction, retry: Retry) -> Part | None:
    """Return a stored part, with its submission as it is in the store now; None if there is nothing to do.

    Raises:
        KeyError, TypeError, ValueError: if it was written by another version of this program.
    """
    assert retry.server is not None  # noqa: S101  # for the type; a part of a poll is of a server
    if retry.kind is RetryKind.CHANGE:
        return PendingChange(to_changed(retry.server, retry.work), retry.room, retry.failures)
    about = _to_about(retry.server, retry.work)
    if retry.kind is RetryKind.SUBMISSION:
        texts = {PatchId(number): text for number, text in retry.work["texts"]}
        return Arrived(about, texts, retry.failures)
    if retry.kind is RetryKind.LINK:
        return UnlinkedSeries(about, retry.failures)
    return await _wanted(tx, about, retry)


async def _wanted(tx: Transaction, about: SubmissionRef, retry: Retry) -> CardRequest | None:
    """Return a card that is still missing; None if the room has one, or lists the submission in a flood."""
    room, work = RoomId(str(retry.room)), retry.work
    having = await tx.cards.rooms_with(about)
    if not work["by_change"]:
        having |= await tx.floods.rooms_with(about)
    submission = await tx.watch.load_submission(about)
    if submission is None or room in having:
        return None
    form = CardForm(work["form"]) if work["form"] else None
    wanted = CardRequest.of_held(
        room, HeldSubmission(about, work["why"], tuple(work["paths"]), form or CardForm.CARD), submission
    )
    digests = tuple(map(read_digest, work["digests"]))
    return replace(wanted, form=form, digests=digests, by_change=work["by_change"], failures=retry.failures)


def _about(part: Part) -> SubmissionRef:
    return part.changed.about if isinstance(part, PendingChange) else part.about


def _of_about(about: SubmissionRef) -> dict[str, Any]:
    return {"kind": about.kind, "object": about.id, "rebuilds": about.rebuilds}


def _to_about(server: ServerName, work: Mapping[str, Any]) -> SubmissionRef:
    return SubmissionRef(server, SubmissionKind(work["kind"]), work["object"], work["rebuilds"])
