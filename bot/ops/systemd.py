"""Notifies systemd of the service's state, as sd_notify(3) and sd_watchdog_enabled(3) describe, without a library."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

_SOCKET, _WATCHDOG, _WATCHDOG_OF = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_log = structlog.get_logger(__name__)


class ServiceManager:
    """The service manager that started the process, if the environment names one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get(_SOCKET, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog_seconds(environment) if address else None

    def tell(self, *said: str) -> None:
        """Send assignments such as "READY=1"; a failure to send is only logged."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto("\n".join(said).encode(), self._address)
        except OSError as error:
            _log.warning("systemd.notify_failed", said=said, reason=error.strerror)


@asynccontextmanager
async def watched(manager: ServiceManager) -> AsyncIterator[None]:
    """Report that the service is ready, send signs of life at half the watchdog's interval, and report the end."""
    manager.tell("READY=1", "STATUS=Running; /readyz tells whether it works.")
    pulse = asyncio.create_task(_pulse(manager)) if manager.watchdog_seconds else None
    try:
        yield
    finally:
        manager.tell("STOPPING=1", "STATUS=Stopping: sending what is due.")
        if pulse is not None:
            pulse.cancel()


async def _pulse(manager: ServiceManager) -> None:
    while manager.watchdog_seconds:
        manager.tell("WATCHDOG=1")
        await asyncio.sleep(manager.watchdog_seconds / 2)


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """Return the interval in which systemd expects a sign of life, or None if it expects none from this process."""
    interval, process = environment.get(_WATCHDOG, ""), environment.get(_WATCHDOG_OF, "")
    if not (interval.isascii() and interval.isdigit()) or (process and process != str(os.getpid())):
        return None
    return int(interval) / 1_000_000 or None
