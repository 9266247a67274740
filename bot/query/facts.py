"""The facts of a patch, which decide whether a query matches it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from bot.ids import ProjectName, ServerName
from bot.patchwork.model import (
    CheckState,
    Patch,
    Person,
    Series,
    Trailer,
    TrailerKind,
    bare_subject,
    number_of,
    prefixes_of,
)
from bot.query.index.path_trie import PathTrie
from bot.query.index.regexes import as_utf_8
from bot.query.maintainers.maintainers import SectionMatch
from bot.query.values import Turn, folded, plain_slug

MAX_SEEN = 20  # matches named in a reason

Things: TypeAlias = tuple[str, ...]  # matches or values of a patch, as named in a reason

_VERSION = re.compile(r"[vV]([0-9]{1,5})")


class FactName(StrEnum):
    """The name of a field of `Facts` or `ExtraFacts`."""

    SERVER = "server"
    PROJECT = "project"
    SUBMITTER = "submitter"
    SUBJECTS = "subjects"
    PREFIXES = "prefixes"
    PATHS = "paths"
    TO = "to"
    CC = "cc"
    VERSION = "version"
    TOTAL = "total"
    IS_COMPLETE = "is_complete"
    IS_PULL = "is_pull"
    IS_ARCHIVED = "is_archived"
    REVIEWERS = "reviewers"
    STATE = "state"
    DELEGATE = "delegate"
    CHECK = "check"
    TEXT = "text"
    FORMER_STATE = "former_state"
    CHECKS = "checks"
    IDLE = "idle"
    TURN = "turn"
    SECTIONS = "sections"
    KNOWN_SECTIONS = "known_sections"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraFacts:
    """The facts that come from elsewhere than the patch and its series."""

    former_state: str | None = None  # set only while a change of state is evaluated
    checks: tuple[tuple[str, CheckState], ...] = ()  # the latest of each context
    idle: timedelta | None = None  # time since the last change; None: unknown
    turn: Turn | None = None  # whose turn the submission is; None: unknown, or nobody's
    sections: tuple[SectionMatch, ...] = ()  # sections of MAINTAINERS that cover the patch
    known_sections: frozenset[str] = frozenset()  # the names of all sections of the project, folded


_NOTHING_MORE = ExtraFacts()
_NO_PATTERNS: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)  # never changed; to freeze it would take longer than to evaluate most terms
class Facts:
    """The facts of one patch, including the name, the version and the counts of its series."""

    server: ServerName
    project: ProjectName
    submitter: Person
    subjects: tuple[str, ...]  # the subject and the series' name, without brackets
    prefixes: tuple[str, ...]  # in the brackets of both, each once
    paths: tuple[str, ...]  # old and new names, in the diff's order, each once
    to: tuple[str, ...] = ()  # addresses
    cc: tuple[str, ...] = ()
    version: int = 1
    total: int = 1  # number of patches of the series
    is_complete: bool = False
    is_pull: bool = False
    is_archived: bool = False
    reviewers: tuple[str, ...] = ()  # the persons of its Reviewed-by trailers
    state: str | None = None  # None: unknown
    delegate: str | None = None
    check: CheckState | None = None  # the worst
    text: str = ""  # the mail; "" if unknown
    more: ExtraFacts = _NOTHING_MORE

    @property
    def slug(self) -> str | None:
        """The state in the spelling of queries."""
        return None if self.state is None else plain_slug(self.state)

    @property
    def former_slug(self) -> str | None:
        """The former state in the spelling of queries; set only while a change of state is evaluated."""
        return None if self.more.former_state is None else plain_slug(self.more.former_state)


class PathHits:
    """The matches of path *patterns*, which are their own ids, with a patch's *paths*."""

    def __init__(self, patterns: PathTrie[str], paths: Sequence[str]) -> None:
        self._matches = [patterns.matches(path) for path in paths]
        self.patterns: AbstractSet[str] = set().union(*self._matches) if paths else _NO_PATTERNS
        self._paths = paths

    def paths(self, patterns: Sequence[object]) -> Things:
        """Return the paths that match any of *patterns*, in the order of the diff, at most MAX_SEEN."""
        if len(patterns) == 1:
            return self._paths_of.get(patterns[0], ())
        matching: set[str] = set().union(*[self._paths_of.get(pattern, ()) for pattern in patterns])
        return tuple(sorted(matching, key=self._places.__getitem__)[:MAX_SEEN])

    @cached_property
    def _paths_of(self) -> Mapping[object, Things]:
        """The first MAX_SEEN matching paths by pattern, found when a reason needs them."""
        if len(self._paths) == 1:
            return dict.fromkeys(self.patterns, (self._paths[0],))
        paths: dict[object, list[str]] = {pattern: [] for pattern in self.patterns}
        for path, patterns in zip(self._paths, self._matches, strict=True):
            for pattern in patterns:
                if len(matching := paths[pattern]) < MAX_SEEN:
                    matching.append(path)
        return {pattern: tuple(matching) for pattern, matching in paths.items()}

    @cached_property
    def _places(self) -> dict[str, int]:
        """The place of each path in the diff."""
        return {path: place for place, path in enumerate(self._paths)}


