"""Derives from a query what every matching patch has, so that a database can leave out most of the others. Pure.

A condition never fails for a patch that matches; it may hold for some that do not, so the query still has to be
evaluated. Only conditions that are exact can be negated. A condition of very many parts would cost a database more than
it saves, so parts beyond MOST_PARTS are left away, which makes it hold for more patches.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias, assert_never

from bot.query.facts import FactName
from bot.query.index.globs import literal_runs
from bot.query.index.path_trie import read_pattern
from bot.query.keys import Key
from bot.query.maintainers.file import Rule, RuleKind, Section
from bot.query.maintainers.maintainers import Maintainers
from bot.query.maintainers.pattern_index import folder_of, runs_of, without_layout
from bot.query.query import And, Node, Not, Or, Term
from bot.query.values import Age, Bound, CheckCondition, IsFlag, Regex, Transition, Value, folded

MOST_PARTS: Final = 40
_LARGEST_NUMBER: Final = 2**31 - 1
_ANY_DEPTH: Final = "**"

_PIECE = re.compile(
    r"(?:(?P<plain>[^\\\[\](){}|*+?.^$])|\\(?P<sign>[!-/:-@\[-^`{-~])"
    r"|(?P<other>[.^$]|\[\^?[^\\\[\]]+\]|\((?!\?)[^\\\[\]()]*\)|\\[dDwWsSbB]))(?P<count>[*?+]\??|\{[0-9,]+\}\??)?"
)


@dataclass(frozen=True, slots=True)
class HasText:
    """One text of a fact has all *parts*, which are folded."""

    fact: FactName
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HasPath:
    """One path has the *runs*, in this order; if it *begins* with them, from its start on."""

    runs: tuple[str, ...]
    begins: bool


@dataclass(frozen=True, slots=True)
class IsOneOf:
    """A fact is one of *values*, in which a dash stands for an underscore as well; exact."""

    fact: FactName
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IsTrue:
    """A fact is true, or has anything in it."""

    fact: FactName


@dataclass(frozen=True, slots=True)
class IsBetween:
    """A number is *low* or more and *high* or less."""

    fact: FactName
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class IsIdle:
    """Nothing has happened for this *time*; exact."""

    time: timedelta


@dataclass(frozen=True, slots=True)
class AllOf:
    """All *parts* hold; without any, it holds for every patch."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of *parts* holds; without any, it holds for no patch."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class NoneOf:
    """A *part*, which is exact, does not hold."""

    part: "Condition"


Condition: TypeAlias = HasText | HasPath | IsOneOf | IsTrue | IsBetween | IsIdle | AllOf | AnyOf | NoneOf
ANYTHING: Final = AllOf(())
_EXACT_FLAGS: Final = frozenset({FactName.IS_PULL, FactName.IS_ARCHIVED})


def prefilter_of(node: Node, files: Sequence[Maintainers] = (), most_parts: int = MOST_PARTS) -> Condition:
    """Return what every patch has that *node* matches; *files* are the MAINTAINERS of the projects in question."""
    return _limited(_needed(node, files), most_parts)


def _needed(node: Node, files: Sequence[Maintainers]) -> Condition:
    match node:
        case Term(key, values):
            return _any_of(_of_value(key, value, files) for value in values)
        case Not(part):
            return _excluded(part, files)
        case And(parts):
            return _all_of(_needed(part, files) for part in parts)
        case Or(parts):
            return _any_of(_needed(part, files) for part in parts)
        case _:
            assert_never(node)


def _excluded(node: Node, files: Sequence[Maintainers]) -> Condition:
    """Return what every patch has that *node* does not match."""
    match node:
        case Term():
            condition = _needed(node, files)
            return NoneOf(condition) if condition != ANYTHING and _is_exact(condition) else ANYTHING
        case Not(part):
            return _needed(part, files)
        case And(parts):
            return _any_of(_excluded(part, files) for part in parts)
        case Or(parts):
            return _all_of(_excluded(part, files) for part in parts)
        case _:
            assert_never(node)


def _of_value(key: Key, value: Value, files: Sequence[Maintainers]) -> Condition:
    match value:
        case Regex():
            return _of_regex(value) if key is Key.SUBJECT else ANYTHING
        case Bound():
            return ANYTHING if key.spec.narrowed_by is None else _between(key.spec.narrowed_by, value)
        case CheckCondition(state, context):
            return IsOneOf(FactName.CHECK, (state.value,)) if context is None else ANYTHING
        case Age():
            return IsIdle(value.time)
        case IsFlag():
            return IsTrue(_FLAGS[value]) if value in _FLAGS else ANYTHING
        case _:
            return ANYTHING if isinstance(value, Transition) else _of_text(key, value, files)


