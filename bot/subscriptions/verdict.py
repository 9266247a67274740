"""Whether a patch is what a query asks for, and why.

A query is decided per patch; of its series a patch brings only the name and the prefixes in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import assert_never

from bot.ids import ProjectName, ServerName
from bot.patchwork.model import Patch, Person, Series, bare_subject, prefixes_of
from bot.subscriptions.paths import PathTrie
from bot.subscriptions.query import And, Key, Node, Not, Query, Term

MAX_SEEN = 20  # things a reason names at most

Hits = Mapping[str, Sequence[int]]
"""By pattern, which of a patch's paths it matches: ascending positions, the first MAX_SEEN at most."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a query looks at in one patch."""

    server: ServerName
    project: ProjectName
    submitter: Person
    subjects: tuple[str, ...]  # the patch's, then its series' name, without their brackets
    prefixes: tuple[str, ...]  # of both, each once
    paths: tuple[str, ...]  # old and new names, in the diff's order, each once


class Outcome(Enum):
    """What became of a term."""

    FOUND = "matches"
    MISSING = "does not match"
    EXCLUDED = "excludes"


@dataclass(frozen=True, slots=True)
class Reason:
    """A term and what became of it.

    *seen* is what the term found; where it found nothing, what was there instead. MAX_SEEN things at most.
    """

    outcome: Outcome
    term: str  # canonical, an exclude with its minus sign
    seen: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.term} {self.outcome.value} {', '.join(self.seen) or 'anything here'}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a query matches.

    The *reasons* of a match are all its wanted terms, in the query's order; those of a refusal the one
    exclude that hit, else the first wanted term that found nothing.
    """

    matched: bool
    reasons: tuple[Reason, ...]


def facts_of(server: ServerName, patch: Patch, series: Series | None) -> Facts:
    """What a query looks at in *patch*; *series* is None for a patch that is in none."""
    names = (patch.name,) if series is None else (patch.name, series.name)
    return Facts(
        server=server,
        project=patch.project,
        submitter=patch.submitter,
        subjects=tuple(dict.fromkeys(bare_subject(name) for name in names)),
        prefixes=tuple(dict.fromkeys(prefix for name in names for prefix in prefixes_of(name))),
        paths=patch.paths,
    )


def decide(query: Query, facts: Facts) -> Verdict:
    """Whether *query* matches a patch, and why."""
    patterns: PathTrie[str] = PathTrie()
    for pattern in query.patterns:
        patterns.add(pattern, pattern)
    return Judge(facts, hits_of(patterns, facts.paths)).decide(query)


def hits_of(patterns: PathTrie[str], paths: Sequence[str]) -> Hits:
    """Which of the *patterns*, each its own id, match which of the *paths*."""
    hits: dict[str, list[int]] = {}
    for position, path in enumerate(paths):
        for pattern in patterns.matches(path):
            places = hits.setdefault(pattern, [])
            if len(places) < MAX_SEEN:
                places.append(position)
    return hits


class Judge:
    """Decides any number of queries on one patch, whose *hits* have been found for all of them at once."""

    def __init__(self, facts: Facts, hits: Hits) -> None:
        self._facts = facts
        self._hits = hits

    def accepts(self, query: Query) -> bool:
        """What `decide` says, without the reasons, which cost several times as much."""
        return self._accepts(query.tree)

    def decide(self, query: Query) -> Verdict:
        """Whether *query* matches the patch, and why."""
        return self._decide(query.tree)

    def _accepts(self, node: Node) -> bool:
        match node:
            case Term():
                return bool(self._found(node))
            case Not(part):
                return not self._found(part)
            case And(parts):
                return all(map(self._accepts, parts))
            case _:
                assert_never(node)

    def _decide(self, node: Node) -> Verdict:
        match node:
            case Term():
                found = self._found(node)
                outcome = Outcome.FOUND if found else Outcome.MISSING
                return Verdict(bool(found), (Reason(outcome, str(node), found or self._instead(node.key)),))
            case Not(part):
                found = self._found(part)
                return Verdict(not found, (Reason(Outcome.EXCLUDED, str(node), found),) if found else ())
            case And(parts):
                return self._decide_all(parts)
            case _:
                assert_never(node)

    def _decide_all(self, parts: tuple[Node, ...]) -> Verdict:
        reasons: list[Reason] = []
        for part in sorted(parts, key=lambda part: not isinstance(part, Not)):  # excludes first: they win
            verdict = self._decide(part)
            if not verdict.matched:
                return verdict
            reasons += verdict.reasons
        return Verdict(matched=True, reasons=tuple(reasons))

    def _found(self, term: Term) -> tuple[str, ...]:
        """What in the patch *term* matches."""
        match term.key:
            case Key.PATH:
                return self._paths(term.values)
            case Key.FROM:
                return next((found for value in term.values if (found := self._submitter(value))), ())
            case Key.PROJECT:
                return _equal(term.values, (self._facts.project,))
            case Key.SUBJECT:
                return next((found for value in term.values if (found := self._subject(value))), ())
            case Key.PREFIX:
                return _equal(term.values, self._facts.prefixes)
            case _:
                assert_never(term.key)

    def _paths(self, patterns: tuple[str, ...]) -> tuple[str, ...]:
        hits = [hit for pattern in patterns if (hit := self._hits.get(pattern))]
        if not hits:
            return ()
        places = hits[0] if len(hits) == 1 else sorted(set().union(*hits))[:MAX_SEEN]
        return tuple(map(self._facts.paths.__getitem__, places))

    def _submitter(self, value: str) -> tuple[str, ...]:
        name, email = self._facts.submitter.name, self._facts.submitter.email
        if "@" not in value:
            return (name,) if value.casefold() in name.casefold() else ()
        return (email,) if value.casefold() in (email.casefold(), domain_of(email)) else ()

    def _subject(self, value: str) -> tuple[str, ...]:
        words = value.casefold().split()
        return next(
            ((subject,) for subject, folded in self._folded_subjects if all(word in folded for word in words)),
            (),
        )

    @cached_property
    def _folded_subjects(self) -> list[tuple[str, str]]:
        return [(subject, subject.casefold()) for subject in self._facts.subjects]

    def _instead(self, key: Key) -> tuple[str, ...]:
        """What the patch has where *key* looks."""
        match key:
            case Key.PATH:
                return self._facts.paths[:MAX_SEEN]
            case Key.FROM:
                submitter = self._facts.submitter
                return tuple(text for text in (submitter.name, submitter.email) if text)
            case Key.PROJECT:
                return (self._facts.project,)
            case Key.SUBJECT:
                return self._facts.subjects
            case Key.PREFIX:
                return self._facts.prefixes[:MAX_SEEN]
            case _:
                assert_never(key)


def domain_of(email: str) -> str:
    """The "@domain" of an address, as `from:` compares it; "" where it has none."""
    _, at, domain = email.casefold().rpartition("@")
    return at + domain if at else ""


def _equal(values: tuple[str, ...], things: tuple[str, ...]) -> tuple[str, ...]:
    """Those of *things* that are one of *values* but for upper and lower case; MAX_SEEN at most."""
    wanted = {value.casefold() for value in values}
    return tuple(thing for thing in things if thing.casefold() in wanted)[:MAX_SEEN]
