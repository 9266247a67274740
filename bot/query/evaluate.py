"""Evaluates a query for a patch, and explains the result."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cached_property, lru_cache
from typing import assert_never

from bot.query.facts import Facts
from bot.query.index.path_trie import PathTrie
from bot.query.keys import Key
from bot.query.query import And, Node, Not, Or, Query, Term, patterns_of
from bot.query.values import Age, Bound, CheckCondition, IsFlag, Regex, Transition, Value, domain_of, folded

MAX_SEEN = 20  # things a reason names at most

_Found = tuple[str, ...]
MAX_REASONS = 20  # of one refusal


class PathHits:
    """Which of the *patterns*, each its own id, match which of a patch's *paths*."""

    def __init__(self, patterns: PathTrie[str], paths: Sequence[str]) -> None:
        self.found: frozenset[str] = frozenset().union(*map(patterns.matches, paths))
        self._patterns = patterns
        self._paths = paths

    def paths(self, patterns: Iterable[str]) -> _Found:
        """The paths that one of *patterns* matches, in the order of the diff; MAX_SEEN at most."""
        places = [self._places[pattern] for pattern in patterns if pattern in self.found]
        return tuple(self._paths[place] for place in sorted(set().union(*places))[:MAX_SEEN])

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """By pattern, the first MAX_SEEN places; worked out only once a reason is asked for."""
        places: dict[str, list[int]] = {pattern: [] for pattern in self.found}
        for place, path in enumerate(self._paths):
            for pattern in self._patterns.matches(path):
                if len(places[pattern]) < MAX_SEEN:
                    places[pattern].append(place)
        return places


class TermMatcher:
    """Looks terms up in one patch."""

    def __init__(self, facts: Facts, hits: PathHits) -> None:
        self._view = _View(facts)
        self._hits = hits

    def holds(self, term: Term) -> bool:
        """Whether *term* finds anything."""
        if term.key is Key.PATH:
            return not self._hits.found.isdisjoint(term.values)
        look = _LOOKS[term.key]
        return any(look(self._view, value) for value in term.values)

    def found(self, term: Term) -> _Found:
        """What *term* finds, each thing once; MAX_SEEN at most."""
        if term.key is Key.PATH:
            return self._hits.paths(map(str, term.values))
        look = _LOOKS[term.key]
        return tuple(dict.fromkeys(thing for value in term.values for thing in look(self._view, value)))[:MAX_SEEN]

    def instead(self, term: Term) -> _Found:
        """What the patch has where *term* looks; MAX_SEEN things at most."""
        if term.key is Key.IS:
            return tuple(_IS_NOT[value] for value in term.values if isinstance(value, IsFlag))
        return _INSTEADS[term.key](self._view.facts)[:MAX_SEEN]


class _View:
    """Facts, and some of them in the form in which they are compared, made when first asked for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._subjects: list[tuple[str, str]] | None = None

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Each subject, as it is and folded; kept without the lock that a cached property of Python 3.11 takes."""
        if self._subjects is None:
            self._subjects = [(subject, folded(subject)) for subject in self.facts.subjects]
        return self._subjects

    @cached_property
    def text(self) -> str:
        return folded(self.facts.text)

    @cached_property
    def text_bytes(self) -> bytes:
        return _utf8(self.facts.text)


def _submitter(view: _View, value: Value) -> _Found:
    submitter, wanted = view.facts.submitter, str(value)
    if "@" in wanted:
        return _addresses(wanted, (submitter.email,))
    return (submitter.name,) if folded(wanted) in folded(submitter.name) else ()


def _addresses(wanted: str, addresses: Iterable[str]) -> _Found:
    asked = folded(wanted)
    return tuple(each for each in addresses if asked in (folded(each), domain_of(each)))


def _sections(view: _View, value: Value) -> _Found:
    more, wanted = view.facts.more, folded(str(value))
    if "@" in wanted:
        return tuple(str(each) for each in more.sections if _addresses(wanted, each.section.people))
    is_whole = wanted in more.known_sections
    names = [(each, folded(each.section.name)) for each in more.sections]
    return tuple(str(each) for each, name in names if (wanted == name if is_whole else wanted in name))


def _subject(view: _View, value: Value) -> _Found:
    if isinstance(value, Regex):
        return tuple(subject for subject in view.facts.subjects if value.finds(_utf8(subject)))
    words = _words(str(value))
    return tuple(subject for subject, plain in view.subjects if all(word in plain for word in words))


@lru_cache(maxsize=4_096)
def _words(text: str) -> tuple[str, ...]:
    """The words that are looked for; the same ones in patch after patch."""
    return tuple(folded(text).split())


