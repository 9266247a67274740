"""The bot's device: signed by its owner, and replaced when its keys are lost."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vodozemac
from aiohttp import web

from bot.errors import ConfigError, LoggedOut, Permanent, StoreError, Temporary
from bot.ids import DeviceId, RoomId, TxnId, UserId
from bot.matrix import identity, keyring, requests, signing
from bot.matrix.client import MatrixClient
from bot.matrix.crypto.account import OwnDevice
from bot.matrix.requests import MatrixRequest
from bot.matrix.session_memory import InMemorySession
from support.chat_contract import a_message
from support.fault_proxy import FaultProxy, json_500, proxied
from support.friend import Friend
from support.homeserver import Homeserver
from support.matrix_rig import PASSWORD, Account, listening
from support.person import Person


async def shown(person: Person, user: UserId) -> dict[str, Any]:
    """What others are told of a user's keys."""
    return await person.ask("POST", "/keys/query", {"device_keys": {user: []}})


async def is_signed(person: Person, client: MatrixClient) -> bool:
    """Whether others see that the device is signed by its owner, by the whole chain."""
    return signing.standing(await shown(person, client.user), client.user, client.device).is_signed


async def test_the_device_is_signed_before_its_first_message(
    account: Account, ann: Person, homeserver: Homeserver
) -> None:
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            room = await account.room_of(ann, client, encrypted=True)
            proxy.break_down("/signatures/upload", json_500)
            with pytest.raises(Temporary):
                await client.send(room, TxnId("t1"), a_message())
            assert [each["type"] for each in await ann.timeline(room)].count("m.room.encrypted") == 0

            proxy.heal()
            await client.send(room, TxnId("t1"), a_message())

            assert await is_signed(ann, client)
            assert client.encryption.refusal == ""


async def test_the_seeds_are_kept_before_the_homeserver_has_the_identity(account: Account, ann: Person) -> None:
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)
        kept: list[int] = []

        async def watched(request: MatrixRequest) -> dict[str, object]:
            if "device_signing" in request.path:
                kept.append(len(keyring.load(account.folder).identities))
            return dict(await client.ask(request))

        client.encryption._around = replace(client.encryption._around, ask=watched)
        await client.send(room, TxnId("t1"), a_message())

    assert kept == [1]


async def test_another_identity_is_not_replaced_and_the_bot_speaks_unsigned(account: Account, ann: Person) -> None:
    async with account.logged_in() as client:
        foreign = signing.identity_keys(account.user, keyring.new_seeds())
        await client.ask(requests.upload_identity(foreign))
        before = await shown(ann, account.user)

    memory = InMemorySession()
    async with listening(account, memory) as bot:
        room = await ann.create_room(account.user, encrypted=True)
        clear = await ann.create_room(account.user)
        await bot.until(lambda: {room, clear} <= bot.session.rooms.keys())
        await bot.client.send(room, TxnId("t1"), a_message())
        await bot.client.send(clear, TxnId("t2"), a_message())
        remarks = bot.session.remarks()

    after = await shown(ann, account.user)
    assert before["master_keys"] == after["master_keys"]
    [remark] = remarks
    assert remark == (
        "The bot's device is not signed, so others see a warning: the account has a cross-signing identity that is "
        "not the bot's; an operator can make a new one, or restore the bot's: stop the bot, and run "
        "`patchbot keys reset`, or `patchbot keys restore`."
    )
    assert await ann.bodies(clear, account.user) == ["body of card/1"]
    assert len(await sealed_in(ann, room)) == 1


async def sealed_in(person: Person, room: RoomId) -> list[str]:
    return [each["event_id"] for each in await person.timeline(room) if each["type"] == "m.room.encrypted"]


async def test_a_reset_replaces_another_identity_with_the_password(account: Account, ann: Person) -> None:
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        await client.ask(requests.upload_signatures({}))
        foreign = signing.identity_keys(account.user, keyring.new_seeds())
        await identity.confirmed(client.ask, client.owner, requests.upload_identity(foreign))
        assert not await is_signed(ann, client)

        await identity.reset(client.ask, client.owner, account.folder)

        assert await is_signed(ann, client)
    assert len(keyring.load(account.folder).identities) == 1


@pytest.mark.parametrize(
    ("password", "reason"),
    [("battery staple", "does not accept the password"), (None, "the account's password, which is not configured")],
)
async def test_a_reset_that_is_refused_leaves_everything_as_it_was(
    account: Account, ann: Person, password: str | None, reason: str
) -> None:
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        before = keyring.load(account.folder), await shown(ann, account.user)
        owner = identity.SigningAccount(client.user, client.device, password)

        with pytest.raises(Permanent, match=reason):
            await identity.reset(client.ask, owner, account.folder)

        assert (keyring.load(account.folder), await shown(ann, account.user)) == before
        assert await is_signed(ann, client)


