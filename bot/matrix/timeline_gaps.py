"""Fetches the events that a sync left out of a room's timeline, page by page."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.clock import Clock
from bot.errors import BotError, Forbidden, Permanent, Temporary
from bot.ids import RoomId, UserId
from bot.matrix.client import MatrixClient
from bot.matrix.messages import reaches_back
from bot.matrix.model import Event, JoinedRoom, SyncAnswer, TimelineGap

PATIENCE = timedelta(minutes=1)  # for gaps that cannot be filled, because everything else waits for them
LONGEST = timedelta(minutes=2)  # for all gaps of one response together
MAX_FAILURES = 2  # in one response, after which the remaining gaps are not requested
_log = structlog.get_logger(__name__)


class TimelineGaps:
    """Fills the gaps of each sync; gaps that cannot be filled in time are skipped and recorded."""

    def __init__(self, client: MatrixClient, clock: Clock, me: UserId) -> None:
        self._client = client
        self._clock = clock
        self._me = me
        self._failing_since: float | None = None  # by the monotonic clock

    async def filled(self, answer: SyncAnswer, since: str, pending: Collection[RoomId] = ()) -> SyncAnswer:
        """Return *answer*, the sync after *since*, with the events that it left out.

        Nothing is requested for *pending* rooms, because the bot may leave them again.

        Raises:
            Temporary: they cannot be fetched now.
            LoggedOut: the device no longer belongs to the account.
        """
        failed: dict[RoomId, Temporary] = {}
        end = self._clock.monotonic() + LONGEST.total_seconds()
        joined = tuple(
            [each if each.room in pending else await self._tried(each, since, failed, end) for each in answer.joined]
        )
        if failed and self._has_patience():
            raise next(iter(failed.values()))
        for room, error in failed.items():
            self._skip(room, str(error))
        self._failing_since = None
        return replace(answer, joined=joined)

    async def _tried(self, joined: JoinedRoom, since: str, failed: dict[RoomId, Temporary], end: float) -> JoinedRoom:
        """Return *joined* with the events of its gap, or unchanged if they cannot be read, and in *failed* to retry.

        Nothing is requested after *end*, in monotonic seconds.
        """
        if not joined.limited or joined.prev_batch is None:
            return joined
        if self._clock.monotonic() >= end:
            self._skip(joined.room, "what was missed in other rooms took too long")
            return joined
        if len(failed) >= MAX_FAILURES:
            failed[joined.room] = Temporary("not requested, because requests for other rooms failed")
            return joined
        try:
            return await self._whole(joined, TimelineGap(joined.room, joined.prev_batch, since))
        except Temporary as error:
            failed[joined.room] = error
        except Forbidden as error:
            _log.warning("timeline_gap.forbidden", room=joined.room, reason=str(error))
        except Permanent as error:
            self._skip(joined.room, str(error))
        except BotError:
            raise
        except Exception as error:  # noqa: BLE001  # only the gap of this room is lost
            self._skip(joined.room, error)
        return joined

    def _has_patience(self) -> bool:
        now = self._clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since < PATIENCE.total_seconds()

    def _skip(self, room: RoomId, reason: str | Exception) -> None:
        self._client.incidents.record("sync.gap_skipped", room, reason)

    async def _whole(self, joined: JoinedRoom, gap: TimelineGap) -> JoinedRoom:
        """Return *joined* with the missing part of its timeline: all redactions, and events that are not too old."""
        now = self._client.homeserver_now()
        missing: tuple[Event, ...] = ()
        redactions = await self._client.redactions(gap)
        if not reaches_back(joined.timeline, self._me, now) or joined.is_partial:
            missing = await self._client.backfill(gap, lambda events: reaches_back(events, self._me, now))
        known = {event.id for event in (*missing, *joined.timeline)}
        older = [event for event in redactions if event.id not in known]
        return replace(joined, timeline=(*older, *missing, *joined.timeline), limited=False)
