"""Carries out acts on a Patchwork server: one change after the other, each written down before it is sent.

Theory of operation. An act with the old value of each of its patches is in the store before its first change is sent. A
patch is marked as sent in one transaction with the outcome of the one before, then the change is sent, and nothing else
in this person's name at the same time. The server has no condition for writes, so what it shows is read again right
before each change; a patch that does not show its old value any more was changed by somebody else, and is left alone.

The command stays in the inbox until its answer is written. So a crash runs it again, finds the act, and goes on with
it: what was not sent yet is sent, unless the command is older than `GO_ON_FOR`; what may have been sent, one patch, is
compared with what the server shows. If it shows the new value, it was done. If it shows the old one, either the change
did not arrive, or it did and somebody has changed it back since; nothing tells one from the other, so it is not sent
again, and the person is told. No change is sent twice.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from bot.clock import Clock
from bot.commands.act_plan import fields_to_send, is_same, shown
from bot.commands.servers import LookupServer
from bot.errors import Permanent, Temporary, TransportError
from bot.patchwork.personal import PersonalApi, Refused, TokenRefused
from bot.patchwork.responses import NotFound
from bot.store.act_book import Act, ActPatch, ActStep
from bot.store.store import Store

GO_ON_FOR: Final = timedelta(minutes=10)
SECOND_LOOK_SECONDS: Final = 2.0  # a change that was on its way when the bot ended may still arrive
TO_BEGIN_SECONDS: Final = 40.0  # no change is begun later; an answer must be given within a minute
TO_END_SECONDS: Final = 52.0
_AGAIN_SECONDS: Final = 3.0
NO_ANSWER: Final = "no answer in time"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ActAccess:
    """The server of an act, and the person's access to it; None if there is no token (any more).

    *since* is when the command was begun, by the monotonic clock.
    """

    place: LookupServer
    personal: PersonalApi | None
    since: float


class ActRunner:
    """Carries out acts."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, act: Act, access: ActAccess, *, resumed: bool) -> Act:
        """Do what is left of an act, and return it with the outcome of each patch.

        *resumed* is true if an earlier process may have sent a part of it.

        Raises:
            StoreError: the database failed; the act goes on when the command is read again.
        """
        run = _Run(act, access, self._store, self._clock, resumed=resumed)
        await run.go()
        outcome = replace(act, patches=tuple(run.patches))
        counts = {step.value: sum(each.step is step for each in outcome.patches) for step in ActStep if step.is_final}
        _log.info("act.finished", server=access.place.name, person=act.person, field=act.value.field.value, **counts)
        return outcome


