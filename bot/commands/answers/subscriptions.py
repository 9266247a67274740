"""Composes the answers about subscriptions; long lists come one page at a time, with the command for the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.commands.answers.patch import said
from bot.commands.answers.times import local
from bot.errors import QueryError, UserError
from bot.notices.markup import Allowed, Block, Bullets, Code, Document, Line, Lines, Piece, Strong, fitting, words
from bot.subscriptions.subscription import FOR_GOOD, ChatSubscription
from bot.text import cut

_LONGEST_IN_A_LINE = 900  # characters that fit into a line uncut
_LONGEST_LISTED = 300
_MOST_SEEN = 3
_WEEK = timedelta(weeks=1)
MAX_ITEMS: Final = 30  # per message
_NO_LINKS: Final = Allowed(())


@dataclass(frozen=True, slots=True)
class CardReason:
    """A subscription that brought a card, with the terms that matched and what they matched.

    *subscribed* is None for subscriptions that are gone or come from the configuration file. Nothing is *found* if the
    name says it all.
    """

    name: str  # "7", or "config"
    query: str
    subscribed: ChatSubscription | None
    found: Sequence[tuple[str, Sequence[str]]]


def to_type(label: str, text: str) -> Piece | tuple[Piece, ...]:
    """Return *text* uncut behind its label, in a block of its own if it is too long for a line."""
    if len(text) <= _LONGEST_IN_A_LINE:
        return Lines((words(f"{label} ", Code(text)),))
    return (Lines((words(label),)), Block(text))


def changed(what: str, query: str, remarks: Sequence[str], undo: str) -> Document:
    """Return the answer to a changed subscription: its query, remarks, and the command that undoes the change."""
    return _flat(to_type(what, query), _remarks(remarks), to_type("Undo:", undo))


def done(sentences: Sequence[str | Line], undo: str) -> Document:
    """Return the answer to a change: sentences, and the command that undoes it."""
    return _flat(_remarks(sentences), to_type("Undo:", undo))


def nothing_yet(sentence: str, example: str) -> Document:
    """Return an answer about an empty list, with an example command."""
    return (Lines((words(f"{sentence} ", Code(example)),)),)


def refused(error: UserError) -> Document:
    """Return the answer to a refused command; for a query, it points at the mistake."""
    if isinstance(error, QueryError):
        return (Lines((words("I cannot read this query, and nothing was changed:"),)), Block(error.pointed()))
    return said(*str(error).split("\n"))


def until(time: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return the end of a mute in words."""
    return "until it is unmuted" if time >= FOR_GOOD else f"until {local(time, now, zone)}"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a subscription brought in the time that is looked back on: the number, and the last (UTC), None without any.

    *since* is the beginning of that time, or of the subscription; *waiting* are in a digest that is yet to come.
    """

    since: datetime
    count: int = 0
    last: datetime | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class ListedSubscription:
    """A subscription with what it brought; *next_digest* (UTC) is None if it has no digest.

    *is_queue* is true if the digest is a queue, in which nothing waits.
    """

    subscribed: ChatSubscription
    arrivals: Arrivals
    brings_series: bool = True
    next_digest: datetime | None = None
    is_queue: bool = False


def subscription_line(listed: ListedSubscription, now: datetime, zone: ZoneInfo) -> Line:
    """Return a line with a subscription's id and query, how much it brings, and when the last or the next comes."""
    subscribed = listed.subscribed
    head = (Strong(str(subscribed.id)), " · ", Code(cut(subscribed.query, _LONGEST_LISTED)))
    if subscribed.muted_until is not None:
        return words(*head, f" {until(subscribed.muted_until, now, zone)}")
    if listed.next_digest is not None and listed.is_queue:
        return words(*head, f" — next {local(listed.next_digest, now, zone, with_zone=False)}")
    if listed.next_digest is not None:
        waiting = listed.arrivals.waiting
        so_far = f"{waiting} series waiting" if waiting else "nothing waiting"
        return words(*head, f" — next {local(listed.next_digest, now, zone, with_zone=False)}, {so_far}")
    last = listed.arrivals.last
    came = f", last {local(last, now, zone, with_zone=False)}" if last else ""
    return words(*head, f" — {_volume(listed, now, zone)}{came}")


def configured_line(query: str) -> Line:
    """Return a line with a subscription of the configuration file."""
    return words(Strong("config"), " · ", Code(cut(query, _LONGEST_LISTED)))


