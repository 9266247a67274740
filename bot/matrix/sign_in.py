"""Signing in and out by OAuth 2.0: from the code that a person enters in a browser to a device of the bot's account.

Theory of operation. Each step is stored before the next one begins: the code before it is shown, the tokens before they
are used, and that the account is the bot's own before anything else uses them. An interrupted sign-in goes on where it
was; only if the server gave tokens that never arrived, a person has to enter another code.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from bot.clock import Clock
from bot.errors import LoggedOut, Permanent, Temporary, TransportError
from bot.ids import DeviceId
from bot.matrix import device as devices
from bot.matrix import device_grant as grants
from bot.matrix import oauth, requests, wire
from bot.matrix.access_tokens import AccessTokens, SignInRefused, tokens_of
from bot.matrix.crypto.account import stored_device_keys
from bot.matrix.device_grant import CodeUsed, Polling
from bot.matrix.http import HomeserverHttp
from bot.matrix.model import Content, MatrixResponse
from bot.matrix.oauth import OAuthRefused, Tokens
from bot.matrix.oauth_server import OAuthServer
from bot.matrix.oauth_tokens import PendingSignIn, SignIn, SignInFile, SignIns, Slot

MAX_CODES: Final = 3  # in one sign-in
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ID_LENGTH: Final = 12
_Say = Callable[[str], None]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignInContext:
    """What signing in needs: the homeserver, its authorization server, the file, the time."""

    http: HomeserverHttp
    server: OAuthServer
    file: SignInFile
    clock: Clock

    def tokens(self, sign_in: SignIn, slot: Slot) -> AccessTokens:
        """Return the access tokens of a sign-in."""
        return AccessTokens(self.server, self.file, self.clock, sign_in, slot)

    async def load(self) -> SignIns:
        """Return the stored sign-ins. Raises `StoreError`."""
        return await asyncio.to_thread(self.file.load)

    async def change(self, changed: Callable[[SignIns], SignIns]) -> SignIns:
        """Store the sign-ins as *changed*, and return what they were; nobody else changes them in between.

        Raises:
            StoreError: the file cannot be used.
            Temporary: another process uses it for long.
        """
        async with self.file.exclusive(self.clock):
            before = await self.load()
            await asyncio.to_thread(self.file.save, changed(before))
        return before


# Using a sign-in


async def opened(around: SignInContext) -> AccessTokens | None:
    """Return the tokens of the stored sign-in, whose owner is confirmed; None if there is none.

    Raises:
        SignInRefused: a person must sign in again.
        Temporary: the homeserver cannot be asked now.
        StoreError: the file cannot be used.
    """
    sign_ins = await around.load()
    if sign_ins.unconfirmed is not None:
        try:
            return await _confirmed(around, sign_ins.unconfirmed)
        except SignInRefused as error:
            if sign_ins.current is None:
                raise
            _log.warning("sign_in.dropped", reason=error.reason)
            sign_ins = await around.load()
    if sign_ins.current is None:
        return None
    if sign_ins.is_device_lost:
        raise SignInRefused(
            f"the keys of the device {sign_ins.current.device} are lost: sign in again with `patchbot login`, which "
            "makes a new device"
        )
    tokens = around.tokens(sign_ins.current, "current")
    await _check_owner(around, tokens)
    return tokens


async def _confirmed(around: SignInContext, sign_in: SignIn) -> AccessTokens:
    """Make an unconfirmed sign-in the one in use, if it is the bot's own; otherwise end it."""
    tokens = around.tokens(sign_in, "unconfirmed")
    try:
        await _check_owner(around, tokens)
    except SignInRefused as refused:
        is_ended = await _ended(around, tokens.sign_in)
        await around.change(lambda sign_ins: replace(sign_ins, unconfirmed=None, pending=None))
        if not is_ended:
            raise SignInRefused(f"{refused.reason}; that sign-in goes on: end it on the account's page") from refused
        raise
    before = await around.change(lambda sign_ins: sign_ins.confirmed(sign_ins.unconfirmed or tokens.sign_in))
    if (old := before.current) is not None and old.device != sign_in.device:
        await _ended(around, old)  # a server ends the earlier sign-ins of the same device by itself
    return around.tokens(tokens.sign_in, "current")


