"""A submission: a series, or a patch that belongs to none; its identity and its content, which every part uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bot.ids import PatchId, ProjectName, ServerName
from bot.patchwork.model import CheckState, Patch, Series

Contexts: TypeAlias = tuple[tuple[str, CheckState], ...]


class SubmissionKind(StrEnum):
    """What a submission is."""

    SERIES = "series"
    PATCH = "patch"  # one that belongs to no series


@dataclass(frozen=True, slots=True)
class SubmissionRef:
    """The identity of a submission; *rebuilds* counts how often the server's ids began anew before it got this *id*."""

    server: ServerName
    kind: SubmissionKind
    id: int
    rebuilds: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """A series with its known patches by id, or one patch that belongs to none.

    *checks* are the latest of each context of the patches that have any, the worst where several accounts have the same
    one; empty where they were not read.
    """

    series: Series | None
    patches: tuple[Patch, ...]
    checks: Mapping[PatchId, Contexts] = field(default_factory=dict)

    @property
    def project(self) -> ProjectName:
        """The project that it was sent to."""
        return self.series.project if self.series else self.patches[0].project
