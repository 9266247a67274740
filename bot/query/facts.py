"""The facts of a patch, which decide whether a query matches it."""

import re
from collections.abc import Iterable, Sequence
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
from bot.query.values import folded, plain_slug

MAX_SEEN = 20  # things a reason names at most

Things: TypeAlias = tuple[str, ...]  # of a patch, as a reason names them

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
    SECTIONS = "sections"
    KNOWN_SECTIONS = "known_sections"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraFacts:
    """The facts that are known from elsewhere than the patch and its series."""

    former_state: str | None = None  # set only while a change of state is judged
    checks: tuple[tuple[str, CheckState], ...] = ()  # the latest of each context
    idle: timedelta | None = None  # since anything happened; None: not known
    sections: tuple[SectionMatch, ...] = ()  # of MAINTAINERS, those that cover the patch
    known_sections: frozenset[str] = frozenset()  # the names of all sections of the project, folded


_NOTHING_MORE = ExtraFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one patch; of its series it has the name, the version and the counts."""

    server: ServerName
    project: ProjectName
    submitter: Person
    subjects: tuple[str, ...]  # the patch's, then its series' name, without their brackets
    prefixes: tuple[str, ...]  # of both, each once
    paths: tuple[str, ...]  # old and new names, in the diff's order, each once
    to: tuple[str, ...] = ()  # addresses
    cc: tuple[str, ...] = ()
    version: int = 1
    total: int = 1  # patches of the series
    is_complete: bool = False
    is_pull: bool = False
    is_archived: bool = False
    reviewers: tuple[str, ...] = ()  # the persons of its Reviewed-by trailers
    state: str | None = None  # None: nobody told yet
    delegate: str | None = None
    check: CheckState | None = None  # the worst
    text: str = ""  # the mail; "" where it is not known
    more: ExtraFacts = _NOTHING_MORE

    @property
    def slug(self) -> str | None:
        """The state as queries spell it."""
        return None if self.state is None else plain_slug(self.state)

    @property
    def former_slug(self) -> str | None:
        """The state before, as queries spell it; set only while a change of state is judged."""
        return None if self.more.former_state is None else plain_slug(self.more.former_state)


class PathHits:
    """Which of the *patterns*, each its own id, match which of a patch's *paths*."""

    def __init__(self, patterns: PathTrie[str], paths: Sequence[str]) -> None:
        self.patterns: frozenset[str] = frozenset().union(*map(patterns.matches, paths))
        self._trie = patterns
        self._paths = paths

    def paths(self, patterns: Iterable[str]) -> Things:
        """Return the paths that one of *patterns* matches, in the order of the diff; MAX_SEEN at most."""
        places = [self._places[pattern] for pattern in patterns if pattern in self.patterns]
        return tuple(self._paths[place] for place in sorted(set().union(*places))[:MAX_SEEN])

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """By pattern, the first MAX_SEEN places; worked out only once a reason is asked for."""
        places: dict[str, list[int]] = {pattern: [] for pattern in self.patterns}
        for place, path in enumerate(self._paths):
            for pattern in self._trie.matches(path):
                if len(places[pattern]) < MAX_SEEN:
                    places[pattern].append(place)
        return places


class PatchView:
    """One patch as terms look at it: its *facts*, and which of the path *patterns* match it.

    Some facts are there in the form in which they are compared, too, made when first asked for.
    """

    def __init__(self, facts: Facts, patterns: PathTrie[str]) -> None:
        self.facts = facts
        self.hits = PathHits(patterns, facts.paths)
        self._subjects: list[tuple[str, str]] | None = None

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Each subject, as it is and folded; kept without the lock that a cached property of Python 3.11 takes."""
        if self._subjects is None:
            self._subjects = [(subject, folded(subject)) for subject in self.facts.subjects]
        return self._subjects

    @cached_property
    def text(self) -> str:
        """The mail, folded."""
        return folded(self.facts.text)

    @cached_property
    def text_bytes(self) -> bytes:
        """The mail as a regular expression searches it."""
        return as_utf_8(self.facts.text)


def facts_of(server: ServerName, patch: Patch, series: Series | None, more: ExtraFacts = _NOTHING_MORE) -> Facts:
    """What a query looks at in *patch*; *series* is None for a patch that is in none."""
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
    """The subjects in the *names* of a patch and its series, without their brackets, each once."""
    return tuple(dict.fromkeys(bare_subject(name) for name in names))


def all_prefixes_of(names: Iterable[str]) -> tuple[str, ...]:
    """The bracket tokens in the *names* of a patch and its series, each once."""
    return tuple(dict.fromkeys(prefix for name in names for prefix in prefixes_of(name)))


def total_of(name: str, series_total: int) -> int:
    """How many patches the series has: as the *name* of one of them counts, or as was told, whichever is more."""
    _, numbered_total = number_of(name) or (1, 1)
    return max(numbered_total, series_total)


def is_whole(name: str, *, is_pull: bool) -> bool:
    """Whether a patch of that *name* is complete without a series."""
    return is_pull or total_of(name, 1) == 1


def reviewers_in(trailers: Iterable[Trailer]) -> tuple[str, ...]:
    """The persons of the Reviewed-by trailers, by name, in order."""
    return tuple(sorted(each.shown for each in trailers if each.kind is TrailerKind.REVIEWED))


def version_in(prefixes: Iterable[str]) -> int:
    """The version that a subject names itself, for a patch whose series nobody told."""
    return next((int(match[1]) for prefix in prefixes if (match := _VERSION.fullmatch(prefix))), 1)