async def test_a_reset_that_a_crash_ended_is_known_by_the_homeservers_word(account: Account, ann: Person) -> None:
    """The keyring has both identities then, and it is not known which of them arrived."""
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
    ring = keyring.load(account.folder)
    keyring.save(account.folder, keyring.Keyring(ring.secret, (keyring.new_seeds(), *ring.identities)))
    (account.folder / "device.json").unlink()

    async with account.logged_in() as client:
        await client.encryption.publish_keys()

        assert await is_signed(ann, client)


async def test_keys_that_a_homeserver_swaps_are_not_signed(account: Account, homeserver: Homeserver) -> None:
    """Or everybody would trust a device that the homeserver made up."""
    ours = account.user

    async def swapped(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        answer = await proxy.told(request)
        for device, told in answer["device_keys"].get(ours, {}).items():
            other = account_of(ours, device)
            answer["device_keys"][ours][device] = {**told, **other.device_keys()}
        return web.json_response(answer)

    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            proxy.break_down("/keys/query", swapped)
            signatures: list[object] = []

            async def watched(request: MatrixRequest) -> dict[str, object]:
                if "signatures" in request.path:
                    signatures.append(request.body)
                return dict(await client.ask(request))

            client.encryption._around = replace(client.encryption._around, ask=watched)
            await client.encryption.publish_keys()

            assert signatures == []
            assert client.encryption.refusal == (
                "the homeserver publishes other keys for the device than its own; they are not signed"
            )


def account_of(user: UserId, device: str) -> OwnDevice:
    return OwnDevice(user, DeviceId(device), vodozemac.Account())


async def test_a_reset_signs_no_keys_that_a_homeserver_swapped(account: Account) -> None:
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        signatures: list[object] = []

        async def swapped(request: MatrixRequest) -> dict[str, object]:
            answer = dict(await client.ask(request))
            if "signatures" in request.path:
                signatures.append(request.body)
            if "/keys/query" in request.path:
                other = account_of(account.user, client.device).device_keys()
                answer["device_keys"] = {account.user: {client.device: other}}
            return answer

        with pytest.raises(Permanent, match="other keys for the device than its own"):
            await identity.reset(swapped, client.owner, account.folder)

    assert signatures == []


async def test_a_keyring_that_cannot_be_read_is_not_replaced(account: Account) -> None:
    account.folder.mkdir()
    (account.folder / "keys.json").write_text('{"secret": "AA')

    with pytest.raises(StoreError, match=r"keys\.json cannot be read: .* `patchbot keys reset`"):
        async with account.logged_in():
            pass

    assert (account.folder / "keys.json").read_text() == '{"secret": "AA'


# Lost and old stores


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def empty(folder: Path) -> None:
    for name in ("store.db-wal", "store.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "store.db").write_bytes(b"")


def garbled(folder: Path) -> None:
    empty(folder)
    (folder / "store.db").write_bytes(b"no database" * 1_000)


def cut_in_its_middle(folder: Path) -> None:
    content = (folder / "store.db").read_bytes()
    (folder / "store.db").write_bytes(content[: len(content) // 2])


def without_its_key(folder: Path) -> None:
    (folder / "pickle.key").unlink()


def with_another_key(folder: Path) -> None:
    (folder / "pickle.key").write_bytes(bytes(32))


@pytest.mark.parametrize("damage", [gone, empty, garbled, cut_in_its_middle, without_its_key, with_another_key])
async def test_a_store_that_is_damaged_in_any_way_is_lost(account: Account, damage: Callable[[Path], None]) -> None:
    """Hole 9."""
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        old = client.device
    damage(account.folder / "crypto")

    async with account.logged_in() as client:
        assert client.device != old


async def test_a_lost_store_makes_a_new_device_that_is_trusted_at_once(
    account: Account, ann: Person, friend: Friend
) -> None:
    """Hole 9: signed with the kept seeds; the old device is removed."""
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)
        await client.send(room, TxnId("t1"), a_message("card/1"))
        old, before = client.device, await shown(ann, account.user)
    gone(account.folder / "crypto")

    memory = InMemorySession()
    async with listening(account, memory) as bot:
        await bot.client.send(room, TxnId("t1"), a_message("card/2"))
        assert await friend.reads(room, account.user, 2) == ["body of card/1", "body of card/2"]
        await friend.say(room, "!pw help")
        await bot.until(lambda: bool(memory.messages))

        assert bot.client.device != old
        assert await is_signed(ann, bot.client)
        after = await shown(ann, account.user)
        assert set(after["device_keys"][account.user]) == {bot.client.device}
        assert before["master_keys"] == after["master_keys"]


async def test_an_old_copy_of_the_store_is_noticed_at_the_start(account: Account, ann: Person) -> None:
    """Hole 9: by the number that the bot leaves at the homeserver."""
    copy = account.folder.parent / "copy"
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        old = client.device
    shutil.copytree(account.folder / "crypto", copy)
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        assert client.device == old
    shutil.rmtree(account.folder / "crypto")
    shutil.copytree(copy, account.folder / "crypto")

    async with account.logged_in() as client:
        await client.encryption.publish_keys()

        assert client.device != old
        assert await is_signed(ann, client)


async def test_an_old_copy_that_makes_its_keys_again_ends_the_bot(account: Account, ann: Person) -> None:
    """Hole 9: where the number does not show it, the homeserver's other one-time keys do; the next start mends it."""
    copy = account.folder.parent / "copy"
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        old = client.device
        await asyncio.to_thread(shutil.copytree, account.folder / "crypto", copy)
        wanted = {account.user: {old: "signed_curve25519"}}
        for _ in range(30):
            await ann.ask("POST", "/keys/claim", {"one_time_keys": wanted})
        client.encryption._on_server = 20
        await client.encryption._replenish()
    shutil.rmtree(account.folder / "crypto")
    shutil.copytree(copy, account.folder / "crypto")
    for _ in range(30):
        await ann.ask("POST", "/keys/claim", {"one_time_keys": wanted})

    with pytest.raises(LoggedOut, match="old copy; the next start makes a new device"):
        async with listening(account, InMemorySession()) as bot:
            await bot.until(lambda: False)

    async with account.logged_in() as client:
        assert client.device != old


async def test_a_lost_store_with_a_token_asks_for_another(account: Account) -> None:
    async with account.logged_in() as client:
        await client.encryption.publish_keys()
        token = json.loads((account.folder / "device.json").read_bytes())["token"]
    shutil.rmtree(account.folder / "crypto")
    account.password, account.access_token = None, token

    with pytest.raises(ConfigError, match=r"^matrix\.access_token: the keys of the device are lost, .* a new login"):
        async with account.logged_in():
            pass


async def test_an_old_device_that_cannot_be_removed_is_named_in_the_log(
    account: Account, capsys: pytest.CaptureFixture[str], homeserver: Homeserver
) -> None:
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            await client.encryption.publish_keys()
            old = client.device
        shutil.rmtree(account.folder / "crypto")
        proxy.break_down("/delete_devices", json_500)

        async with account.logged_in() as client:
            assert client.device != old

    [line] = [line for line in capsys.readouterr().out.splitlines() if "device.not_removed" in line]
    assert f"device={old} " in line


async def test_no_secret_is_logged(account: Account, ann: Person, capsys: pytest.CaptureFixture[str]) -> None:
    async with account.logged_in() as client:
        room = await account.room_of(ann, client, encrypted=True)
        await client.send(room, TxnId("t1"), a_message())
        parts = [client.owner, client._device, keyring.load(account.folder), *keyring.load(account.folder).identities]
        told = capsys.readouterr().out + repr(parts)
        kept = json.loads((account.folder / "keys.json").read_bytes())

    secrets = [PASSWORD, json.loads((account.folder / "device.json").read_bytes())["token"], kept["secret"]]
    for secret in [*secrets, *kept["identities"][0].values(), "body of"]:
        assert secret not in told


def test_a_key_of_another_device_is_not_ours() -> None:
    seeds = keyring.new_seeds()
    me, device = UserId("@bot:hs"), DeviceId("ONE")
    keys = signing.identity_keys(me, seeds)
    told = {"user_id": me, "device_id": device, "keys": {}}
    signed = signing.device_signature(me, device, seeds, told)[me]
    assert isinstance(signed, dict)
    answer = {
        "master_keys": {me: keys["master_key"]},
        "self_signing_keys": {me: keys["self_signing_key"]},
        "device_keys": {me: {device: signed[device]}},
    }

    assert signing.standing(answer, me, device).is_signed
    other = signing.identity_keys(me, keyring.new_seeds())
    assert not signing.standing({**answer, "master_keys": {me: other["master_key"]}}, me, device).is_signed
    assert not signing.standing({**answer, "device_keys": {me: {device: told}}}, me, device).is_signed
    assert not signing.standing(answer, me, DeviceId("TWO")).is_signed
    assert signing.ours([seeds], "A" * 43) is None
