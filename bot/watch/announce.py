"""New series and lone patches: which rooms get a card, what it says, and whether a list replaces it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot import metrics
from bot.ids import NoticeKey, PatchId, ProjectName, RoomId, ServerName, SubscriptionId
from bot.notices.card import CardContent, ServerLinks, card_document
from bot.notices.floods import (
    Cause,
    Flood,
    FloodDecision,
    flood_decision,
    flood_key,
)
from bot.notices.markup import written
from bot.notices.needs import NO_NEEDS, Needs
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag, card_key
from bot.patchwork.model import may_follow
from bot.query.evaluate import Reason, TermOutcome
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import CardForm, DigestTimes, richest
from bot.store.flood_book import HeldSubmission
from bot.store.store import Transaction
from bot.submission import Submission, SubmissionRef
from bot.subscriptions.matching import (
    FOLLOW,
    Arrival,
    MatchReason,
    RoomMatch,
    asked_paths,
    match_rooms,
    version_said,
    with_followers,
)
from bot.subscriptions.registry import Audience
from bot.watch.dependents import needs_of
from bot.watch.version_links import VersionLinker, versions_of


def matched_paths(why: Iterable[Sequence[object]]) -> tuple[str, ...]:
    """The paths that were asked for, by the reasons that are kept with a card."""
    return asked_paths((str(term), [str(path) for path in found]) for _, term, *found in why)


def card_tag(key: NoticeKey, about: SubmissionRef, submission: Submission, kind: NoticeKind = NoticeKind.CARD) -> Tag:
    """What a card of *submission*, an edit of it, or what hangs on it says of itself."""
    series = submission.series
    return Tag(
        kind=kind,
        key=key,
        server=about.server,
        project=submission.project,
        series=series.id if series else None,
        patch=None if series else submission.patches[0].id,
        version=series.version if series else None,
    )


class CardComposer:
    """Composes cards, each once for all rooms where it says the same."""

    def __init__(self) -> None:
        self._composed: dict[tuple[object, ...], tuple[str, str]] = {}

    def render(self, about: SubmissionRef, shown: CardContent, site: ServerLinks) -> tuple[str, str]:
        """Return a card in plain text and in HTML."""
        key = (about, shown.form, shown.matched, shown.former, shown.superseded_by, shown.needs)
        if key not in self._composed:
            self._composed[key] = written(card_document(shown, site), site.allowed)
        return self._composed[key]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A series or a lone patch of which something arrived: the texts of those of its patches that are news.

    *failures* counts how often it could not be handled so far.
    """

    about: SubmissionRef
    texts: Mapping[PatchId, str]
    failures: int = 0


@dataclass(frozen=True, slots=True)
class CardRequest:
    """What a room asked for, not yet written.

    *form* is None where all who asked wait for a digest: then there is no card, and those are the *digests*.
    *by_change*: it was known already, and a change of it was asked for. *failures* counts how often that failed so far.
    """

    about: SubmissionRef
    submission: Submission
    match: RoomMatch
    form: CardForm | None = CardForm.CARD
    digests: tuple[DigestTimes, ...] = ()
    by_change: bool = False
    failures: int = 0

    @property
    def room(self) -> RoomId:
        """Who asked."""
        return self.match.room

    @property
    def key(self) -> NoticeKey:
        """The key of the card."""
        return card_key(self.room, self.about.server, self.about.kind, self.about.id, self.about.rebuilds)

    @property
    def why(self) -> list[list[str | int]]:
        """Of each reason the subscription, the term, and what that found."""
        return [[each.subscription, each.reason.term, *each.reason.seen] for each in self.match.why]

    @property
    def held(self) -> HeldSubmission:
        """What the store keeps of it while its card is not written yet, or if it never is."""
        return HeldSubmission(self.about, self.why, self.match.paths, self.form or CardForm.CARD)

    @classmethod
    def of_held(cls, room: RoomId, held: HeldSubmission, submission: Submission) -> "CardRequest":
        """What was *held* for *room*, with what it is about as the store has it."""
        why = tuple(
            MatchReason(SubscriptionId(int(number)), Reason(TermOutcome.FOUND, str(term), tuple(map(str, seen))))
            for number, term, *seen in held.why
        )
        return cls(held.about, submission, RoomMatch(room, why, held.paths), held.form)


