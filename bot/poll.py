"""The data of a poll: its start position, its result, and the objects that are pending, as the store keeps them.

Theory of operation. Only two responses end the wait for an object: the object itself, and the server's own "not found",
twice, with ten minutes between. After any other response it is requested again: after 2 s, doubling to 15 minutes, and
once a day after a day of unreadable responses, until housekeeping deletes the row.

Ids are assigned in the order of arrival, whatever clocks and events say. The *mark* of a list is its highest id and its
number of rows. If both are unchanged, nothing arrived and nothing became visible late, which a request for one row
proves. Otherwise, the list is read down to the mark of the sweep *before* the last one, so that rows are found that a
transaction wrote below the last sweep's highest id but committed after that sweep.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from bot.backoff import USUAL
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import Comment, Dependency, Patch, Series
from bot.patchwork.states import NO_STATES, States
from bot.patchwork.updates import ChecksRead, CommentHint, CommentTarget, PatchUpdate, TrailersRead
from bot.patchwork.wire import EventHint
from bot.submission import SubmissionRef

SECOND_LOOK = timedelta(minutes=10)  # after a first "not found", when a second one is final
OFTEN_FOR = timedelta(days=1)  # how long an unreadable object is retried at the usual delays
THEN_EVERY = timedelta(hours=23)  # less than the day for which an incident is shown
_LEAST_ROWS, _MOST_ROWS = 10, 100
_ROWS_OF_UNKNOWN = 25  # of a page, if the server does not return its total
_OVERLAP_ROWS = 5
UnreadFrom: TypeAlias = Mapping[ProjectName, str | None]


class PendingKind(StrEnum):
    """The kinds of pending objects."""

    SERIES = "series"
    PATCH = "patch"  # without a known series: a pull request, or part of an incomplete series
    COVER = "cover"  # a cover letter, which may change the name of a known series
    CHECKS = "checks"
    PATCH_COMMENTS = "patch-comments"
    COVER_COMMENTS = "cover-comments"
    SERIES_TRAILERS = "series-trailers"
    PATCH_TRAILERS = "patch-trailers"  # of a patch without a series


_TITLES = {
    PendingKind.SERIES: "series",
    PendingKind.PATCH: "patch",
    PendingKind.COVER: "cover letter",
    PendingKind.CHECKS: "checks of patch",
    PendingKind.PATCH_COMMENTS: "comments on patch",
    PendingKind.COVER_COMMENTS: "comments on cover letter",
    PendingKind.SERIES_TRAILERS: "trailers of series",
    PendingKind.PATCH_TRAILERS: "trailers of patch",
}


@dataclass(frozen=True, slots=True)
class Pending:
    """An object to read when it is *due*, and to evaluate from *deadline* on even if it is incomplete.

    *unreadable_since* is when the first unusable response came, *missing_since* when the server first said that there
    is no such object; both are None after a usable response.
    """

    kind: PendingKind
    id: int
    project: ProjectName
    name: str
    first_seen: datetime
    due: datetime
    deadline: datetime
    attempts: int = 0
    unreadable_since: datetime | None = None
    missing_since: datetime | None = None

    @property
    def key(self) -> tuple[PendingKind, int]:
        """The kind and id of the object."""
        return self.kind, self.id

    def is_due(self, now: datetime) -> bool:
        """Return whether to read it now; a clock that was set back delays nothing."""
        return self.due <= now or self.first_seen > now

    @property
    def title(self) -> str:
        """The object's name in messages."""
        return f"{_TITLES[self.kind]} {self.id}"

    def again(self, now: datetime) -> "Pending":
        """Return the item after an incomplete read: due in 2 s, doubling to 15 min, but not past a future deadline."""
        due = self._due(now, USUAL.wait(self.attempts + 1))
        return replace(self, due=due, attempts=self.attempts + 1, unreadable_since=None, missing_since=None)

    def failed(self, now: datetime, requested: timedelta | None = None) -> "Pending":
        """Return the item after an unusable response at *now*; a longer *requested* delay applies."""
        since = now if self.unreadable_since is None else min(self.unreadable_since, now)
        attempts = 1 if self.unreadable_since is None else self.attempts + 1
        wait = USUAL.wait(attempts) if now - since < OFTEN_FOR else THEN_EVERY
        due = max(self._due(now, wait), now + (requested or timedelta()))
        return replace(self, due=due, attempts=attempts, unreadable_since=since)

    def not_found(self, now: datetime) -> "Pending | None":
        """Return the item after a "not found" at *now*; None if there was one ten or more minutes before."""
        since = self.missing_since
        if since is None or since > now:  # the clock was set back
            since = now
        elif now - since >= SECOND_LOOK:
            return None
        item = self.failed(now)
        return replace(item, due=since + SECOND_LOOK, missing_since=since)

    def put_off(self, due: datetime) -> "Pending":
        """Return the item, not due before *due*."""
        return replace(self, due=max(self.due, due))

    def _due(self, now: datetime, wait: timedelta) -> datetime:
        return min(now + wait, self.deadline) if now < self.deadline else now + wait


@dataclass(frozen=True, slots=True)
class Baseline:
    """The newest ids of a project at the start of its watch, or 0: nothing at or below them is ever new.

    *unread_from* is the server date from which its events were not read because the project was missing, "" for all;
    None if all were read.
    """

    project: ProjectName
    event: int
    date: str | None
    patch: int
    series: int
    unread_from: str | None = None


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """The stored state of an evaluated series: its patches, and whether all were received."""

    received_all: bool
    patches: frozenset[PatchId]


