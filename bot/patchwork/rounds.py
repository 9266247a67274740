"""The round: what is open is looked at again, a few submissions with each sweep, so that all of it is within hours.

A series is asked for with its patches as a list shows them, in one request; its name stands there, too. What an old
server would pass over silently cannot mislead: only rows of the series that was asked for count.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from bot.errors import TransportError
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.model import Patch, Series

SWEEPS_A_ROUND = 8  # four hours
_LEAST_ROWS, _MOST_ROWS = 10, 100  # patches a sweep


@dataclass(frozen=True, slots=True)
class OpenSubmission:
    """A known submission that may still change: *name* is that of its series, *newest* its patch with the highest id.

    *series* is None for a patch that has none, which is *newest*.
    """

    project: ProjectName
    series: SeriesId | None
    newest: PatchId
    name: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """Some of what is open, and how many patches that is in all."""

    submissions: tuple[OpenSubmission, ...]
    patches: int


class OpenMemory(Protocol):
    """What a round needs to know of the past."""

    async def open_submissions(
        self, server: ServerName, projects: Collection[ProjectName], below: PatchId | None, limit: int
    ) -> Open:
        """The open submissions of *projects* with the newest patch below the id *below*, newest first."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a part of the round showed, newest first, and below which patch id it goes on; None: from the newest.

    *failure* is why it ended early: it goes on behind what could not be read, so that this holds up nothing else.
    """

    patches: tuple[Patch, ...] = ()
    series: tuple[Series, ...] = ()
    below: PatchId | None = None
    failure: TransportError | None = None


class Round:
    """The round of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, memory: OpenMemory) -> None:
        self._server = server
        self._api = api
        self._memory = memory
        self._overdrawn = 0  # rows that a large series took of the next sweeps

    async def go_on(self, projects: Collection[ProjectName], below: PatchId | None) -> Looked:
        """Look at the next few."""
        opened = await self._memory.open_submissions(self._server, projects, below, _MOST_ROWS)
        rows = min(max(-(-opened.patches // SWEEPS_A_ROUND), _LEAST_ROWS), _MOST_ROWS) - self._overdrawn
        patches: list[Patch] = []
        series: list[Series] = []
        failure: TransportError | None = None
        for submission in opened.submissions:
            if rows <= 0 or failure is not None:
                break
            below = submission.newest
            try:
                found, renamed = await self.look(submission)
            except TransportError as error:
                failure = error
                continue
            patches += found
            series += renamed
            rows -= max(len(found), 1)
        else:
            below = None  # the last of them was reached
        self._overdrawn = max(-rows, 0)
        return Looked(tuple(patches), tuple(series), below, failure)

    async def look(self, submission: OpenSubmission) -> tuple[tuple[Patch, ...], tuple[Series, ...]]:
        """The patches of a *submission* as a list shows them, and its series where that is called otherwise now.

        Raises:
            TransportError: they cannot be read.
        """
        if submission.series is None:
            return _of(submission, await self._lone(submission.newest)), ()
        patches, name = await self._api.shown_in(submission.series)
        found = _of(submission, patches)
        if not (found and name and submission.name) or name == submission.name:
            return found, ()
        series = await self._api.series(submission.series)
        return found, (replace(series, project=submission.project),)

    async def _lone(self, patch: PatchId) -> tuple[Patch, ...]:
        try:
            return (await self._api.patch(patch),)
        except NotFound:
            return ()


def _of(submission: OpenSubmission, patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    """Those of the *patches* that are in the project of the *submission*, which is spelt as it is known."""
    mine = (patch for patch in patches if patch.project.lower() == submission.project.lower())
    return tuple(replace(patch, project=submission.project) for patch in mine)
