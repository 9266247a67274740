"""A submission: a series, or a patch that belongs to none; its identity, which every part uses."""

from dataclasses import dataclass
from enum import StrEnum

from bot.ids import ServerName


class WorkKind(StrEnum):
    """What a card may be about."""

    SERIES = "series"
    PATCH = "patch"  # one that has no series


@dataclass(frozen=True, slots=True)
class Work:
    """A series, or a patch that has none."""

    kind: WorkKind
    id: int


@dataclass(frozen=True, slots=True)
class CardRef:
    """Which object a card is about; *kind* is "series", or "patch" for one without a series.

    *rebuilds* counts how often the server's ids started anew before this one was given.
    """

    server: ServerName
    kind: str
    number: int
    rebuilds: int = 0
