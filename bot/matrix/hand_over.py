"""What a device does before it goes on where another device of the account stopped."""

import secrets
from typing import Final

import structlog

from bot.errors import Permanent
from bot.ids import DeviceId
from bot.matrix import requests, wire
from bot.matrix.client import MatrixClient
from bot.matrix.identity import confirmed
from bot.matrix.sync_isolation import update_keys

MAX_SYNCS: Final = 100  # each with up to 100 messages
_NUMBERS: Final = 1_000_000_000
_log = structlog.get_logger(__name__)


async def end_device(client: MatrixClient, device: DeviceId) -> None:
    """Delete another device of the account, so that the homeserver refuses what may still arrive from it.

    Raises:
        Temporary: the homeserver cannot be reached now.
        LoggedOut: our own device no longer belongs to the account.
    """
    try:
        await confirmed(client.ask, client.owner, requests.delete_devices([device]))
    except Permanent as error:
        _log.warning("device.not_removed", device=device, reason=str(error))
    else:
        _log.info("device.ended", device=device)


async def receive_queued_keys(client: MatrixClient) -> None:
    """Receive what was sent to our device while another one synced, above all keys of rooms.

    To sync from the token of the other one would make the homeserver drop it.

    Raises:
        Temporary: a request failed.
        LoggedOut: our device no longer belongs to the account.
    """
    since: str | None = None
    for _ in range(MAX_SYNCS):
        request = requests.sync_keys(since, 1 + secrets.randbelow(_NUMBERS))
        answer = wire.sync_answer(await client.ask(request), client.user)
        await update_keys(client.encryption, answer, client.incidents, since=since, whole=False)
        if not answer.keys.to_device or answer.next_batch == since:
            return
        since = answer.next_batch
