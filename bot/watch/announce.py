"""New series and lone patches: which rooms they are for, and what is said there."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.ids import ProjectName, RoomId, ServerName
from bot.notices.card import Shown, Site, card
from bot.notices.markup import written
from bot.notices.outbox import CardRef, Lane, Message, Notice, NoticeKind, Tag, card_key
from bot.patchwork.model import Patch, Series
from bot.store.store import Transaction
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.matching import Judged, RoomMatch, match_rooms
from bot.subscriptions.wishes import Digest
from bot.watch.audience import Audience


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a room asked for, not yet written: a card, or, where nobody there wants one, a place in *digests*."""

    about: CardRef
    judged: Judged
    match: RoomMatch
    digests: tuple[Digest, ...] = ()

    @property
    def room(self) -> RoomId:
        """Who asked."""
        return self.match.room


@dataclass(frozen=True, slots=True)
class Announced:
    """A card that was written, and the first reason for it."""

    room: RoomId
    about: CardRef
    why: str


class Announcer:
    """Writes the new cards of one server; *site* says how links are written, *maintainers* whose the files are."""

    def __init__(
        self,
        server: ServerName,
        audience: Audience,
        site: Callable[[ProjectName], Site],
        maintainers: Callable[[ServerName, ProjectName], Maintainers | None],
    ) -> None:
        self._server = server
        self._audience = audience
        self._site = site
        self._maintainers = maintainers

    async def wanted(
        self, tx: Transaction, series: Series | None, known: Sequence[Patch], news: Sequence[Patch]
    ) -> list[Wanted]:
        """What one of the *news* asks for, in rooms that have no card of this series yet."""
        if not news:
            return []
        texts = {patch.id: patch.text for patch in news}  # which the store does not keep
        patches = tuple(replace(patch, text=texts.get(patch.id, "")) for patch in known)
        kind, number = ("series", series.id) if series else ("patch", patches[0].id)
        about = CardRef(self._server, kind, number, await tx.watch.rebuilds(self._server))
        having = await tx.cards.rooms_with(about)
        judged = Judged(self._server, series, patches)
        maintainers = self._maintainers(self._server, judged.project)
        matches = await asyncio.to_thread(match_rooms, self._audience.index, judged, frozenset(texts), maintainers)
        return [Wanted(about, judged, match, match.digests) for match in matches if match.room not in having]

    async def post(self, tx: Transaction, wanted: Sequence[Wanted]) -> list[Announced]:
        """Write the *wanted* cards, and keep the rest for its digests."""
        for each in wanted:
            await tx.digests.add(each.room, each.digests, each.about, _why(each))
        cards = [each for each in wanted if not each.digests]
        for each, notice in await asyncio.to_thread(self._cards, cards):
            await tx.cards.add(each.room, each.about, notice.key, _why(each))
            await tx.outbox.add([notice])
        return [Announced(each.room, each.about, str(each.match.why[0].reason)) for each in cards]

    def _cards(self, wanted: Sequence[Wanted]) -> list[tuple[Wanted, Notice]]:
        """The cards to write, off the event loop; composed once for all rooms that asked for the same paths."""
        composed: dict[tuple[CardRef, tuple[str, ...]], tuple[str, str]] = {}
        cards: list[tuple[Wanted, Notice]] = []
        for each in wanted:
            judged, said = each.judged, (each.about, each.match.paths)
            if said not in composed:
                site = self._site(judged.project)
                composed[said] = written(
                    card(Shown(judged.patches, judged.series, each.match.paths), site), site.allowed
                )
            message = Message(*composed[said], _tag(each), rings=self._audience.rings(each.room))
            cards.append((each, Notice(each.room, Lane.CARD, message)))
        return cards


def _why(wanted: Wanted) -> list[tuple[object, ...]]:
    """The reasons, as they are kept."""
    return [(reason.subscription, reason.reason.term, *reason.reason.seen) for reason in wanted.match.why]


def _tag(wanted: Wanted) -> Tag:
    about, series = wanted.about, wanted.judged.series
    return Tag(
        kind=NoticeKind.CARD,
        key=card_key(wanted.room, about.server, about.kind, about.number, about.rebuilds),
        server=about.server,
        project=wanted.judged.project,
        series=series.id if series else None,
        patch=None if series else wanted.judged.patches[0].id,
        version=series.version if series else None,
    )
