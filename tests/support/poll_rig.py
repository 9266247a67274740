"""One poller in virtual time over a sample Patchwork, its polls written into a real store in memory."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from bot.clock import VirtualClock
from bot.ids import ServerName
from bot.incidents import Incidents
from bot.notices.changes import ChangedSubmission
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import PatchworkClient
from bot.poll import Pending, Poll, WatchPosition
from bot.polling.follow_ups import Followers, NoFollowers
from bot.polling.poller import Poller, Source
from bot.sample_patchwork.patchwork import PostedSeries, SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import SampleTransport
from bot.store.store import Store
from bot.submission import SubmissionRef
from support.new_database import open_in_memory
from support.rig import PROJECT, a_series
from support.store_rig import ask

SERVER = ServerName("sample")
URL = "https://patchwork.example.org"


def a_patchwork(clock: VirtualClock, *projects: str) -> SamplePatchwork:
    """A server with empty projects."""
    patchwork = SamplePatchwork(clock)
    for project in projects or (PROJECT,):
        patchwork.add_project(project)
    return patchwork


def an_api(transport: httpx.AsyncBaseTransport, incidents: Incidents | None = None) -> PatchworkApi:
    """The questions, to be asked through *transport*."""
    client = PatchworkClient(URL, "ops@example.org", transport=transport)
    client.server = SERVER
    return PatchworkApi(client, incidents)


@dataclass
class Polling:
    """A poller that can be made anew over the same store; *polls* are all that were written, *changed* by them."""

    patchwork: SamplePatchwork
    clock: VirtualClock
    store: Store
    source: Source
    transport: httpx.AsyncBaseTransport
    listening: Followers
    polls: list[Poll] = field(default_factory=list)
    changed: list[ChangedSubmission] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start."""
        self.restart()

    def restart(self, *, projects: Sequence[str] | None = None) -> None:
        """Forget all that only the process knew."""
        self.incidents = Incidents(self.clock)
        if projects is not None:
            self.source = Source(self.source.server, tuple(projects), self.source.incomplete_after)
        api = an_api(self.transport, self.incidents)
        self.poller = Poller(self.source, api, self.store, self.clock, self.listening, incidents=self.incidents)

    async def poll(self, times: int = 1, *, seconds: float = 60.0) -> list[Poll]:
        """Let *times* intervals pass, each with a poll and those that it asks for at once."""
        before = len(self.polls)
        for _ in range(times):
            self.clock.advance(seconds)
            await self.poll_now()
        return self.polls[before:]

    async def poll_now(self) -> None:
        """Poll, and again while a poll asks for another one."""
        more = True
        while more:
            poll = await self.poller.poll(await self.position())
            async with self.store.transaction() as tx:
                self.changed += await tx.watch.save(poll)
            self.polls.append(poll)
            more = poll.more

    def post(self, *paths: str, project: str = PROJECT, patches: int = 1, name: str = "A series") -> PostedSeries:
        """A series arrives whole."""
        return self.patchwork.post_series(project, a_series(*paths or ("a.c",), patches=patches, name=name))

    @property
    def problems(self) -> dict[str, str]:
        """Why configured projects cannot be watched."""
        return {name: problem.reason for name, problem in self.poller.problems.items()}

    @property
    def open_incidents(self) -> list[str]:
        """What cannot be handled now, by name."""
        return sorted(incident.name for incident in self.incidents)

    async def position(self) -> WatchPosition:
        """Where the watch stands."""
        return await ask(self.store, lambda tx: tx.watch.watched(self.source.server))

    async def pending(self) -> tuple[Pending, ...]:
        """What still waits."""
        return (await self.position()).pending

    @property
    def changes(self) -> list[tuple[str, int | None, str, str]]:
        """What changed, in order: the kind, the patch, what was before, and what is."""
        changes = [change for each in self.changed for change in each.changes]
        return [(change.kind, change.patch, change.before, change.after) for change in changes]

    @property
    def events(self) -> list[int]:
        """The ids of the events that were new, in the order of the polls."""
        return [event.id for poll in self.polls for event in poll.events]

    @property
    def series(self) -> list[int]:
        """The ids of the series that brought news, each as often as it did."""
        return [read.series.id for poll in self.polls for read in poll.series if read.news]

    @property
    def patches(self) -> list[int]:
        """The ids of the patches without a series that were news."""
        return [patch.id for poll in self.polls for patch in poll.patches]

    def take_requests(self) -> list[str]:
        """The paths that were asked for since the last time."""
        asked = [path.removeprefix(f"/api/{self.poller._api.version}") for _, path, _ in self.patchwork.requests]
        self.patchwork.requests.clear()
        return asked


@asynccontextmanager
async def polling(
    patchwork: SamplePatchwork,
    clock: VirtualClock,
    *,
    projects: Sequence[str] = (PROJECT,),
    incomplete_after: timedelta = timedelta(minutes=30),
    transport: httpx.AsyncBaseTransport | None = None,
    listening: Followers | None = None,
) -> AsyncIterator[Polling]:
    """A poller whose first poll, the baseline, has been made."""
    store = await open_in_memory(clock)
    try:
        source = Source(SERVER, tuple(projects), incomplete_after)
        through = transport or SampleTransport(patchwork)
        started = Polling(patchwork, clock, store, source, through, listening or NoFollowers())
        await started.poll_now()
        started.take_requests()
        yield started
    finally:
        await store.close()


@dataclass
class Somebody:
    """Who listens to everything, or not."""

    to_trailers: bool = True
    to_comments: bool = True

    async def sees_trailers(self, _: SubmissionRef) -> bool:
        """Whether trailers are seen."""
        return self.to_trailers

    async def posts_comments(self, _: SubmissionRef) -> bool:
        """Whether comments are heard."""
        return self.to_comments

    async def watches_comments(self, _: SubmissionRef) -> bool:
        """Whether somebody sees what is said."""
        return self.to_comments or self.to_trailers


def not_found(what: str = "Series") -> Response:
    """Patchwork's own word that it has no such object."""
    body = json.dumps({"detail": f"No {what} matches the given query."}).encode()
    return Response(404, {"content-type": "application/json"}, body)


def an_error(status: int = 502, retry_after: str = "") -> Response:
    """What a wall in front of the server answers."""
    headers = {"content-type": "text/html", "date": "Thu, 01 Jan 2026 00:00:00 GMT", "retry-after": retry_after}
    return Response(status, headers, b"<html><body>No</body></html>")
