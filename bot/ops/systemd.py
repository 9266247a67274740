"""Tells systemd how the service is, as sd_notify(3) and sd_watchdog_enabled(3) describe it; no library is needed."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

_SOCKET, _WATCHDOG, _WATCHDOG_OF = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_log = structlog.get_logger(__name__)


class ServiceManager:
    """Whoever started the service and wants to hear of it; nobody, where the environment names none."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get(_SOCKET, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog_seconds(environment) if address else None

    def tell(self, *said: str) -> None:
        """Send assignments, such as "READY=1"; that they cannot be sent is logged, and hinders nothing."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto("\n".join(said).encode(), self._address)
        except OSError as error:
            _log.warning("systemd.notify_failed", said=said, reason=error.strerror)


@asynccontextmanager
async def watched(manager: ServiceManager) -> AsyncIterator[None]:
    """Be ready from here on, prove at half the watchdog's interval that the event loop runs, and say when it ends."""
    manager.tell("READY=1", "STATUS=Running; /readyz says what keeps the bot from its work.")
    pulse = asyncio.create_task(_pulse(manager)) if manager.watchdog_seconds else None
    try:
        yield
    finally:
        manager.tell("STOPPING=1", "STATUS=Sends what is due, and ends.")
        if pulse is not None:
            pulse.cancel()


async def _pulse(manager: ServiceManager) -> None:
    while manager.watchdog_seconds:
        manager.tell("WATCHDOG=1")
        await asyncio.sleep(manager.watchdog_seconds / 2)


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often at least systemd wants a sign of life; None where it wants none of this process."""
    interval, process = environment.get(_WATCHDOG, ""), environment.get(_WATCHDOG_OF, "")
    if not (interval.isascii() and interval.isdigit()) or (process and process != str(os.getpid())):
        return None
    return int(interval) / 1_000_000 or None
