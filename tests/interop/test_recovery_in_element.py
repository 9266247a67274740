"""The backup of the bot's identity, for an administrator who signs in as the bot with Element."""

import shutil

from bot.matrix import device as devices
from bot.matrix import keyring as keyrings
from support.element import Element, Elements
from support.matrix_rig import PASSWORD
from support.run_rig import Stage


def key_in(told: str) -> str:
    """The recovery key that the command printed; it stands on a line of its own."""
    [key] = [line for line in told.splitlines() if line.startswith("Es")]
    return key


async def test_an_administrator_with_the_recovery_key_is_a_device_of_the_bot(stage: Stage, elements: Elements) -> None:
    ann = await elements.newcomer(only_signed=True)

    async with stage.running() as bot:
        await ann.meet(stage.me)
        chat = await ann.create_direct(stage.me)
        await ann.hears(chat, stage.me, 1)
        await ann.verify(stage.me)
        status, told = await stage.patchbot("keys", "backup")
        admin = await elements.log_in(stage.me, PASSWORD)
        before = await admin.trust(stage.me)
        recovered = await admin.recover(key_in(told))
        await ann.meet(stage.me)  # with the new device, which is signed, too
        await ann.say(chat, "version")
        said = await ann.hears(chat, stage.me, 2)
        asked = await stage.patchbot("keys", "status")

    assert status == 0
    assert before.devices[admin.device] is False
    assert recovered == {
        "ready": True,
        "publicKeysOnDevice": True,
        "privateKeysInSecretStorage": True,
        "privateKeysCachedLocally": {"masterKey": True, "selfSigningKey": True, "userSigningKey": True},
    }
    own = await admin.trust(stage.me)
    assert own.devices[admin.device] is True
    assert all(own.devices.values())
    seen = await ann.trust(stage.me)
    assert seen.devices.keys() == own.devices.keys()
    assert all(seen.devices.values())
    assert seen.verified
    assert not seen.needs_approval
    assert all(message.is_trusted for message in said)
    assert asked[0] == 0
    assert "is backed up at the homeserver" in asked[1]
    assert key_in(told) not in bot.said()


async def test_a_recovery_key_that_element_made_is_replaced_only_on_request(stage: Stage, elements: Elements) -> None:
    async with stage.running():
        first = await stage.patchbot("keys", "backup")
        admin = await elements.log_in(stage.me, PASSWORD)
        await admin.recover(key_in(first[1]))
        theirs = await admin.set_up_recovery()
        status = await stage.patchbot("keys", "status")
        refused = await stage.patchbot("keys", "backup")
        unchanged = await elements.log_in(stage.me, PASSWORD)
        assert (await unchanged.recover(theirs))["ready"]
        replaced = await stage.patchbot("keys", "backup", "--replace")
        later = await elements.log_in(stage.me, PASSWORD)
        assert (await later.recover(key_in(replaced[1])))["ready"]

    assert "a recovery key that the bot did not make" in status[1]
    assert refused[0] == 2
    assert "Only the old one opens m.megolm_backup.v1, the key of the backup of encrypted messages" in refused[1]
    assert refused[1].endswith("\nconfirm with --replace\n")
    assert replaced[0] == 0
    assert "m.megolm_backup.v1" in replaced[1]


async def test_after_the_loss_of_everything_the_bot_is_who_it_was(stage: Stage, elements: Elements) -> None:
    ann = await elements.newcomer(only_signed=True)
    async with stage.running():
        await ann.meet(stage.me)
        chat = await ann.create_direct(stage.me)
        await ann.hears(chat, stage.me, 1)
        await ann.verify(stage.me)
        _, told = await stage.patchbot("keys", "backup")
    lost = keyrings.load(stage.folder)
    for name in (keyrings.FILE, devices.FILE):
        (stage.folder / name).unlink()
    shutil.rmtree(stage.folder / "crypto")

    async with stage.running() as bot:  # on the new disk, for a device
        await stage.until(lambda: "device.unsigned" in bot.said())
    restored = await stage.patchbot("keys", "restore", stdin=key_in(told).encode())
    async with stage.running() as bot:
        await stage.until(lambda: "device.signed" in bot.said())
        await ann.until(lambda: has_only_signed_devices(ann, stage))
        await ann.say(chat, "version")
        said = await ann.hears(chat, stage.me, 2)
        status = await stage.patchbot("keys", "status")

    assert restored[0] == 0, restored[1]
    assert keyrings.load(stage.folder).identities == lost.identities
    assert all(message.is_trusted for message in said)
    assert status[0] == 0, status[1]
    assert "is backed up at the homeserver, under the recovery key" in status[1]
    assert (await ann.trust(stage.me)).verified


async def has_only_signed_devices(client: Element, stage: Stage) -> bool:
    """Whether a client sees that the bot has signed its devices, the lost one and the new one."""
    return all((await client.trust(stage.me)).devices.values())


async def test_a_lost_identity_is_restored_from_what_element_stored(stage: Stage, elements: Elements) -> None:
    ann = await elements.newcomer()
    async with stage.running():
        await ann.meet(stage.me)
        chat = await ann.create_direct(stage.me)
        await ann.hears(chat, stage.me, 1)
        await ann.verify(stage.me)
        first = await stage.patchbot("keys", "backup")
        admin = await elements.log_in(stage.me, PASSWORD)
        await admin.recover(key_in(first[1]))
        theirs = await admin.set_up_recovery()
    before = keyrings.load(stage.folder)
    (stage.folder / keyrings.FILE).unlink()

    wrong = await stage.patchbot("keys", "restore", stdin=key_in(first[1]).encode())
    restored = await stage.patchbot("keys", "restore", stdin=theirs.encode())
    again = await stage.patchbot("keys", "restore", stdin=theirs.encode())

    assert wrong == (2, "this is the recovery key of something else; the account has another one\n")
    assert restored == (
        0,
        "The bot's identity is restored; the next start signs its device. Keep a copy of keys.json.\n",
    )
    assert again == (1, "keys.json has the account's identity already: there is nothing to restore\n")
    assert keyrings.load(stage.folder).identities == before.identities
    async with stage.running() as bot:
        await stage.until(lambda: "startup" in bot.said())
        assert (await stage.patchbot("keys", "status"))[0] == 0
        await ann.say(chat, "version")
        assert (await ann.hears(chat, stage.me, 2))[1].is_trusted
    assert (await ann.trust(stage.me)).verified
