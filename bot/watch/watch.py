"""One poll from end to end: what changed, for whom, what is posted, and all of it written in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot import metrics
from bot.backoff import POLLS
from bot.clock import Clock
from bot.errors import BotError, StoreError, Temporary
from bot.ids import ProjectName, RoomId, ServerName
from bot.notices.card import ServerLinks
from bot.notices.catch_up import Absence, is_absence, who_was_away
from bot.notices.changes import ChangedSubmission
from bot.notices.floods import AllServerLinks, ListContext
from bot.notices.status import PollHealth, WatchedServer, moment, next_tick, to_the_second
from bot.patchwork.wire import EventHint, known_category
from bot.poll import Poll, WatchPosition
from bot.polling.poller import OldNewsFilter, Poller
from bot.store.flood_book import LastContact
from bot.store.store import Store
from bot.subscriptions.registry import Audience, ProjectInfo
from bot.watch.announce import AnnouncedCard, Announcer, going_on
from bot.watch.catch_up_lines import CatchUp
from bot.watch.change_replies import ChangeReplies
from bot.watch.item_isolation import Isolation, at_once, isolated
from bot.watch.poll_steps import NoticeMakers, PollSteps, SavedPoll, new_parts, resolve_saved, save, save_whole

_log = structlog.get_logger(__name__)


class Watch:
    """Watches one server."""

    def __init__(self, poller: Poller, store: Store, audience: Audience, clock: Clock, projects: ProjectInfo) -> None:
        self.server: ServerName = poller.server
        self.health = PollHealth()
        self._poller = poller
        self._polled = _PollInterval(poller.server, poller.interval)
        self._store = store
        self._audience = audience
        self._clock = clock
        self._projects = projects
        self._failures = 0
        self._not_before = clock.monotonic()
        announcer = Announcer(self.server, audience, self.site, projects.maintainers)
        catch_up = CatchUp(announcer, self._room, store.incidents)
        self._makers = NoticeMakers(announcer, ChangeReplies(audience, projects.maintainers), catch_up, store.incidents)
        self._failures_of_ours = metrics.LOOP_FAILURES.labels(f"poll {self.server}")
        self._ticked_at: datetime | None = None
        self._written: list[AnnouncedCard] = []  # the cards of the poll under way
        self._changed: tuple[ChangedSubmission, ...] = ()  # by that poll

    def condition(
        self,
        known_since: Sequence[tuple[ProjectName, datetime]],
        absence: Absence | None = None,
        oldest_look: datetime | None = None,
    ) -> WatchedServer:
        """Return the status of the server.

        From the store come the times since which projects are known, the current *absence*, and the *oldest_look*, the
        time of the oldest recheck for comments.
        """
        problems = tuple(
            f"{problem.reason}, since {moment(problem.since)}; asked again at {to_the_second(problem.retry_at)}."
            for problem in self._poller.problems.values()
        )
        return WatchedServer(
            name=self.server,
            url=self._poller.url,
            health=self.health,
            known_since=tuple((name, since) for name, since in known_since if self._poller.is_available(name)),
            problems=problems,
            next_poll=self._next_poll(),
            api=self._poller.api_version,
            absence=absence,
            oldest_look=oldest_look,
            unknown_states=tuple(self._poller.classes.unknown(self._poller.states.names)),
        )

    async def tick(self) -> bool:
        """Poll, unless a failure was too recent, and return whether another poll at once would bring more."""
        self._ticked_at = self._clock.now()
        if self._clock.monotonic() < self._not_before:
            return False
        try:
            before, position = await self._past()
            poll = await self._poller.poll(position, _old_news(before, self._polled, self._ticked_at))
            await self._write(poll, before)
            self._report(poll.events)
        except BotError as error:
            self._failed(str(error), error.retry_after if isinstance(error, Temporary) else None)
            return False
        except Exception as error:  # noqa: BLE001  # the loop's one broad catch: a fault of ours is an outage, too
            _log.exception("poll.failed", server=self.server)
            self._failures_of_ours.inc()
            self._failed(f"a fault of the bot: {type(error).__name__}", None)
            return False
        self._succeeded(poll)
        return poll.more and poll.wait is None

    async def _write(self, poll: Poll, before: LastContact) -> None:
        """Write a *poll* in one transaction; after a fault in it once more, with a savepoint for each part of it."""
        try:
            saved = await self._write_once(poll, before, at_once)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # nothing was written; the part at fault is found, and recorded, by itself
            saved = await self._write_once(poll, before, isolated)
        resolve_saved(saved, self._store.incidents)

    async def _write_once(self, poll: Poll, before: LastContact, isolate: Isolation) -> SavedPoll:
        self._written, self._changed = [], ()
        now = self._clock.now()
        self._audience.awaken(now)
        absence = None if poll.rebuilt else _current_absence(before, self._polled, now, self.health.failing_since)
        async with self._store.transaction() as tx:
            floods = await going_on(tx, now)
            steps = PollSteps(tx, self.server, self._makers, isolate)
            saved = await (save_whole(tx, poll) if isolate is at_once else save(tx, poll, self._store.incidents, now))
            self._changed = saved.changed
            wanted, linked = await steps.requests(new_parts(saved, await tx.watch.rebuilds(self.server)))
            if absence is None:
                self._written += await steps.post(wanted, floods)
            else:
                self._written += await steps.hold(absence, saved.poll, wanted)
            await steps.link_cards(linked)
        return saved

    async def _past(self) -> tuple[LastContact, WatchPosition]:
        """Return the position of the watch, after posting what is held for too long and retrying what failed.

        Both are done even if the server is unavailable.
        """
        self._written, self._changed = [], ()
        now = self._clock.now()
        self._audience.awaken(now)
        async with self._store.reading() as tx:
            contact = await tx.catch_ups.last_contact(self.server)
            last = contact.absence
            is_due = last is not None and last.ended is None and last.is_over(now)
            if not is_due and not await tx.retries.are_due(self.server):
                return contact, await tx.watch.watched(self.server)
        async with self._store.transaction() as tx:
            steps = PollSteps(tx, self.server, self._makers)
            wanted, linked = await steps.requests(await steps.due())
            if wanted:
                self._written += await steps.post(wanted, await going_on(tx, now))
            await steps.link_cards(linked)
            contact = await tx.catch_ups.last_contact(self.server)
            last = contact.absence
            if last is not None and last.ended is None and last.is_over(now):
                self._written += await steps.post_held(last)
                contact = await tx.catch_ups.last_contact(self.server)
            position = await tx.watch.watched(self.server)
        steps.resolve()
        self._report()
        return contact, position

    def _report(self, events: Sequence[EventHint] = ()) -> None:
        """Count and log the events, the changes and the cards; to be called after the commit."""
        for event in events:
            metrics.EVENTS.labels(self.server, known_category(event)).inc()
        for each in self._changed:
            for change in each.changes:
                metrics.CHANGES.labels(self.server, change.kind).inc()
                about = {"kind": str(each.about.kind), "id": each.about.id, "patch": change.patch}
                _log.debug("change.seen", server=self.server, **about, why=change.reason)
        for new in self._written:
            metrics.CARDS.labels(self.server).inc()
            _log.info(
                "card.queued",
                server=self.server,
                room=new.room,
                kind=str(new.about.kind),
                id=new.about.id,
                why=new.why,
            )

    def _room(self, room: RoomId) -> ListContext:
        """Return the form of this server's messages in a room."""
        sites = AllServerLinks({self.server: ServerLinks(self._poller.url, self._poller.links_by_msgid)})
        return ListContext(room, self._audience.rings(room), sites)

    def site(self, project: ProjectName) -> ServerLinks:
        """Return the form of links for submissions to *project*."""
        archive = self._projects.archives.get(project.lower(), "")
        poller = self._poller
        return ServerLinks(
            poller.url,
            poller.links_by_msgid,
            archive,
            states=poller.states,
            classes=poller.classes,
            lanes=self._projects.lanes,
        )

    def _failed(self, reason: str, asked: timedelta | None) -> None:
        """Delay the next poll: 2 s, doubling with jitter to 15 min, or as long as the server asks for."""
        self._failures += 1
        self._not_before = self._clock.monotonic() + POLLS.seconds(self._failures, asked)
        since = self.health.failing_since
        if since is None:
            _log.error("server.unavailable", server=self.server, reason=reason)
        now = self._clock.now()
        self.health = replace(self.health, failing_since=since or now, reason=reason, next_try=self._next_poll())
        metrics.POLLS.labels(self.server, "failed").inc()

    def _next_poll(self) -> datetime | None:
        """Return the time of the next poll; None before the first one."""
        if self._ticked_at is None:
            return None
        patience = timedelta(seconds=self._not_before - self._clock.monotonic())
        return next_tick(self._ticked_at, self._poller.interval, self._clock.now() + patience)

    def _succeeded(self, poll: Poll) -> None:
        if self.health.failing_since is not None:
            _log.info("server.recovered", server=self.server, since=str(self.health.failing_since))
        now = self._clock.now()
        is_up_to_date = poll.polled and not poll.more
        last_success = now if poll.polled else self.health.last_success
        self.health = PollHealth(last_success, caught_up=now if is_up_to_date else self.health.caught_up)
        metrics.POLLS.labels(self.server, "ok").inc()
        self._failures = 0
        self._not_before = self._clock.monotonic() + (poll.wait or timedelta()).total_seconds()


@dataclass(frozen=True, slots=True)
class _PollInterval:
    """A server, and the interval at which it is polled."""

    server: ServerName
    interval: timedelta


def _current_absence(
    contact: LastContact, polled: _PollInterval, now: datetime, failing_since: datetime | None = None
) -> Absence | None:
    """Return the absence that a poll ends, or whose submissions are still being read; None if there is none.

    *failing_since* (UTC) is the time since which the server fails; None if it does not.
    """
    last, polled_at = contact.absence, contact.polled_at
    goes_on = last if last is not None and last.ended is None else None
    if polled_at is None or not is_absence(polled_at, now, polled.interval):
        return goes_on
    if goes_on is not None:
        return replace(goes_on, until=now)
    return Absence(polled.server, polled_at, now, who_was_away(polled_at, now, failing_since))


def _old_news(contact: LastContact, polled: _PollInterval, now: datetime) -> OldNewsFilter | None:
    """Return what a poll need not read completely, because it is too old to be posted after an absence; or None."""
    absence = _current_absence(contact, polled, now) or contact.absence
    if absence is None or absence.bound is None:
        return None
    return OldNewsFilter(absence.bound, absence.ended or now)
