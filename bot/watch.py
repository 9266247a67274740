"""One poll from end to end: what changed, who wants it, what is said, and all of it written in one transaction."""

import random
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.clock import Clock
from bot.errors import Permanent, Temporary
from bot.ids import PatchId, ProjectName, RoomId, ServerName
from bot.notices.card import Shown, Site, card
from bot.notices.markup import written
from bot.notices.outbox import Lane, Message, Notice, NoticeKind, Tag, card_key
from bot.patchwork.model import Patch, Series
from bot.patchwork.poller import Poll, Poller
from bot.store.outbox import CardRef
from bot.store.store import Store, Transaction
from bot.subscriptions.index import Index
from bot.subscriptions.matching import RoomMatch, match_rooms

FIRST_WAIT = 2.0
LONGEST_WAIT = 15 * 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Audience:
    """Who listens: all subscriptions, and the rooms that are direct chats; both may change while the bot runs."""

    index: Index
    direct: AbstractSet[RoomId] = frozenset()


@dataclass(slots=True)
class Health:
    """How the watch of a server goes, for `status`; times are UTC."""

    last_success: datetime | None = None
    failing_since: datetime | None = None
    reason: str = ""


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

    async def tick(self) -> bool:
        """Poll, unless a failure still asks for patience; whether another poll at once would bring more."""
        if self._clock.monotonic() < self._not_before:
            return False
        try:
            poll = await self._poller.poll()
        except (Temporary, Permanent) as error:
            self._failed(error)
            return False
        await self._write(poll)
        self._succeeded()
        return poll.more

    async def _write(self, poll: Poll) -> None:
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
        for match in match_rooms(self._audience.index, self.server, series, patches, news):
            if match.room in having:
                continue
            notice = self._card(about, match, series, patches)
            why = [(each.subscription, each.reason.term, *each.reason.seen) for each in match.why]
            await tx.outbox.add_card(match.room, about, notice.key, why)
            await tx.outbox.add([notice])
            _log.info("card", server=self.server, room=match.room, kind=about.kind, id=about.number, why=str(why[0]))

    def _card(self, about: CardRef, match: RoomMatch, series: Series | None, patches: list[Patch]) -> Notice:
        shown = Shown(tuple(patches), series, match.paths)
        project = series.project if series else patches[0].project
        site = self._site(project)
        body, html = written(card(shown, site), site.allowed)
        tag = Tag(
            kind=NoticeKind.CARD,
            key=card_key(match.room, self.server, about.kind, about.number, about.rebuilds),
            server=self.server,
            project=project,
            series=series.id if series else None,
            patch=None if series else patches[0].id,
            version=series.version if series else None,
        )
        return Notice(match.room, Lane.CARD, Message(body, html, tag, rings=match.room in self._audience.direct))

    def _site(self, project: ProjectName) -> Site:
        archive = self._archives.get(project.lower(), "")
        return Site(self._poller.url, self._poller.links_by_msgid, archive)

    def _failed(self, error: Temporary | Permanent) -> None:
        """Wait: from 2 s doubling with jitter to 15 min, or as long as the server asks for."""
        asked = error.retry_after.total_seconds() if isinstance(error, Temporary) and error.retry_after else 0.0
        wait = min(FIRST_WAIT * (1 << min(self._failures, 12)), LONGEST_WAIT)
        self._not_before = self._clock.monotonic() + max(asked, random.uniform(wait / 2, wait))  # noqa: S311  # jitter, no secret
        self._failures += 1
        if self.health.failing_since is None:
            self.health.failing_since = self._clock.now()
            _log.error("the server cannot be polled", server=self.server, reason=str(error))
        self.health.reason = str(error)

    def _succeeded(self) -> None:
        if self.health.failing_since is not None:
            _log.info("the server can be polled again", server=self.server, since=str(self.health.failing_since))
        self.health = Health(last_success=self._clock.now())
        self._failures = 0