class _Run:
    """The state of an act while it is carried out."""

    def __init__(self, act: Act, access: ActAccess, store: Store, clock: Clock, *, resumed: bool) -> None:
        self.patches = list(act.patches)
        self._act = act
        self._access = access
        self._store = store
        self._clock = clock
        self._resumed = resumed
        self._stopped = ""  # why nothing more is sent
        self._refused_in: dict[str, str] = {}  # projects where the value is invalid, with the reason
        self._unsaved: list[ActPatch] = []
        if resumed and clock.now() - act.began_at > GO_ON_FOR:
            self._stopped = "the bot was stopped before it came to this"

    async def go(self) -> None:
        """Handle each patch that is not settled."""
        for place, patch in enumerate(self.patches):
            if not patch.step.is_final:
                self._settle(place, await self._outcome(patch))
        await self._save()

    def _settle(self, place: int, patch: ActPatch) -> None:
        self.patches[place] = patch
        self._unsaved.append(patch)

    async def _save(self, *more: ActPatch) -> None:
        if self._unsaved or more:
            async with self._store.transaction() as tx:
                await tx.acts.set_steps(self._act.id, [*self._unsaved, *more])
            self._unsaved.clear()

    async def _outcome(self, patch: ActPatch) -> ActPatch:
        """Return *patch* as it is settled."""
        if patch.step is ActStep.SENT:
            return await self._after_crash(patch)
        if not self._stopped and self._elapsed() > TO_BEGIN_SECONDS:
            self._stopped = "there was no time left; type the command again"
        reason = self._stopped or self._refused_in.get(patch.project, "")
        if reason:
            return _unchanged(patch, reason)
        try:
            value = await self._value_of(patch)
        except (TransportError, TimeoutError) as error:
            self._stopped = f"not tried: {str(error) or NO_ANSWER}"
            return _unchanged(patch, self._stopped)
        if not self._is(value, patch.old):
            return self._changed_by_others(patch, value)
        return await self._send(patch)

    def _changed_by_others(self, patch: ActPatch, value: str | None) -> ActPatch:
        if value is None:
            return _unchanged(patch, "it is not on the server any more")
        if self._is(value, self._act.value.shown):
            return _unchanged(replace(patch, old=value), "")
        return _unchanged(patch, f"it was changed meanwhile, and is {self._words(value)}")

    async def _after_crash(self, patch: ActPatch) -> ActPatch:
        """Compare a patch that may have been changed by an earlier process with what the server shows."""
        try:
            value = await self._value_of(patch)
            if self._is(value, patch.old):
                await self._clock.sleep(SECOND_LOOK_SECONDS)
                value = await self._value_of(patch)
        except (TransportError, TimeoutError) as error:
            why = f"{self._access.place.name} cannot be asked: {str(error) or NO_ANSWER}"
            reason = f"unknown whether it was changed: the bot was restarted while this was sent, and {why}"
            return replace(patch, step=ActStep.FAILED, reason=reason)
        if self._is(value, self._act.value.shown):
            return replace(patch, step=ActStep.DONE)
        if self._is(value, patch.old):
            reason = "the bot was restarted while this was sent, and the server does not show it"
            return replace(patch, step=ActStep.FAILED, reason=reason)
        return self._changed_by_others(patch, value)

    # The change

    async def _send(self, patch: ActPatch) -> ActPatch:
        personal = self._access.personal
        if personal is None:
            return _unchanged(patch, "I have no access in your name any more")
        await self._save(replace(patch, step=ActStep.SENT))
        try:
            async with self._in_time():
                changed = await personal.change(patch.id, fields_to_send(self._act.value))
        except Refused as error:
            return self._refused(patch, error)
        except (Temporary, TimeoutError) as error:
            return await self._unknown(patch, error)
        except Permanent as error:
            self._stopped = f"not tried: {error}"
            return replace(patch, step=ActStep.FAILED, reason=str(error))
        return self._compared(patch, shown(changed, self._act.value.field), "")

    def _refused(self, patch: ActPatch, error: Refused) -> ActPatch:
        if isinstance(error, TokenRefused):
            self._stopped = f"not tried, because {self._access.place.name} does not accept your token"
        elif error.status == 400:  # the value is wrong for all patches of the project
            self._refused_in[patch.project] = str(error)
        return replace(patch, step=ActStep.FAILED, reason=str(error))

    async def _unknown(self, patch: ActPatch, error: BaseException) -> ActPatch:
        """Look whether a change was made to which there was no usable answer; nothing more is sent."""
        reason = str(error) or NO_ANSWER
        self._stopped = f"not tried: {reason}"
        try:
            value = await self._read(patch)
        except (TransportError, TimeoutError):
            return replace(patch, step=ActStep.FAILED, reason=f"unknown whether it was changed: {reason}")
        return self._compared(patch, value, reason)

    def _compared(self, patch: ActPatch, value: str | None, reason: str) -> ActPatch:
        if self._is(value, self._act.value.shown):
            return replace(patch, step=ActStep.DONE)
        seen = self._words(value or "")
        said = f"{reason}, and the server shows {seen}" if reason else f"the server took it, and shows {seen}"
        return replace(patch, step=ActStep.FAILED, reason=said)

    # What the server shows

    async def _value_of(self, patch: ActPatch) -> str | None:
        """Return the value that the server shows; None: there is no such patch.

        After a crash, a server that cannot be asked is waited for as long as there is time.
        """
        while True:
            try:
                return await self._read(patch)
            except Temporary:
                if not self._resumed or self._elapsed() > TO_BEGIN_SECONDS:
                    raise
                await self._clock.sleep(_AGAIN_SECONDS)

    async def _read(self, patch: ActPatch) -> str | None:
        api = self._access.place.api
        async with self._in_time():
            if not api.version:
                await api.discover()
            try:
                return shown(await api.patch_status(patch.id), self._act.value.field)
            except NotFound:
                return None

    def _in_time(self) -> asyncio.Timeout:
        """Return a limit for a request, after which there is still time for an answer."""
        return asyncio.timeout(max(TO_END_SECONDS - self._elapsed(), 1.0))

    def _is(self, value: str | None, other: str) -> bool:
        return value is not None and is_same(self._act.value.field, value, other)

    def _words(self, value: str) -> str:
        return self._access.place.api.states.name(value) if self._act.value.field.value == "state" else value or "unset"

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._access.since


def _unchanged(patch: ActPatch, reason: str) -> ActPatch:
    return replace(patch, step=ActStep.UNCHANGED, reason=reason)