async def _ended(around: SignInContext, sign_in: SignIn) -> bool:
    """End a sign-in that is of no use any more, and return whether the server did it."""
    try:
        await around.server.revoke(sign_in)
    except TransportError as error:
        _log.warning("sign_in.not_revoked", device=sign_in.device, reason=str(error))
        return False
    return True


async def _check_owner(around: SignInContext, tokens: AccessTokens) -> None:
    answer = await _who_am_i(around.http, tokens)
    user, device = wire.text(answer, "user_id"), wire.text(answer, "device_id")
    if user != around.file.user:
        raise SignInRefused(
            f"somebody signed in as {oauth.shown(user)} instead of {around.file.user}; run `patchbot login`, and "
            f"sign in as {around.file.user} in the browser"
        )
    if device != tokens.sign_in.device:
        raise SignInRefused(
            f"the homeserver calls the device {oauth.shown(device)} instead of {tokens.sign_in.device}; run "
            "`patchbot login`"
        )


async def _who_am_i(http: HomeserverHttp, tokens: AccessTokens) -> Content:
    def content(answer: MatrixResponse) -> Content:
        return answer.content

    token = await tokens.fresh()
    try:
        return await http.answer(requests.who_am_i(), token, content)
    except LoggedOut:
        token = await tokens.renewed(token)
    try:
        return await http.answer(requests.who_am_i(), token, content)
    except LoggedOut as error:
        raise Temporary(refused_anew(error)) from error


def refused_anew(error: LoggedOut) -> str:
    """Return words for a refusal of an access token that was just renewed."""
    return f"the homeserver does not accept a new access token ({error})"


# Signing in


