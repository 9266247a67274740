"""Wires all parts of the bot together, and runs them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import httpx
import structlog

from bot import metrics
from bot.clock import Clock
from bot.commands.about import AboutCommands
from bot.commands.act_commands import ActContext
from bot.commands.answer_inbox import Answerer, AnswerSettings, UnaskedAnswers
from bot.commands.context import CommandContext, SubscriptionLimits
from bot.commands.handlers import handlers
from bot.commands.lookups import LookupCommands
from bot.commands.person_access import PersonAccesses
from bot.commands.rights import RoomRights
from bot.commands.servers import LookupServer
from bot.commands.unfurling import Unfurler
from bot.commands.welcome import Welcome
from bot.config import MatrixSettings, PatchworkSettings, Settings
from bot.data_dir import installation_id, token_vault, user_agent
from bot.delivery.chat import Chat
from bot.delivery.pacing import Pace
from bot.delivery.sender import Sender
from bot.errors import ConfigError, LoggedOut, outage
from bot.health.collect import HealthCollector, HealthSources
from bot.ids import RoomId, ServerName, UserId
from bot.incidents import Incidents
from bot.lease import SOCKET_SECONDS, UNLIMITED, Tenure
from bot.maintainers_files import MaintainersFiles, shelf_of
from bot.ops.duties import Duties, Duty
from bot.ops.schedule import RepeatedFailure, Schedule, end
from bot.ops.summary import room_queries
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import Network, PatchworkClient
from bot.pictures.drawing import is_installed
from bot.polling.poller import Poller, Source
from bot.query.check_lanes import CheckLanes
from bot.review_queue import ReviewQueue
from bot.room_registry import Rooms
from bot.search import PatchSearch
from bot.store.inbox_book import InboxMessage
from bot.store.retention import delete_outdated
from bot.store.retry_book import RetryKind
from bot.store.session_book import SessionState
from bot.store.store import Store
from bot.store.subscription_book import AllSubscriptions
from bot.subscriptions.registry import Audience, ProjectInfo
from bot.watch.card_edits import CardEditor
from bot.watch.digest_posts import DigestPosts, DigestSources, ListedNow
from bot.watch.flood_lists import FloodLists
from bot.watch.followed import FollowedSubmissions
from bot.watch.nudges import Nudges
from bot.watch.snooze_returns import SnoozeReturns
from bot.watch.thread_replies import GATHERING, ThreadReplies
from bot.watch.watch import Watch

RESTART_SECONDS = 5.0
LASTED_SECONDS = 60.0  # a loop that ran so long was well again
DRAIN_SECONDS = 8.0
HOUSEKEEPING_SECONDS = 3600.0
MAINTAINERS_SECONDS = 1800.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bot:
    """The parts of the bot, wired together; *watches* come with the seconds between two polls."""

    store: Store
    rooms: Rooms
    watches: tuple[tuple[Watch, float], ...]
    maintainers_files: MaintainersFiles
    sender: Sender
    answerer: Answerer
    overview: HealthCollector
    user: UserId
    duties: Duties
    early_polls: "EarlyPolls"

    async def remember(self) -> None:
        """Load the rooms and their subscriptions from the store."""
        async with self.rooms.listeners.changing:
            self.rooms.load(*await self._stored_rooms())

    async def start(self) -> None:
        """Do what `remember` does, in a thread, before anything else uses the rooms."""
        stored, everything = await self._stored_rooms()
        gc.disable()  # nothing of this is garbage, and collections would look through it again and again
        try:
            await asyncio.to_thread(self.rooms.load, stored, everything)
        finally:
            gc.enable()

    async def _stored_rooms(self) -> tuple[SessionState, AllSubscriptions]:
        async with self.store.transaction() as tx:
            return await tx.session.load(self.user), await tx.subscriptions.load_all()

    async def run(
        self,
        stop: asyncio.Event,
        *others: Callable[[], Awaitable[None]],
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Poll, answer and deliver until *stop* is set, and keep the *others* running at the same time.

        Answers begin when *ready* returns; until then, commands wait in the inbox, because permissions are not known
        yet. After *stop*, the notices that may be sent immediately are sent, within a few seconds; the next start finds
        the rest.

        Raises:
            ExceptionGroup: contains a LoggedOut or ConfigError; the homeserver ended the session or refuses the
                account.
        """
        schedule = Schedule()
        for watch, seconds in self.watches:
            schedule.every(seconds, partial(self._poll, watch), _poll_job(watch.server))
        schedule.every(HOUSEKEEPING_SECONDS, partial(delete_outdated, self.store), "housekeeping")
        schedule.every(MAINTAINERS_SECONDS, self._read_maintainers, "MAINTAINERS")
        async with asyncio.TaskGroup() as group:
            delivery = group.create_task(self._keep_up("delivery", self.sender.run))
            loops = [group.create_task(self._keep_up("commands", partial(self._answer, ready)))]
            loops += [group.create_task(self._keep_up("session", other)) for other in others]
            duties = group.create_task(self._keep_up("duties", self.duties.run))
            schedule.start()
            self.early_polls.on_ask = lambda server: schedule.soon(_poll_job(server))
            try:
                try:
                    await stop.wait()
                    _log.info("shutdown.draining")
                finally:
                    schedule.close()
                    await end([duties])
                    await self.duties.close()
                    await schedule.wait_closed()
                await end(loops)
                self.sender.stop()
                await asyncio.wait({delivery}, timeout=DRAIN_SECONDS)
            finally:
                await end([*loops, delivery])

    async def _answer(self, ready: Callable[[], Awaitable[None]] | None) -> None:
        if ready is not None:
            await ready()
        await self.answerer.run()

    async def receive(self, message: InboxMessage) -> None:
        """Add a message to the inbox, which is answered even after a crash."""
        async with self.store.transaction() as tx:
            await tx.inbox.add(message)
            if message.room in self.rooms.direct:
                await tx.follows.set_chat(message.sender, message.room)

    async def _keep_up(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run *loop* to its end, restarting it after errors; unfinished work is in the store."""
        failures = metrics.LOOP_FAILURES.labels(name)
        trouble, clock = RepeatedFailure(), asyncio.get_running_loop()
        while True:
            began = clock.time()
            try:
                await loop()
            except Exception as error:  # the one broad catch of a loop; it is logged
                if _is_final(error):
                    raise
                if clock.time() - began > LASTED_SECONDS:
                    trouble.ended()
                if trouble.is_news(error):
                    _log_failure(name, error)
                failures.inc()
                await asyncio.sleep(RESTART_SECONDS)
            else:
                return

    async def _poll(self, watch: Watch) -> None:
        """Poll until the server has nothing more to report; the schedule logs failures."""
        await self._catch_up()
        more = True
        while more:
            more = await watch.tick()

    async def _catch_up(self) -> None:
        """Reload the rooms and subscriptions if they may have changed in the store, before patches are matched."""
        if self.rooms.listeners.are_stale:
            await self.remember()

    async def _read_maintainers(self) -> None:
        """Read the MAINTAINERS files that are due, and check the configured queries against them."""
        await self.maintainers_files.tick()
        wanted = self.rooms.queries
        doubts = await self.maintainers_files.doubts([each.query for each in wanted]) if wanted else []
        told = [f"{each.key}: {doubt}" for each, some in zip(wanted, doubts, strict=True) for doubt in some]
        for doubt in set(told).difference(self.overview.doubts):
            _log.warning("config.query_doubtful", doubt=doubt)
        self.overview.doubts = tuple(told)

    async def settle(self) -> None:
        """Poll, answer and deliver until nothing is due; for the demo and for tests."""
        while True:
            await self._read_maintainers()
            await self._catch_up()
            more = [await watch.tick() for watch, _ in self.watches]
            for duty in self.duties.all:
                await duty.run()
            await self.answerer.answer_all()
            while (await self.sender.deliver()).tried:
                pass
            if not any(more):
                return


@dataclass(slots=True)
class EarlyPolls:
    """Requests for a poll of a server before its interval has passed, because something was changed there."""

    on_ask: Callable[[ServerName], None] = lambda _: None

    def ask(self, server: ServerName) -> None:
        """Ask for an early poll of a server."""
        self.on_ask(server)


def _poll_job(server: ServerName) -> str:
    return f"poll {server}"


@dataclass(frozen=True, slots=True)
class RunConditions:
    """Under what the bot runs: *transports* replace the network, by server name; *tenure* limits how long it acts."""

    transports: Mapping[str, httpx.AsyncBaseTransport] = field(default_factory=dict)
    tenure: Tenure | None = None


@asynccontextmanager
async def assembled(
    settings: Settings, chat: Chat, clock: Clock, rooms: Rooms, conditions: RunConditions | None = None
) -> AsyncIterator[Bot]:
    """Yield the bot for these *settings*, sending to *chat*.

    Raises:
        ConfigError: the database's URL is invalid.
        StoreError: the database or its folder cannot be used.
        LeaseLost: another instance has taken over.
    """
    async with AsyncExitStack() as stack:
        incidents, under = Incidents(clock), conditions or RunConditions()
        store = await Store.open(settings.store.url.get_secret_value(), clock, incidents, under.tenure)
        stack.push_async_callback(store.close)
        store.vault = await asyncio.to_thread(token_vault, settings.store.data_dir)
        async with store.transaction() as tx:
            await tx.floods.configure({room.room: room.flood for room in settings.room})
        audience = _audience(rooms)
        installation = await asyncio.to_thread(installation_id, settings.store.data_dir)
        agent = user_agent(settings.contact, settings.user_agent, installation)
        files = MaintainersFiles(shelf_of(settings, agent), store, audience, clock)
        await files.restore()
        followed = FollowedSubmissions(store, audience.index, files.of, rooms.listeners.queues)
        apis: list[PatchworkApi] = []
        pollers: list[Poller] = []
        watches: list[tuple[Watch, float]] = []
        for server in settings.patchwork:
            client = _client(settings, server, agent, under)
            api = PatchworkApi(await stack.enter_async_context(client), incidents)
            source = _source(server)
            async with store.transaction() as tx:
                await tx.watch.keep_only(source.server, source.projects)
            apis.append(api)
            projects = ProjectInfo(_archives(server), files.of, CheckLanes(server.check_lanes))
            pollers.append(Poller(source, api, store, clock, followed, incidents=incidents))
            watch = Watch(pollers[-1], store, audience, clock, projects)
            watches.append((watch, server.poll_interval_seconds))
        pace = Pace.full(settings.matrix.messages_per_second, settings.matrix.message_burst, clock.monotonic())
        sender = Sender(store, chat, clock, pace)
        watched = zip(settings.patchwork, apis, watches, strict=True)
        servers = [_place(server, api.for_commands(), watch) for server, api, (watch, _) in watched]
        parts = HealthSources(
            rooms.index, [watch for watch, _ in watches], files, sender, incidents, len(rooms.queries)
        )
        overview = HealthCollector(store, parts, clock, _override(settings.matrix))
        watched_projects = {server.name: server.projects for server in servers}
        past = PatchSearch(store, watched_projects, files.of, clock)
        queue = ReviewQueue(store, watched_projects, {server.name: server.api for server in servers}, files.of, clock)
        context = CommandContext(
            store=store,
            listeners=rooms.listeners,
            room_rights=rooms.room_rights,
            past=past,
            queue=queue,
            clock=clock,
            most=SubscriptionLimits(settings.commands.max_per_person, settings.commands.max_per_room),
            from_file=rooms.from_file,
            places=servers,
            doubts=files.doubts,
            without_file=files.without_file,
            files=files.of,
            can_draw=not chat.shows_pictures or is_installed(),
        )
        early = EarlyPolls()
        answerer = _answerer(settings, rooms, context, overview, early)
        sites = {watch.server: watch.site for watch, _ in watches}
        sources = DigestSources(past, queue, sites, ListedNow(dict(zip(sites, apis, strict=True))))
        digests, floods = DigestPosts(store, audience, sources, clock), FloodLists(store, audience, pollers)
        duties = Duties(store, clock, _duties(store, audience, sources, digests, floods))
        bot = Bot(
            store,
            rooms,
            tuple(watches),
            files,
            sender,
            answerer,
            overview,
            settings.matrix.user_id,
            duties,
            early,
        )
        await bot.start()
        audience.index.on_change = duties.wake
        yield bot


def _answerer(
    settings: Settings, rooms: Rooms, context: CommandContext, health: HealthCollector, early: EarlyPolls
) -> Answerer:
    accesses = PersonAccesses(context.store, context.places)
    acting = ActContext(context.store, context.clock, context.places, accesses, settings.acting.rooms, early.ask)
    verbs = handlers(AboutCommands(health.condition, context), LookupCommands(context), context, acting)
    unasked = UnaskedAnswers(Welcome(context).welcome, Unfurler(context))
    return Answerer(context.store, verbs, _answer_settings(settings, rooms), context.clock, unasked)


def _duties(
    store: Store, audience: Audience, sources: DigestSources, digests: DigestPosts, floods: FloodLists
) -> tuple[Duty, ...]:
    sites = sources.sites
    edits, replies = CardEditor(store, sites), ThreadReplies(store, audience, sites)
    snoozes, nudges = SnoozeReturns(store, audience, sites), Nudges(store, audience, sites, sources.queue)
    return (
        Duty(RetryKind.EDIT, edits.tick),
        Duty(RetryKind.REPLY, replies.tick, after=GATHERING),
        Duty(RetryKind.DIGEST, digests.tick, is_wanted=lambda: not digests.are_arranged),
        Duty(RetryKind.FLOOD, floods.tick),
        Duty(RetryKind.SNOOZE, snoozes.tick),
        Duty(RetryKind.NUDGE, nudges.tick),
    )


def known_rooms(settings: Settings, direct: Iterable[RoomId] = (), room_rights: RoomRights | None = None) -> Rooms:
    """Return the rooms in *settings* if all are given by id; without *room_rights*, the permissions in them are empty.

    Raises:
        ConfigError: a subscription is invalid.
    """
    rooms = Rooms(room_queries(settings), room_rights)
    rooms.direct.update(direct)
    for room in settings.room:
        rooms.set_room(room.room, RoomId(room.room))
    return rooms


def _audience(rooms: Rooms) -> Audience:
    told = rooms.listeners
    return Audience(told.index, rooms.direct, told.quiet, told.compact, told.awaken, told.is_active)


def _log_failure(loop: str, error: Exception) -> None:
    """Log an outage as one line, and any other failure with its traceback."""
    if (expected := outage(error)) is not None:
        _log.error("loop.restarted", loop=loop, reason=str(expected))
    else:
        _log.error("loop.restarted", loop=loop, exc_info=True)


def _is_final(error: Exception) -> bool:
    """Return whether only the operator can fix this error."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup((LoggedOut, ConfigError)) is not None
    return isinstance(error, LoggedOut | ConfigError)


def _client(settings: Settings, server: PatchworkSettings, agent: str, conditions: RunConditions) -> PatchworkClient:
    in_time = SOCKET_SECONDS if conditions.tenure else None
    network = Network(settings.network.proxy.get_secret_value(), settings.network.ca_file, in_time)
    client = PatchworkClient(server.url, agent, network, conditions.transports.get(server.name))
    client.permit = conditions.tenure or UNLIMITED
    client.server = ServerName(server.name)
    client.classes = server.states.classes
    return client


def _answer_settings(settings: Settings, rooms: Rooms) -> AnswerSettings:
    told = settings.commands
    return AnswerSettings(
        told.prefix,
        settings.matrix.user_id,
        rooms.direct,
        told.per_user_per_minute,
        told.per_room_per_minute,
        rooms.room_rights.is_admin,
    )


def _override(matrix: MatrixSettings) -> str:
    """Return the request with which an administrator of a Synapse homeserver lifts the rate limit."""
    return f"POST /_synapse/admin/v1/users/{matrix.user_id}/override_ratelimit"


def _source(server: PatchworkSettings) -> Source:
    return Source(
        server=ServerName(server.name),
        projects=tuple(project.name for project in server.projects),
        incomplete_after=timedelta(minutes=server.incomplete_after_minutes),
        interval=timedelta(seconds=server.poll_interval_seconds),
    )


def _archives(server: PatchworkSettings) -> dict[str, str]:
    return {project.name.lower(): project.archive_url for project in server.projects if project.archive_url}


def _place(server: PatchworkSettings, api: PatchworkApi, watch: Watch) -> LookupServer:
    return LookupServer(
        name=ServerName(server.name),
        api=api,
        projects=tuple(project.name for project in server.projects),
        archives=_archives(server),
        lanes=CheckLanes(server.check_lanes),
        failing_since=lambda: watch.health.failing_since,
    )
