"""Records how far the sweeps of a server came, so that the next one reads only what is new in a list.

Theory of operation. Ids are given in the order of arrival, whatever clocks and events say. A list's *mark* is the
highest id and the number of rows that it had. If both are unchanged, nothing arrived and nothing became visible
late, and one row has shown it. If not, the list is read down to the mark of the sweep *before* the last
one, so that a transaction that was open during a sweep cannot hide what it wrote below that sweep's highest id.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.ids import PatchId, ProjectName

_LEAST_ROWS, _MOST_ROWS = 10, 100
_ROWS_OF_UNKNOWN = 25  # of a page, where the server does not say how much is new
_OVERLAP_ROWS = 5


@dataclass(frozen=True, slots=True)
class ListMark:
    """The mark of a list of objects by id when it was last read, for some *projects* together.

    *total* is None if the server did not give it. All of a project at or below its *floor* was read by two sweeps.
    """

    highest: int = 0
    total: int | None = None
    projects: tuple[ProjectName, ...] = ()
    floors: Mapping[ProjectName, int] = field(default_factory=dict)

    def is_at(self, projects: Collection[ProjectName], highest: int, total: int | None) -> bool:
        """Whether the list of *projects* is unchanged, by its *highest* id and its *total* number of rows."""
        return (set(self.projects), self.highest, self.total) == (set(projects), highest, total)

    def floor(self, baselines: Mapping[ProjectName, int]) -> int:
        """The id down to which the list of the projects with these *baselines* is to be read."""
        return min(max(self.floors.get(project, 0), past) for project, past in baselines.items())

    def rows_to_read(self, total: int | None) -> int:
        """Return how many rows a page should have so that the new ones fit on it, and few others."""
        if total is None or self.total is None:
            return _ROWS_OF_UNKNOWN
        return min(max(total - self.total + _OVERLAP_ROWS, _LEAST_ROWS), _MOST_ROWS)

    def moved(self, baselines: Mapping[ProjectName, int], highest: int, total: int | None) -> "ListMark":
        """Return the mark after the list was read down to its floor."""
        before = self.highest if set(baselines) == set(self.projects) else 0
        floors = {project: max(before, self.floors.get(project, 0), past) for project, past in baselines.items()}
        return ListMark(highest, total, tuple(baselines), {**self.floors, **floors})


@dataclass(frozen=True, slots=True)
class SweepState:
    """The progress of the sweeps of a server.

    *at* is when the last complete one was (UTC), *archived* how many archived patches there were, None: unknown.
    The round continues with open submissions with a patch below the id *below*; None: with the newest. *named_at* is
    when a page was last asked for the names of the states (UTC).
    """

    at: datetime
    archived: int | None = None
    below: PatchId | None = None
    patches: ListMark = ListMark()
    series: ListMark = ListMark()
    named_at: datetime | None = None
