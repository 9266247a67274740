"""Implements `patchbot run`: the bot at its homeserver, from taking the lock to sending the last notice."""

import asyncio
import ctypes
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from bot import __version__
from bot.app import Bot, RunConditions, assembled
from bot.clock import Clock, SystemClock
from bot.config import Settings
from bot.data_dir import instance_name, locked
from bot.errors import ConfigError, LeaseLost, LoggedOut, TransportError, outage
from bot.health.endpoints import served
from bot.ids import DeviceId
from bot.lease import UNLIMITED, KernelDeadline, Tenure, leave_to_main_thread
from bot.matrix.client import MatrixClient
from bot.matrix.invite_rules import InviteRules
from bot.matrix.oauth_tokens import SignInFile
from bot.matrix.room_rights import MatrixRoomRights
from bot.matrix.session import Session
from bot.matrix.session_memory import DatabaseSession
from bot.ops.schedule import end
from bot.ops.summary import room_queries
from bot.ops.systemd import ServiceManager, watched
from bot.room_registry import Rooms
from bot.shared_keys import shared_keys
from bot.standby import StandbyContext, StandbyHealth, StandbyRole
from bot.store.engine import is_postgres
from bot.store.lease_book import Instance
from bot.store.leases import Leases

_Result = TypeVar("_Result")
_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 256 * 1024
PREPARE_SECONDS = 60.0  # between two attempts to log in while standing by
_log = structlog.get_logger(__name__)


