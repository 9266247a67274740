"""The backup of the bot's identity in secret storage, over a real homeserver."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from bot.errors import Permanent, Temporary, TransportError, UserError
from bot.ids import UserId
from bot.matrix import identity, recovery, requests
from bot.matrix import keyring as keyrings
from bot.matrix import secret_storage as storage
from bot.matrix.client import MatrixClient
from bot.matrix.keyring import Keyring, Seeds
from bot.matrix.recovery import BackupStatus
from bot.matrix.secret_storage import StorageKey
from support.fault_proxy import Fault, FaultProxy, dropped_after_commit, garbage, html_403, json_500, proxied
from support.matrix_rig import Account

MASTER, SELF_SIGNING, USER_SIGNING = (f"m.cross_signing.{usage}" for usage in Seeds.__slots__)
WRITES = ("m.secret_storage.key.", MASTER, SELF_SIGNING, USER_SIGNING, storage.DEFAULT_KEY)
FOREIGN = "foreign"
ONLY_THE_OLD_ONE = (
    "Only the old one opens m.megolm_backup.v1, the key of the backup of encrypted messages, "
    "which clients would not find any more."
)


@dataclass
class Place:
    """The bot's account, its identity, and a proxy before its homeserver."""

    account: Account
    client: MatrixClient
    proxy: FaultProxy
    seeds: Seeds

    @property
    def user(self) -> UserId:
        """The bot."""
        return self.account.user

    async def back_up(self) -> StorageKey:
        """Make a backup in the place of any other."""
        before = await recovery.stored_backup(self.client.ask, self.user, self.seeds)
        return await recovery.back_up(self.client.ask, self.user, self.seeds, before)

    async def status(self) -> BackupStatus:
        """What the bot knows of its backup."""
        return (await recovery.stored_backup(self.client.ask, self.user, self.seeds)).status

    async def default_key(self) -> str | None:
        """The key that clients use."""
        return storage.default_key(await self.read(storage.DEFAULT_KEY))

    async def read(self, kind: str) -> Mapping[str, object]:
        """Account data."""
        return await self.client.ask(requests.account_data(self.user, kind))

    async def write(self, kind: str, content: Mapping[str, object]) -> None:
        """Set account data."""
        await self.client.ask(requests.set_account_data(self.user, kind, content))

    async def restored(self, folder: Path, key: StorageKey) -> Seeds:
        """What a recovery key gives back where the keyring is lost."""
        await recovery.restore(self.client.ask, self.user, folder, key.secret)
        return keyrings.load(folder).identities[0]

    async def make_foreign_storage(self) -> bytes:
        """Set up a secret storage as another client does, with the key of a backup of messages; its recovery key."""
        key = bytes(range(32))
        secret = storage.encrypt(key, "m.megolm_backup.v1", b"theirs", bytes(16)).content()
        await self.write(storage.key_type(FOREIGN), storage.key_description(key, "Ann's \x1b[31mkey", bytes(16)))
        await self.write("m.megolm_backup.v1", {"encrypted": {FOREIGN: secret}})
        await self.write(MASTER, {"encrypted": {FOREIGN: storage.encrypt(key, MASTER, b"theirs", bytes(16)).content()}})
        await self.write(storage.DEFAULT_KEY, {"key": FOREIGN})
        return key


@pytest.fixture
async def place(account: Account) -> AsyncIterator[Place]:
    async with proxied(account.homeserver) as proxy:
        account.url = proxy.url
        async with account.logged_in() as client:
            assert await client.encryption._run_maintenance() is None  # it makes the identity
            yield Place(account, client, proxy, keyrings.load(account.folder).identities[0])


