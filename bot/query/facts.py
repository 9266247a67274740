"""What a query looks at in one patch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

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
from bot.query.maintainers.maintainers import SectionMatch
from bot.query.values import plain_slug

_VERSION = re.compile(r"[vV]([0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraFacts:
    """What is known beside the patch and its series themselves."""

    former_state: str | None = None  # set only while a change of state is judged
    checks: tuple[tuple[str, CheckState], ...] = ()  # the latest of each context
    idle: timedelta | None = None  # since anything happened; None: not known
    sections: tuple[SectionMatch, ...] = ()  # of MAINTAINERS, those that cover the patch
    known_sections: frozenset[str] = frozenset()  # the names of all sections of the project, folded


_NOTHING_MORE = ExtraFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a query looks at in one patch; of its series a patch brings the name, the version and the counts."""

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
    return next((int(found[1]) for prefix in prefixes if (found := _VERSION.fullmatch(prefix))), 1)