def _volume(listed: ListedSubscription, now: datetime, zone: ZoneInfo) -> str:
    arrivals = listed.arrivals
    if not listed.brings_series and not arrivals.count:
        return "tells of changes only"
    age = now - arrivals.since
    if age < _WEEK:
        since = local(arrivals.since, now, zone, with_zone=False)
        return f"{arrivals.count or 'nothing'}{' series' if arrivals.count else ''} since {since}"
    if not arrivals.count:
        return f"nothing in {age // _WEEK} {'week' if age < 2 * _WEEK else 'weeks'}"
    a_week = arrivals.count * (_WEEK / age)
    return f"about {a_week:,.0f} series a week" if a_week >= 1 else "less than one series a week"


def listed(
    heading: str, items: Sequence[Line], muted: Sequence[Line], more: tuple[Line, ...], remarks: Sequence[Line]
) -> Document:
    """Return a list below its *heading*, the muted ones apart, followed by the line with *more* and by remarks."""
    apart = (words("⏸️ Muted:"),) if muted else ()
    pieces = (Lines((words(Strong(heading)),)), Bullets(tuple(items)), Lines(apart), Bullets(tuple(muted)))
    return tuple(piece for piece in (*pieces, Lines((*more, *remarks))) if piece not in {Lines(()), Bullets(())})


def reasons(heading: str, found: Sequence[CardReason]) -> Document:
    """Return the reasons for a card, one line per subscription."""
    return (Lines((words(heading),)), Bullets(tuple(_reason(each) for each in found)))


def exported(toml: str, more: tuple[Line, ...]) -> Document:
    """Return lines for the configuration file, and the line with *more*."""
    return _flat(Block(toml), Lines(more))


def _reason(reason: CardReason) -> Line:
    if not reason.found:
        return words(reason.name)
    by_term: dict[str, dict[str, None]] = {}
    for term, seen in reason.found:
        by_term.setdefault(term, {}).update(dict.fromkeys(seen))
    found = "; ".join(
        f"{cut(term, 100)} matches {_seen(list(seen))}" if seen else cut(term, 100) for term, seen in by_term.items()
    )
    if reason.subscribed is not None:
        added = f", added by {reason.subscribed.added_by} on {reason.subscribed.added_at:%Y-%m-%d}"
        return words(f"{reason.name}: ", Code(cut(reason.query, _LONGEST_LISTED)), f"{added} — {found}")
    if reason.query:
        query = Code(cut(reason.query, _LONGEST_LISTED))
        return words(f"{reason.name}: ", query, f", from the configuration file — {found}")
    return words(f"{reason.name}, which has ended — {found}")


def _seen(seen: Sequence[str]) -> str:
    more = f" and {len(seen) - _MOST_SEEN} more" if len(seen) > _MOST_SEEN else ""
    return ", ".join(cut(each, 100) for each in seen[:_MOST_SEEN]) + more


def _remarks(sentences: Sequence[str | Line]) -> Lines:
    return Lines(tuple(words(each) if isinstance(each, str) else each for each in sentences))


def _flat(*pieces: Piece | tuple[Piece, ...]) -> Document:
    """Return the pieces in one row, with lines that follow each other in one paragraph, without empty ones."""
    flat: list[Piece] = []
    for each in (each for piece in pieces for each in (piece if isinstance(piece, tuple) else (piece,))):
        match flat, each:
            case _, Lines(()):
                pass
            case [*_, Lines(before)], Lines(more):
                flat[-1] = Lines((*before, *more))
            case _:
                flat.append(each)
    return tuple(flat)


def page(
    items: Sequence[Line],
    start: int,
    document: Callable[[Sequence[Line], tuple[Line, ...]], Document],
    command: Callable[[int], str],
) -> Document:
    """Return the *document* of as many *items* as fit, beginning with item *start* (1 is the first).

    *command* returns the command that continues from an item; the document gets it as a line if items are left.

    Raises:
        UserError: *start* is beyond the last item.
    """
    if start > max(len(items), 1):
        raise UserError(f"The list ends with {len(items)}. From its beginning: {command(1)}")

    def of_first(count: int) -> Document:
        following = start + count
        rest = len(items) - following + 1
        more = (words(f"… and {rest} more: ", Code(command(following))),) if rest else ()
        return document(items[start - 1 : following - 1], more)

    left = len(items) - start + 1
    return of_first(max(fitting(of_first, min(left, MAX_ITEMS), _NO_LINKS), min(left, 1)))
