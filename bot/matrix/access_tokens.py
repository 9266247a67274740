"""The access token of a sign-in, renewed before it expires.

Theory of operation: see `oauth_tokens`. One renewal runs at a time, in a task of its own, because a request that is
cancelled must not take the tokens with it that the server has just given: they are stored first, and used then.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from bot.backoff import LONGEST_REQUESTED, Backoff
from bot.clock import Clock
from bot.errors import ConfigError, StoreError, Temporary
from bot.matrix.oauth import Tokens
from bot.matrix.oauth_server import OAuthServer, SignInEnded
from bot.matrix.oauth_tokens import SignIn, SignInFile, SignIns, Slot

_EARLY: Final = 0.2  # the part of its life in which a token is renewed
_EARLIEST_SECONDS: Final = 600.0
_PATIENCE_SECONDS: Final = 2.0  # how long a request waits for a renewal while the old token is still valid
_CLOSE_SECONDS: Final = 1.5
_RETRIES: Final = Backoff(timedelta(seconds=2), timedelta(minutes=1))
_log = structlog.get_logger(__name__)


class SignInRefused(ConfigError):
    """A sign-in that cannot be used any more, so that a person must sign in again."""

    def __init__(self, reason: str) -> None:
        super().__init__("matrix.user_id", reason)


def tokens_of(sign_in: SignIn, new: Tokens, used: str | None, now: float) -> SignIn:
    """Return *sign_in* with *new* tokens, received at *now* (s since the epoch) for the refresh token *used*. Pure."""
    lifetime = new.lifetime_seconds
    return replace(
        sign_in,
        access=new.access,
        refresh=new.refresh or used,
        previous=used if new.refresh else None,
        lifetime_seconds=lifetime,
        expires_at=None if lifetime is None else now + lifetime,
    )


def seconds_left(sign_in: SignIn, now: float) -> float | None:
    """Return how long the access token is valid from *now* on, None for ever; a clock set back adds nothing. Pure."""
    if sign_in.expires_at is None or sign_in.lifetime_seconds is None:
        return None
    return min(max(sign_in.expires_at - now, 0.0), sign_in.lifetime_seconds)


def early_seconds(sign_in: SignIn) -> float:
    """Return how long before its end the access token is renewed. Pure."""
    return min((sign_in.lifetime_seconds or 0.0) * _EARLY, _EARLIEST_SECONDS)


class AccessTokens:
    """The tokens of one sign-in; *slot* is its place in the file."""

    def __init__(self, server: OAuthServer, file: SignInFile, clock: Clock, sign_in: SignIn, slot: Slot) -> None:
        self.problem = ""  # why it cannot be renewed at present
        self.problem_since: datetime | None = None
        self._server = server
        self._file = file
        self._clock = clock
        self._slot: Slot = slot
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._use(sign_in)

    @property
    def sign_in(self) -> SignIn:
        """The sign-in with the newest tokens."""
        return self._sign_in

    def _use(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        left = seconds_left(sign_in, self._clock.now().timestamp())
        self._ends_at = None if left is None else self._clock.monotonic() + left

    async def fresh(self) -> str:
        """Return an access token, which is renewed first if it expires soon.

        Raises:
            SignInRefused: a person must sign in again.
            Temporary: it has expired and cannot be renewed now.
        """
        now = self._clock.monotonic()
        if self._ends_at is None or now < self._ends_at - early_seconds(self._sign_in):
            return self._sign_in.access
        if now >= self._ends_at:
            return await self.renewed(self._sign_in.access)
        if now >= self._retry_at or self._task is not None:
            task = self._renewal()
            await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
            if task.done() and not task.cancelled() and isinstance(error := task.exception(), SignInRefused):
                raise error
        return self._sign_in.access

    async def renewed(self, refused: str) -> str:
        """Return an access token other than *refused*, which the homeserver does not accept.

        Raises:
            SignInRefused: a person must sign in again.
            Temporary: there is none now.
        """
        if self._sign_in.access != refused:
            return self._sign_in.access
        if self._task is None and self._clock.monotonic() < self._retry_at:
            raise Temporary(f"the sign-in cannot be renewed: {self.problem}")
        await asyncio.shield(self._renewal())
        return self._sign_in.access

    async def close(self) -> None:
        """Wait for a renewal that has begun, for a moment: what the server gave is to be stored."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
        if self._task is not None:
            self._task.cancel()

    def _renewal(self) -> "asyncio.Task[None]":
        """Return the renewal that runs, or a new one."""
        if self._task is None:
            self._task = asyncio.create_task(self._renew())
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # raised to whoever waits; it is no fault if nobody does any more

    async def _renew(self) -> None:
        try:
            await self._renew_stored()
        except (Temporary, StoreError) as error:
            requested = error.retry_after if isinstance(error, Temporary) else None
            requested = min(requested, LONGEST_REQUESTED) if requested is not None else None
            self._failures += 1
            self._retry_at = self._clock.monotonic() + _RETRIES.seconds(self._failures, requested)
            if str(error) != self.problem:
                _log.warning("sign_in.not_renewed", reason=str(error))
            self.problem, self.problem_since = str(error), self.problem_since or self._clock.now()
            raise Temporary(f"the sign-in cannot be renewed: {error}", requested) from error
        except SignInEnded as error:
            raise SignInRefused(
                f"the sign-in of {self._file.user} has ended ({error}): sign in again with `patchbot login`; "
                "the device and its keys are kept"
            ) from error
        if self.problem:
            _log.info("sign_in.renewed")
        self.problem, self.problem_since, self._failures, self._retry_at = "", None, 0, 0.0

    async def _renew_stored(self) -> None:
        """Take over what another process has renewed; otherwise renew, store, and only then use the tokens."""
        async with self._file.exclusive(self._clock):
            sign_ins = await asyncio.to_thread(self._file.load)
            known = sign_ins.of(self._slot)
            if known is None or known.device != self._sign_in.device:
                raise SignInEnded("it was replaced or removed")
            if known.access == self._sign_in.access:
                known = await self._renewed_from(known, sign_ins)
            self._use(known)

    async def _renewed_from(self, known: SignIn, sign_ins: SignIns) -> SignIn:
        new, used = await self._server.refreshed(known)
        renewed = tokens_of(known, new, used, self._clock.now().timestamp())
        await asyncio.to_thread(self._file.save, sign_ins.put(self._slot, renewed))
        return renewed
