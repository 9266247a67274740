"""The sign-in by OAuth 2.0, stored in a file that only the bot may read.

Theory of operation. A server replaces the refresh token at each use, and accepts the old one again only until one of
its successors was used. So whatever the server gave is stored, durably, before it is used; a crash in between leaves an
old token that the server still accepts. The refresh token before the last is kept, too: a request that was given up may
reach the server late, and replace the tokens that are stored by ones that nobody received. A sign-in whose owner is not
confirmed yet has a place of its own, so that it costs nothing if it turns out to be another account's.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from bot.clock import Clock
from bot.errors import StoreError, Temporary
from bot.ids import DeviceId, UserId
from bot.matrix.device import keep_private, restrict

FILE = "oauth.json"
LOCK_FILE = "oauth.lock"
Slot = Literal["current", "unconfirmed"]
_LOCK_SECONDS = 60.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class SignIn:
    """Tokens of a device; *expires_at* is in seconds since the epoch, None if the access token does not expire.

    *number* counts the sign-ins of the device. *previous* is the refresh token before the last. None may be logged.
    """

    device: DeviceId
    number: int
    issuer: str
    client: str
    access: str
    refresh: str | None
    previous: str | None = None
    expires_at: float | None = None
    lifetime_seconds: float | None = None
    account_page: str = ""

    def __repr__(self) -> str:
        """Return a description without the tokens."""
        return f"SignIn({self.device}, {self.issuer})"


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A code that a person was asked to enter; *expires_at* is in seconds since the epoch. The code is a secret."""

    device: DeviceId
    number: int
    issuer: str
    client: str
    device_code: str
    user_code: str
    page: str
    is_complete: bool
    expires_at: float
    interval_seconds: float

    def __repr__(self) -> str:
        """Return a description without the code."""
        return f"PendingSignIn({self.device}, {self.issuer})"


@dataclass(frozen=True, slots=True)
class SignIns:
    """The sign-ins of *user*: the one in use, one whose owner is not confirmed yet, and one without tokens yet.

    *device* is the last device that was signed in, None before the first one, and *number* counts its sign-ins;
    *is_device_lost* is true if its keys are lost, so that the next sign-in needs a new one.
    """

    user: UserId
    device: DeviceId | None = None
    number: int = 0
    is_device_lost: bool = False
    current: SignIn | None = None
    unconfirmed: SignIn | None = None
    pending: PendingSignIn | None = None

    @property
    def is_signed_in(self) -> bool:
        """True if there are tokens to use."""
        return self.current is not None or self.unconfirmed is not None

    def of(self, slot: Slot) -> SignIn | None:
        """Return the sign-in in a place."""
        return self.current if slot == "current" else self.unconfirmed

    def put(self, slot: Slot, sign_in: SignIn | None) -> "SignIns":
        """Return the sign-ins with another one in a place."""
        return replace(self, current=sign_in) if slot == "current" else replace(self, unconfirmed=sign_in)

    def confirmed(self, new: SignIn) -> "SignIns":
        """Return the sign-ins once the owner of a *new* one is known to be the bot's account."""
        return SignIns(self.user, new.device, new.number, current=new)

    def signed_out(self) -> "SignIns":
        """Return what is kept after signing out: which device to use next time."""
        return SignIns(self.user, self.device, self.number, self.is_device_lost)


@dataclass(frozen=True, slots=True)
class SignInFile:
    """The file with the sign-ins of *user* in *folder*."""

    folder: Path
    user: UserId

    def load(self) -> SignIns:
        """Return the stored sign-ins; those of another user do not count.

        Raises:
            StoreError: the file is malformed, or others can read it.
        """
        path = self.folder / FILE
        try:
            restrict(path)
            stored = _sign_ins(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return SignIns(self.user)
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
        except (ValueError, TypeError):  # not chained: what cannot be read may be a token
            raise StoreError(f"{path} is not a sign-in: move it away, and run `patchbot login`") from None
        return stored if stored.user == self.user else SignIns(self.user)

    def save(self, sign_ins: SignIns) -> None:
        """Store *sign_ins* atomically and durably.

        Raises:
            StoreError: they cannot be written.
        """
        path = self.folder / FILE
        try:
            keep_private(path, json.dumps(asdict(sign_ins)).encode())
        except OSError as error:
            raise StoreError(f"store.data_dir: {path} cannot be written: {error.strerror or error}") from error

    @asynccontextmanager
    async def exclusive(self, clock: Clock) -> AsyncIterator[None]:
        """Let no other process change the sign-ins meanwhile, such as `patchbot keys status` beside a running bot.

        Raises:
            Temporary: another one holds the lock for long.
            StoreError: the folder cannot be written.
        """
        path = self.folder / LOCK_FILE
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"store.data_dir: {path} cannot be written: {error.strerror}") from error
        try:
            await _locked(descriptor, clock)
            yield
        finally:
            os.close(descriptor)  # which releases the lock


async def _locked(descriptor: int, clock: Clock) -> None:
    end = clock.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if clock.monotonic() >= end:
                raise Temporary("another patchbot is renewing the sign-in") from error
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return


def _sign_ins(content: object) -> SignIns:
    match content:
        case {
            "user": str(user),
            "device": None | str() as device,
            "number": int(number),
            "is_device_lost": bool(is_lost),
            "current": current,
            "unconfirmed": unconfirmed,
            "pending": pending,
        }:
            return SignIns(
                UserId(user),
                None if device is None else DeviceId(device),
                number,
                is_lost,
                None if current is None else _sign_in(current),
                None if unconfirmed is None else _sign_in(unconfirmed),
                None if pending is None else _pending(pending),
            )
        case _:
            raise ValueError("malformed")


def _sign_in(content: object) -> SignIn:
    match content:
        case {
            "device": str(device),
            "number": int(number),
            "issuer": str(issuer),
            "client": str(client),
            "access": str(access),
            "refresh": None | str() as refresh,
            "previous": None | str() as previous,
            "expires_at": None | int() | float() as expires_at,
            "lifetime_seconds": None | int() | float() as lifetime,
            "account_page": str(page),
        }:
            first = SignIn(DeviceId(device), number, issuer, client, access, refresh, previous)
            return replace(first, expires_at=expires_at, lifetime_seconds=lifetime, account_page=page)
        case _:
            raise ValueError("malformed")


def _pending(content: object) -> PendingSignIn:
    if not isinstance(content, Mapping):
        raise TypeError("malformed")
    match content:
        case {
            "device": str(),
            "number": int(),
            "issuer": str(),
            "client": str(),
            "device_code": str(),
            "user_code": str(),
            "page": str(),
            "is_complete": bool(),
            "expires_at": int() | float(),
            "interval_seconds": int() | float(),
        }:
            return PendingSignIn(**content)
        case _:
            raise ValueError("malformed")
