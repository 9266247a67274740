"""The state of a submission at a glance: the sign before its title, and the state in words. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bot.notices.fact_lines import state_name
from bot.notices.markup import Line, Strong, Text, columns, cut_to_columns
from bot.patchwork.model import Patch
from bot.patchwork.states import StateClasses, States, is_accepted, is_new, is_superseded
from bot.submission import Submission

MAX_COLUMNS = 76  # of the state, in a line with checks and reviews
NEW, OPEN, WAITING, ACCEPTED, CLOSED, SUPERSEDED, PULL = "🆕", "👀", "🔁", "✅", "❌", "♻️", "📦"


def sign(submission: Submission, classes: StateClasses) -> str:
    """Return the sign for the state of a submission."""
    states = [patch.state for patch in submission.patches]
    return sign_of(states, classes, is_pull=submission.pull is not None)


def sign_of(states: Sequence[str | None], classes: StateClasses, *, is_pull: bool = False) -> str:
    """Return the sign for patches in *states*.

    What is still open decides. Of closed patches most do, and the better half if they are as many.
    """
    is_open = [state for state in states if not classes.is_closed(state)]
    if not is_open and states:
        return _closed_sign(states)
    if is_open and all(classes.is_waiting(state) for state in is_open):
        return WAITING
    if is_pull:
        return PULL
    return NEW if all(is_new(state) or state is None for state in states) else OPEN


def state_sign(slug: str, classes: StateClasses) -> str:
    """Return the sign for one state."""
    if classes.is_closed(slug):
        return _closed_sign([slug])
    if classes.is_waiting(slug):
        return WAITING
    return NEW if is_new(slug) else OPEN


def state_words(patches: Iterable[Patch], states: States) -> Line:
    """Return the state in words, the most frequent one first: "Accepted 2 of 3, New 1"; empty if none is known."""
    return counted_words(Counter(patch.state for patch in patches if patch.state), states)


def state_words_before(patches: Iterable[Patch], states: States) -> Line:
    """Return the state that the patches had before they were superseded; empty if it is unknown."""
    before = (patch.former_state if is_superseded(patch.state) else patch.state for patch in patches)
    return counted_words(Counter(slug for slug in before if slug), states)


def counted_words(counts: Counter[str], states: States) -> Line:
    """Return the numbers of patches by slug in words; the first state stands out."""
    named: Counter[str] = Counter()
    for slug, count in counts.items():
        named[state_name(slug, states)] += count
    if not named:
        return ()
    (first, most), *rest = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    if not rest:
        return (Strong(first),)
    others = f" {most} of {named.total()}, {', '.join(f'{name} {count}' for name, count in rest)}"
    return (Strong(first), Text(cut_to_columns(others, MAX_COLUMNS - columns(first))))


def is_replaced(patches: Iterable[Patch]) -> bool:
    """Return whether a later version replaces all *patches*, as the server says."""
    states = [patch.state for patch in patches]
    return bool(states) and all(is_superseded(state) for state in states)


def _closed_sign(states: Iterable[str | None]) -> str:
    counts = Counter(
        ACCEPTED if is_accepted(state) else SUPERSEDED if is_superseded(state) else CLOSED for state in states
    )
    return max((ACCEPTED, CLOSED, SUPERSEDED), key=lambda each: counts[each])
