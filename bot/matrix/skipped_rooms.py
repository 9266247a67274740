"""Rooms whose part of a sync is so large that no sync with them can be read in time; syncs leave them out.

They are stored, so that a restart does not request them again at once, and are retried after a day.
"""

from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import TransportError
from bot.ids import RoomId
from bot.incidents import Incidents
from bot.matrix.answer_reader import MatrixResponseTooLarge
from bot.matrix.client import MatrixClient
from bot.matrix.session_memory import SessionMemory, StoredSession
from bot.matrix.session_update import RoomSkipped, SessionUpdate

SKIPPED_FOR = timedelta(days=1)
MAX_ROOMS = 50  # the request names them; beyond this number, the first due for a retry is dropped
_KIND = "sync.room_skipped"


class SkippedRooms:
    """The rooms that syncs leave out."""

    def __init__(self, client: MatrixClient, memory: SessionMemory, clock: Clock) -> None:
        self._client = client
        self._memory = memory
        self._clock = clock
        self._until: dict[RoomId, datetime] = {}  # UTC

    @property
    def _incidents(self) -> Incidents:
        return self._client.incidents

    def restore(self, stored: StoredSession) -> None:
        """Restore the rooms that the last session skipped."""
        self._until = dict(stored.skipped)
        for room in self.rooms():
            self._incidents.record(_KIND, room, f"too large to be read; next try at {self._until[room]:%F %T} UTC")

    def rooms(self) -> tuple[RoomId, ...]:
        """Return the rooms to leave out now, for a day at most even if the clock was set back."""
        now = self._clock.now()
        for room in [room for room, until in self._until.items() if not now < until <= now + SKIPPED_FOR]:
            del self._until[room]
            self._incidents.resolve(_KIND, room)
        return tuple(self._until)

    async def add(self, error: MatrixResponseTooLarge) -> None:
        """Skip the rooms that made a sync too large, and decline the invitations among them."""
        until = self._clock.now() + SKIPPED_FOR
        large_rooms = [
            (str(path[1]), RoomId(str(path[2]))) for path in error.largest if path[:1] == ("rooms",) and len(path) > 2
        ]
        if not large_rooms:
            self._incidents.record("sync.too_large", "the whole answer", error)
            return
        for _, room in large_rooms:
            self._incidents.record(_KIND, room, f"{error}; next try at {until:%F %T} UTC")
            self._until[room] = until
        for former in sorted(self._until, key=self._until.__getitem__)[:-MAX_ROOMS]:
            del self._until[former]
        await self._memory.save(SessionUpdate(events=tuple(RoomSkipped(room, until) for _, room in large_rooms)))
        for room in (room for kind, room in large_rooms if kind == "invite"):
            try:
                await self._client.leave(room)
            except TransportError as refusal:
                self._incidents.record(_KIND, room, f"cannot be declined: {refusal}")
