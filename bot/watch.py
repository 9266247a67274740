"""One poll from end to end: what changed, who wants it, what is said, and all of it written in one transaction."""

import asyncio
import random
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot import metrics
from bot.clock import Clock, backoff
from bot.errors import BotError, Temporary
from bot.ids import PatchId, ProjectName, RoomId, ServerName
from bot.notices.card import Shown, Site, card
from bot.notices.condition import Health, WatchedServer
from bot.notices.markup import written
from bot.notices.outbox import Lane, Message, Notice, NoticeKind, Tag, card_key
from bot.patchwork.model import Patch, Series
from bot.patchwork.poller import Poll, Poller
from bot.store.outbox import CardRef
from bot.store.store import Store, Transaction
from bot.subscriptions.index import Index
from bot.subscriptions.matching import RoomMatch, match_rooms

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who listens: all subscriptions, the rooms that are direct chats, and those that are quiet; all may change.

    *awaken* makes the index tell again what was muted until then (UTC).
    """

    index: Index
    direct: AbstractSet[RoomId] = frozenset()
    quiet: AbstractSet[RoomId] = frozenset()
    awaken: Callable[[datetime], None] = lambda _: None

    def rings(self, room: RoomId) -> bool:
        """Whether a card rings in *room*."""
        return room in self.direct and room not in self.quiet


class Watch:
    """Watches one server."""

    def __init__(
        self, poller: Poller, store: Store, audience: Audience, clock: Clock, archives: dict[str, str]
    ) -> None:
        self.server: ServerName = poller.server
        self.health = Health()
        self._poller = poller
        self._store = store
        self._audience = audience
        self._clock = clock
        self._archives = {project.lower(): template for project, template in archives.items()}
        self._failures = 0
        self._not_before = clock.monotonic()

    def condition(self, known_since: Sequence[tuple[ProjectName, datetime]]) -> WatchedServer:
        """How the watch goes; the store says since when each project is known."""
        problems = tuple(f"{problem}." for problem in self._poller.problems.values())
        return WatchedServer(self.server, self._poller.url, self.health, tuple(known_since), problems)

    async def tick(self) -> bool:
        """Poll, unless a failure still asks for patience; whether another poll at once would bring more."""
        if self._clock.monotonic() < self._not_before:
            return False
        try:
            poll = await self._poller.poll()
            await self._write(poll)
        except BotError as error:
            self._failed(str(error), error.retry_after if isinstance(error, Temporary) else None)
            return False
        except Exception as error:  # noqa: BLE001  # the loop's one broad catch: a fault of ours is an outage, too
            _log.exception("a poll failed", server=self.server)
            self._failed(f"a fault of the bot: {type(error).__name__}", None)
            return False
        self._succeeded(poll.wait)
        return poll.more and poll.wait is None

    async def _write(self, poll: Poll) -> None:
        self._audience.awaken(self._clock.now())
        async with self._store.transaction() as tx:
            await tx.watch.save(poll)
            for read in poll.series:
                patches = await tx.watch.patches_of(self.server, read.series.id)
                await self._announce(tx, read.series, patches, {patch.id for patch in read.news})
            for patch in poll.patches:
                known = await tx.watch.patch(self.server, patch.id)
                await self._announce(tx, None, [known or patch], {patch.id})

    async def _announce(self, tx: Transaction, series: Series | None, patches: list[Patch], news: set[PatchId]) -> None:
        """A card for each room that one of the *news* is for and that has none of this series yet."""
        if not news:
            return
        rebuilds = await tx.watch.rebuilds(self.server)
        kind, number = ("series", series.id) if series else ("patch", patches[0].id)
        about = CardRef(self.server, kind, number, rebuilds)
        having = await tx.outbox.rooms_with_card(about)
        for match, notice in await asyncio.to_thread(self._cards, about, series, patches, news, having):
            why = [(each.subscription, each.reason.term, *each.reason.seen) for each in match.why]
            await tx.outbox.add_card(match.room, about, notice.key, why)
            await tx.outbox.add([notice])
            metrics.CARDS.labels(self.server).inc()
            _log.info("card", server=self.server, room=match.room, kind=about.kind, id=about.number, why=str(why[0]))

    def _cards(
        self, about: CardRef, series: Series | None, patches: list[Patch], news: set[PatchId], having: set[RoomId]
    ) -> list[tuple[RoomMatch, Notice]]:
        """The cards to write, off the event loop; composed once for all rooms that asked for the same paths."""
        site = self._site(series.project if series else patches[0].project)
        written_for: dict[tuple[str, ...], tuple[str, str]] = {}
        cards: list[tuple[RoomMatch, Notice]] = []
        for match in match_rooms(self._audience.index, self.server, series, patches, news):
            if match.room in having:
                continue
            if match.paths not in written_for:
                shown = Shown(tuple(patches), series, match.paths)
                written_for[match.paths] = written(card(shown, site), site.allowed)
            tag = _tag(about, match.room, series, patches)
            message = Message(*written_for[match.paths], tag, rings=self._audience.rings(match.room))
            cards.append((match, Notice(match.room, Lane.CARD, message)))
        return cards

    def _site(self, project: ProjectName) -> Site:
        archive = self._archives.get(project.lower(), "")
        return Site(self._poller.url, self._poller.links_by_msgid, archive)

    def _failed(self, reason: str, asked: timedelta | None) -> None:
        """Wait: from 2 s doubling with jitter to 15 min, or as long as the server asks for."""
        self._failures += 1
        wait = backoff(self._failures).total_seconds()
        jittered = random.uniform(wait / 2, wait)  # noqa: S311  # no secret
        self._not_before = self._clock.monotonic() + max((asked or timedelta()).total_seconds(), jittered)
        since = self.health.failing_since
        if since is None:
            _log.error("the server cannot be polled", server=self.server, reason=reason)
        self.health = replace(self.health, failing_since=since or self._clock.now(), reason=reason)
        metrics.POLLS.labels(self.server, "failed").inc()

    def _succeeded(self, asked: timedelta | None) -> None:
        if self.health.failing_since is not None:
            _log.info("the server can be polled again", server=self.server, since=str(self.health.failing_since))
        self.health = Health(last_success=self._clock.now())
        metrics.POLLS.labels(self.server, "ok").inc()
        self._failures = 0
        self._not_before = self._clock.monotonic() + (asked or timedelta()).total_seconds()


def _tag(about: CardRef, room: RoomId, series: Series | None, patches: list[Patch]) -> Tag:
    return Tag(
        kind=NoticeKind.CARD,
        key=card_key(room, about.server, about.kind, about.number, about.rebuilds),
        server=about.server,
        project=series.project if series else patches[0].project,
        series=series.id if series else None,
        patch=None if series else patches[0].id,
        version=series.version if series else None,
    )
