"""Standing by for the lease, and keeping it; `bot.lease` has the theory of operation.

An instance that waits looks at the lease every two seconds, and notes that it does, so that the active one can tell. It
refuses to wait without the keys of the active one, because it could not take over. The active instance renews the lease
every five seconds; if it cannot, it stops all requests in time, and goes on once it can again, unless another one has
taken over. An active instance that the homeserver does not answer yields, if one that stands by is answered.
"""

import asyncio
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from bot import __version__, metrics
from bot.clock import Clock
from bot.errors import ConfigError, ConfigErrors, StoreError
from bot.lease import GRACE_SECONDS, RENEW_SECONDS, ProcessDeadline, Tenure, boot_seconds, candidacy
from bot.notices.status import BotStatus, StatusDetails, moment
from bot.ops.schedule import end
from bot.shared_keys import ALL_KEYS, DEVICE, differences
from bot.store.lease_book import LeaseView, StandbyInstance
from bot.store.leases import Leases

LOOK_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 1.0  # after a renewal that failed
CUT_OFF: Final = timedelta(minutes=1)  # so long the homeserver does not answer, before others try to reach it
YIELDS: Final = timedelta(minutes=2)  # and so long, before one that reaches it gets the lease
YIELD_SECONDS: Final = 60.0  # so long an instance that yielded leaves the lease to others
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StandbyContext:
    """What an instance asks of the rest of the bot.

    *own_keys* returns what it shares with other instances, and *reaches_homeserver* whether that answers. *deadline*
    ends the process if it does not renew the lease and does not notice that.
    """

    own_keys: Callable[[], dict[str, str]]
    reaches_homeserver: Callable[[], Awaitable[bool]]
    deadline: ProcessDeadline


