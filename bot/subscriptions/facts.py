"""What a query looks at in one patch."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from bot.ids import ProjectName, ServerName
from bot.patchwork.model import CheckState, Patch, Person, Series, Trailer, TrailerKind, bare_subject, prefixes_of
from bot.subscriptions.maintainers import Covered

_VERSION = re.compile(r"[vV]([0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """What is known beside the patch and its series themselves."""

    former_state: str | None = None  # set only while a change of state is judged
    checks: tuple[tuple[str, CheckState], ...] = ()  # the latest of each context
    idle: timedelta | None = None  # since anything happened; None: not known
    sections: tuple[Covered, ...] = ()  # of MAINTAINERS, those that cover the patch
    known_sections: frozenset[str] = frozenset()  # the names of all sections of the project, folded


_NOTHING_MORE = More()


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
    more: More = _NOTHING_MORE


def facts_of(server: ServerName, patch: Patch, series: Series | None, more: More = _NOTHING_MORE) -> Facts:
    """What a query looks at in *patch*; *series* is None for a patch that is in none."""
    names = (patch.name,) if series is None else (patch.name, series.name)
    _, numbered_total = patch.number or (1, 1)
    is_pull = patch.pull_url is not None
    return Facts(
        server=server,
        project=patch.project,
        submitter=patch.submitter,
        subjects=tuple(dict.fromkeys(bare_subject(name) for name in names)),
        prefixes=tuple(dict.fromkeys(prefix for name in names for prefix in prefixes_of(name))),
        paths=patch.paths,
        to=patch.to,
        cc=patch.cc,
        version=series.version if series else version_in(patch.prefixes),
        total=max(numbered_total, series.total if series else 1),
        is_complete=series.received_all if series else is_pull or numbered_total == 1,
        is_pull=is_pull,
        is_archived=patch.archived,
        reviewers=_reviewers(patch.trailers | (series.trailers if series else frozenset())),
        state=patch.state,
        delegate=patch.delegate,
        check=patch.check,
        text=patch.text,
        more=more,
    )


def _reviewers(trailers: Iterable[Trailer]) -> tuple[str, ...]:
    return tuple(sorted(each.person for each in trailers if each.kind is TrailerKind.REVIEWED))


def version_in(prefixes: Iterable[str]) -> int:
    """The version that a subject names itself, for a patch whose series nobody told."""
    return next((int(found[1]) for prefix in prefixes if (found := _VERSION.fullmatch(prefix))), 1)