def only_writes(fault: Fault) -> Fault:
    """The fault, but for who reads."""

    async def answer(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        return await (fault(proxy, request) if request.method == "PUT" else proxy.passed_on(request))

    return answer


def reads(change: Callable[[FaultProxy, web.Request], Awaitable[web.StreamResponse]]) -> Fault:
    """Another answer for who reads."""

    async def answer(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        return await (change(proxy, request) if request.method == "GET" else proxy.passed_on(request))

    return answer


def answers(body: bytes) -> Fault:
    """A homeserver that returns this instead."""

    async def answer(_: FaultProxy, __: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    return reads(answer)


async def test_what_was_backed_up_is_restored_with_its_recovery_key(place: Place, tmp_path: Path) -> None:
    assert await place.status() is BackupStatus.NONE

    key = await place.back_up()

    assert await place.status() is BackupStatus.CURRENT
    assert await place.default_key() == key.id
    assert await place.restored(tmp_path / "new", key) == place.seeds


async def test_a_second_backup_has_a_new_key_and_the_first_one_is_not_accepted_any_more(
    place: Place, tmp_path: Path
) -> None:
    first = await place.back_up()

    second = await place.back_up()

    assert (await place.status(), await place.default_key()) == (BackupStatus.CURRENT, second.id)
    assert await place.restored(tmp_path / "new", second) == place.seeds
    with pytest.raises(UserError, match="this is the recovery key of something else"):
        await place.restored(tmp_path / "newer", first)


@pytest.mark.parametrize("fault", [json_500, dropped_after_commit])
@pytest.mark.parametrize("kind", WRITES[:-1])
async def test_a_failure_before_the_last_step_leaves_the_earlier_backup(
    place: Place, tmp_path: Path, kind: str, fault: Fault
) -> None:
    first = await place.back_up()
    place.proxy.break_down(kind, only_writes(fault))

    with pytest.raises(Temporary, match="not completed, and what was there before still holds"):
        await place.back_up()

    assert place.proxy.suffered
    place.proxy.heal()
    assert (await place.status(), await place.default_key()) == (BackupStatus.CURRENT, first.id)
    assert await place.restored(tmp_path / "new", first) == place.seeds
    again = await place.back_up()
    assert await place.restored(tmp_path / "newer", again) == place.seeds


@pytest.mark.parametrize("kind", WRITES)
async def test_a_first_backup_that_fails_is_none(place: Place, kind: str) -> None:
    place.proxy.break_down(kind, only_writes(json_500))

    with pytest.raises(Temporary):
        await place.back_up()

    place.proxy.heal()
    assert await place.status() is BackupStatus.NONE


async def test_a_last_step_without_an_answer_is_said_to_be_in_doubt(place: Place) -> None:
    await place.back_up()
    place.proxy.break_down(storage.DEFAULT_KEY, only_writes(dropped_after_commit))

    with pytest.raises(Temporary, match=r"whether the last step succeeded is unknown .*keys backup --replace"):
        await place.back_up()

    place.proxy.heal()
    assert await place.status() is BackupStatus.CURRENT


@pytest.mark.parametrize("kind", WRITES[:-1])
async def test_a_homeserver_that_loses_a_part_gets_no_new_default_key(place: Place, kind: str) -> None:
    first = await place.back_up()

    async def forget(proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        is_old = first.id in request.path
        return await proxy.passed_on(request) if is_old else web.json_response({"encrypted": {"x": {}}})

    place.proxy.break_down(kind, reads(forget))
    before = recovery.StoredBackup(BackupStatus.CURRENT, first.id)
    with pytest.raises(Permanent, match="does not return what was stored"):
        await recovery.back_up(place.client.ask, place.user, place.seeds, before)

    place.proxy.heal()
    assert await place.default_key() == first.id


async def test_a_homeserver_that_pretends_to_change_the_default_key_is_noticed(place: Place) -> None:
    async def pretend(_: FaultProxy, __: web.Request) -> web.StreamResponse:
        return web.json_response({})

    place.proxy.break_down(storage.DEFAULT_KEY, only_writes(pretend))

    with pytest.raises(Permanent, match="did not make the new recovery key the default one"):
        await place.back_up()


async def test_a_default_key_that_appears_meanwhile_stays(place: Place) -> None:
    before = await recovery.stored_backup(place.client.ask, place.user, place.seeds)
    await place.make_foreign_storage()

    with pytest.raises(Permanent, match="somebody else has just made another recovery key"):
        await recovery.back_up(place.client.ask, place.user, place.seeds, before)

    assert await place.default_key() == FOREIGN


async def test_what_others_stored_is_named_and_stays_readable_with_their_key(place: Place) -> None:
    theirs = await place.make_foreign_storage()
    before = await recovery.stored_backup(place.client.ask, place.user, place.seeds)

    key = await place.back_up()

    assert before.status is BackupStatus.FOREIGN
    assert list(before.warnings()) == [
        "The account has a recovery key already, which the bot did not make (foreign, “Ann's \x1b[31mkey”).",
        "With a new one, clients ask for that instead, and do not accept the old one any more.",
        ONLY_THE_OLD_ONE,
    ]
    assert await place.default_key() == key.id
    for name in (MASTER, "m.megolm_backup.v1"):
        stored = storage.encrypted_with(await place.read(name), FOREIGN)
        assert stored is not None
        assert storage.decrypt(theirs, name, stored) == b"theirs"
    description = storage.described(await place.read(storage.key_type(FOREIGN)))
    assert storage.is_key(theirs, description)


async def test_a_new_identity_is_not_backed_up_until_it_is(place: Place, tmp_path: Path) -> None:
    await place.back_up()
    await identity.reset(place.client.ask, place.client.owner, place.account.folder)
    ring = keyrings.load(place.account.folder)
    place.seeds = await recovery.present_seeds(place.client.ask, place.user, ring)

    assert await place.status() is BackupStatus.OUTDATED
    line = await recovery.status_line(place.client.ask, place.user, ring)
    assert line is not None
    assert "lacks the bot's present identity; `patchbot keys backup --replace` makes a new one" in line
    assert await place.restored(tmp_path / "new", await place.back_up()) == ring.identities[0]


@pytest.mark.parametrize("kind", [storage.key_type("{key}"), MASTER, SELF_SIGNING, USER_SIGNING])
async def test_a_backup_that_somebody_changed_is_no_longer_current(place: Place, kind: str) -> None:
    key = await place.back_up()
    kind = kind.format(key=key.id)
    content = dict(await place.read(kind))
    change = {"iv": "AAAA"} if "secret_storage" in kind else {"encrypted": {key.id: {"iv": "AAAA"}}}

    await place.write(kind, content | change)

    assert await place.status() is BackupStatus.OUTDATED


@pytest.mark.parametrize(
    "body",
    [
        b'{"encrypted": 5, "key": 7, "name": [], "iv": {}, "mac": null, "org.patchbot.backup": "\\ud800"}',
        b'{"encrypted": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b', "org.patchbot.backup": "x"}',
        b'{"encrypted": {"' + b"x" * 5_000_000 + b'": 1}, "org.patchbot.backup": "' + b"x" * 5_000_000 + b'"}',
        b'{"name": "' + b"y" * 5_000_000 + b'", "iv": "' + b"A" * 5_000_000 + b'"}',
    ],
)
@pytest.mark.parametrize("kind", ["m.secret_storage.key.", MASTER, "m.megolm_backup.v1"])
async def test_hostile_account_data_are_no_backup(place: Place, kind: str, body: bytes) -> None:
    await place.back_up()
    place.proxy.break_down(kind, answers(body))

    stored = await recovery.stored_backup(place.client.ask, place.user, place.seeds)

    assert place.proxy.suffered
    assert (stored.status is BackupStatus.CURRENT) == (kind == "m.megolm_backup.v1")
    assert len(stored.line()) < 300


@pytest.mark.parametrize(
    "body", [b'{"key": 7}', b"{}", b'{"key": ["x"]}', b'{"key": "' + b"x" * 5_000_000 + b'"}', b'{"key": "\\ud800/.."}']
)
async def test_a_default_key_that_no_client_can_use_is_none(place: Place, body: bytes) -> None:
    place.proxy.break_down(storage.DEFAULT_KEY, answers(body))

    assert await place.status() is BackupStatus.NONE


async def test_account_data_that_are_too_large_for_another_entry_are_left_alone(place: Place) -> None:
    padding = {"padding": "x" * 40_000}
    await place.write(SELF_SIGNING, padding)

    with pytest.raises(Permanent, match=r"m\.cross_signing\.self_signing are too large for another entry"):
        await place.back_up()

    assert await place.read(SELF_SIGNING) == padding
    assert await place.status() is BackupStatus.NONE


async def test_without_seeds_nothing_is_asked(place: Place) -> None:
    for ring in (None, Keyring(bytes(32))):
        with pytest.raises(Permanent, match="there are no seeds of an identity"):
            await recovery.present_seeds(place.client.ask, place.user, ring)


async def test_an_identity_that_is_not_the_bots_is_not_backed_up(place: Place) -> None:
    ring = Keyring(bytes(32), (keyrings.new_seeds(),))

    with pytest.raises(Permanent, match="identity that is not the bot's"):
        await recovery.present_seeds(place.client.ask, place.user, ring)

    assert await recovery.status_line(place.client.ask, place.user, ring) is None


async def test_seeds_that_are_published_differently_are_not_backed_up(place: Place) -> None:
    ours = place.seeds
    ring = Keyring(bytes(32), (Seeds(ours.master, ours.self_signing, keyrings.new_seeds().user_signing),))

    with pytest.raises(Permanent, match="publishes other keys of the identity than the bot's"):
        await recovery.present_seeds(place.client.ask, place.user, ring)


async def test_a_keyring_that_has_the_identity_is_not_restored(place: Place) -> None:
    key = await place.back_up()
    before = keyrings.load(place.account.folder)

    with pytest.raises(Permanent, match="there is nothing to restore"):
        await recovery.restore(place.client.ask, place.user, place.account.folder, key.secret)

    assert keyrings.load(place.account.folder) == before


async def test_a_restored_identity_comes_before_those_that_are_there(place: Place, tmp_path: Path) -> None:
    key = await place.back_up()
    there = Keyring(b"s" * 32, (keyrings.new_seeds(),))
    keyrings.save(tmp_path / "other", there)

    await place.restored(tmp_path / "other", key)

    assert keyrings.load(tmp_path / "other") == Keyring(b"s" * 32, (place.seeds, *there.identities))


async def test_a_backup_of_another_identity_is_not_restored(place: Place, tmp_path: Path) -> None:
    key = await place.back_up()
    await identity.reset(place.client.ask, place.client.owner, place.account.folder)

    with pytest.raises(Permanent, match="the backup is of another identity than the account has now"):
        await place.restored(tmp_path / "new", key)

    assert keyrings.stored(tmp_path / "new") is None


async def test_what_is_no_backup_is_not_restored(place: Place, tmp_path: Path) -> None:
    key = StorageKey("x", bytes(range(32)))
    with pytest.raises(Permanent, match="the account has no recovery key: the identity was not backed up"):
        await place.restored(tmp_path, key)

    await place.make_foreign_storage()
    with pytest.raises(Permanent, match="does not open a complete backup"):
        await place.restored(tmp_path, key)

    assert keyrings.stored(tmp_path) is None


@pytest.mark.parametrize("fault", [json_500, html_403, garbage])
async def test_a_status_without_account_data_says_so(place: Place, fault: Fault) -> None:
    place.proxy.break_down("/account_data/", fault)

    line = await recovery.status_line(place.client.ask, place.user, keyrings.load(place.account.folder))

    assert line is not None
    assert line.startswith("Whether the identity is backed up at the homeserver is unknown: ")


async def test_no_error_contains_the_recovery_key_or_a_seed(place: Place) -> None:
    secrets = [storage.recovery_key(bytes(range(32))), place.seeds.master.hex()]
    for kind in WRITES:
        place.proxy.break_down(kind, only_writes(json_500))
        with pytest.raises(TransportError) as error:
            await place.back_up()
        assert not any(secret in repr(error.value) for secret in secrets)
        assert "StorageKey" not in str(error.value)
