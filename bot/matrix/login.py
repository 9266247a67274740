"""Login: how the client gets its device and an access token, by a password, a configured token, or a sign-in.

A password logs in with the stored device, or a new one. A configured token is a device of its own. A sign-in by OAuth
2.0 (`sign_in`), made with `patchbot login`, is used if neither is configured, and renewed before its tokens expire.
"""

import asyncio
from dataclasses import replace
from datetime import datetime

import structlog

from bot.clock import Clock
from bot.config import Settings
from bot.errors import BotError, ConfigError, Forbidden, LoggedOut, Permanent, Temporary, UserError
from bot.ids import DeviceId
from bot.matrix import device as devices
from bot.matrix import requests, sign_in, wire
from bot.matrix.access_tokens import AccessTokens
from bot.matrix.device import Device
from bot.matrix.http import HomeserverHttp
from bot.matrix.model import Content, MatrixResponse
from bot.matrix.oauth_server import OAuthServer
from bot.matrix.oauth_tokens import SignInFile
from bot.matrix.sign_in import SignInContext

_log = structlog.get_logger(__name__)


class Login:
    """The device of one bot user, and its access token."""

    def __init__(self, settings: Settings, http: HomeserverHttp, clock: Clock) -> None:
        self.user = settings.matrix.user_id
        self._account = settings.matrix
        self._folder = settings.store.data_dir
        self._http = http
        self._around = context(settings, http, clock)
        self._device: Device | None = None
        self._tokens: AccessTokens | None = None
        self._logging_in = asyncio.Lock()

    @property
    def device(self) -> Device | None:
        """The device that is logged in; None before the login."""
        return self._device

    @property
    def sign_ins(self) -> int:
        """How often the device was signed in; a homeserver forgets a device's transaction ids between two sign-ins."""
        return self._tokens.sign_in.number if self._tokens is not None else 1

    @property
    def account_page(self) -> str:
        """The page on which people manage the account, "" if it has none."""
        return self._tokens.sign_in.account_page if self._tokens is not None else ""

    @property
    def problem(self) -> tuple[datetime, str] | None:
        """Since when the sign-in cannot be renewed, and why; None if it can."""
        if self._tokens is None or self._tokens.problem_since is None:
            return None
        return self._tokens.problem_since, self._tokens.problem

    @property
    def password(self) -> str | None:
        """The password of the account, if it is configured."""
        return self._account.password.get_secret_value() if self._account.password else None

    async def close(self) -> None:
        """Wait for a renewal of the tokens that has begun."""
        if self._tokens is not None:
            await self._tokens.close()

    async def establish(self) -> None:
        """Use the stored device, or log in with a new one.

        Raises:
            ConfigError: the homeserver rejects the account as configured, or somebody must sign in first.
            Temporary: it cannot be reached now.
            StoreError: the sign-in cannot be read or written.
        """
        if self._account.access_token:
            await self._use_token(self._account.access_token.get_secret_value())
            return
        if self._account.password is None and (tokens := await sign_in.opened(self._around)) is not None:
            self._use_sign_in(tokens)
            return
        stored = await asyncio.to_thread(devices.load, self._folder)
        if stored is None or stored.user != self.user:
            await self.use_password(None)
            return
        self._device = stored
        try:
            await self._who_am_i(stored.token)
        except LoggedOut as error:
            await self.use_password(stored.id if error.soft else None)

    async def use_stored(self) -> None:
        """Use the stored device without any change. Raises as `MatrixClient.use_stored_device`."""
        token = self._account.access_token
        if token is None and self._account.password is None:
            current = (await self._around.load()).current
            if current is not None:
                self._use_sign_in(self._around.tokens(current, "current"))
                return
        stored = await asyncio.to_thread(devices.load, self._folder)
        if token is None and (stored is None or stored.user != self.user):
            raise UserError("the bot has not logged in yet: let it run once first")
        if token is not None and (stored is None or stored.token != token.get_secret_value()):
            await self._use_token(token.get_secret_value())
            return
        self._device = stored

    async def current(self) -> Device:
        """Return the device with a valid access token, as far as can be known without asking.

        Raises:
            Temporary: not logged in yet, or the token has expired and cannot be renewed now.
            ConfigError: somebody must sign in again.
        """
        if self._tokens is not None and self._device is not None:
            await self._tokens.fresh()
            return self._use_sign_in(self._tokens)
        if self._device is None:
            raise Temporary("not logged in yet")
        return self._device

    async def again(self, refused: Device, error: LoggedOut) -> Device:
        """Return the same device with another access token, because the homeserver does not accept that of *refused*.

        Raises:
            LoggedOut: the homeserver has ended the session for good.
            ConfigError: it refuses the account as configured, or somebody must sign in again.
            Temporary: it cannot be reached now.
        """
        if self._tokens is not None:
            await self._tokens.renewed(refused.token)
            return self._use_sign_in(self._tokens)
        if not error.soft or self._account.password is None:
            raise LoggedOut(
                f"the homeserver has ended the session of {self.user}, device {refused.id} ({error}); "
                "the next start logs in again"
            ) from error
        async with self._logging_in:  # concurrent callers share one login; the device keeps its transaction ids
            if self._device is None or self._device == refused:
                return await self.use_password(refused.id)
            return self._device

    def refused_again(self, error: LoggedOut) -> str:
        """Return the reason why the homeserver does not accept even a new access token."""
        if self._tokens is None:
            return f"logged out again right after a new login: {error}"
        return f"{sign_in.refused_anew(error)}; if that lasts, sign in again with `patchbot login`"

    async def require_new_device(self, lost: BotError) -> None:
        """Raise an error if only a person can make a new device, now that the keys of this one are lost.

        Raises:
            ConfigError: what that person has to do.
        """
        if self._account.access_token:
            raise ConfigError(
                "matrix.access_token",
                f"{lost}, and with a token the bot cannot make a new device: give it a token of a new login, "
                "or the password",
            ) from lost
        if self._tokens is not None:
            await self._around.change(lambda sign_ins: replace(sign_ins, is_device_lost=True))
            raise ConfigError(
                "matrix.user_id",
                f"{lost}: sign in again with `patchbot login`, which makes a new device; the same identity signs it",
            ) from lost

    def _use_sign_in(self, tokens: AccessTokens) -> Device:
        self._tokens = tokens
        self._device = Device(self.user, tokens.sign_in.device, tokens.sign_in.access)
        return self._device

    async def _use_token(self, token: str) -> None:
        try:
            answer = await self._who_am_i(token)
        except (LoggedOut, Forbidden) as error:
            raise ConfigError("matrix.access_token", f"the homeserver does not accept it ({error})") from error
        user = wire.text(answer, "user_id")
        if user != self.user:
            raise ConfigError("matrix.access_token", f"belongs to {user}, not to {self.user}")
        await self._keep(Device(self.user, DeviceId(wire.text(answer, "device_id")), token))

    async def use_password(self, device: DeviceId | None) -> Device:
        """Log in with *device*, or with a new one if it is None. Raises as `establish` does."""
        if self.password is None:
            raise ConfigError(
                "matrix.password", "is required to log in, but not set; without a password, run `patchbot login`"
            )
        request = requests.login(self.user, self.password, device)
        try:
            answer = await self._http.answer(request, None, _content)
        except Permanent as error:
            raise ConfigError("matrix.password", f"the homeserver refuses to log {self.user} in ({error})") from error
        user = wire.text(answer, "user_id")
        if user != self.user:
            raise ConfigError("matrix.user_id", f"the homeserver calls this account {user}")
        token = wire.text(answer, "access_token")
        logged_in = Device(self.user, DeviceId(wire.text(answer, "device_id")), token)
        await self._keep(logged_in)
        _log.info("login.succeeded", user=self.user, device=logged_in.id)
        return logged_in

    async def _who_am_i(self, token: str) -> Content:
        return await self._http.answer(requests.who_am_i(), token, _content)

    async def _keep(self, device: Device) -> None:
        await asyncio.to_thread(devices.save, self._folder, device)
        self._device = device


def context(settings: Settings, http: HomeserverHttp, clock: Clock) -> SignInContext:
    """Return what signing in needs."""
    file = SignInFile(settings.store.data_dir, settings.matrix.user_id)
    return SignInContext(http, OAuthServer(http, settings.matrix, clock), file, clock)


def _content(answer: MatrixResponse) -> Content:
    return answer.content