@dataclass(frozen=True, slots=True)
class AnnouncedCard:
    """A card that was written, and the first reason for it."""

    room: RoomId
    about: SubmissionRef
    why: str


class Announcer:
    """Writes the new cards of one server; *site* says how links are written, *maintainers* whose the files are."""

    def __init__(
        self,
        server: ServerName,
        audience: Audience,
        site: Callable[[ProjectName], ServerLinks],
        maintainers: Callable[[ServerName, ProjectName], Maintainers | None],
    ) -> None:
        self._server = server
        self._audience = audience
        self._site = site
        self._maintainers = maintainers

    async def requests_for(self, tx: Transaction, news: Sequence[Arrived]) -> list[CardRequest]:
        """Return the cards for the news of some submissions, in rooms that have none of them yet."""
        known = await tx.watch.load_submissions([new.about for new in news], with_checks=True, even_joined=True)
        found = [(new, known.get(new.about)) for new in news]
        return [
            request
            for new, submission in found
            if submission is not None and submission.patches and new.texts
            for request in await self._requests(tx, new, submission)
        ]

    async def _requests(self, tx: Transaction, new: Arrived, submission: Submission) -> list[CardRequest]:
        """Return the cards for the news of a *submission*, in rooms that have none of it yet."""
        about = new.about
        patches = tuple(replace(patch, text=new.texts.get(patch.id, "")) for patch in submission.patches)
        submission = replace(submission, patches=patches)
        arrival = await self._arrival(tx, submission, frozenset(new.texts))
        maintainers = self._maintainers(self._server, submission.project)
        matches = await asyncio.to_thread(match_rooms, self._audience.index, arrival, maintainers)
        return await self._requests_of(tx, about, submission, matches)

    async def late_versions(self, tx: Transaction, abouts: Sequence[SubmissionRef]) -> list[CardRequest]:
        """Return what people ask for who follow an earlier version of what was known already, but not as a version."""
        known = await tx.watch.load_submissions(abouts, with_checks=True)
        return [
            request
            for about, submission in known.items()
            if submission.patches
            for request in await self._requests_of(tx, about, submission, [])
        ]

    async def _requests_of(
        self, tx: Transaction, about: SubmissionRef, submission: Submission, matches: Sequence[RoomMatch]
    ) -> list[CardRequest]:
        """Return what rooms ask for that match, and people who follow earlier versions, unless they have it already."""
        matches = with_followers(matches, await chats_following(tx, self._audience, about, only_earlier=True))
        if not matches:
            return []
        having = await tx.cards.rooms_with(about) | await tx.floods.rooms_with(about)
        return [card_request(self._audience, about, submission, match) for match in matches if match.room not in having]

    async def _arrival(self, tx: Transaction, submission: Submission, news: frozenset[PatchId]) -> Arrival:
        """Return what arrived, and whether rooms saw the work before."""
        series = submission.series
        earlier = await tx.watch.earlier(self._server, series.id) if series and may_follow(series) else []
        known_in = await tx.cards.rooms_with_series(self._server, earlier)
        is_revision = version_said(submission) > 1 or bool(earlier)
        return Arrival(self._server, submission, news, is_revision, known_in)

    async def post(self, tx: Transaction, wanted: Sequence[CardRequest]) -> list[AnnouncedCard]:
        """Write the *wanted* cards, each once; one that was in a list of its room has a card instead from now on."""
        announced: list[AnnouncedCard] = []
        known = await _known(tx, wanted)
        versions = {about: await versions_of(tx, about, submission) for about, submission in known.items()}
        needs = await self._needs(tx, known)
        for each, notice in await asyncio.to_thread(self._cards, wanted, known, versions, needs):
            if await tx.cards.add(each.about, notice, each.why, each.form or CardForm.CARD):
                await tx.floods.leave(each.room, each.about)
                await tx.outbox.add([notice])
                announced.append(AnnouncedCard(each.room, each.about, _first_reason(each.match)))
        return announced

    async def _needs(self, tx: Transaction, known: Mapping[SubmissionRef, Submission]) -> dict[SubmissionRef, Needs]:
        """Return what those of some submissions need that need something."""
        first = next(iter(known.values()), None)
        return {} if first is None else await needs_of(tx, self._server, self._site(first.project).url, known)

    def _cards(
        self,
        wanted: Sequence[CardRequest],
        known: Mapping[SubmissionRef, Submission],
        versions: Mapping[SubmissionRef, VersionLinker],
        needs: Mapping[SubmissionRef, Needs],
    ) -> list[tuple[CardRequest, Notice]]:
        """The cards to write, off the event loop."""
        composer = CardComposer()
        cards: list[tuple[CardRequest, Notice]] = []
        for each in wanted:
            mine = CardContent(known[each.about], matched=each.match.paths, form=each.form or CardForm.CARD)
            mine = replace(mine, needs=needs.get(each.about, NO_NEEDS))
            shown = versions[each.about].seen_from(each.room, mine)
            body, html = composer.render(each.about, shown, self._site(each.submission.project))
            tag = card_tag(each.key, each.about, shown.submission)
            message = Message(body, html, tag, self._audience.rings(each.room))
            cards.append((each, Notice(each.room, Lane.CARD, message)))
        return cards


