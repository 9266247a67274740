"""Who listens to a watch, and what is known of the projects that it watches."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from bot.ids import ProjectName, RoomId, ServerName
from bot.query.index.index import Index
from bot.query.maintainers.maintainers import Maintainers
from bot.query.options import Form


def _unknown(_: ServerName, __: ProjectName) -> None:
    """No file is known of any project."""


@dataclass(frozen=True, slots=True)
class Projects:
    """What the operator says of the projects of a server: their archives, by name, and their MAINTAINERS."""

    archives: Mapping[str, str] = field(default_factory=dict)
    maintainers: Callable[[ServerName, ProjectName], Maintainers | None] = _unknown


@dataclass(frozen=True, slots=True)
class Audience:
    """Who listens: all subscriptions, and which rooms are direct chats, quiet, or shown compact cards; all may change.

    *awaken* makes the index tell again what was muted until then (UTC).
    """

    index: Index
    direct: AbstractSet[RoomId] = frozenset()
    quiet: AbstractSet[RoomId] = frozenset()
    compact: AbstractSet[RoomId] = frozenset()
    awaken: Callable[[datetime], None] = lambda _: None

    def rings(self, room: RoomId) -> bool:
        """Whether a card rings in *room*."""
        return room in self.direct and room not in self.quiet

    def form(self, room: RoomId) -> Form:
        """What a new series looks like in *room* where a query does not say."""
        return Form.COMPACT if room in self.compact else Form.CARD
