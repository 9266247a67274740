"""New cards: which rooms a series or a lone patch is for, and what is said there."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.notices.card import Shown, Site, card
from bot.notices.markup import written
from bot.notices.outbox import CardRef, Lane, Message, Notice, NoticeKind, Tag, card_key
from bot.patchwork.model import Patch, Series
from bot.store.floods import Held
from bot.store.store import Transaction
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.matching import Judged, RoomMatch, Why, match_rooms
from bot.subscriptions.verdict import Outcome, Reason
from bot.watch.audience import Audience


@dataclass(frozen=True, slots=True)
class Wanted:
    """A card that a room asked for, not yet written."""

    about: CardRef
    judged: Judged
    match: RoomMatch

    @property
    def room(self) -> RoomId:
        """Who asked."""
        return self.match.room

    @property
    def why(self) -> list[list[str | int]]:
        """Why, as the store keeps it."""
        return [[each.subscription, each.reason.term, *each.reason.seen] for each in self.match.why]

    @property
    def held(self) -> Held:
        """The same, as the store keeps it where the card is not written yet, or never."""
        return Held(self.about, self.why, self.match.paths)

    @classmethod
    def of_held(cls, room: RoomId, held: Held, judged: Judged) -> "Wanted":
        """What was *held* for *room*, with what it is about as the store has it."""
        why = tuple(
            Why(SubscriptionId(int(number)), Reason(Outcome.FOUND, str(term), tuple(map(str, seen))))
            for number, term, *seen in held.why
        )
        return cls(held.about, judged, RoomMatch(room, why, held.paths))


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
        """The cards that one of the *news* asks for, in rooms that were not told of this series yet."""
        if not news:
            return []
        texts = {patch.id: patch.text for patch in news}  # which the store does not keep
        patches = tuple(replace(patch, text=texts.get(patch.id, "")) for patch in known)
        kind, number = ("series", series.id) if series else ("patch", patches[0].id)
        judged = Judged(self._server, series, patches)
        maintainers = self._maintainers(self._server, judged.project)
        matches = await asyncio.to_thread(match_rooms, self._audience.index, judged, frozenset(texts), maintainers)
        if not matches:
            return []
        about = CardRef(self._server, kind, number, await tx.watch.rebuilds(self._server))
        having = await tx.cards.rooms_with(about) | await tx.floods.rooms_with(about)
        return [Wanted(about, judged, match) for match in matches if match.room not in having]

    async def post(self, tx: Transaction, wanted: Sequence[Wanted]) -> list[Announced]:
        """Write the *wanted* cards."""
        for each, notice in await asyncio.to_thread(self._cards, wanted):
            await tx.cards.add(each.room, each.about, notice.key, each.why)
            await tx.outbox.add([notice])
        return [Announced(each.room, each.about, str(each.match.why[0].reason)) for each in wanted]

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