class SigningIn:
    """A sign-in by a code; *say* tells the person at the command line what to do."""

    def __init__(self, around: SignInContext, say: _Say) -> None:
        self._around = around
        self._say = say
        self._device: tuple[DeviceId, int] | None = None  # the same for each code, with the number of its sign-in

    async def run(self) -> DeviceId:
        """Sign in, or go on with a sign-in that was interrupted, and return the device.

        Raises:
            SignInRefused: somebody signed in as another user.
            Permanent: it failed; the message says why, and what to do.
            Temporary: the homeserver or its authorization server does not answer as it should.
            StoreError: the file cannot be used.
        """
        unconfirmed = (await self._around.load()).unconfirmed
        if unconfirmed is not None:
            self._say("Going on with a sign-in that was interrupted.")
            try:
                return (await _confirmed(self._around, unconfirmed)).sign_in.device
            except SignInRefused as error:
                self._say(f"That sign-in cannot be used: {error.reason}.")
        return await self._by_code()

    async def _by_code(self) -> DeviceId:
        for _ in range(MAX_CODES):
            pending = await self._pending()
            self._show(pending)
            try:
                new = await self._granted(pending)
            except CodeUsed:
                await self._forget_code()
                self._say("That code is not valid any more; here is another one.")
                continue
            except Permanent:
                await self._forget_code()
                raise
            return await self._adopted(pending, new)
        raise Permanent("the authorization server rejects its own codes; try again later")

    async def _adopted(self, pending: PendingSignIn, new: Tokens) -> DeviceId:
        metadata = await self._around.server.metadata()
        empty = SignIn(pending.device, pending.number, pending.issuer, pending.client, new.access, None)
        sign_in = tokens_of(empty, new, None, self._around.clock.now().timestamp())
        sign_in = replace(sign_in, account_page=metadata.account_page)
        await self._around.change(lambda sign_ins: replace(sign_ins, unconfirmed=sign_in, pending=None))
        if sign_in.refresh is None and sign_in.expires_at is not None:
            await self._around.server.revoke(sign_in)
            await self._around.change(lambda sign_ins: replace(sign_ins, unconfirmed=None))
            raise Permanent("the authorization server gave an access token that expires, and no refresh token")
        return (await _confirmed(self._around, sign_in)).sign_in.device

    async def _forget_code(self) -> None:
        await self._around.change(lambda sign_ins: replace(sign_ins, pending=None))

    async def _pending(self) -> PendingSignIn:
        """Return the code that was shown before if it is still valid, or a new one, which is stored."""
        sign_ins, now = await self._around.load(), self._around.clock.now().timestamp()
        metadata = await self._around.server.metadata()
        before = sign_ins.pending
        if before is not None:
            self._device = before.device, before.number
        if before is not None and before.issuer == metadata.issuer and now < before.expires_at:
            return before
        self._device = self._device or await self._chosen_device(sign_ins)
        device, number = self._device
        client = oauth.client_id(await self._around.server.ask(oauth.registration(metadata)))
        answer = await self._authorization(client, device)
        grant = grants.device_grant(answer, allow_http=self._around.server.allow_http)
        pending = PendingSignIn(
            device,
            number,
            metadata.issuer,
            client,
            grant.device_code,
            grant.user_code,
            grant.page,
            grant.is_complete,
            now + grant.lifetime_seconds,
            grant.interval_seconds,
        )
        await self._around.change(lambda sign_ins: replace(sign_ins, pending=pending))
        return pending

    async def _authorization(self, client: str, device: DeviceId) -> Content:
        server = self._around.server
        metadata = await server.metadata()
        try:
            return await server.ask(oauth.device_authorization(metadata, client, metadata.scope_of(device)))
        except OAuthRefused as error:
            if error.code != "invalid_scope":
                raise
        return await server.ask(oauth.device_authorization(metadata, client, metadata.scope_of(device, other=True)))

    async def _chosen_device(self, sign_ins: SignIns) -> tuple[DeviceId, int]:
        """Return the device to sign in, the last one if its keys are there, and the number of this sign-in."""
        file = self._around.file
        last, number = sign_ins.device, sign_ins.number
        if last is None:
            stored = await asyncio.to_thread(devices.load, file.folder)
            last, number = (stored.id, 1) if stored is not None and stored.user == file.user else (None, 0)
        if last is not None and not sign_ins.is_device_lost:
            keys = await asyncio.to_thread(stored_device_keys, file.folder, file.user, last)
            if keys is not None:
                return last, number + 1
        return DeviceId("".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))), 1

    def _show(self, pending: PendingSignIn) -> None:
        minutes = max(1, round((pending.expires_at - self._around.clock.now().timestamp()) / 60))
        self._say(f"Open this page, sign in as {self._around.file.user}, and allow the bot to use the account:")
        self._say(f"\n    {pending.page}\n")
        verb = "shows" if pending.is_complete else "asks for"
        span = "a minute" if minutes == 1 else f"{minutes} minutes"
        self._say(f"The page {verb} the code {pending.user_code}, which is valid for {span}. Waiting…")

    async def _granted(self, pending: PendingSignIn) -> Tokens:
        """Return the tokens once the person has agreed."""
        clock, server = self._around.clock, self._around.server
        deadline = clock.monotonic() + max(0.0, pending.expires_at - clock.now().timestamp())
        polling, reason = Polling(pending.interval_seconds), ""
        while (left := deadline - clock.monotonic()) > 0:
            await clock.sleep(min(polling.wait_seconds, left))
            try:
                metadata = await server.metadata()
                return oauth.tokens(await server.ask(oauth.device_token(metadata, pending.client, pending.device_code)))
            except (OAuthRefused, Temporary) as failure:
                polling = polling.after(failure)
                if isinstance(failure, Temporary) and str(failure) != reason:
                    reason = str(failure)
                    self._say(f"The authorization server does not answer as it should ({reason}); trying again.")
        raise Permanent(grants.EXPIRED_WORDS)


# Signing out


async def sign_out(around: SignInContext) -> int:
    """End the sign-ins at the server, forget their tokens, and return how many there were; the device's keys are kept.

    Raises:
        Permanent: the server refuses to end one, whose tokens are then kept.
        Temporary: it cannot be asked now; the same.
        StoreError: the file cannot be used.
    """
    ended = 0
    slots: tuple[Slot, ...] = ("unconfirmed", "current")
    for slot in slots:
        sign_in = (await around.load()).of(slot)
        if sign_in is None:
            continue
        tokens = around.tokens(sign_in, slot)
        try:
            await tokens.renewed(sign_in.access)  # only a refresh token that was not replaced ends the sign-in
            await around.server.revoke(tokens.sign_in)
        except SignInRefused as error:
            _log.info("sign_in.had_ended", reason=error.reason)
        await around.change(partial(SignIns.put, slot=slot, sign_in=None))
        ended += 1
    await around.change(SignIns.signed_out)
    return ended