def _of_text(key: Key, value: str, files: Sequence[Maintainers]) -> Condition:
    match key:
        case Key.PATH:
            return _of_pattern(value)
        case Key.MAINT:
            return _any_of(_covers(file, section) for file in files for section in file.find(value))
        case Key.STATE:
            return IsOneOf(FactName.STATE, (value,))
        case _ if key.spec.narrowed_by is not None:
            return HasText(key.spec.narrowed_by, tuple(folded(value).split()))
        case _:
            return ANYTHING


def _of_pattern(pattern: str) -> Condition:
    """Return the condition of a pattern of `path:`."""
    read = read_pattern(pattern)
    components = [*read.folders, *([] if read.last is None else [read.last])]
    runs = [""]
    for place, component in enumerate(components):
        if component == _ANY_DEPTH:
            runs.append("")
            continue
        first, *others = literal_runs(component)
        runs[-1] += first
        runs += others
        if place < len(read.folders):
            runs[-1] += "/"
    return _has_path(runs)


def _covers(file: Maintainers, section: Section) -> Condition:
    """Return what every patch has that a *section* covers."""
    if any(each.section is section for each in file.covering(())):  # by a keyword that is found in no text at all
        return ANYTHING
    return _any_of(_of_rule(rule) for rule in section.rules if rule.kind in {RuleKind.FILES, RuleKind.PATH})


def _of_rule(rule: Rule) -> Condition:
    if rule.kind is RuleKind.PATH:
        return _any_of(_has_path(["", *runs]) for runs in _branches_of(without_layout(rule.pattern)))
    return _has_path(runs_of(rule.pattern) or [folder_of(rule.pattern)])


def _has_path(runs: Sequence[str]) -> Condition:
    some = tuple(run for run in runs if run)
    return HasPath(some, begins=bool(runs[0])) if some else ANYTHING


def _of_regex(regex: Regex) -> Condition:
    """Return the condition of a regular expression of `subject:`."""
    branches = ([word for run in runs for word in folded(run).split()] for runs in _branches_of(regex.source))
    return _any_of(HasText(FactName.SUBJECTS, tuple(words)) if words else ANYTHING for words in branches)


def _branches_of(expression: str) -> list[list[str]]:
    """Return, for each branch of a regular expression, the texts that stand in all that it matches, in order.

    Of an expression that is less simple, there is one branch without any.
    """
    branches, position = [[""]], 0
    while position < len(expression):
        if expression[position] == "|":
            branches.append([""])
            position += 1
            continue
        piece = _PIECE.match(expression, position)
        if piece is None:
            return [[]]
        text, count, position = piece["plain"] or piece["sign"], piece["count"] or "", piece.end()
        if text is not None and count[:1] in {"", "+"}:
            branches[-1][-1] += text
        if text is None or count:
            branches[-1].append("")
    return [[run for run in runs if run] for runs in branches]


def _between(fact: FactName, bound: Bound) -> Condition:
    low, high = 0, _LARGEST_NUMBER
    match bound.sign:
        case ">=" | ">":
            low = bound.number + (bound.sign == ">")
        case "<=" | "<":
            high = bound.number - (bound.sign == "<")
        case _:
            low = high = bound.number
    return IsBetween(fact, low, high)


def _all_of(conditions: Iterable[Condition]) -> Condition:
    parts = tuple(dict.fromkeys(each for each in conditions if each != ANYTHING))
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _any_of(conditions: Iterable[Condition]) -> Condition:
    parts = tuple(dict.fromkeys(conditions))
    if ANYTHING in parts:
        return ANYTHING
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _is_exact(condition: Condition) -> bool:
    match condition:
        case IsOneOf() | IsIdle():
            return True
        case IsTrue(fact):
            return fact in _EXACT_FLAGS
        case AllOf(parts) | AnyOf(parts):
            return all(map(_is_exact, parts))
        case NoneOf(part):
            return _is_exact(part)
        case _:
            return False


def _size(condition: Condition) -> int:
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return sum(map(_size, parts))
        case NoneOf(part):
            return _size(part)
        case HasText(_, parts):
            return max(len(parts), 1)
        case _:
            return 1


def _limited(condition: Condition, room: int) -> Condition:
    """Return the *condition* with *room* parts at most, the smallest first."""
    if _size(condition) <= room:
        return condition
    if not isinstance(condition, AllOf):
        return ANYTHING
    kept: list[Condition] = []
    for part in sorted(condition.parts, key=_size):
        kept.append(_limited(part, room))
        room -= _size(kept[-1])
    return _all_of(kept)


_FLAGS: Final[Mapping[IsFlag, FactName]] = {
    IsFlag.PULL: FactName.IS_PULL,
    IsFlag.COMPLETE: FactName.IS_COMPLETE,
    IsFlag.REVIEWED: FactName.REVIEWERS,
    IsFlag.ARCHIVED: FactName.IS_ARCHIVED,
}
