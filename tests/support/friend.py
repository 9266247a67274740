"""Somebody whose client encrypts: another implementation than ours (nio's own), at a real homeserver."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nio
from nio.event_builders import ToDeviceMessage

from bot.ids import EventId, RoomId, UserId
from support.person import WAIT_SECONDS, Person


@dataclass(frozen=True, slots=True)
class Read:
    """An event as a friend reads it; *why* it cannot be, or ""."""

    id: str
    room: str
    sender: str
    content: dict[str, Any]
    why: str = ""


@dataclass
class Friend:
    """A device of a person's account that reads and writes encrypted messages."""

    person: Person
    client: Any
    events: list[Read] = field(default_factory=list)

    @property
    def user(self) -> UserId:
        """Who it is."""
        return self.person.user

    async def look(self, timeout_ms: int = 0) -> None:
        """Sync once, and do what its answer asks for."""
        answer = await self.client.sync(timeout=timeout_ms, full_state=self.client.next_batch is None)
        assert isinstance(answer, nio.SyncResponse), answer
        for room, told in answer.rooms.join.items():
            self.events += [_read(room, event) for event in told.timeline.events]
        await self._tidy()

    async def _tidy(self) -> None:
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        if self.client.should_query_keys:
            await self.client.keys_query()
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())
        await self.client.send_to_device_messages()

    async def say(self, room: RoomId, body: str, **more: object) -> EventId:
        """Send a text, encrypted, to all devices that are known now."""
        await self.look()
        answer = await self.client.room_send(
            room, "m.room.message", {"msgtype": "m.text", "body": body, **more}, ignore_unverified_devices=True
        )
        assert isinstance(answer, nio.RoomSendResponse), answer
        return EventId(answer.event_id)

    async def reads(self, room: RoomId, sender: UserId, count: int = 1) -> list[str]:
        """Wait for *count* events of *sender* that are for reading; what they say, or why they do not."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(found := self.read(room, sender)) < count:
                await self.look(500)
        return found

    def read(self, room: RoomId, sender: UserId) -> list[str]:
        """What was read of *sender* so far."""
        return [each.why or str(each.content.get("body")) for each in self._of(room, sender)]

    def shown(self, room: RoomId, sender: UserId) -> list[str]:
        """What was read of *sender* so far, as it stands after all edits."""
        texts: dict[str, str] = {}
        for each in self._of(room, sender):
            relation = each.content.get("m.relates_to", {})
            if relation.get("rel_type") == "m.replace":
                texts[relation["event_id"]] = each.content["m.new_content"]["body"]
            else:
                texts[each.id] = each.why or each.content["body"]
        return list(texts.values())

    def contents(self, room: RoomId, sender: UserId) -> list[dict[str, Any]]:
        """The decrypted contents of what was read."""
        return [each.content for each in self._of(room, sender) if not each.why]

    def decrypted(self, room: RoomId, event: dict[str, Any]) -> str:
        """What an event of a timeline says."""
        sealed = nio.Event.parse_encrypted_event({**event, "room_id": room})
        read = self.client.decrypt_event(sealed)
        return str(read.body)

    async def withholds(self, room: RoomId) -> dict[str, str]:
        """Give nobody the key of what is said in *room* from now on; that key."""
        await self.look()
        machine = self.client.olm
        machine.create_outbound_group_session(room)
        session = machine.outbound_group_sessions[room]
        session.shared = True
        key = {"room_id": room, "session_id": session.id, "session_key": session.session_key}
        return {"algorithm": "m.megolm.v1.aes-sha2", **key}

    async def gives(self, key: dict[str, str], user: UserId) -> None:
        """Give the devices of *user* a room's key."""
        machine = self.client.olm
        for device in machine.device_store.active_user_devices(user):
            if machine.session_store.get(device.curve25519) is None:
                answer = await self.client.keys_claim({user: [device.id]})
                assert isinstance(answer, nio.KeysClaimResponse), answer
            olm = machine.session_store.get(device.curve25519)
            sealed = machine._olm_encrypt(olm, device, "m.room_key", key)
            message = ToDeviceMessage("m.room.encrypted", user, device.id, sealed)
            assert isinstance(await self.client.to_device(message), nio.ToDeviceResponse)

    def _of(self, room: RoomId, sender: UserId) -> list[Read]:
        return [
            each
            for each in self.events
            if each.room == room and each.sender == sender and (each.why or "body" in each.content)
        ]


@asynccontextmanager
async def befriended(
    person: Person, folder: Path, url: str, device: str = "FRIEND", token: str | None = None
) -> AsyncIterator[Friend]:
    """A device of *person* that encrypts, with a *token* where there is no password; its keys are uploaded."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    config = nio.AsyncClientConfig(
        encryption_enabled=True, store_sync_tokens=False, max_timeouts=2, max_limit_exceeded=2
    )
    client = nio.AsyncClient(url, person.user, device_id=device, store_path=str(folder), config=config)
    try:
        if token is not None:
            client.restore_login(person.user, device, token)
        else:
            answer = await client.login(person.name, device_name=device)
            assert isinstance(answer, nio.LoginResponse), answer
        friend = Friend(person, client)
        await friend.look()
        yield friend
    finally:
        client.store.database.close()
        await client.close()


def _read(room: str, event: Any) -> Read:
    content = event.source.get("content", {})
    if isinstance(event, nio.MegolmEvent):
        return Read(event.event_id, room, event.sender, content, f"cannot be read: {event.session_id[:4]}…")
    return Read(event.event_id, room, event.sender, content)
