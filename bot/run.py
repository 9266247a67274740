"""Implements `patchbot run`: the bot at its homeserver, from taking the lock to sending the last notice."""

import asyncio
import ctypes
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from bot import __version__
from bot.app import assembled
from bot.clock import Clock, SystemClock
from bot.config import Settings
from bot.data_dir import locked
from bot.errors import ConfigError
from bot.health.endpoints import served
from bot.matrix.client import MatrixClient
from bot.matrix.invite_rules import InviteRules
from bot.matrix.room_rights import MatrixRoomRights
from bot.matrix.session import Session
from bot.matrix.session_memory import DatabaseSession
from bot.ops.summary import room_queries
from bot.ops.systemd import ServiceManager, watched
from bot.room_registry import Rooms

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 256 * 1024
_log = structlog.get_logger(__name__)


async def run_bot(settings: Settings, clock: Clock | None = None) -> None:
    """Run the bot until SIGTERM or SIGINT; *clock* defaults to the system's.

    Raises:
        ConfigError: the settings cannot be used, or the homeserver refuses the account.
        LoggedOut: the homeserver ended the session; in an ExceptionGroup, like all errors of a running bot.
        StoreError: the database or its folder cannot be used, or another bot uses it.
    """
    if not settings.matrix.has_secret:
        raise ConfigError(
            "matrix.password",
            "is required to log in, but not set: put it into PATCHBOT_MATRIX__PASSWORD or, in a file named "
            "matrix__password, into the secrets directory",
        )
    room_rights = MatrixRoomRights(settings.matrix.admins)
    rooms = Rooms(room_queries(settings), room_rights)
    os.umask(0o077)
    _give_memory_back()
    gc.freeze()  # what is loaded by now stays; every full collection would look through it, 50 ms long
    clock = clock or SystemClock()
    with locked(settings.store.data_dir), _stopped_by_signals() as stop:
        _log.info("startup", version=__version__, user=settings.matrix.user_id)
        async with MatrixClient(settings, clock) as client, assembled(settings, client, clock, rooms) as bot:
            user, listeners = settings.matrix.user_id, bot.rooms.listeners
            memory = DatabaseSession(bot.store, user, bot.rooms.apply, listeners.doubt)
            session = Session(client, memory, clock, _rules(settings))
            bot.overview.presence = session
            room_rights.open(client, session)
            async with served(settings.web.address, bot.overview, clock), watched(ServiceManager(os.environ)):
                if await _done_before(stop, session.log_in):
                    await bot.run(stop, session.run, ready=session.has_synced)
        _log.info("shutdown.complete")


def _rules(settings: Settings) -> InviteRules:
    return InviteRules(
        me=settings.matrix.user_id,
        invite_from=settings.matrix.invite_from,
        configured=tuple(room.room for room in settings.room),
        prefix=settings.commands.prefix,
    )


async def _done_before(stop: asyncio.Event, step: Callable[[], Awaitable[None]]) -> bool:
    """Run *step* unless *stop* is set first; return whether it finished."""
    doing, stopping = asyncio.ensure_future(step()), asyncio.ensure_future(stop.wait())
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
