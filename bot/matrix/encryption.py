"""Encryption as one device: the network part around the `CryptoMachine`.

If a request fails while a message is encrypted, the whole message fails as `Temporary`: completed steps are stored, and
the retry continues from there, so no message is sent that members of the room cannot read. A device that cannot receive
keys is left out, and delays no other. The machine has its own thread, which runs one step after the other; a step whose
caller was cancelled still runs to its end.
"""

import asyncio
import functools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from bot.backoff import USUAL
from bot.clock import Clock
from bot.errors import BotError, Forbidden, LoggedOut, Permanent, StoreError, Temporary, TransportError
from bot.ids import EventId, NoticeKey, RoomId
from bot.incidents import Incidents
from bot.lease import leave_to_main_thread
from bot.matrix import keyring as keyrings
from bot.matrix import requests
from bot.matrix.content import tag_of
from bot.matrix.crypto import account
from bot.matrix.crypto import crypto_store as vaults
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.crypto.crypto_store import CryptoStore, CryptoStoreDamaged
from bot.matrix.crypto.devices import MEGOLM, device_keys_in
from bot.matrix.crypto.key_sharing import KeyLost, RoomReaders
from bot.matrix.crypto.machine import CryptoMachine
from bot.matrix.crypto.megolm import Rotation
from bot.matrix.identity import Ask, SigningAccount, sign_device
from bot.matrix.key_exchange import KeyExchange
from bot.matrix.messages import without_clear_text
from bot.matrix.model import Content, JoinedRoom, KeyUpdates, SyncAnswer
from bot.matrix.requests import MatrixRequest
from bot.matrix.rosters import Rosters

EPOCH = "org.patchbot.epoch"
COUNT_SECONDS = 3_600.0
_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class DeviceLost(BotError):
    """The homeserver has other keys for our device, so that only a new device can be trusted."""


@dataclass(frozen=True, slots=True)
class EncryptionContext:
    """The dependencies of encryption; a message without its key waits *patience_seconds*."""

    ask: Ask
    clock: Clock
    folder: Path
    patience_seconds: float
    incidents: Incidents


