"""The condition of the bot, for `status` in chat and /readyz. Pure; all times are UTC and shown as such."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.ids import ProjectName, RoomId, ServerName
from bot.notices.catch_up import Absence
from bot.notices.markup import Code, Document, Line, cut, lines, words
from bot.patchwork.recheck_schedule import raises_comment_events

SLOW = timedelta(seconds=60)  # a queue that waits longer than this is held up by a limit
STUCK = timedelta(minutes=10)  # so long nothing is sent, although it may be, before the bot is not ready
MAX_REMARKS = 10
_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
MAX_REASON = 200  # characters of an external message


@dataclass(frozen=True, slots=True)
class PollHealth:
    """The health of a server's polls; *failing_since* is None if they succeed or were not tried yet.

    *caught_up* is when the last poll ended that left nothing to read; *next_try* is set while the polls fail.
    """

    last_success: datetime | None = None
    failing_since: datetime | None = None
    reason: str = ""
    caught_up: datetime | None = None
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchedServer:
    """A Patchwork server: its projects with the time from which each is watched, and why others are not.

    *absence* is the one that is being caught up on; None if there is none. *oldest_look* is the last check of the
    comments that were not checked for longest; None if no comments are checked, or events announce them.
    *unknown_states* are the slugs of states whose class nobody knows.
    """

    name: ServerName
    url: str
    health: PollHealth
    known_since: tuple[tuple[ProjectName, datetime], ...] = ()
    problems: tuple[str, ...] = ()
    next_poll: datetime | None = None  # None: not polled yet
    api: str = ""  # the API version in use; "" before it is known
    absence: Absence | None = None
    oldest_look: datetime | None = None
    unknown_states: tuple[str, ...] = ()

    @property
    def looks_for_comments(self) -> bool:
        """True if comments are rechecked on a schedule, because no event announces them."""
        return bool(self.api) and not raises_comment_events(self.api)

    @property
    def watches_nothing(self) -> bool:
        """True if none of the server's projects can be watched."""
        return bool(self.problems) and not self.known_since


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The messages to be sent; *oldest* is when the first of the *waiting* notices was stored.

    *next_at* is when the next one may be sent, *due_since* since when one could have been sent that was not; None if
    none may be sent now. *stuck_since* is since when nothing is sent although the rate limit allows it; None if that is
    not so. The others are when the first suspended one was stored, and when the last one was given up.
    """

    waiting: int = 0
    oldest: datetime | None = None
    suspended: int = 0
    dead: int = 0
    next_at: datetime | None = None
    due_since: datetime | None = None
    stuck_since: datetime | None = None
    stuck_reason: str = ""
    suspended_since: datetime | None = None
    given_up: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionCounts:
    """The numbers of subscriptions made in chat by rooms and by people, and of those in the settings.

    *listening* are those that are not muted, *scanned* those of them that the index cannot look up.
    """

    rooms: int = 0
    persons: int = 0
    file: int = 0
    listening: int = 0
    scanned: int = 0


@dataclass(frozen=True, slots=True)
class BotStatus:
    """The condition of the bot at the time *now*.

    *outages* are sentences about what stops it (homeserver, database), *remarks* about other problems, such as rooms
    that it cannot join, *floods* about open floods in rooms.
    """

    version: str
    now: datetime
    started: datetime
    servers: tuple[WatchedServer, ...] = ()
    queue: QueueStatus | None = None  # None: the database does not respond
    outages: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    floods: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()  # errors that were skipped, a sentence each
    subscriptions: SubscriptionCounts = SubscriptionCounts()
    override: str = ""  # the request that lifts the homeserver's rate limit for this bot

    def lag(self, server: WatchedServer) -> timedelta:
        """Return the time since the last complete poll of *server*; before the first, the time since the start."""
        return max(self.now - (server.health.caught_up or self.started), timedelta())


@dataclass(frozen=True, slots=True)
class RoomStatus:
    """A room: its name, or else its alias ("" for none), its active subscriptions, and its cards within a day.

    *state* is "" if the bot may post there; *alias* is "" where *name* is the alias, or there is none.
    """

    room: RoomId
    name: str = ""
    subscriptions: int = 0
    cards: int = 0
    is_direct: bool = False
    state: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class StatusDetails:
    """Details for the status page and /metrics: all rooms, the numbers of waiting notices by age, and versions.

    Each notice counts once, in the first age that it fits; None is any age.
    """

    rooms: tuple[RoomStatus, ...] = ()
    ages: tuple[tuple[timedelta | None, int], ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


def next_tick(last: datetime, interval: timedelta, not_before: datetime) -> datetime:
    """Return the first tick after *last*, one each *interval*, that is not before *not_before*."""
    return last + interval * max(math.ceil((not_before - last) / interval), 1)


def outages(condition: BotStatus) -> tuple[str, ...]:
    """Return a sentence about each outage, with its beginning; empty if the bot is ready."""
    servers = condition.servers
    failing = (_outage(server) for server in servers if server.health.failing_since)
    nothing_watched = (f"No project on {server.name} can be watched." for server in servers if server.watches_nothing)
    return (*condition.outages, *failing, *nothing_watched, *_stuck(condition))


def remarks(condition: BotStatus) -> tuple[str, ...]:
    """Return a sentence about each other thing that an operator should know."""
    problems = (problem for server in condition.servers for problem in server.problems)
    catching_up = (_catching_up(server.name, absence) for server in condition.servers if (absence := server.absence))
    queue = condition.queue or QueueStatus()
    return (
        *problems,
        *catching_up,
        *_comment_looks(condition),
        *_unknown_states(condition.servers),
        *_waiting(queue, condition.now),
        *_kept(queue),
        *condition.floods,
        *condition.incidents[-MAX_REMARKS:],
        *condition.remarks,
    )


def status(condition: BotStatus, *, for_operator: bool) -> Document:
    """Return the answer to `status`; *for_operator* includes information about other rooms."""
    told: list[Line] = [words(f"patchwork-matrix-bot {condition.version}, running since {moment(condition.started)}")]
    told += [words(sentence) for sentence in (*condition.outages, *_stuck(condition))]
    told += [words(_server(server)) for server in condition.servers]
    told += [words(problem) for server in condition.servers for problem in server.problems]
    told += [words(_catching_up(server.name, server.absence)) for server in condition.servers if server.absence]
    told += [words(sentence) for sentence in _comment_looks(condition)]
    told += [words(sentence) for sentence in _unknown_states(condition.servers) if for_operator]
    told += _queue(condition)
    told += [words(flood) for flood in condition.floods[:MAX_REMARKS] if for_operator]
    told += [words(sentence) for sentence in _incidents(condition.incidents, for_operator=for_operator)]
    told += [words(sentence) for sentence in _of_rooms(condition.remarks, for_operator=for_operator)]
    return (lines(told),)


def moment(time: datetime) -> str:
    """Return a time as shown in a room; never relative, because messages stay."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def to_the_second(time: datetime) -> str:
    """Return a time to the second, for events within the next minutes."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def span(duration: timedelta) -> str:
    """Return a duration in its two largest units, such as "1 h 5 min"."""
    seconds = max(int(duration.total_seconds()), 0)
    for size, name, smaller, small_name in _UNITS:
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{seconds} s"


def _outage(server: WatchedServer) -> str:
    since = server.health.failing_since
    assert since is not None  # noqa: S101  # checked by the callers
    again = f"; next try at {to_the_second(server.health.next_try)}" if server.health.next_try else ""
    return f"Polling {server.name} has failed since {moment(since)} ({cut(server.health.reason, MAX_REASON)}){again}."


def _catching_up(server: ServerName, absence: Absence) -> str:
    times = f"between {moment(absence.since)} and {moment(absence.until)}"
    return f"{server}: what came {times} is still being read ({absence.came} series so far), and will be posted then."


def _comment_looks(condition: BotStatus) -> Iterator[str]:
    """Yield how late comments may be found on servers that raise no events about them."""
    for server in condition.servers:
        if server.looks_for_comments:
            oldest = server.oldest_look
            ago = f"{span(condition.now - oldest)} ago ({moment(oldest)})" if oldest else ""
            age = f"the oldest check was {ago}" if ago else "none is due"
            yield f"{server.name} (API {server.api}) does not announce comments, so the bot looks for them; {age}."


def _unknown_states(servers: Iterable[WatchedServer]) -> Iterator[str]:
    """Yield a sentence about the states of each server that are in no class."""
    for server in servers:
        if server.unknown_states:
            named = cut(", ".join(server.unknown_states), MAX_REASON)
            yield (
                f"{server.name} has states of no known class, which count as open: {named}. "
                "The setting states of [[patchwork]] gives them one."
            )


def _server(server: WatchedServer) -> str:
    if server.health.failing_since is not None:
        return _outage(server)
    if server.watches_nothing:
        return f"{server.name}: none of its projects can be polled now"
    known = ", ".join(f"{project} (known since {since:%Y-%m-%d})" for project, since in server.known_since)
    polled = server.health.last_success
    how = f"polled at {moment(polled)}" if polled else "not polled yet"
    return f"{server.name}: {how}; {known}" if known else f"{server.name}: {how}"


def _queue(condition: BotStatus) -> Iterator[Line]:
    queue = condition.queue
    if queue is None:
        return
    if queue.waiting and queue.oldest is not None:
        yield from (words(sentence) for sentence in _waiting(queue, condition.now))
        if condition.now - queue.oldest > SLOW and not condition.outages and condition.override:
            yield words(
                "The homeserver limits how many messages an account may send. Its administrator can lift the limit "
                "for the bot with ",
                Code(condition.override),
                "; then raise messages_per_second in the bot's configuration.",
            )
    yield from (words(sentence) for sentence in _kept(queue))


def _waiting(queue: QueueStatus, now: datetime) -> Iterator[str]:
    if queue.waiting and queue.oldest is not None:
        is_later = queue.next_at is not None and queue.next_at > now
        soonest = f"; the next one goes at {to_the_second(queue.next_at)}" if is_later and queue.next_at else ""
        yield f"{_count(queue.waiting, 'message')} to be sent, the oldest since {moment(queue.oldest)}{soonest}."


def _stuck(condition: BotStatus) -> Iterator[str]:
    """Yield a sentence if nothing was sent for too long although messages may be sent."""
    queue = condition.queue
    if queue is None or queue.stuck_since is None or condition.now - queue.stuck_since < STUCK or condition.outages:
        return  # an outage says more
    why = f" ({cut(queue.stuck_reason, MAX_REASON)})" if queue.stuck_reason else ""
    wait = "1 waits" if queue.waiting == 1 else f"{queue.waiting} wait"
    since = moment(queue.stuck_since)
    yield f"No message has been sent since {since}, although {wait} and the rate limit allows it{why}."


def _kept(queue: QueueStatus) -> Iterator[str]:
    """Yield a sentence about each kind of notice that needs an operator."""
    if queue.suspended:
        since = f", the oldest since {moment(queue.suspended_since)}" if queue.suspended_since else ""
        yield f"{_count(queue.suspended, 'message')} kept for rooms that do not let the bot speak{since}."
    if queue.dead:
        last = f", the last at {moment(queue.given_up)}" if queue.given_up else ""
        yield f"{_count(queue.dead, 'message')} given up{last}; “patchbot outbox list” on the bot's machine says why."


def _incidents(sentences: Sequence[str], *, for_operator: bool) -> Sequence[str]:
    """Return the incidents, the latest last, or only their number, because they may name other rooms."""
    if for_operator or not sentences:
        return sentences[-MAX_REMARKS:]
    return (f"{_count(len(sentences), 'thing')} could not be handled; the bot's administrators can see what.",)


def _of_rooms(sentences: Sequence[str], *, for_operator: bool) -> Sequence[str]:
    """Return the remarks about rooms, or only their number, because they concern only operators."""
    if not sentences:
        return ()
    if not for_operator:
        return (f"{_count(len(sentences), 'thing')} not as configured; the bot's administrators can see what.",)
    rest = len(sentences) - MAX_REMARKS
    return (*sentences[:MAX_REMARKS], *((f"… and {rest} more",) if rest > 0 else ()))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
