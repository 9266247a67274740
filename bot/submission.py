"""A submission: a series, or a patch that belongs to none; its identity, which every part uses."""

from dataclasses import dataclass
from enum import StrEnum

from bot.ids import ServerName


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