class PatchView:
    """One patch in the form in which terms are evaluated: its *facts*, and the path *patterns* that match it.

    Folded forms of some facts are computed when first used.
    """

    def __init__(self, facts: Facts, patterns: PathTrie[str]) -> None:
        self.facts = facts
        self.hits = PathHits(patterns, facts.paths)
        self._subjects: list[tuple[str, str]] | None = None

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Each subject, unchanged and folded; cached without the lock of a cached property in Python 3.11."""
        if self._subjects is None:
            self._subjects = [(subject, folded(subject)) for subject in self.facts.subjects]
        return self._subjects

    @cached_property
    def text(self) -> str:
        """The mail, folded."""
        return folded(self.facts.text)

    @cached_property
    def text_bytes(self) -> bytes:
        """The mail in the form that regular expressions search."""
        return as_utf_8(self.facts.text)


def facts_of(server: ServerName, patch: Patch, series: Series | None, more: ExtraFacts = _NOTHING_MORE) -> Facts:
    """Return the facts of *patch*; *series* is None for a patch without a series."""
    names = (patch.name,) if series is None else (patch.name, series.name)
    is_pull = patch.pull_url is not None
    return Facts(
        server=server,
        project=patch.project,
        submitter=patch.submitter,
        subjects=subjects_of(names),
        prefixes=all_prefixes_of(names),
        paths=patch.paths,
        to=patch.to,
        cc=patch.cc,
        version=series.version if series else version_in(patch.prefixes),
        total=total_of(patch.name, series.total if series else 1),
        is_complete=series.received_all if series else is_whole(patch.name, is_pull=is_pull),
        is_pull=is_pull,
        is_archived=patch.archived,
        reviewers=reviewers_in(patch.trailers | (series.trailers if series else frozenset())),
        state=patch.state,
        delegate=patch.delegate,
        check=patch.check,
        text=patch.text,
        more=more,
    )


def subjects_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the subjects in the *names* of a patch and its series, without brackets, each once."""
    return tuple(dict.fromkeys(bare_subject(name) for name in names))


def all_prefixes_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the bracket tokens in the *names* of a patch and its series, each once."""
    return tuple(dict.fromkeys(prefix for name in names for prefix in prefixes_of(name)))


def total_of(name: str, series_total: int) -> int:
    """Return the number of patches of a series: the one in the *name* of a patch, or *series_total*, if greater."""
    _, numbered_total = number_of(name) or (1, 1)
    return max(numbered_total, series_total)


def is_whole(name: str, *, is_pull: bool) -> bool:
    """Return whether a patch with this *name* is complete without a series."""
    return is_pull or total_of(name, 1) == 1


def reviewers_in(trailers: Iterable[Trailer]) -> tuple[str, ...]:
    """Return the names of the people in Reviewed-by trailers, sorted."""
    return tuple(sorted(each.shown for each in trailers if each.kind is TrailerKind.REVIEWED))


def version_in(prefixes: Iterable[str]) -> int:
    """Return the version in the brackets of a subject, for a patch whose series is unknown."""
    return next((int(match[1]) for prefix in prefixes if (match := _VERSION.fullmatch(prefix))), 1)