def card_request(audience: Audience, about: SubmissionRef, submission: Submission, match: RoomMatch) -> CardRequest:
    """Return the card for a room, in the richest of the forms that its matching subscriptions name."""
    form, digests = richest(match.options, audience.form(match.room))
    return CardRequest(about, submission, match, form, digests)


def _first_reason(match: RoomMatch) -> str:
    first = match.why[0]
    return first.reason.term if first.subscription == FOLLOW else str(first.reason)


async def keep_for_digests(tx: Transaction, wanted: Sequence[CardRequest]) -> list[CardRequest]:
    """Keep what is *wanted* in digests alone until they are due; the rest."""
    for each in wanted:
        if each.form is None:
            await tx.digests.add(each.room, each.digests, each.about, each.why)
    return [each for each in wanted if each.form is not None]


async def _known(tx: Transaction, wanted: Sequence[CardRequest]) -> dict[SubmissionRef, Submission]:
    """Return what the cards are about; what a change brought is read anew, for it may have failed before."""
    known: dict[SubmissionRef, Submission] = {}
    for each in wanted:
        if each.by_change:
            if each.about not in known and (found := await tx.watch.load_submission(each.about)) is not None:
                known[each.about] = found
        else:
            known.setdefault(each.about, each.submission)
    return known


async def going_on(tx: Transaction, now: datetime) -> dict[RoomId, Flood]:
    """Return the floods that are not over, by room; called before a poll is written, which updates the time of it."""
    floods = [(flood, await tx.catch_ups.polled_at(flood.server)) for flood in await tx.floods.all()]
    return {flood.room: flood for flood, polled_at in floods if not flood.is_over(now, polled_at)}


def by_room(wanted: Sequence[CardRequest]) -> list[list[CardRequest]]:
    """Return the *wanted* cards of each room, in their order."""
    rooms: dict[RoomId, list[CardRequest]] = {}
    for each in wanted:
        rooms.setdefault(each.room, []).append(each)
    return list(rooms.values())


async def open_flood(
    tx: Transaction, wanted: Sequence[CardRequest], flood: Flood | None, now: datetime
) -> Flood | None:
    """Return the flood that the *wanted* cards of one room belong to, extended by them; None if each is posted.

    *flood* is the current one of that room; None if there is none.
    """
    room, server = wanted[0].room, wanted[0].about.server
    limit, recent = await tx.floods.limit_and_recent(room)
    if flood_decision(limit, len(wanted), recent, flood) is FloodDecision.CARDS:
        return None
    if flood is None:
        withdrawn = await tx.floods.withdraw_recent(room)
        cause = Cause.AT_ONCE if withdrawn else Cause.CHANGED
        flood = Flood(room, flood_key(room, now), server, now, now, before=recent - len(withdrawn), cause=cause)
        await tx.floods.gather(room, flood.key, withdrawn)
        metrics.FLOODS.inc()
    if flood.cause is Cause.CHANGED and not all(each.by_change for each in wanted):
        flood = replace(flood, cause=Cause.AT_ONCE)
    flood = replace(flood, server=server, last=now)
    await tx.floods.put(flood)
    return flood


async def chats_following(
    tx: Transaction, audience: Audience, about: SubmissionRef, *, only_earlier: bool = False
) -> set[RoomId]:
    """Return the direct chats of those who follow a submission, or an earlier version of it, unless they are muted.

    With *only_earlier*, those who follow this very version do not count.
    """
    chats = await tx.follows.chats_following(about, only_earlier=only_earlier)
    return {chat for chat in chats if chat in audience.direct and audience.is_active(chat, tx.now)}
