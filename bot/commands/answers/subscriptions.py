"""Composes the answers about subscriptions; long lists a message at a time, with the command for the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.commands.answers.patch import said
from bot.errors import QueryError, UserError
from bot.notices.fact_lines import moment
from bot.notices.markup import Allowed, Block, Bullets, Code, Document, Line, Lines, Piece, cut, fitting, words
from bot.subscriptions.subscription import FOR_GOOD, ChatSubscription

_LONGEST_IN_A_LINE = 900  # characters that a line shows whole
_LONGEST_LISTED = 300
_MOST_SEEN = 3
MAX_ITEMS: Final = 30  # of one message
_NO_LINKS: Final = Allowed(())


@dataclass(frozen=True, slots=True)
class CardReason:
    """Why a card came: the subscription, None where it is gone or the file's, and by which terms it found what."""

    name: str  # "7", or "config"
    query: str
    subscribed: ChatSubscription | None
    found: Sequence[tuple[str, Sequence[str]]]


def to_type(label: str, text: str) -> Piece | tuple[Piece, ...]:
    """*text* behind its label, whole: in a block of its own where a line would cut it."""
    if len(text) <= _LONGEST_IN_A_LINE:
        return Lines((words(f"{label} ", Code(text)),))
    return (Lines((words(label),)), Block(text))


def changed(what: str, query: str, remarks: Sequence[str], undo: str) -> Document:
    """That something was done to a subscription: its query, what to know of it, and how to undo that."""
    return _flat(to_type(what, query), _remarks(remarks), to_type("Undo:", undo))


def done(sentences: Sequence[str], undo: str) -> Document:
    """That something was changed, and how to undo that."""
    return _flat(_remarks(sentences), to_type("Undo:", undo))


def nothing_yet(sentence: str, example: str) -> Document:
    """That there is nothing, and what to type."""
    return (Lines((words(f"{sentence} ", Code(example)),)),)


def refused(error: UserError) -> Document:
    """Why something was not done; of a query, with the place of the mistake."""
    if isinstance(error, QueryError):
        return (Lines((words("This query cannot be read, and nothing was changed:"),)), Block(error.pointed()))
    return said(*str(error).split("\n"))


def until(time: datetime) -> str:
    """How long something is muted, in words."""
    return "until it is unmuted" if time >= FOR_GOOD else f"until {moment(time)}"


def lines_of(chat: Sequence[ChatSubscription], configured: Sequence[str]) -> list[Line]:
    """A line for each subscription of a room or person, those of the configuration file last."""
    return [*map(_listed, chat), *(words("config: ", Code(cut(query, _LONGEST_LISTED))) for query in configured)]


def listed(heading: str, items: Sequence[Line], more: tuple[Line, ...], remarks: Sequence[str]) -> Document:
    """A list below its *heading*, with what brings *more*, and remarks."""
    return _flat(Lines((words(heading),)), Bullets(tuple(items)), Lines(more), _remarks(remarks))


def reasons(heading: str, found: Sequence[CardReason]) -> Document:
    """Why a card came."""
    return (Lines((words(heading),)), Bullets(tuple(_reason(each) for each in found)))


def exported(toml: str, more: tuple[Line, ...]) -> Document:
    """Lines for the configuration file, and what brings *more*."""
    return _flat(Block(toml), Lines(more))


def _listed(subscribed: ChatSubscription) -> Line:
    muted = f", muted {until(subscribed.muted_until)}" if subscribed.muted_until else ""
    told = f" — by {subscribed.added_by} on {subscribed.added_at:%Y-%m-%d}{muted}"
    return words(f"{subscribed.id}: ", Code(cut(subscribed.query, _LONGEST_LISTED)), told)


def _reason(reason: CardReason) -> Line:
    by_term: dict[str, dict[str, None]] = {}
    for term, seen in reason.found:
        by_term.setdefault(term, {}).update(dict.fromkeys(seen))
    found = "; ".join(
        f"{cut(term, 100)} found {_seen(list(seen))}" if seen else cut(term, 100) for term, seen in by_term.items()
    )
    if reason.subscribed is not None:
        added = f", added by {reason.subscribed.added_by} on {reason.subscribed.added_at:%Y-%m-%d}"
        return words(f"{reason.name}: ", Code(cut(reason.query, _LONGEST_LISTED)), f"{added} — {found}")
    if reason.query:
        query = Code(cut(reason.query, _LONGEST_LISTED))
        return words(f"{reason.name}: ", query, f", from the configuration file — {found}")
    return words(f"{reason.name}, which is gone — {found}")


def _seen(seen: Sequence[str]) -> str:
    more = f" and {len(seen) - _MOST_SEEN} more" if len(seen) > _MOST_SEEN else ""
    return ", ".join(cut(each, 100) for each in seen[:_MOST_SEEN]) + more


def _remarks(sentences: Sequence[str]) -> Lines:
    return Lines(tuple(words(sentence) for sentence in sentences))


def _flat(*pieces: Piece | tuple[Piece, ...]) -> Document:
    """The pieces that say something, in a row."""
    flat = [each for piece in pieces for each in (piece if isinstance(piece, tuple) else (piece,))]
    return tuple(piece for piece in flat if piece != Lines(()))


def page(
    items: Sequence[Line],
    start: int,
    document: Callable[[Sequence[Line], tuple[Line, ...]], Document],
    command: Callable[[int], str],
) -> Document:
    """The *document* of as many *items* as fit, from the *start*-th (1 is the first), and of the line on the rest.

    *command* is what to type to go on from an item; the line is missing where nothing is left.

    Raises:
        UserError: there are not so many items.
    """
    if start > max(len(items), 1):
        raise UserError(f"There are only {len(items)}; to see them from the first on, type: {command(1)}")

    def of_first(count: int) -> Document:
        following = start + count
        rest = len(items) - following + 1
        more = (words(f"… and {rest} more: ", Code(command(following))),) if rest else ()
        return document(items[start - 1 : following - 1], more)

    left = len(items) - start + 1
    return of_first(max(fitting(of_first, min(left, MAX_ITEMS), _NO_LINKS), min(left, 1)))
