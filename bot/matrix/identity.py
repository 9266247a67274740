"""The bot's cross-signing identity: signing of the device, reset on request, and a report of its state."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from bot.errors import Permanent
from bot.ids import DeviceId, UserId
from bot.matrix import keyring as keyrings
from bot.matrix import requests, signing
from bot.matrix.crypto.account import stored_device_keys
from bot.matrix.crypto.devices import device_keys_in, signed_part
from bot.matrix.keyring import Keyring, Seeds, new_seeds
from bot.matrix.model import Content
from bot.matrix.oauth import RESET_ACTION
from bot.matrix.requests import MatrixRequest
from bot.matrix.wire import Challenge

Ask = Callable[[MatrixRequest], Awaitable[Content]]
_PASSWORD = "m.login.password"  # noqa: S105  # a type of authentication
_ON_A_PAGE = frozenset({"m.oauth", RESET_ACTION})
RESET_WORDS = (
    "an operator can make a new one, or restore the bot's: stop the bot, and run `patchbot keys reset`, "
    "or `patchbot keys restore`"
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SigningAccount:
    """The account that signs, its device, and the *password* that authorizes it, if there is one.

    *account_page* is where a person manages the account in a browser, "" if nowhere.
    """

    user: UserId
    device: DeviceId
    password: str | None
    account_page: str = ""

    def __repr__(self) -> str:
        """Return a description without the password."""
        return f"Owner({self.user}, {self.device})"


async def confirmed(ask: Ask, owner: SigningAccount, request: MatrixRequest) -> Content:
    """Return the response to *request*, authorized with the password if the homeserver requires that.

    Raises:
        Permanent: it requires something else, or rejects the password.
        Temporary: it cannot be reached now.
    """
    try:
        return await ask(request)
    except Challenge as challenge:
        if not challenge.ways.isdisjoint(_ON_A_PAGE):
            page = challenge.page or _reset_page(owner.account_page)
            raise Permanent(
                f"the homeserver wants a person to approve this on its own page: {page}; approve it there, and "
                "then run `patchbot keys reset` again, within some minutes"
            ) from challenge
        if _PASSWORD not in challenge.ways:
            raise Permanent(
                "the homeserver requires a confirmation in a browser, which the bot cannot give"
            ) from challenge
        if owner.password is None:
            raise Permanent("the homeserver requires the account's password, which is not configured") from (challenge)
        again = requests.with_password(request, owner.user, owner.password, challenge.session)
    try:
        return await ask(again)
    except Challenge as challenge:
        raise Permanent("the homeserver does not accept the password") from challenge


def _reset_page(account_page: str) -> str:
    """Return the address at which a person approves a new identity (specification, "Account management")."""
    if not account_page:
        return "the account page of the homeserver"
    return f"{account_page}{'&' if '?' in account_page else '?'}action={RESET_ACTION}"


async def sign_device(ask: Ask, owner: SigningAccount, folder: Path, own: Content) -> None:
    """Sign the device with the stored identity, which is created if the account has none.

    *own* are the device's own public keys: only these are signed, even if the homeserver has others.

    Raises:
        Permanent: it cannot be signed; the message has the reason, and what to do.
        Temporary: the homeserver cannot be reached now.
    """
    answer = await ask(requests.query_keys([owner.user]))
    _refuse_other_keys(answer, owner, own)
    standing = signing.standing(answer, owner.user, owner.device)
    if standing.is_signed:
        return
    keyring = await asyncio.to_thread(keyrings.load, folder)
    if standing.master is None:
        seeds = await _first_identity(ask, owner, folder, keyring)
    else:
        known = signing.ours(keyring.identities, standing.master)
        if known is None:
            raise Permanent(f"the account has a cross-signing identity that is not the bot's; {RESET_WORDS}")
        seeds = known
    await _sign(ask, owner, seeds, own)
    _log.info("device.signed", device=owner.device)


async def reset(ask: Ask, owner: SigningAccount, folder: Path) -> None:
    """Replace the account's identity by a new one of the bot, and sign the device with it.

    Both identities are stored until it is certain which of them the homeserver has. Raises as `sign_device` does.
    """
    own = await asyncio.to_thread(stored_device_keys, folder, owner.user, owner.device)
    if own is None:
        raise Permanent("the crypto store does not have the keys of the device to sign: let the bot run once first")
    keyring = await asyncio.to_thread(keyrings.load, folder)
    new = new_seeds()
    await asyncio.to_thread(keyrings.save, folder, replace(keyring, identities=(new, *keyring.identities)))
    try:
        await confirmed(ask, owner, requests.upload_identity(signing.identity_keys(owner.user, new)))
    except Permanent:
        await asyncio.to_thread(keyrings.save, folder, keyring)
        raise
    await asyncio.to_thread(keyrings.save, folder, replace(keyring, identities=(new,)))
    await _sign(ask, owner, new, own)


async def _first_identity(ask: Ask, owner: SigningAccount, folder: Path, keyring: Keyring) -> Seeds:
    """Upload the stored identity, or a new one, which is stored before the homeserver has it."""
    seeds = keyring.identities[0] if keyring.identities else new_seeds()
    await asyncio.to_thread(keyrings.save, folder, replace(keyring, identities=(seeds,)))
    await confirmed(ask, owner, requests.upload_identity(signing.identity_keys(owner.user, seeds)))
    _log.info("cross_signing.created", user=owner.user)
    return seeds


async def _sign(ask: Ask, owner: SigningAccount, seeds: Seeds, own: Content) -> None:
    answer = await ask(requests.query_keys([owner.user]))
    if device_keys_in(answer, owner.user, owner.device) is None:
        raise Permanent("the homeserver does not know the device's keys, so they cannot be signed")
    _refuse_other_keys(answer, owner, own)
    signed = signing.device_signature(owner.user, owner.device, seeds, own)
    failures = (await ask(requests.upload_signatures(signed))).get("failures")
    answer = await ask(requests.query_keys([owner.user]))
    if not signing.standing(answer, owner.user, owner.device).is_signed:
        reason = "it gave a reason" if isinstance(failures, Mapping) and failures else "it gave no reason"
        _log.error("device.signature_rejected", failures=str(failures)[:200])
        raise Permanent(f"the homeserver did not accept the signature of the device, and {reason}")


def _refuse_other_keys(answer: Content, owner: SigningAccount, own: Content) -> None:
    """Raise an error if the homeserver publishes other keys of the device than its *own*, which must not be trusted."""
    server_keys = device_keys_in(answer, owner.user, owner.device)
    if server_keys is not None and signed_part(server_keys) != signed_part(own):
        raise Permanent("the homeserver publishes other keys for the device than its own; they are not signed")


@dataclass(frozen=True, slots=True)
class TrustReport:
    """The facts behind `patchbot keys status`; *one_time_keys* is None if the homeserver did not return it."""

    user: UserId
    device: DeviceId
    is_known: bool
    is_stored: bool
    is_signed: bool
    identity: str | None
    is_ours: bool
    one_time_keys: int | None

    @property
    def is_good(self) -> bool:
        """True if others can trust the device, and reach it."""
        return self.is_known and self.is_stored and self.is_signed and self.is_ours

    def lines(self) -> Iterator[str]:
        """Yield the report as sentences."""
        yield f"The bot is {self.user}, device {self.device}."
        if not self.is_known:
            yield "The homeserver has no keys of the device yet: they are uploaded when the bot runs."
        elif not self.is_stored:
            yield "The crypto store does not have the keys of the device: the next start makes a new device."
        if self.is_known:
            yield "The device is signed." if self.is_signed else "The device is not signed: others see a warning."
        if self.identity is None:
            yield "The account has no cross-signing identity yet: the bot creates one when it runs."
        elif self.is_ours:
            yield f"The account's identity is the bot's own: {self.identity}."
        else:
            yield f"The account's identity is not the bot's ({self.identity}); {RESET_WORDS}."
        if self.one_time_keys is not None:
            yield f"One-time keys at the homeserver: {self.one_time_keys}."


async def report(ask: Ask, owner: SigningAccount, folder: Path) -> TrustReport:
    """Return a report from the homeserver's and the stored keys. Raises as `Chat.send` does, and `StoreError`."""
    answer = await ask(requests.query_keys([owner.user]))
    counts = (await ask(requests.upload_keys({}))).get("one_time_key_counts")
    count = counts.get("signed_curve25519", 0) if isinstance(counts, dict) else None
    server_keys = device_keys_in(answer, owner.user, owner.device)
    state = signing.standing(answer, owner.user, owner.device)
    keyring = await asyncio.to_thread(keyrings.load, folder)
    stored = await asyncio.to_thread(stored_device_keys, folder, owner.user, owner.device)
    return TrustReport(
        user=owner.user,
        device=owner.device,
        is_known=server_keys is not None,
        is_stored=stored is not None and server_keys is not None and server_keys.get("keys") == stored["keys"],
        is_signed=state.is_signed,
        identity=state.master,
        is_ours=state.master is not None and signing.ours(keyring.identities, state.master) is not None,
        one_time_keys=count if isinstance(count, int) else None,
    )
