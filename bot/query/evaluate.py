"""Evaluates a query for a patch, and explains the result."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, assert_never

from bot.query.facts import MAX_SEEN, Facts, PatchView
from bot.query.index.path_trie import PathTrie
from bot.query.query import And, Node, Not, Or, Query, Term, patterns_of

MAX_REASONS = 20  # of one query that does not match


class TermOutcome(Enum):
    """The outcome of a term."""

    FOUND = "matches"
    MISSING = "does not match"
    EXCLUDED = "excludes"


_FOUND = TermOutcome.FOUND  # an attribute of an enum takes as long as a reason


class Reason(NamedTuple):
    """A term, or an excluded group, and its outcome.

    *seen* are the matches of the term, or, if it has none, what the patch has instead; at most MAX_SEEN items.
    """

    outcome: TermOutcome
    term: str  # canonical; an exclude with its minus sign
    seen: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.term} {self.outcome.value} {', '.join(self.seen) or 'anything here'}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision whether a query matches, with its reasons.

    The *reasons* of a match are its positive terms in the query's order; of an OR, those of all matching alternatives.
    The reason of a mismatch is the exclude that matches the patch, or else the first positive part that does not; of an
    OR, the reasons of all alternatives, at most MAX_REASONS.
    """

    matched: bool
    reasons: tuple[Reason, ...]


def decide(query: Query, facts: Facts) -> Verdict:
    """Return whether *query* matches a patch, and why."""
    patterns: PathTrie[str] = PathTrie()
    for pattern in patterns_of(query.tree):
        patterns.add(pattern, pattern)
    return Evaluator(PatchView(facts, patterns)).decide(query.tree)


class Evaluator:
    """Evaluates any number of queries for one *patch*, whose path patterns include those of all the queries."""

    def __init__(self, patch: PatchView) -> None:
        self._patch = patch

    def accepts(self, node: Node) -> bool:
        """Return the result of `decide` without the reasons, which take several times as long."""
        match node:
            case Term():
                return node.key.spec.matches(self._patch, node.values)
            case Not(part):
                return not self.accepts(part)
            case And(parts):
                return all(map(self.accepts, parts))
            case Or(parts):
                return any(map(self.accepts, parts))
            case _:
                assert_never(node)

    def explain(self, node: Node) -> tuple[Reason, ...]:
        """Return the reasons that `decide` returns for *node*, which is known to match."""
        match node:
            case Term():
                return (Reason(_FOUND, str(node), node.key.spec.find_all(self._patch, node.values)),)
            case Not():
                return ()
            case And(parts):
                return _distinct(reason for part in parts for reason in self.explain(part))
            case Or(parts):
                return _distinct(reason for part in parts if self.accepts(part) for reason in self.explain(part))
            case _:
                assert_never(node)

    def decide(self, node: Node) -> Verdict:
        """Return whether *node* matches the patch, and why."""
        match node:
            case Term():
                return self._decide_term(node)
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

    def _decide_term(self, term: Term) -> Verdict:
        spec = term.key.spec
        if seen := spec.find_all(self._patch, term.values):
            return Verdict(matched=True, reasons=(Reason(TermOutcome.FOUND, str(term), seen),))
        instead = spec.instead(self._patch.facts, term.values)[:MAX_SEEN]
        return Verdict(matched=False, reasons=(Reason(TermOutcome.MISSING, str(term), instead),))

    def _decide_all(self, parts: tuple[Node, ...]) -> Verdict:
        verdicts: list[Verdict] = []
        for part in sorted(
            parts, key=lambda part: not isinstance(part, Not)
        ):  # excludes first, because they take precedence
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
    return _distinct(reason for verdict in verdicts for reason in verdict.reasons)


def _distinct(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))
