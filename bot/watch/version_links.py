"""Links each version of a work to the one before it, and tells the cards of both."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from bot.ids import EventId, RoomId, SeriesId, ServerName
from bot.notices.card import CardContent
from bot.notices.changes import ChangedSubmission, ChangeKind
from bot.notices.version_lines import CardPlace, FormerVersion, NextVersion
from bot.patchwork.model import Patch, Series, is_partial_reroll, may_follow, version_of
from bot.patchwork.range_diff import KnownVersion, compare
from bot.patchwork.versions import follow, newcomer
from bot.poll import SeriesRead
from bot.store.store import Transaction
from bot.submission import Submission, SubmissionKind, SubmissionRef

_log = structlog.get_logger(__name__)
_Places = Mapping[RoomId, EventId | None]


@dataclass(frozen=True, slots=True)
class LinkedSeries:
    """A series whose former version was found; *failures* counts how often that could not be done before.

    *evidence* is how it was found; empty if it was known already.
    """

    series: Series
    former: Series
    failures: int = 0
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnlinkedSeries:
    """A series whose former version is to be found; *news* are those of its patches that were read with it.

    *failures* counts how often that could not be done so far. *series* is None where it is to be read from the store.
    """

    about: SubmissionRef
    failures: int = 0
    news: tuple[Patch, ...] = ()
    series: Series | None = None


async def link_versions(tx: Transaction, links: Sequence[UnlinkedSeries]) -> list[LinkedSeries]:
    """Find the former versions of series that are saved, the earlier first, as far as they are not known."""
    found = [await _link(tx, link) for link in links]
    return [linked for linked in found if linked is not None]


async def _link(tx: Transaction, link: UnlinkedSeries) -> LinkedSeries | None:
    server = link.about.server
    series = link.series or await tx.watch.series(server, link.about.id)
    if series is None or not may_follow(series):
        return None
    if earlier := await tx.watch.earlier(server, series.id):
        former = await tx.watch.series(server, earlier[0]) if link.failures else None
        return LinkedSeries(series, former, link.failures) if former else None  # its cards were perhaps not told
    new = newcomer(series, await tx.watch.patches_of(server, series.id), link.news)
    evident = follow(new, await tx.versions.candidates(server, new))
    if evident is None:
        return None
    await tx.watch.link(server, series.id, evident.former.id)
    return LinkedSeries(series, evident.former, link.failures, tuple(str(kind) for kind in evident.evidence))


def links(
    changed: Iterable[ChangedSubmission], reads: Sequence[SeriesRead], server: ServerName, rebuilds: int
) -> list[UnlinkedSeries]:
    """The series that were *read*, or got another name, by which they may be found to follow another; by id.

    The earlier may be the former of the later.
    """
    kinds = {ChangeKind.PATCHES, ChangeKind.DETAILS}
    named = [each for each in changed if any(change.kind in kinds for change in each.changes)]
    found = {each.series.id: UnlinkedSeries(each.about) for each in named if each.series is not None}
    read = {
        each.series.id: UnlinkedSeries(
            SubmissionRef(server, SubmissionKind.SERIES, each.series.id, rebuilds), news=each.news, series=each.series
        )
        for each in reads
    }
    found |= read
    return [found[number] for number in sorted(found)]


async def link_cards(tx: Transaction, server: ServerName, linked: Sequence[LinkedSeries]) -> None:
    """Mark the cards of both versions, once the new one has the cards that it is to have now.

    Where the new version has a card that is not sent yet, the old one waits for its event, to be edited once. Versions
    without a card in any room are not logged: on a large list there are dozens a day that nobody follows.
    """
    for each in linked:
        new, old = (SubmissionRef(server, SubmissionKind.SERIES, series.id) for series in (each.series, each.former))
        there, before = await tx.cards.events_by_room(new), await tx.cards.events_by_room(old)
        if each.evidence and (there or before):
            why = list(each.evidence)
            _log.info("version.linked", server=server, series=each.series.id, former=each.former.id, evidence=why)
        told = [room for room in before if room not in there or there[room] is not None]
        await tx.cards.touch(old, urgent=True, rooms=told)
        await tx.cards.touch(new, urgent=False)


@dataclass(frozen=True, slots=True)
class VersionLinker:
    """The versions before and after a series, and the rooms where they have cards, with the events of those."""

    former: FormerVersion | None = None
    former_cards: _Places = field(default_factory=dict)
    successor: NextVersion | None = None
    successor_cards: _Places = field(default_factory=dict)

    def seen_from(self, room: RoomId, shown: CardContent) -> CardContent:
        """What is *shown* of the series, with its versions as a room knows them.

        A version after it whose card is on its way to the room is told of when that is there.
        """
        former, successor = self.former, self.successor
        if former is not None:
            former = replace(former, card=_place(room, self.former_cards))
        if successor is not None:
            is_under_way = room in self.successor_cards and self.successor_cards[room] is None
            successor = None if is_under_way else replace(successor, card=_place(room, self.successor_cards))
        return replace(shown, former=former, superseded_by=successor)


async def versions_of(tx: Transaction, about: SubmissionRef, submission: Submission) -> VersionLinker:
    """Return the versions around a *submission*, whichever room it is shown in."""
    series, server = submission.series, about.server
    if series is None:
        return VersionLinker()
    found = VersionLinker()
    before_it, following = await tx.versions.around(server, series.id)
    former = await tx.watch.series(server, before_it) if before_it is not None else None
    if former is not None:
        before = KnownVersion(former, tuple(await tx.watch.patches_of(server, former.id)))
        now = KnownVersion(series, submission.patches)
        marks = await tx.watch.fingerprints(server, [former.id, series.id])
        compared = await asyncio.to_thread(compare, before, now, marks)
        places = await tx.cards.events_by_room(_card(about, former.id))
        found = replace(found, former=FormerVersion(former, compared), former_cards=places)
    later = [each for each in following if not is_partial_reroll(each)]
    if later:
        successor = max(later, key=lambda each: (version_of(each), each.id))
        places = await tx.cards.events_by_room(_card(about, successor.id))
        found = replace(found, successor=NextVersion(successor), successor_cards=places)
    return found


def _card(about: SubmissionRef, series: SeriesId) -> SubmissionRef:
    """The card of another series of the same server."""
    return replace(about, kind=SubmissionKind.SERIES, id=series)


def _place(room: RoomId, places: _Places) -> CardPlace | None:
    event = places.get(room)
    return None if event is None else CardPlace(room, event)
