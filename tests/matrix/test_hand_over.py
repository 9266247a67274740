"""A device that goes on where another device of the account stopped, at a real homeserver."""

from pathlib import Path
from typing import Any

import pytest

from bot.errors import LoggedOut
from bot.matrix import hand_over
from bot.matrix.client import MatrixClient
from bot.matrix.model import Content
from bot.matrix.requests import MatrixRequest
from support.matrix_rig import Account
from support.person import Person


async def test_the_homeserver_refuses_a_device_that_was_ended(account: Account, tmp_path: Path) -> None:
    async with account.logged_in() as former:
        account.folder = tmp_path / "other"
        async with account.logged_in() as later:
            await hand_over.end_device(later, former.device)

            with pytest.raises(LoggedOut):
                await former.sync(None, 0)


async def test_a_device_that_cannot_be_ended_stays(account: Account, tmp_path: Path) -> None:
    async with account.logged_in() as former:
        account.folder, account.password = tmp_path / "other", "correct horse"
        async with account.logged_in() as later:
            later._login._account = later._login._account.model_copy(update={"password": None})
            await hand_over.end_device(later, former.device)

            assert (await former.sync(None, 0)).next_batch


class Recorder:
    """What a client was sent, by the number of messages in each answer."""

    def __init__(self, client: MatrixClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: list[int] = []
        self._ask = client.ask
        monkeypatch.setattr(client, "ask", self)

    async def __call__(self, request: MatrixRequest) -> Content:
        """Ask, and count."""
        answer = await self._ask(request)
        events: Any = answer.get("to_device", {})
        self.counts.append(len(events.get("events", [])) if request.endpoint == "sync" else 0)
        return answer


async def send(person: Person, client: MatrixClient, count: int) -> None:
    """Send messages to the device of *client*."""
    for number in range(count):
        content = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": "nobody's", "ciphertext": {}}
        body = {"messages": {client.user: {client.device: content}}}
        await person.ask(
            "PUT", f"/sendToDevice/m.room.encrypted/{person.name}-{client.device}-{id(body)}-{number}", body
        )


async def test_all_that_waits_for_a_device_is_received_each_time(
    account: Account, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with account.logged_in() as client:
        recorder = Recorder(client, monkeypatch)

        await hand_over.receive_queued_keys(client)
        await send(ann, client, 1)
        await hand_over.receive_queued_keys(client)  # the homeserver keeps the answer to the same request
        await send(ann, client, 102)
        await hand_over.receive_queued_keys(client)

    assert sum(recorder.counts[:1]) == 0
    assert recorder.counts[1] == 1
    assert sum(recorder.counts[2:]) >= 102