def _text(view: _View, value: Value) -> _Found:
    if isinstance(value, Regex):
        return ("the patch's text",) if value.finds(view.text_bytes) else ()
    return ("the patch's text",) if all(word in view.text for word in _words(str(value))) else ()


def _prefix(view: _View, value: Value) -> _Found:
    return _equal(value, view.facts.prefixes)


def _version(view: _View, value: Value) -> _Found:
    return _spelled_version(view.facts) if isinstance(value, Bound) and value.holds(view.facts.version) else ()


def _patches(view: _View, value: Value) -> _Found:
    return _spelled_total(view.facts) if isinstance(value, Bound) and value.holds(view.facts.total) else ()


def _state(view: _View, value: Value) -> _Found:
    state, former = view.facts.slug, view.facts.former_slug
    if not isinstance(value, Transition):
        return (state,) if state is not None and state == value else ()
    if state is None or former is None or former == state or not value.holds(former, state):
        return ()
    return (f"{former}->{state}",)


def _delegate(view: _View, value: Value) -> _Found:
    return _equal(value, (view.facts.delegate,) if view.facts.delegate else ())


def _check(view: _View, value: Value) -> _Found:
    if not isinstance(value, CheckCondition):
        return ()
    checks = view.facts.more.checks
    if value.context is not None:
        return tuple(
            f"{state}/{context}" for context, state in checks if state == value.state and value.covers(context)
        )
    if view.facts.check != value.state:
        return ()
    return tuple(f"{state}/{context}" for context, state in checks if state == value.state) or (value.state.value,)


def _is(view: _View, value: Value) -> _Found:
    facts = view.facts
    match value:
        case IsFlag.PULL if facts.is_pull:
            return ("a pull request",)
        case IsFlag.COMPLETE if facts.is_complete:
            return ("a complete series",)
        case IsFlag.REVIEWED:
            return tuple(f"a review of {reviewer}" for reviewer in facts.reviewers)
        case IsFlag.ARCHIVED if facts.is_archived:
            return ("an archived patch",)
        case _:
            return ()  # MINE too: whose it is, `resolved` has put in


def _idle(view: _View, value: Value) -> _Found:
    idle = view.facts.more.idle
    return (_spelled_idle(idle),) if isinstance(value, Age) and idle is not None and idle >= value.time else ()


_LOOKS: dict[Key, Callable[[_View, Value], _Found]] = {
    Key.MAINT: _sections,
    Key.FROM: _submitter,
    Key.TO: lambda view, value: _addresses(str(value), view.facts.to),
    Key.CC: lambda view, value: _addresses(str(value), view.facts.cc),
    Key.SUBJECT: _subject,
    Key.PREFIX: _prefix,
    Key.VERSION: _version,
    Key.PATCHES: _patches,
    Key.PROJECT: lambda view, value: _equal(value, (view.facts.project,)),
    Key.SERVER: lambda view, value: _equal(value, (view.facts.server,)),
    Key.STATE: _state,
    Key.DELEGATE: _delegate,
    Key.CHECK: _check,
    Key.IS: _is,
    Key.STALE: _idle,
    Key.TEXT: _text,
}

_IS_NOT = {
    IsFlag.MINE: "a patch of somebody else",
    IsFlag.PULL: "a patch that is no pull request",
    IsFlag.COMPLETE: "a series that is not complete",
    IsFlag.REVIEWED: "a patch that nobody reviewed",
    IsFlag.ARCHIVED: "a patch that is not archived",
}


def _names(facts: Facts) -> _Found:
    return tuple(text for text in (facts.submitter.name, facts.submitter.email) if text)


def _spelled_version(facts: Facts) -> _Found:
    return (f"v{facts.version}",)


def _spelled_total(facts: Facts) -> _Found:
    return (f"{facts.total} {'patch' if facts.total == 1 else 'patches'}",)


def _spelled_checks(facts: Facts) -> _Found:
    told = tuple(f"{state}/{context}" for context, state in facts.more.checks)
    return told or ((facts.check.value,) if facts.check else ("a patch without checks",))


def _spelled_idle(idle: timedelta) -> str:
    hours = idle // timedelta(hours=1)
    return f"{hours} hours of silence" if hours < 48 else f"{hours // 24} days of silence"


