"""The keys whose values are not plain text: numbers, states, checks, flags and durations."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.patchwork.model import CheckState
from bot.query.durations import read_duration
from bot.query.facts import FactName, Facts, PatchView, Things
from bot.query.index.globs import PatternError, check_glob
from bot.query.key_spec import IndexedKey, UnindexedKey, ValueHandle
from bot.query.values import (
    ANY_STATE,
    Age,
    Bound,
    CheckCondition,
    IsFlag,
    Transition,
    Turn,
    Value,
    ValueMistake,
    choice,
    plain_slug,
)

_BOUND = re.compile(r"(>=|<=|>|<|=|≥|≤|)\s*v?([0-9]{1,5})(\+?)")
_SIGNS = {"≥": ">=", "≤": "<=", "": "="}
_SLUG = re.compile(r"[\w-]+", re.ASCII)
_ARROW = re.compile(r"->|→")
_LONGEST_AGE = timedelta(weeks=9_999)


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberKey(UnindexedKey):
    """A key for bounds on a *number* that starts at 1; *spelled* formats it for reasons."""

    number: Callable[[Facts], int]
    spelled: Callable[[int], str]

    def read(self, text: str) -> Bound:
        match = _BOUND.fullmatch(text.strip().lower())
        if match is None:
            reason = f"{self.name}: takes a number, with >=, <=, > or < in front,"
            raise ValueMistake(reason, f"e.g. {self.example}")
        bound = Bound(">=" if match[3] and not match[1] else _SIGNS.get(match[1], match[1]), int(match[2]))
        if not any(map(bound.holds, (1, max(bound.number, 1), bound.number + 1))):
            raise ValueMistake(f"{self.name}: counts from 1, so nothing is {bound};", f"e.g. {self.example}")
        return bound

    def find(self, patch: PatchView, value: Value) -> Things:
        number = self.number(patch.facts)
        return (self.spelled(number),) if isinstance(value, Bound) and value.holds(number) else ()

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return (self.spelled(self.number(facts)),)


class StateKey(IndexedKey):
    """A key for states, and for changes from one to another."""

    def read(self, text: str) -> str | Transition:
        sides = [_slug(side) for side in _ARROW.split(text)]
        if len(sides) == 1 and _SLUG.fullmatch(sides[0]):
            return sides[0]
        if len(sides) == 2 and all(side == ANY_STATE or _SLUG.fullmatch(side) for side in sides):
            return Transition(*sides)
        raise ValueMistake(f"{self.name}: takes a state, or two with -> between them,", f"e.g. {self.example}")

    def find(self, patch: PatchView, value: Value) -> Things:
        state, former = patch.facts.slug, patch.facts.former_slug
        if not isinstance(value, Transition):
            return (state,) if state is not None and state == value else ()
        if state is None or former is None or former == state or not value.holds(former, state):
            return ()
        return (f"{former}->{state}",)

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return (facts.state or "a patch whose state is not known",)

    def handle_names(self, patch: PatchView) -> Collection[str]:
        state, former = patch.facts.slug, patch.facts.former_slug
        if state is None:
            return ()
        if former is None or former == state:
            return (state,)
        return (state, *(f"{before}->{after}" for before in (ANY_STATE, former) for after in (ANY_STATE, state)))

    def facts_for(self, value: Value, /) -> tuple[FactName, ...]:
        return self.facts if isinstance(value, Transition) else (FactName.STATE,)

    def past_refusal(self, term: str, value: Value, /) -> str | None:
        if not isinstance(value, Transition):
            return None
        return f"{term} cannot search past patches: former states are not stored. Ask for the present one."


class CheckKey(IndexedKey):
    """A key for the state of the worst check, or of any check with a certain context."""

    def read(self, text: str) -> CheckCondition:
        name, slash, context = text.strip().partition("/")
        state = choice(self.name, CheckState, name.strip().lower())
        if not slash:
            return CheckCondition(state)
        context = context.strip()
        if not context:
            raise ValueMistake("There is no check name after the slash,", f"e.g. {self.name}:fail/build*")
        try:
            check_glob(context)
        except PatternError as error:
            raise ValueMistake(f"This check name {error}.") from None
        return CheckCondition(state, context)

    def find(self, patch: PatchView, value: Value) -> Things:
        if not isinstance(value, CheckCondition):
            return ()
        ended = [(context, f"{state}/{context}") for context, state in patch.facts.more.checks if state == value.state]
        if value.context is not None:
            return tuple(name for context, name in ended if value.covers(context))
        if patch.facts.check != value.state:
            return ()
        return tuple(name for _, name in ended) or (value.state.value,)

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        checks = tuple(f"{state}/{context}" for context, state in facts.more.checks)
        return checks or ((facts.check.value,) if facts.check else ("a patch without checks",))

    def handle_names(self, patch: PatchView) -> Collection[str]:
        worst = set() if patch.facts.check is None else {patch.facts.check.value}
        return worst.union(f"{state}/" for _, state in patch.facts.more.checks)

    def handle(self, value: Value, /) -> ValueHandle | None:
        if isinstance(value, CheckCondition) and value.context is not None:
            return ValueHandle((self.fields[0], f"{value.state}/"), decides=False)
        return super().handle(value)

    def facts_for(self, value: Value, /) -> tuple[FactName, ...]:
        is_named = isinstance(value, CheckCondition) and value.context is not None
        return (FactName.CHECKS,) if is_named else (FactName.CHECK,)

    def past_refusal(self, term: str, value: Value, /) -> str | None:
        if not isinstance(value, CheckCondition) or value.context is None:
            return None
        instead = f"{self.name}:{value.state}"
        return f"{term} cannot search past patches: only the worst check is stored. Try {instead}."


@dataclass(frozen=True, slots=True)
class _Flag:
    """A flag of a patch: the facts it depends on, its name in reasons, and the name of its opposite."""

    facts: tuple[FactName, ...]
    find: Callable[[Facts], Things]
    otherwise: str


_FLAGS: Final[Mapping[IsFlag, _Flag]] = {
    IsFlag.MINE: _Flag((), lambda _: (), "a patch of somebody else"),  # replaced by `resolved`
    IsFlag.PULL: _Flag(
        (FactName.IS_PULL,),
        lambda facts: ("a pull request",) if facts.is_pull else (),
        "a patch that is no pull request",
    ),
    IsFlag.COMPLETE: _Flag(
        (FactName.IS_COMPLETE,),
        lambda facts: ("a complete series",) if facts.is_complete else (),
        "a series that is not complete",
    ),
    IsFlag.REVIEWED: _Flag(
        (FactName.REVIEWERS,),
        lambda facts: tuple(f"a review of {reviewer}" for reviewer in facts.reviewers),
        "a patch that nobody reviewed",
    ),
    IsFlag.ARCHIVED: _Flag(
        (FactName.IS_ARCHIVED,),
        lambda facts: ("an archived patch",) if facts.is_archived else (),
        "a patch that is not archived",
    ),
}


class FlagKey(IndexedKey):
    """A key for the flags of a patch (`is:`)."""

    def read(self, text: str) -> IsFlag:
        return choice(self.name, IsFlag, text.strip().lower())

    def find(self, patch: PatchView, value: Value) -> Things:
        return _FLAGS[value].find(patch.facts) if isinstance(value, IsFlag) else ()

    def instead(self, _facts: Facts, values: Sequence[Value], /) -> Things:
        return tuple(_FLAGS[value].otherwise for value in values if isinstance(value, IsFlag))

    def handle_names(self, patch: PatchView) -> Collection[str]:
        return [flag.value for flag, about in _FLAGS.items() if about.find(patch.facts)]

    def facts_for(self, value: Value, /) -> tuple[FactName, ...]:
        return _FLAGS[value].facts if isinstance(value, IsFlag) else ()

    def past_refusal(self, _term: str, value: Value, /) -> str | None:
        if value is not IsFlag.MINE:
            return None
        reason = f"{self.name}:{value} needs your addresses, which are not known here."
        return f"{reason} Name them, e.g. from:jane@example.org"


class AgeKey(UnindexedKey):
    """A key for the minimum time since the last change."""

    def read(self, text: str) -> Age:
        time = read_duration(text)
        if time is None or time < timedelta(hours=1) or time > _LONGEST_AGE:
            reason = f"{self.name}: takes a number of hours, days or weeks,"
            raise ValueMistake(reason, f"e.g. {self.name}:36h, {self.example} or {self.name}:2w")
        return Age(time // timedelta(hours=1))

    def find(self, patch: PatchView, value: Value) -> Things:
        idle = patch.facts.more.idle
        return (_spelled_idle(idle),) if isinstance(value, Age) and idle is not None and idle >= value.time else ()

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return (_spelled_idle(facts.more.idle),) if facts.more.idle is not None else ()


class TurnKey(UnindexedKey):
    """A key for whose turn an open submission is."""

    def read(self, text: str) -> Turn:
        name = " ".join(text.lower().replace("-", " ").split())
        return choice(self.name, Turn, _TURN_WORDS.get(name, name))

    def find(self, patch: PatchView, value: Value) -> Things:
        turn = patch.facts.more.turn
        return (_TURNS[turn],) if turn is not None and turn == value else ()

    def instead(self, facts: Facts, _values: Sequence[Value], /) -> Things:
        return (_TURNS[facts.more.turn],) if facts.more.turn is not None else ("a patch of which nothing is known",)

    def past_refusal(self, term: str, _value: Value, /) -> str | None:
        return f"{term} is about what is open now, not about what came. Look with queue or find."


_TURNS: Final = {
    Turn.FAILING: "a check that fails",
    Turn.AUTHOR: "the submitter's turn",
    Turn.READY: "ready to be applied",
    Turn.REVIEW: "the reviewers' turn",
}
_TURN_WORDS: Final[Mapping[str, Turn]] = {
    **dict.fromkeys(("fail", "fails", "failed", "broken", "ci"), Turn.FAILING),
    **dict.fromkeys(("submitter", "waiting", "waiting for the author", "waiting for author"), Turn.AUTHOR),
    **dict.fromkeys(("reviewed", "apply", "merge"), Turn.READY),
    **dict.fromkeys(("reviewer", "reviewers", "maintainer", "needs review", "review needed"), Turn.REVIEW),
}


def _slug(name: str) -> str:
    """Return a state as spelled in Patchwork's API: "Under Review" and under_review become under-review."""
    return plain_slug("-".join(name.lower().split()))


def _spelled_idle(idle: timedelta) -> str:
    hours = idle // timedelta(hours=1)
    return f"{hours} hours of silence" if hours < 48 else f"{hours // 24} days of silence"