class Encryption:
    """Encrypts messages to rooms and decrypts those of others, after `begin`."""

    def __init__(self, around: EncryptionContext) -> None:
        self.refusal = ""  # why the device could not be signed
        self._around = around
        self._clock = around.clock
        self._rosters = Rosters(around.ask)
        self._keys = KeyExchange(self._ask, self._step)
        self._thread = ThreadPoolExecutor(1, "crypto", initializer=leave_to_main_thread)
        self._vault: CryptoStore | None = None
        self._begun: CryptoMachine | None = None
        self._owner: SigningAccount | None = None
        self._secret = b""
        self._is_ready = False
        self._counted_at: float | None = None
        self._on_server: int | None = None  # number of our one-time keys there; None: unknown
        self._fallback_used = False
        self._read: tuple[EventId, ...] = ()
        self._newly_encrypted: set[RoomId] = set()  # in the sync that is not stored yet
        self._preparing = asyncio.Lock()
        self._exchanging = asyncio.Lock()
        self._wake = asyncio.Event()

    # The device

    async def begin(self, owner: SigningAccount) -> None:
        """Use this device with its stored keys, or with new ones if the homeserver has none.

        Raises:
            DeviceLost: the homeserver has keys of it that are not stored.
            Temporary: the homeserver cannot be reached.
            StoreError: the keyring or the store cannot be used.
        """
        self._owner = owner
        self._secret = (await asyncio.to_thread(keyrings.load, self._around.folder)).secret
        own = await self._in_thread(self._stored_account, owner)
        server_keys = device_keys_in(await self._ask(requests.query_keys([owner.user])), owner.user, owner.device)
        if own is None and server_keys is not None:
            raise DeviceLost("the keys of the device are lost")
        if own is not None and server_keys is not None and not _is_of(server_keys, own):
            raise DeviceLost("the homeserver's keys of the device differ from the stored ones")
        self._begun = await self._in_thread(self._machine_of, owner, own, is_known=server_keys is not None)
        self._is_ready, self._counted_at, self._on_server = False, None, None
        if await self._is_old_copy(owner):
            raise DeviceLost("the crypto store is an old copy")

    def _stored_account(self, owner: SigningAccount) -> OwnDevice | None:
        """Return the stored account of this device; destroy the store of another one, or one that cannot be read."""
        self._close_vault()
        try:
            self._vault = CryptoStore.open(self._around.folder)
            if (own := account.load(self._vault, owner.user, owner.device)) is not None:
                return own
        except (CryptoStoreDamaged, ValueError) as error:
            _log.error("crypto_store.unreadable", reason=str(error))
        except OSError as error:
            raise StoreError(f"store.data_dir: the crypto store cannot be written: {error}") from error
        self._close_vault()
        vaults.destroy(self._around.folder)
        return None

    def _machine_of(self, owner: SigningAccount, own: OwnDevice | None, *, is_known: bool) -> CryptoMachine:
        """Return a machine for *own*, or for a new account; *is_known*: the homeserver has the device's keys."""
        if self._vault is None:
            self._vault = CryptoStore.open(self._around.folder)
        now = int(self._clock.now().timestamp())
        with self._vault.transaction(now):
            own = own or account.create(self._vault, owner.user, owner.device)
            if not is_known:
                self._vault.drop("own", "uploaded")
        return CryptoMachine(self._vault, own, self._clock)

    async def _is_old_copy(self, owner: SigningAccount) -> bool:
        """Return whether the store is an old copy, according to the epoch stored at the homeserver."""
        try:
            left = await self._ask(requests.account_data(owner.user, EPOCH))
        except Permanent:
            return False
        epoch = left.get("epoch") if left.get("device") == owner.device else None
        return isinstance(epoch, int) and epoch > await self._step(self._machine.epoch)

    async def _count_up(self) -> None:
        """Store the increased epoch at the homeserver, once an hour, to recognize older copies of the store."""
        now = self._clock.monotonic()
        if self._counted_at is not None and now - self._counted_at < COUNT_SECONDS:
            return
        own = self._machine.own
        content = {"device": own.device, "epoch": await self._step(self._machine.next_epoch)}
        try:
            await self._ask(requests.set_account_data(own.user, EPOCH, content))
        except Permanent as error:
            _log.warning("crypto_store.rollback_unguarded", reason=str(error))
        await self._step(self._machine.tidy)
        self._counted_at = now

    async def forget(self) -> None:
        """Destroy the stored keys of the device."""
        await self._in_thread(self._close_vault)
        await asyncio.to_thread(vaults.destroy, self._around.folder)
        self._begun = None

    async def close(self) -> None:
        """Close the store, after the running step."""
        await self._in_thread(self._close_vault)
        self._thread.shutdown(wait=False)

    def _close_vault(self) -> None:
        if self._vault is not None:
            self._vault.close()
            self._vault = None

    async def maintain(self) -> None:
        """Maintain our keys at the homeserver and our Olm sessions until cancelled."""
        attempts = 0
        while True:
            self._wake.clear()
            wait = await self._run_maintenance()
            if wait is None:
                attempts = 0
                await self._wake.wait()
            else:
                attempts += 1
                await self._clock.sleep(USUAL.seconds(attempts, wait))

    async def _run_maintenance(self) -> timedelta | None:
        """Do each maintenance duty once, and return the minimum delay of a retry; None if all are done."""
        wait: timedelta | None = None
        for duty in (
            self.publish_keys,
            self._replenish,
            self._count_up,
            self._replace_broken_sessions,
            self._notify_left_out,
        ):
            try:
                await duty()
            except TransportError as error:
                _log.warning("keys.upkeep_failed", reason=str(error))
                return (error.retry_after if isinstance(error, Temporary) else None) or USUAL.first
            except BotError:
                raise
            except Exception as error:  # noqa: BLE001  # the other duties, and the session, go on without it
                self._around.incidents.record("encryption.upkeep_failed", duty.__name__.strip("_"), error)
                wait = USUAL.first
        self._record_faults()
        return wait

    async def publish_keys(self) -> None:
        """Upload and sign our keys, once; if they cannot be signed, keep the reason and encrypt anyway.

        Raises:
            Temporary: the homeserver cannot be reached.
        """
        async with self._preparing:
            if self._is_ready:
                return
            await self._replenish()
            await self._count_up()
            try:
                assert self._owner is not None, "it has begun"  # noqa: S101  # `_machine` saw to it
                own = await self._step(self._machine.own.device_keys)
                await sign_device(self._ask_noting_our_keys, self._owner, self._around.folder, own)
                self.refusal = ""
            except Permanent as error:
                self.refusal = str(error)
                _log.error("device.unsigned", reason=str(error))
            self._is_ready = True

    async def _replenish(self) -> None:
        """Upload the keys that the homeserver lacks."""
        keys = await self._step(self._machine.keys_to_upload, self._on_server, fallback_used=self._fallback_used)
        if not keys:
            return
        try:
            answer = await self._ask(requests.upload_keys(keys))
        except Permanent as error:
            if "already exists" not in str(error):
                raise Temporary(f"the homeserver refuses our keys: {error}") from error
            await self.forget()
            raise LoggedOut(
                "the homeserver has other one-time keys of the device: the crypto store is an old copy; "
                "the next start makes a new device"
            ) from error
        await self._step(self._machine.keys_uploaded)
        counts = answer.get("one_time_key_counts")
        count = counts.get("signed_curve25519") if isinstance(counts, dict) else None
        self._on_server = count if isinstance(count, int) else None
        self._fallback_used = False

    async def _replace_broken_sessions(self) -> None:
        """Start new Olm sessions to replace broken ones."""
        machine = self._machine
        if devices := machine.wedged():
            async with self._exchanging:
                await self._keys.claim(machine, devices)
                await self._keys.deliver(machine, await self._step(machine.greeting, devices))

    async def _notify_left_out(self) -> None:
        """Notify each device without an Olm session once that it gets no keys."""
        machine = self._machine
        while (messages := await self._step(machine.notices)).devices:
            await self._keys.deliver(machine, messages)
            await self._step(machine.noticed, messages.devices)

    def _record_faults(self) -> None:
        """Record new faults as incidents."""
        for fault in self._machine.faults.take_all():
            self._around.incidents.record(fault.kind, fault.name, fault.reason)

    # Sending

    async def is_on(self, room: RoomId) -> bool:
        """Return whether messages in *room* are encrypted, which is never undone. Raises as `Chat.send` does."""
        if await self._step(self._machine.rules, room) is not None:
            return True
        if self._rosters.is_clear(room):
            return False
        rules = await self._rosters.rules(room)
        if rules is not None:
            await self._step(self._machine.mark_encrypted, {room: rules})
        return rules is not None

    async def remember(self, rooms: Mapping[RoomId, str]) -> None:
        """Mark *rooms* as encrypted with these algorithms, in case the crypto store was lost."""
        await self._step(self._remember, rooms)

    def _remember(self, rooms: Mapping[RoomId, str]) -> None:
        lost = {room: {"algorithm": name} for room, name in rooms.items() if self._machine.rules(room) is None}
        self._machine.mark_encrypted(lost)

    def tag(self, key: NoticeKey) -> str:
        """Return the tag for *key* outside the encrypted part."""
        return tag_of(self._secret, key)

    async def encrypt(self, room: RoomId, kind: str, content: Content) -> Content:
        """Return the content of an `m.room.encrypted` with *content* for all current members of *room*.

        Raises:
            Temporary: a device could not be given the key yet.
            Forbidden: the room does not allow it, or has an unknown encryption algorithm.
        """
        rules = await self._step(self._machine.rules, room) or {}
        if rules.get("algorithm") != MEGOLM:
            raise Forbidden("the room uses an encryption algorithm that the bot does not support")
        await self.publish_keys()
        readers = await self._rosters.readers(room)
        audience = RoomReaders(readers, Rotation.of(rules, shared_history=self._rosters.shares_history(room)))
        try:
            if not await self._step(self._machine.is_settled, room, audience):
                await self._share(room, audience)
            return await self._step(self._machine.encrypt, room, kind, content)
        except KeyLost as error:
            raise Temporary(str(error)) from error

    async def _share(self, room: RoomId, audience: RoomReaders) -> None:
        """Share the key of our next message in *room* with all devices of *audience* that lack it.

        Raises:
            KeyLost: our session there was replaced meanwhile.
            Temporary: a device could not be given the key yet.
        """
        machine = self._machine
        async with self._exchanging:
            await self._keys.fetch_devices(machine, audience.users)
        shares = await self._step(machine.lacking, room, audience)
        for devices in shares.portions():
            messages = await self._step(machine.parcel, room, shares, devices)
            await self._step(machine.arrived, room, await self._keys.deliver(machine, messages))
        self._record_faults()
        self._wake.set()  # to notify devices that were left out

    # Receiving

    async def update(self, answer: SyncAnswer, *, since: str | None, whole: bool) -> None:
        """Store the updates of rooms, members and keys from a sync; repeated updates do no harm."""
        if encrypted := self._rosters.update(answer, whole=whole):
            self._newly_encrypted |= encrypted.keys() - await self._step(self._encrypted_among, tuple(encrypted))
            await self._step(self._machine.mark_encrypted, encrypted)
        for left in answer.left:
            await self._step(self._machine.left_room, left.room)
        await self._step(self._machine.feed, answer.keys, is_new=since is None)
        self._record_faults()
        self._note_key_updates(answer.keys)

    def _note_key_updates(self, updates: KeyUpdates) -> None:
        """Wake `maintain` if the homeserver is short of keys, or an Olm session is broken."""
        self._on_server = updates.one_time_keys
        self._fallback_used = updates.fallback_used
        self._wake.set()

    async def decrypt(self, answer: SyncAnswer, known: Iterable[RoomId], *, is_news: bool) -> SyncAnswer:
        """Return *answer* with its timelines decrypted, and with earlier messages whose keys have arrived."""
        answer = await self._without_clear_text(answer)
        patience = self._around.patience_seconds if is_news else None
        timelines = {joined.room: joined.timeline for joined in answer.joined}
        decrypted = await self._step(self._machine.read, timelines, tuple(known), patience)
        self._read = decrypted.done
        rooms = {joined.room: joined for joined in answer.joined}
        joined = tuple(
            replace(rooms.get(room) or _quiet(room), timeline=events) for room, events in decrypted.timelines.items()
        )
        return replace(answer, joined=joined)

    async def _without_clear_text(self, answer: SyncAnswer) -> SyncAnswer:
        """Return *answer* without unencrypted messages in encrypted rooms, which the homeserver may have forged."""
        encrypted = await self._step(self._encrypted_among, tuple(joined.room for joined in answer.joined))
        joined = []
        for each in answer.joined:
            filtered = without_clear_text(each, is_new=each.room in self._newly_encrypted)
            if each.room in encrypted and (ignored := len(each.timeline) - len(filtered.timeline)):
                _log.info("message.unencrypted_ignored", room=each.room, count=ignored)
            joined.append(filtered if each.room in encrypted else each)
        return replace(answer, joined=tuple(joined))

    def _encrypted_among(self, rooms: Iterable[RoomId]) -> set[RoomId]:
        return {room for room in rooms if self._machine.rules(room) is not None}

    async def forget_decrypted(self) -> None:
        """Drop the messages of the last `decrypt`, because they are stored elsewhere by now."""
        self._newly_encrypted.clear()
        if self._read:
            await self._step(self._machine.forget, self._read)
            self._read = ()

    # Helpers

    @property
    def _machine(self) -> CryptoMachine:
        if self._begun is None:
            raise Temporary("not logged in yet")
        return self._begun

    async def _ask(self, request: MatrixRequest) -> Content:
        return await self._around.ask(request)

    async def _ask_noting_our_keys(self, request: MatrixRequest) -> Content:
        """Return the response to *request*, and store the signatures of our device in it."""
        answer, own = await self._ask(request), self._machine.own
        if (server_keys := device_keys_in(answer, own.user, own.device)) is not None:
            await self._step(self._machine.learn_our_signatures, server_keys)
        return answer

    async def _step(self, step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._in_thread(step, *args, **kwargs)

    async def _in_thread(self, step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, functools.partial(step, *args, **kwargs))


def _is_of(server_keys: Content, own: OwnDevice) -> bool:
    """Return whether the homeserver's keys of our device are the stored ones."""
    ours = own.device_keys()
    return server_keys.get("keys") == ours.get("keys")


def _quiet(room: RoomId) -> JoinedRoom:
    """Return the part of a room without any events in a sync."""
    return JoinedRoom(room, (), (), limited=False, prev_batch=None, joined_members=None, invited_members=None)
