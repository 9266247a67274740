"""Decides whose request goes to a server next: polls and commands share the few concurrent requests.

Commands take at most one of the places, so that people who ask a server that does not answer never block its poll.
Places are given in the order of asking, so that a poll that reads an import keeps a command waiting only for the
requests that were made before.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

_COMMANDS_AT_ONCE = 1


class Purpose(Enum):
    """What a request is made for."""

    POLL = "poll"
    COMMAND = "command"


class Turns:
    """The places at one server; *is_silent* says that it left the last request without an answer."""

    def __init__(self, at_once: int) -> None:
        self.is_silent = False
        self._places = asyncio.Semaphore(at_once)
        self._for_commands = asyncio.Semaphore(_COMMANDS_AT_ONCE)

    @asynccontextmanager
    async def taken(self, purpose: Purpose) -> AsyncIterator[None]:
        """Hold a place, as soon as one is free."""
        if purpose is Purpose.POLL:
            async with self._places:
                yield
        else:
            async with self._for_commands, self._places:
                yield
