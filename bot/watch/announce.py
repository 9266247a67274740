"""New cards: which rooms a series or a lone patch is for, and what is said there."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from bot.ids import PatchId, ProjectName, RoomId, ServerName
from bot.notices.card import Shown, Site, card
from bot.notices.markup import written
from bot.notices.outbox import CardRef, Lane, Message, Notice, NoticeKind, Tag, card_key
from bot.patchwork.model import Patch, Series
from bot.store.store import Transaction
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.matching import Judged, RoomMatch, match_rooms
from bot.watch.audience import Audience


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

    async def announce(
        self, tx: Transaction, series: Series | None, known: Sequence[Patch], news: Sequence[Patch]
    ) -> list[Announced]:
        """Write a card for each room that one of the *news* is for and that has none of this series yet."""
        if not news:
            return []
        texts = {patch.id: patch.text for patch in news}  # which the store does not keep
        patches = tuple(replace(patch, text=texts.get(patch.id, "")) for patch in known)
        announced: list[Announced] = []
        rebuilds = await tx.watch.rebuilds(self._server)
        kind, number = ("series", series.id) if series else ("patch", patches[0].id)
        about = CardRef(self._server, kind, number, rebuilds)
        having = await tx.cards.rooms_with(about)
        judged = Judged(self._server, series, patches)
        for match, notice in await asyncio.to_thread(self._cards, about, judged, frozenset(texts), having):
            why = [(each.subscription, each.reason.term, *each.reason.seen) for each in match.why]
            await tx.cards.add(match.room, about, notice.key, why)
            await tx.outbox.add([notice])
            announced.append(Announced(match.room, about, str(match.why[0].reason)))
        return announced

    def _cards(
        self, about: CardRef, judged: Judged, news: AbstractSet[PatchId], having: AbstractSet[RoomId]
    ) -> list[tuple[RoomMatch, Notice]]:
        """The cards to write, off the event loop; composed once for all rooms that asked for the same paths."""
        project = judged.project
        site = self._site(project)
        maintainers = self._maintainers(self._server, project)
        written_for: dict[tuple[str, ...], tuple[str, str]] = {}
        cards: list[tuple[RoomMatch, Notice]] = []
        for match in match_rooms(self._audience.index, judged, news, maintainers):
            if match.room in having:
                continue
            if match.paths not in written_for:
                shown = Shown(judged.patches, judged.series, match.paths)
                written_for[match.paths] = written(card(shown, site), site.allowed)
            tag = _tag(about, match.room, judged)
            message = Message(*written_for[match.paths], tag, rings=self._audience.rings(match.room))
            cards.append((match, Notice(match.room, Lane.CARD, message)))
        return cards


def _tag(about: CardRef, room: RoomId, judged: Judged) -> Tag:
    series = judged.series
    return Tag(
        kind=NoticeKind.CARD,
        key=card_key(room, about.server, about.kind, about.number, about.rebuilds),
        server=about.server,
        project=judged.project,
        series=series.id if series else None,
        patch=None if series else judged.patches[0].id,
        version=series.version if series else None,
    )