async def run_bot(settings: Settings, clock: Clock | None = None) -> None:
    """Run the bot until SIGTERM or SIGINT; *clock* defaults to the system's.

    With PostgreSQL, an instance acts only while it has the lease, and stands by as long as another one has it.

    Raises:
        ConfigError: the settings cannot be used, or the homeserver refuses the account.
        LoggedOut: the homeserver ended the session; in an ExceptionGroup, like all errors of a running bot.
        StoreError: the database or its folder cannot be used, or another bot uses it.
    """
    if not settings.matrix.has_secret and not is_signed_in(settings):
        raise ConfigError(
            "matrix.password",
            "is required to log in, but not set, and nobody signed in instead: run `patchbot login`, or put the "
            "password into PATCHBOT_MATRIX__PASSWORD or, in a file named matrix__password, into the secrets directory",
        )
    room_queries(settings)  # before anything is locked
    os.umask(0o077)
    _give_memory_back()
    gc.freeze()  # what is loaded by now stays; every full collection would look through it, 50 ms long
    service = ServiceManager(os.environ)
    with locked(settings.store.data_dir), _stopped_by_signals() as stop:
        _log.info("startup", version=__version__, user=settings.matrix.user_id)
        run = _Run(settings, clock or SystemClock(), stop)
        if is_postgres(settings.store.url.get_secret_value()):
            await run.in_turn(service)
        else:
            async with run.bot() as (bot, session), watched(service):
                await run.act(bot, session)
        _log.info("shutdown.complete")


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of the program until *stop* is set."""

    settings: Settings
    clock: Clock
    stop: asyncio.Event

    async def in_turn(self, service: ServiceManager) -> None:
        """Stand by and act, in turn with the other instances that share the database."""
        threads = ThreadPoolExecutor(thread_name_prefix="asyncio", initializer=leave_to_main_thread)
        asyncio.get_running_loop().set_default_executor(threads)
        folder, user = self.settings.store.data_dir, self.settings.matrix.user_id
        me = Instance(instance_name(folder), socket.gethostname())
        async with AsyncExitStack() as stack:
            leases = Leases(self.settings.store.url.get_secret_value(), me, self.clock)
            stack.push_async_callback(leases.close)
            await leases.prepare()
            around = StandbyContext(partial(shared_keys, folder, user), self._reaches_homeserver, KernelDeadline())
            role = StandbyRole(leases, around, self.clock)
            await stack.enter_async_context(watched(service))
            while not self.stop.is_set() and (tenure := await self._stand_by(role)) is not None:
                async with role.holding(tenure):
                    await self._act_until_lost(tenure, role)

    async def _stand_by(self, role: StandbyRole) -> Tenure | None:
        """Return the right to act once this instance has the lease; None if it is to stop."""
        async with served(self.settings.web.address, StandbyHealth(role, self.clock), self.clock):
            waiting = asyncio.ensure_future(self._wait(role))
            if await _done_before(self.stop, waiting):
                return waiting.result()
        await role.go()
        return None

    async def _wait(self, role: StandbyRole) -> Tenure:
        """Return the right to act once this instance has the lease; meanwhile, prepare its device."""
        preparing, waiting = asyncio.ensure_future(self._prepare(role)), asyncio.ensure_future(role.wait())
        try:
            await asyncio.wait({preparing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if preparing.done():
                preparing.result()
            return await waiting
        finally:
            await end([preparing, waiting])

    async def _prepare(self, role: StandbyRole) -> None:
        """Log in while standing by, so that people encrypt for this device before it takes over."""
        await role.may_prepare.wait()
        while True:
            try:
                async with MatrixClient(self.settings, self.clock) as client:
                    await client.prepare()
            except (TransportError, LoggedOut) as error:
                _log.warning("standby.not_prepared", reason=str(error))
                await asyncio.sleep(PREPARE_SECONDS)
            else:
                _log.info("standby.prepared", device=client.device)
                return

    async def _act_until_lost(self, tenure: Tenure, role: StandbyRole) -> None:
        """Act until *stop* is set, or the right to act is lost."""
        acting, losing = asyncio.ensure_future(self._act_under(tenure, role)), asyncio.ensure_future(tenure.lost.wait())
        try:
            await asyncio.wait({acting, losing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([acting, losing])
        error = None if acting.cancelled() else acting.exception()
        if error is not None and not _is_loss(error, tenure):
            raise error

    async def _act_under(self, tenure: Tenure, role: StandbyRole) -> None:
        async with self.bot(tenure) as (bot, session):
            bot.overview.role = role
            role.cut_off_since = session.down_since

            async def take_place() -> None:
                former = role.device
                ours = await session.end_former_device(None if former is None else DeviceId(former))
                await role.act_with(ours, tenure)
                await session.receive_queued_keys()

            await self.act(bot, session, take_place)

    async def _reaches_homeserver(self) -> bool:
        async with MatrixClient(self.settings, self.clock) as client:
            return await client.reaches_homeserver()

    @asynccontextmanager
    async def bot(self, tenure: Tenure | None = None) -> AsyncIterator[tuple[Bot, Session]]:
        """Yield the bot and its session, with their pages served."""
        settings, clock = self.settings, self.clock
        room_rights = MatrixRoomRights(settings.matrix.admins)
        rooms = Rooms(room_queries(settings), room_rights)
        under = RunConditions(tenure=tenure)
        async with (
            MatrixClient(settings, clock, permit=tenure or UNLIMITED) as client,
            assembled(settings, client, clock, rooms, under) as bot,
        ):
            if tenure is not None:
                tenure.on_lapse(client.abort)
            user, listeners = settings.matrix.user_id, bot.rooms.listeners
            memory = DatabaseSession(bot.store, user, bot.rooms.apply, listeners.doubt)
            session = Session(client, memory, clock, _rules(settings))
            bot.overview.presence = session
            room_rights.open(client, session)
            async with served(settings.web.address, bot.overview, clock):
                yield bot, session

    async def act(self, bot: Bot, session: Session, begin: Callable[[], Awaitable[None]] | None = None) -> None:
        """Log in, *begin*, and run the bot until *stop* is set."""

        async def log_in() -> None:
            await session.log_in()
            if begin is not None:
                await begin()

        if await _done_before(self.stop, asyncio.ensure_future(log_in())):
            await bot.run(self.stop, session.run, ready=session.has_synced)


def is_signed_in(settings: Settings) -> bool:
    """Return whether there is a sign-in of `patchbot login`. Raises `StoreError`."""
    return SignInFile(settings.store.data_dir, settings.matrix.user_id).load().is_signed_in


def _rules(settings: Settings) -> InviteRules:
    return InviteRules(
        me=settings.matrix.user_id,
        invite_from=settings.matrix.invite_from,
        configured=tuple(room.room for room in settings.room),
        prefix=settings.commands.prefix,
    )


async def _done_before(stop: asyncio.Event, doing: "asyncio.Task[_Result]") -> bool:
    """Return whether *doing* ends before *stop* is set; cancel it if not. Raises what it raises."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            return False
        doing.result()
        return True
    finally:
        for task in (doing, stopping):
            task.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)


def _is_loss(error: BaseException, tenure: Tenure) -> bool:
    """Return whether *error* only says that the right to act was lost."""
    reason = outage(error)
    return isinstance(reason, LeaseLost) or (tenure.lost.is_set() and reason is not None)


def _give_memory_back() -> None:
    """Let glibc return the memory of large responses immediately instead of keeping more and more of it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


@contextmanager
def _stopped_by_signals() -> Iterator[asyncio.Event]:
    """Yield an event that is set when the process receives SIGTERM or SIGINT."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