_INSTEADS: dict[Key, Callable[[Facts], _Found]] = {
    Key.PATH: lambda facts: facts.paths,
    Key.MAINT: lambda facts: tuple(map(str, facts.more.sections)) or ("a patch of no known section",),
    Key.FROM: _names,
    Key.TO: lambda facts: facts.to,
    Key.CC: lambda facts: facts.cc,
    Key.SUBJECT: lambda facts: facts.subjects,
    Key.PREFIX: lambda facts: facts.prefixes,
    Key.VERSION: _spelled_version,
    Key.PATCHES: _spelled_total,
    Key.PROJECT: lambda facts: (facts.project,),
    Key.SERVER: lambda facts: (facts.server,) if facts.server else (),
    Key.STATE: lambda facts: (facts.state or "a patch whose state is not known",),
    Key.DELEGATE: lambda facts: (facts.delegate or "a patch without a delegate",),
    Key.CHECK: _spelled_checks,
    Key.STALE: lambda facts: (_spelled_idle(facts.more.idle),) if facts.more.idle is not None else (),
    Key.TEXT: lambda facts: ("the patch's text",) if facts.text else (),
}


def _equal(value: Value, things: Iterable[str]) -> _Found:
    """Those of *things* that are *value*, compared as names are."""
    wanted = folded(str(value))
    return tuple(thing for thing in things if folded(thing) == wanted)


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


class TermOutcome(Enum):
    """What became of a term."""

    FOUND = "matches"
    MISSING = "does not match"
    EXCLUDED = "excludes"


@dataclass(frozen=True, slots=True)
class Reason:
    """A term, or an excluded group, and what became of it.

    *seen* is what the term found; where it found nothing, what was there instead. MAX_SEEN things at most.
    """

    outcome: TermOutcome
    term: str  # canonical, an exclude with its minus sign
    seen: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.term} {self.outcome.value} {', '.join(self.seen) or 'anything here'}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a query matches.

    The *reasons* of a match are its wanted terms, in the query's order; of an OR those of every alternative that
    matches. The reason of a refusal is the one exclude that hit, else the first wanted part that found nothing;
    of an OR that found nothing, why each alternative did not, MAX_REASONS at most.
    """

    matched: bool
    reasons: tuple[Reason, ...]


def decide(query: Query, facts: Facts) -> Verdict:
    """Whether *query* matches a patch, and why."""
    patterns: PathTrie[str] = PathTrie()
    for pattern in patterns_of(query.tree):
        patterns.add(pattern, pattern)
    return Evaluator(facts, PathHits(patterns, facts.paths)).decide(query.tree)


class Evaluator:
    """Decides any number of queries on one patch, whose *hits* have been found for all of them at once."""

    def __init__(self, facts: Facts, hits: PathHits) -> None:
        self._finder = TermMatcher(facts, hits)

    def accepts(self, node: Node) -> bool:
        """What `decide` says, without the reasons, which cost several times as much."""
        match node:
            case Term():
                return self._finder.holds(node)
            case Not(part):
                return not self.accepts(part)
            case And(parts):
                return all(map(self.accepts, parts))
            case Or(parts):
                return any(map(self.accepts, parts))
            case _:
                assert_never(node)

    def decide(self, node: Node) -> Verdict:
        """Whether *node* matches the patch, and why."""
        match node:
            case Term():
                found = self._finder.found(node)
                outcome = TermOutcome.FOUND if found else TermOutcome.MISSING
                return Verdict(bool(found), (Reason(outcome, str(node), found or self._finder.instead(node)),))
            case Not(part):
                verdict = self.decide(part)
                if not verdict.matched:
                    return Verdict(matched=True, reasons=())
                seen = dict.fromkeys(thing for reason in verdict.reasons for thing in reason.seen)
                return Verdict(
                    matched=False, reasons=(Reason(TermOutcome.EXCLUDED, str(node), tuple(seen)[:MAX_SEEN]),)
                )
            case And(parts):
                return self._decide_all(parts)
            case Or(parts):
                return self._decide_any(parts)
            case _:
                assert_never(node)

    def _decide_all(self, parts: tuple[Node, ...]) -> Verdict:
        verdicts: list[Verdict] = []
        for part in sorted(parts, key=lambda part: not isinstance(part, Not)):  # excludes first: they win
            verdict = self.decide(part)
            if not verdict.matched:
                return verdict
            verdicts.append(verdict)
        return Verdict(matched=True, reasons=_reasons_of(verdicts))

    def _decide_any(self, parts: tuple[Node, ...]) -> Verdict:
        verdicts = [self.decide(part) for part in parts]
        matching = [verdict for verdict in verdicts if verdict.matched]
        if matching:
            return Verdict(matched=True, reasons=_reasons_of(matching))
        return Verdict(matched=False, reasons=_reasons_of(verdicts)[:MAX_REASONS])


def _reasons_of(verdicts: Iterable[Verdict]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reason for verdict in verdicts for reason in verdict.reasons))
