"""One poll from end to end: what changed, who wants it, what is said, and all of it written in one transaction."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
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
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.matching import Judged, RoomMatch, match_rooms

_log = structlog.get_logger(__name__)


def _unknown(_: ServerName, __: ProjectName) -> None:
    """No file is known of any project."""


@dataclass(frozen=True, slots=True)
class Projects:
    """What the operator says of the projects of a server: their archives, by name, and their MAINTAINERS."""

    archives: Mapping[str, str] = field(default_factory=dict)
    maintainers: Callable[[ServerName, ProjectName], Maintainers | None] = _unknown


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

    def __init__(self, poller: Poller, store: Store, audience: Audience, clock: Clock, projects: Projects) -> None:
        self.server: ServerName = poller.server
        self.health = Health()
        self._poller = poller
        self._store = store
        self._audience = audience
        self._clock = clock
        self._projects = projects
        self._failures = 0
        self._not_before = clock.monotonic()
        self._written: list[tuple[RoomId, CardRef, str]] = []  # the cards of the poll under way, and why

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
            self._tell()
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
        self._written.clear()
        self._audience.awaken(self._clock.now())
        async with self._store.transaction() as tx:
            await tx.watch.save(poll)
            for read in poll.series:
                patches = await tx.watch.patches_of(self.server, read.series.id)
                await self._announce(tx, read.series, patches, read.news)
            for patch in poll.patches:
                known = await tx.watch.patch(self.server, patch.id)
                await self._announce(tx, None, [known or patch], (patch,))

    def _tell(self) -> None:
        """Count and log the cards, once they are written for good."""
        for room, about, why in self._written:
            metrics.CARDS.labels(self.server).inc()
            _log.info("card", server=self.server, room=room, kind=about.kind, id=about.number, why=why)

    async def _announce(
        self, tx: Transaction, series: Series | None, known: Sequence[Patch], news: Sequence[Patch]
    ) -> None:
        """A card for each room that one of the *news* is for and that has none of this series yet."""
        if not news:
            return
        texts = {patch.id: patch.text for patch in news}  # which the store does not keep
        patches = tuple(replace(patch, text=texts.get(patch.id, "")) for patch in known)
        rebuilds = await tx.watch.rebuilds(self.server)
        kind, number = ("series", series.id) if series else ("patch", patches[0].id)
        about = CardRef(self.server, kind, number, rebuilds)
        having = await tx.outbox.rooms_with_card(about)
        judged = Judged(self.server, series, patches)
        for match, notice in await asyncio.to_thread(self._cards, about, judged, frozenset(texts), having):
            why = [(each.subscription, each.reason.term, *each.reason.seen) for each in match.why]
            await tx.outbox.add_card(match.room, about, notice.key, why)
            await tx.outbox.add([notice])
            self._written.append((match.room, about, str(match.why[0].reason)))

    def _cards(
        self, about: CardRef, judged: Judged, news: AbstractSet[PatchId], having: AbstractSet[RoomId]
    ) -> list[tuple[RoomMatch, Notice]]:
        """The cards to write, off the event loop; composed once for all rooms that asked for the same paths."""
        project = judged.project
        site = self._site(project)
        maintainers = self._projects.maintainers(self.server, project)
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

    def _site(self, project: ProjectName) -> Site:
        archive = self._projects.archives.get(project.lower(), "")
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