@dataclass(frozen=True, slots=True)
class OpenSubmission:
    """A known submission that may still change; *name* is that of its series, *newest* its patch with the highest id.

    *series* is None for a patch without one, which is *newest*.
    """

    project: ProjectName
    series: SeriesId | None
    newest: PatchId
    name: str = ""


@dataclass(frozen=True, slots=True)
class OpenSubmissions:
    """Some of the open submissions, and the number of open patches in all."""

    submissions: tuple[OpenSubmission, ...]
    patches: int


@dataclass(frozen=True, slots=True)
class ListMark:
    """The mark of a list of objects by id when it was last read, for some *projects* together.

    *total* is None if the server did not give it. Everything of a project at or below its *floor* was read by two
    sweeps.
    """

    highest: int = 0
    total: int | None = None
    projects: tuple[ProjectName, ...] = ()
    floors: Mapping[ProjectName, int] = field(default_factory=dict)

    def is_at(self, projects: Collection[ProjectName], highest: int, total: int | None) -> bool:
        """Return whether the list of *projects* is unchanged, by its *highest* id and its *total* number of rows."""
        return (set(self.projects), self.highest, self.total) == (set(projects), highest, total)

    def floor(self, baselines: Mapping[ProjectName, int]) -> int:
        """Return the id down to which the list of the projects with these *baselines* must be read."""
        return min(max(self.floors.get(project, 0), past) for project, past in baselines.items())

    def rows_to_read(self, total: int | None) -> int:
        """Return the size of a page that has all new rows and few others."""
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

    *at* is when the last complete one was (UTC), *archived* is the number of archived patches, None if unknown. The
    round continues with open submissions with a patch below the id *below*; None: with the newest. *named_at* is when a
    page was last read for the names of states (UTC).
    """

    at: datetime
    archived: int | None = None
    below: PatchId | None = None
    patches: ListMark = ListMark()
    series: ListMark = ListMark()
    named_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchPosition:
    """The stored position of a server's watch.

    *cursor* is None before the first event; *highest* is the greatest known event id. *sweep* is the progress of the
    sweeps, None before the first, and *states* are the known patch states.
    """

    cursor: str | None
    highest: int
    baselines: tuple[Baseline, ...]
    pending: tuple[Pending, ...]
    sweep: SweepState | None = None
    states: States = NO_STATES


@dataclass(frozen=True, slots=True)
class CommentsRead:
    """The comments on a patch or a cover letter of the submission *ref*; None if no subscription needs them.

    *ref* is None if the submission is unknown. *unannounced* are the ids of new comments that no event announced.
    """

    on: CommentTarget
    ref: SubmissionRef | None = None
    comments: tuple[Comment, ...] | None = None
    unannounced: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DueRecheck:
    """A submission whose comments are due for a recheck; it last changed at *changed_at* (UTC).

    *is_first* is true if they were not checked before.
    """

    ref: SubmissionRef
    changed_at: datetime
    is_first: bool


@dataclass(frozen=True, slots=True)
class Recheck:
    """The next recheck of the comments on *ref*, at *next_at* (UTC, None: never); *is_seen* if anybody sees them."""

    ref: SubmissionRef
    next_at: datetime | None
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Rechecks:
    """The rechecks that a poll began, and the number of *requests* it made for these and earlier ones."""

    begun: tuple[Recheck, ...] = ()
    requests: int = 0


@dataclass(frozen=True, slots=True)
class CoverRead:
    """What the cover letter of a series says that the series *needs*."""

    series: SeriesId
    needs: tuple[Dependency, ...]


@dataclass(frozen=True, slots=True)
class FollowUpResult:
    """The comments that events announced to one poll for the first time, and what it read of known objects.

    *rechecks* is None if the server raises comment events.
    """

    new_comments: tuple[CommentHint, ...] = ()
    comments: tuple[CommentsRead, ...] = ()
    trailers: tuple[TrailersRead, ...] = ()
    checks: tuple[ChecksRead, ...] = ()
    rechecks: Rechecks | None = None
    covers: tuple[CoverRead, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesRead:
    """A series to evaluate, with its new patches; of the patches of a *too_old* series, only the names are known."""

    series: Series
    news: tuple[Patch, ...]
    too_old: bool = False


_NOTHING_FOLLOWED = FollowUpResult()


@dataclass(frozen=True, slots=True)
class Poll:
    """The result of one poll, written in one transaction or not at all.

    *updates* are those of patches, from the sweep and then from events, in order; *listed* are the series from the
    sweep, and then those renamed by a cover letter. *followed* has the follow-ups. *rebuilt* is true if the server's
    ids fell back, which invalidates its stored state. *more* asks for another poll at once; *wait* is the delay that
    the server asked for. *too_old* are those of *patches* that are too old to be posted. *unread_from* has the server
    date from which a project's events are unread, None if all were read. *polled* is false if no project could be
    watched, so that nothing was requested. *sweep* is the progress of the sweeps, None if unchanged. *state_names* are
    the names of states on a page of the server, by slug.
    """

    server: ServerName
    cursor: str | None
    events: tuple[EventHint, ...] = ()
    series: tuple[SeriesRead, ...] = ()
    patches: tuple[Patch, ...] = ()
    updates: tuple[PatchUpdate, ...] = ()
    listed: tuple[Series, ...] = ()
    followed: FollowUpResult = _NOTHING_FOLLOWED
    baselines: tuple[Baseline, ...] = ()
    pending: tuple[Pending, ...] = ()
    settled: tuple[Pending, ...] = ()
    rebuilt: bool = False
    more: bool = False
    wait: timedelta | None = None
    too_old: frozenset[PatchId] = frozenset()
    unread_from: UnreadFrom = field(default_factory=dict)
    polled: bool = True
    sweep: SweepState | None = None
    state_names: Mapping[str, str] = field(default_factory=dict)
