"""The condition of the bot, for `status` in chat and /readyz. Pure; all times are UTC and shown as such."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.ids import ProjectName, RoomId, ServerName
from bot.notices.catch_up import Absence
from bot.notices.markup import Bullets, Code, Document, Line, Strong, lines, words
from bot.patchwork.updates import raises_comment_events
from bot.text import cut

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
    that it cannot join, *floods* about open floods in rooms. *role* is a sentence about the instances of the bot; ""
    if there is only one. *stands_by*: this one waits for another one's end.
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
    role: str = ""
    stands_by: bool = False
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
        *filter(None, (condition.role,)),
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


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """What the chat gets in which `status` is typed: the cards of seven days, and the messages that are to be sent."""

    subscriptions: int
    muted: int
    cards: int
    waiting: int
    is_direct: bool = False


def status(condition: BotStatus, chat: ChatSummary | None = None, *, for_operator: bool) -> Document:
    """Return the answer to `status`; *for_operator* includes information about other rooms.

    *chat* is None where it does not matter, or if the database does not respond.
    """
    healthy = not outages(condition)
    head = words(
        "🟢 " if healthy else "🔴 ",
        Strong("All well" if healthy else "Something is wrong"),
        f" · patchbot {condition.version}, up {span(condition.now - condition.started, parts=1)}",
    )
    told = [words(sentence) for sentence in (*condition.outages, *_stuck(condition))]
    servers = Bullets(tuple(_server(server, condition.now) for server in condition.servers))
    below = [_chat_line(chat)] if chat else []
    below += [words(condition.role)] if condition.role and for_operator else []
    below += [words(problem) for server in condition.servers for problem in server.problems]
    below += [words(_catching_up(server.name, server.absence)) for server in condition.servers if server.absence]
    below += [words(sentence) for sentence in _comment_looks(condition)]
    below += [words(sentence) for sentence in _unknown_states(condition.servers) if for_operator]
    below += _queue(condition, for_operator=for_operator)
    below += [words(flood) for flood in condition.floods[:MAX_REMARKS] if for_operator]
    below += [words(sentence) for sentence in _incidents(condition.incidents, for_operator=for_operator)]
    below += [words(sentence) for sentence in _of_rooms(condition.remarks, for_operator=for_operator)]
    return (lines([head, *told]), servers, lines(below))


def _chat_line(chat: ChatSummary) -> Line:
    whose = "You" if chat.is_direct else "This room"
    muted = f" ({chat.muted} muted)" if chat.muted else ""
    waiting = f"{_count(chat.waiting, 'message')} waiting" if chat.waiting else "nothing waiting"
    subscriptions, cards = _count(chat.subscriptions, "subscription"), _count(chat.cards, "card")
    return words(f"{whose}: {subscriptions}{muted}, {cards} in 7 days, {waiting}")


def _server(server: WatchedServer, now: datetime) -> Line:
    """Return a line with a server's projects, and when it was looked at last or what is wrong."""
    health = server.health
    projects = ", ".join(project for project, _ in server.known_since)
    if health.failing_since is not None:
        failing = f"no answer for {span(now - health.failing_since, parts=1)} ({cut(health.reason, MAX_REASON)})"
        again = f", next try in {span(health.next_try - now, parts=1)}" if health.next_try else ""
        watched = f"{projects}: " if projects else ""
        return words("🔴 ", Strong(server.name), f" — {watched}{failing}{again}; nothing is lost")
    if server.watches_nothing:
        return words("🔴 ", Strong(server.name), " — none of its projects can be watched now")
    looked = f"looked {span(now - health.last_success, parts=1)} ago" if health.last_success else "not looked at yet"
    return words("🟢 ", Strong(server.name), f" — {projects + ', ' if projects else ''}{looked}")


def moment(time: datetime) -> str:
    """Return a time as shown in a room; never relative, because messages stay."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def to_the_second(time: datetime) -> str:
    """Return a time to the second, for events within the next minutes."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def span(duration: timedelta, *, parts: int = 2) -> str:
    """Return a duration in its largest units, such as "1 h 5 min"; *parts* is their number, 1 or 2."""
    seconds = max(int(duration.total_seconds()), 0)
    for size, name, smaller, small_name in _UNITS:
        if seconds >= size:
            rest = seconds % size // smaller if parts > 1 else 0
            long = ("day" if seconds < 2 * size else "days") if name == "d" and parts == 1 else name
            return f"{seconds // size} {long}" + (f" {rest} {small_name}" if rest else "")
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


def _queue(condition: BotStatus, *, for_operator: bool) -> Iterator[Line]:
    queue = condition.queue
    if queue is None:
        return
    if queue.waiting and queue.oldest is not None and (for_operator or condition.now - queue.oldest > SLOW):
        yield from (words(sentence) for sentence in _waiting(queue, condition.now))
        if condition.now - queue.oldest > SLOW and not condition.outages and condition.override:
            yield words(
                "The homeserver limits how many messages an account may send. Its administrator can lift the limit "
                "for the bot with ",
                Code(condition.override),
                "; then raise messages_per_second in the bot's configuration.",
            )
    if for_operator:
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
        yield f"{_count(queue.suspended, 'message')} suspended{since}: the bot may not post in their rooms."
    if queue.dead:
        last = f", the last at {moment(queue.given_up)}" if queue.given_up else ""
        yield f"{_count(queue.dead, 'message')} dead{last}: “patchbot outbox list” on the bot's machine says why."


def _incidents(sentences: Sequence[str], *, for_operator: bool) -> Sequence[str]:
    """Return the incidents, the latest last, or only their number, because they may name other rooms."""
    if for_operator or not sentences:
        return sentences[-MAX_REMARKS:]
    return (f"{_count(len(sentences), 'error')} recorded; the bot's admins can see what.",)


def _of_rooms(sentences: Sequence[str], *, for_operator: bool) -> Sequence[str]:
    """Return the remarks about rooms, or only their number, because they concern only operators."""
    if not sentences:
        return ()
    if not for_operator:
        return (f"{_count(len(sentences), 'problem')} with the configuration; the bot's admins can see what.",)
    rest = len(sentences) - MAX_REMARKS
    return (*sentences[:MAX_REMARKS], *((f"… and {rest} more",) if rest > 0 else ()))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