class StandbyRole:
    """The role of this instance: it stands by, or is active."""

    def __init__(self, leases: Leases, around: StandbyContext, clock: Clock) -> None:
        self.cut_off_since: Callable[[], datetime | None] = lambda: None
        self.may_prepare = asyncio.Event()  # set once this instance has all keys of the active one
        self._leases = leases
        self._around = around
        self._clock = clock
        self._deadline = around.deadline
        self._view: LeaseView | None = None
        self._standbys: tuple[StandbyInstance, ...] = ()
        self._standby_seen_at: datetime | None = None
        self._since = clock.now()
        self._steady_since = self._since  # since when the lease is renewed without a failure
        self._failing_since: datetime | None = None
        self._reason = ""
        self._published: Mapping[str, str] = {}
        self._device: str | None = None  # with which the lease's holder may have sent something
        self._sends = False  # whether that is this instance's
        self._not_before = 0.0
        self._reaches: bool | None = None

    # Waiting

    async def wait(self) -> Tenure:
        """Stand by until this instance has the lease.

        Raises:
            ConfigError: it lacks keys of the active instance.
        """
        self._since, self._view, self._failing_since = self._clock.now(), None, None
        self.may_prepare.clear()
        while True:
            asked_at = boot_seconds()
            try:
                if (tenure := await self._look(asked_at)) is not None:
                    return tenure
            except StoreError as error:
                if self._is_news(error):
                    _log.warning("standby.blind", reason=str(error))
            else:
                if (since := self._recovered()) is not None:
                    _log.info("standby.sees_again", since=since.isoformat())
            await asyncio.sleep(self._pause())

    async def _look(self, asked_at: float) -> Tenure | None:
        if self._view is not None and self._view.is_cut_off:
            self._reaches = await self._around.reaches_homeserver()
        else:
            self._reaches = None
        view = await self._leases.look(reaches_homeserver=self._reaches)
        decision = candidacy(view.row, self._leases.me.name)
        if not decision.may_take:
            await self._refuse_other_keys(view)
            self._wait_for(view)
            return None
        if asked_at < self._not_before or (taken := await self._leases.take()) is None:
            return None
        before = taken.before.row.host or None
        _log.info("lease.taken", reason=taken.reason, epoch=taken.epoch, before=before)
        tenure = Tenure(taken.epoch)
        tenure.extend(asked_at)
        self._published, self._device = taken.before.keys, taken.before.keys.get(DEVICE)
        self._sends = False
        self._since = self._steady_since = self._clock.now()
        self._not_before = 0.0
        return tenure

    def _pause(self) -> float:
        """Return in how many seconds to look again: when the lease ends, or soon."""
        ends_in = self._view.row.ends_in_seconds if self._view else LOOK_SECONDS
        return min(LOOK_SECONDS, max(ends_in + 0.05, 0.1))

    def _wait_for(self, view: LeaseView) -> None:
        if self._view is None or self._view.row.epoch != view.row.epoch:
            _log.info("standby.waiting", active=view.row.host, epoch=view.row.epoch)
            metrics.STANDBY.set(1)
            metrics.forget_work()
        self._view = view
        if view.keys.keys() >= ALL_KEYS:
            self.may_prepare.set()

    async def _refuse_other_keys(self, view: LeaseView) -> None:
        own = await asyncio.to_thread(self._around.own_keys)
        found = [ConfigError("store.data_dir", each) for each in differences(view.keys, own, view.row.host)]
        if found:
            await self.go()
            raise ConfigErrors(found)

    async def go(self) -> None:
        """Note that this instance does not wait any more."""
        with suppress(StoreError):
            await self._leases.go()

    # Acting

    @asynccontextmanager
    async def holding(self, tenure: Tenure) -> AsyncIterator[None]:
        """Keep the lease during the block; then end it."""
        metrics.STANDBY.set(0)
        self._set_deadline(tenure)
        keeping = [asyncio.create_task(self._renew(tenure)), asyncio.create_task(self._guard(tenure))]
        try:
            yield
        finally:
            await end(keeping)
            self._deadline.clear()
            await self._let_go(tenure)

    async def _let_go(self, tenure: Tenure) -> None:
        """End the lease, as soon as nothing that was begun under it can still be carried out."""
        tenure.lose()
        try:
            seconds = tenure.seconds_in_doubt
            if self._sends and not seconds:
                self._device = None  # all that it sent was answered
                await self._publish(tenure)
            await self._leases.release(tenure.epoch, seconds)
        except StoreError as error:
            _log.warning("lease.not_released", reason=str(error))
        else:
            _log.info("lease.released", epoch=tenure.epoch)

    async def _renew(self, tenure: Tenure) -> None:
        while not tenure.lost.is_set():
            asked_at = boot_seconds()
            try:
                await self._renew_once(tenure, asked_at)
            except StoreError as error:
                if self._is_news(error):
                    _log.warning("lease.renewal_failed", epoch=tenure.epoch, reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                if (since := self._recovered()) is not None:
                    _log.info("lease.renewed_again", epoch=tenure.epoch, since=since.isoformat())
                await asyncio.sleep(max(asked_at + RENEW_SECONDS - boot_seconds(), 0.0))

    async def _renew_once(self, tenure: Tenure, asked_at: float) -> None:
        down_since, now = self.cut_off_since(), self._clock.now()
        silent = timedelta()
        if down_since is not None and self._failing_since is None:
            silent = now - max(down_since, self._steady_since)
        standbys = await self._leases.renew(tenure.epoch, is_cut_off=silent >= CUT_OFF)
        if standbys is None:
            _log.error("lease.lost", epoch=tenure.epoch)
            tenure.lose()
            return
        tenure.extend(asked_at)
        self._set_deadline(tenure)
        self._note_standbys(standbys)
        if silent >= YIELDS and any(each.reaches_homeserver for each in standbys):
            _log.warning("lease.yielded", silent_since=down_since and down_since.isoformat())
            self._not_before = boot_seconds() + YIELD_SECONDS
            tenure.lose()
            return
        await self._publish(tenure)

    async def _publish(self, tenure: Tenure) -> None:
        """Publish what others must share with this instance, and the device with which it acts."""
        keys = await asyncio.to_thread(self._around.own_keys)
        if self._device is not None:
            keys[DEVICE] = self._device
        if keys != self._published:
            await self._leases.publish(tenure.epoch, keys)
            self._published = keys

    @property
    def device(self) -> str | None:
        """The device with which the holder of the lease may have sent something; None if that is none."""
        return self._device

    async def act_with(self, device: str, tenure: Tenure) -> None:
        """Note that this instance sends with *device* from now on, so that whoever takes over can end it."""
        self._device, self._sends = device, True
        while True:
            try:
                await self._publish(tenure)
            except StoreError:  # the renewals tell of it, too
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    async def _guard(self, tenure: Tenure) -> None:
        """Abort what is under way as soon as the lease was not renewed in time."""
        while not tenure.lost.is_set():
            if (left := tenure.seconds_left) > 0:
                await asyncio.sleep(left)
                continue
            _log.error("lease.unconfirmed", epoch=tenure.epoch)
            tenure.lapse()
            self._deadline.clear()  # this process has noticed
            await tenure.extended.wait()
            _log.info("lease.confirmed", epoch=tenure.epoch)

    def _set_deadline(self, tenure: Tenure) -> None:
        if (left := tenure.seconds_left) > 0:
            self._deadline.set(left + GRACE_SECONDS)

    def _note_standbys(self, standbys: tuple[StandbyInstance, ...]) -> None:
        self._standbys = standbys
        metrics.STANDBYS.set(len(standbys))
        if standbys:
            if self._standby_seen_at is None:
                _log.info("standby.found", hosts=[each.host for each in standbys])
            self._standby_seen_at = self._clock.now()

    # What is said about it

    def _is_news(self, error: StoreError) -> bool:
        """Note a failure, and return whether it differs from the last one."""
        is_news = self._failing_since is None or self._reason != str(error)
        self._failing_since, self._reason = self._failing_since or self._clock.now(), str(error)
        return is_news

    def _recovered(self) -> datetime | None:
        """Note a success, and return since when there was none; None if the last attempt succeeded, too."""
        since, self._failing_since = self._failing_since, None
        if since is not None:
            self._steady_since = self._clock.now()
        return since

    def outages(self) -> tuple[str, ...]:
        """Return a sentence if the lease cannot be read or renewed."""
        if self._failing_since is None:
            return ()
        return (f"The lease has not been seen in the database since {moment(self._failing_since)} ({self._reason}).",)

    def waits(self) -> str:
        """Return a sentence that this instance stands by."""
        active = f"active is the one on {self._view.row.host}" if self._view else "it has not seen the lease yet"
        return f"The instance on {self._leases.me.host} has stood by since {moment(self._since)}; {active}."

    def acts(self) -> str:
        """Return a sentence about the instances that stand by; "" if none ever did since the start."""
        if self._standby_seen_at is None:
            return ""
        active = f"Active is the instance on {self._leases.me.host}, since {moment(self._since)}"
        if self._standbys:
            hosts = ", ".join(each.host for each in self._standbys)
            return f"{active}; {hosts} {'stands' if len(self._standbys) == 1 else 'stand'} by."
        return f"{active}; none has stood by since {moment(self._standby_seen_at)}."


class StandbyHealth:
    """The health of an instance that stands by; it is well as long as it sees the lease."""

    def __init__(self, role: StandbyRole, clock: Clock) -> None:
        self._role = role
        self._clock = clock
        self._started = clock.now()

    async def condition(self) -> BotStatus:
        """Return the status."""
        return BotStatus(
            version=__version__,
            now=self._clock.now(),
            started=self._started,
            outages=self._role.outages(),
            role=self._role.waits(),
            stands_by=True,
        )

    async def particulars(self) -> StatusDetails:
        """Return the version of Python."""
        return StatusDetails(versions=(("Python", platform.python_version()),))
