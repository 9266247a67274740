"""How the bot's device and identity stand, for an operator."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.ids import DeviceId, UserId
from bot.matrix import keyring as keyrings
from bot.matrix import requests, signing
from bot.matrix.crypto.account import kept_device_keys
from bot.matrix.crypto.devices import keys_told
from bot.matrix.identity import RESET_WORDS, Ask, Owner


@dataclass(frozen=True, slots=True)
class Report:
    """What `patchbot keys status` says; *one_time_keys* None where the homeserver did not tell."""

    user: UserId
    device: DeviceId
    is_known: bool
    is_kept: bool
    is_signed: bool
    identity: str | None
    is_ours: bool
    one_time_keys: int | None

    @property
    def is_good(self) -> bool:
        """Whether others can trust the device, and reach it."""
        return self.is_known and self.is_kept and self.is_signed and self.is_ours

    def lines(self) -> Iterator[str]:
        """In sentences."""
        yield f"The bot is {self.user}, device {self.device}."
        if not self.is_known:
            yield "The homeserver has no keys of the device yet: they are uploaded when the bot runs."
        elif not self.is_kept:
            yield "The crypto store does not have the keys of the device: the next start makes a new device."
        if self.is_known:
            yield "The device is signed." if self.is_signed else "The device is not signed: others are warned of it."
        if self.identity is None:
            yield "The account has no cross-signing identity yet: the bot makes one when it runs."
        elif self.is_ours:
            yield f"The account's identity is the bot's own: {self.identity}."
        else:
            yield f"The account's identity is not the bot's ({self.identity}); {RESET_WORDS}."
        if self.one_time_keys is not None:
            yield f"One-time keys at the homeserver: {self.one_time_keys}."


async def report(ask: Ask, owner: Owner, folder: Path) -> Report:
    """Ask the homeserver, and look at what is kept. Raises as `Chat.send` does, and `StoreError`."""
    answer = await ask(requests.query_keys([owner.user]))
    counts = (await ask(requests.upload_keys({}))).get("one_time_key_counts")
    count = counts.get("signed_curve25519", 0) if isinstance(counts, dict) else None
    told = keys_told(answer, owner.user, owner.device)
    found = signing.standing(answer, owner.user, owner.device)
    keyring = await asyncio.to_thread(keyrings.load, folder)
    kept = await asyncio.to_thread(kept_device_keys, folder, owner.user, owner.device)
    return Report(
        user=owner.user,
        device=owner.device,
        is_known=told is not None,
        is_kept=kept is not None and told is not None and told.get("keys") == kept["keys"],
        is_signed=found.is_signed,
        identity=found.master,
        is_ours=found.master is not None and signing.ours(keyring.identities, found.master) is not None,
        one_time_keys=count if isinstance(count, int) else None,
    )
