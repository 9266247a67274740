"""The API version of a server, and the search for a newer one now and then."""

import structlog

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import ServerName
from bot.patchwork.api import PatchworkApi

FIRST_CHECK = 600.0  # seconds after an older version was settled on, in case a wall hid the newer one
CHECK_EVERY = 24 * 3600.0
_log = structlog.get_logger(__name__)


class VersionCheck:
    """The API version of one server."""

    def __init__(self, server: ServerName, api: PatchworkApi, clock: Clock) -> None:
        self._server = server
        self._api = api
        self._clock = clock
        self._due_at = 0.0

    async def run(self) -> None:
        """Find the version; if it is not the newest, check again ten minutes later, and then once a day.

        Raises:
            TransportError: no version is known, and none can be found.
        """
        now = self._clock.monotonic()
        if not self._api.version:
            version = await self._api.discover()
            _log.info("server.api_version", server=self._server, api=version)
            self._due_at = now + FIRST_CHECK
        elif self._api.may_be_newer and now >= self._due_at:
            self._due_at = now + CHECK_EVERY
            try:
                if await self._api.discover_newer():
                    _log.info("server.api_version", server=self._server, api=self._api.version)
            except TransportError as error:
                _log.info("server.version_check_failed", server=self._server, reason=str(error))
