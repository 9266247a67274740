"""The round: each sweep reads a few open submissions again, so that all of them are read within hours.

One request reads a series with its patches as a list shows them, including its name. An old server that silently
ignores the filter cannot mislead: only rows of the requested series count.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from bot.errors import TransportError
from bot.ids import PatchId, ProjectName, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import NotFound
from bot.patchwork.model import Patch, Series
from bot.poll import OpenSubmission
from bot.store.store import Store

SWEEPS_A_ROUND = 8  # four hours
_LEAST_ROWS, _MOST_ROWS = 10, 100  # patches a sweep


@dataclass(frozen=True, slots=True)
class RoundResult:
    """The result of a part of the round, newest first; *below* is the patch id where it continues, None for the start.

    *failure* is the error that ended it early: it continues after the unreadable submission, which thus delays no
    others.
    """

    patches: tuple[Patch, ...] = ()
    series: tuple[Series, ...] = ()
    below: PatchId | None = None
    failure: TransportError | None = None


class OpenRound:
    """The round of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, store: Store) -> None:
        self._server = server
        self._api = api
        self._store = store
        self._overdrawn = 0  # rows that a large series used in advance

    async def go_on(self, projects: Collection[ProjectName], below: PatchId | None) -> RoundResult:
        """Read the next few submissions."""
        async with self._store.reading() as tx:
            opened = await tx.sweeps.open(self._server, projects, below, _MOST_ROWS)
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
        return RoundResult(tuple(patches), tuple(series), below, failure)

    async def look(self, submission: OpenSubmission) -> tuple[tuple[Patch, ...], tuple[Series, ...]]:
        """Return the patches of a *submission* as a list shows them, and its series if its name has changed.

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
    """Return those *patches* that are in the project of the *submission*, with the known spelling of the project."""
    mine = (patch for patch in patches if patch.project.lower() == submission.project.lower())
    return tuple(replace(patch, project=submission.project) for patch in mine)
