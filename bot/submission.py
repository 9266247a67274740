"""A submission: a series, or a patch that belongs to none; its identity and its content, which every part uses."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bot.ids import Msgid, PatchId, ProjectName, ServerName
from bot.patchwork.model import CheckState, FileChange, Patch, Series

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
    one; empty where they were not read. *unapplied* are those of them that say that the patch did not apply.
    """

    series: Series | None
    patches: tuple[Patch, ...]
    checks: Mapping[PatchId, Contexts] = field(default_factory=dict)
    unapplied: AbstractSet[tuple[PatchId, str]] = frozenset()

    @property
    def project(self) -> ProjectName:
        """The project that it was sent to."""
        return self.series.project if self.series else self.patches[0].project

    @property
    def lone(self) -> Patch | None:
        """The patch, if it is the only one and no more are expected; otherwise None."""
        return self.patches[0] if len(self.patches) == 1 and self.total == 1 else None

    @property
    def pull(self) -> Patch | None:
        """The pull request, alone or with the patches that it is about; None if there is none."""
        return next((patch for patch in self.in_order if patch.pull_url), None)

    @property
    def total(self) -> int:
        """The number of patches sent, according to the series and the subjects."""
        if self.series is None:
            return 1
        told = max(self.series.total, len(self.patches) - self._covers)
        if self.series.received_all:
            return told
        return max([told, *(patch.number[1] for patch in self.patches if patch.number)])

    @property
    def arrived(self) -> int:
        """The number of patches that the server has."""
        if self.series is None:
            return 1
        if self.series.received_all and not self._covers:
            return self.total
        received = max(self.series.received_total, len(self.series.patches), len(self.patches))
        return min(received - self._covers, self.total) if self._covers else received

    @property
    def _covers(self) -> int:
        """1 if a pull request is numbered as a cover letter, "0/3", and so does not count as a patch; otherwise 0."""
        pull = self.pull
        return 1 if pull is not None and pull.number is not None and pull.number[0] == 0 else 0

    @property
    def in_order(self) -> tuple[Patch, ...]:
        """The patches in the order of their numbers."""
        return tuple(sorted(self.patches, key=lambda patch: (patch.number or (0, 0), patch.id)))

    @property
    def files(self) -> tuple[FileChange, ...]:
        """The file changes of all patches."""
        return tuple(file for patch in self.patches for file in patch.files or ())

    @property
    def msgid(self) -> Msgid | None:
        """The message-id of the whole: of the pull request, the cover letter, or otherwise the first patch."""
        if self.pull is not None:
            return self.pull.msgid
        if self.series is not None and self.series.cover is not None:
            return self.series.cover
        return next((patch.msgid for patch in self.in_order), None)
