"""What became of the submissions of a digest on their servers: renamed, moved or deleted, of which no event tells."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from bot.errors import TransportError
from bot.ids import ProjectName, ServerName
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import AT_ONCE, NotFound
from bot.submission import SubmissionRef

SECONDS = 20.0  # for all that a digest lists; the rest is told as the store has it
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CurrentListing:
    """How a submission is now: in which project, and under which name; None where its server says it has none such."""

    project: ProjectName | None
    name: str = ""


class ListedNow:
    """Asks the servers, each until it does not answer."""

    def __init__(self, apis: Mapping[ServerName, PatchworkApi]) -> None:
        self._apis = apis

    async def of(self, abouts: Sequence[SubmissionRef]) -> dict[SubmissionRef, CurrentListing]:
        """How those of *abouts* are of which a server says it in time."""
        found: dict[SubmissionRef, CurrentListing] = {}
        by_server: dict[ServerName, list[SubmissionRef]] = {}
        for about in abouts:
            by_server.setdefault(about.server, []).append(about)
        try:
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
                for server, some in by_server.items():
                    group.create_task(self._ask(server, some, found))
        except TimeoutError:
            _log.info("digest.lookup_cut", found=len(found), listed=len(abouts))
        return found

    async def _ask(
        self, server: ServerName, abouts: Sequence[SubmissionRef], found: dict[SubmissionRef, CurrentListing]
    ) -> None:
        api = self._apis.get(server)
        if api is None or not api.version:
            return
        for start in range(0, len(abouts), AT_ONCE):
            some = abouts[start : start + AT_ONCE]
            answers = await asyncio.gather(*(_now(api, about) for about in some))
            found |= {about: now for about, now in zip(some, answers, strict=True) if now is not None}
            if None in answers:
                return


async def _now(api: PatchworkApi, about: SubmissionRef) -> CurrentListing | None:
    """How a submission is; None where the server does not say."""
    try:
        what = await (api.series(about.id) if about.kind == "series" else api.patch(about.id))
    except NotFound:
        return CurrentListing(None)
    except TransportError as error:
        _log.info("digest.lookup_failed", server=about.server, kind=str(about.kind), id=about.id, reason=str(error))
        return None
    return CurrentListing(what.project, what.name)
