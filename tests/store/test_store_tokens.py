"""Tokens in the database: encrypted, each for its purpose, and not longer than their person is there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.data_dir import KEY_FILE, token_vault
from bot.errors import StoreError
from bot.ids import EventId, RoomId, UserId
from bot.patchwork.tokens import ApiToken
from bot.store.inbox_book import InboxMessage
from bot.store.retention import delete_outdated
from bot.store.store import Store, Transaction
from bot.store.token_book import KEEP_ABSENT, StoredToken
from bot.store.vault import TokenLost, Vault
from support.store_rig import OTHER_ROOM, OTHER_SERVER, ROOM, SERVER, FileRig, StoreRig, only_sqlite

TOKEN = ApiToken("0123456789abcdef0123456789abcdef01234567")
ANN, BOB = UserId("@ann:hs"), UserId("@bob:hs")


def test_what_is_sealed_is_opened_for_its_purpose_alone() -> None:
    vault = Vault.for_this_process()
    sealed = vault.seal(TOKEN, "ann")

    assert vault.open(sealed, "ann") == TOKEN
    assert TOKEN.text not in sealed
    assert vault.seal(TOKEN, "ann") != sealed
    for wrong in ((sealed, "bob"), (sealed[:-4] + "AAA=", "ann"), ("no base64", "ann"), ("", "ann")):
        with pytest.raises(TokenLost):
            vault.open(*wrong)
    with pytest.raises(TokenLost):
        Vault.for_this_process().open(sealed, "ann")


def test_the_key_is_made_once_and_is_the_bot_s_alone(tmp_path: Path) -> None:
    sealed = token_vault(tmp_path).seal(TOKEN, "ann")

    assert token_vault(tmp_path).open(sealed, "ann") == TOKEN
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    token_vault(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)

    token_vault(tmp_path)

    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"\xff\xff", b"no base64!"])
def test_a_damaged_key_is_neither_used_nor_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)

    with pytest.raises(StoreError, match="restore it from the backup, or delete it"):
        token_vault(tmp_path)

    assert (tmp_path / KEY_FILE).read_bytes() == content


async def heard(store: Store, rig: StoreRig, text: str) -> InboxMessage:
    """A message, as the inbox has it."""
    async with store.transaction() as tx:
        await tx.inbox.add(InboxMessage(ROOM, EventId("$said"), ANN, text, rig.now, encrypted=True))
    async with store.transaction() as tx:
        (found,) = await tx.inbox.unanswered()
    return found


async def test_a_token_is_in_no_column_and_in_no_file_of_the_database(store: Store, rig: StoreRig) -> None:
    message = await heard(store, rig, f"token ozlabs {TOKEN.text}")

    assert message.body == "token ozlabs [token]"
    assert message.encrypted
    assert message.sealed is not None
    assert store.vault.open(message.sealed, message.purpose) == TOKEN
    assert TOKEN.text not in str(rig.execute("SELECT * FROM inbox"))
    assert TOKEN.text not in repr(message)
    if isinstance(rig, FileRig):
        assert [path for path in rig.file.parent.iterdir() if TOKEN.text.encode() in path.read_bytes()] == []


async def test_an_answered_message_has_no_token_any_more(store: Store, rig: StoreRig) -> None:
    message = await heard(store, rig, TOKEN.text)

    async with store.transaction() as tx:
        await tx.inbox.answered(message)

    assert rig.execute("SELECT body, sealed FROM inbox") == [("", None)]


async def test_a_token_in_one_message_is_not_that_of_another(store: Store, rig: StoreRig) -> None:
    message = await heard(store, rig, TOKEN.text)
    assert message.sealed is not None

    other = InboxMessage(ROOM, EventId("$other"), BOB, "", rig.now)

    with pytest.raises(TokenLost):
        store.vault.open(message.sealed, other.purpose)


def stored(rig: StoreRig, person: UserId = ANN, room: RoomId = ROOM) -> StoredToken:
    return StoredToken(person, SERVER, "sealed", room, rig.now, "ann", 3)


async def test_a_person_has_one_token_for_each_server(store: Store, rig: StoreRig) -> None:
    async with store.transaction() as tx:
        await tx.tokens.put(StoredToken(ANN, SERVER, "former", ROOM, rig.now))
        await tx.tokens.put(stored(rig))
        await tx.tokens.put(StoredToken(ANN, OTHER_SERVER, "another", ROOM, rig.now))
        await tx.tokens.put(StoredToken(BOB, SERVER, "bob's", OTHER_ROOM, rig.now))

    async with store.transaction() as tx:
        assert await tx.tokens.get(ANN, SERVER) == stored(rig)
        assert [each.server for each in await tx.tokens.of(ANN)] == sorted([SERVER, OTHER_SERVER])
        await tx.tokens.set_account(BOB, SERVER, "bob", 4)
        bob = await tx.tokens.get(BOB, SERVER)
        assert bob is not None
        assert (bob.account, bob.account_id) == ("bob", 4)
        assert await tx.tokens.forget(ANN, SERVER)
        assert not await tx.tokens.forget(ANN, SERVER)
        assert await tx.tokens.get(ANN, SERVER) is None
        assert await tx.tokens.get(BOB, SERVER) == bob


LEAVING: dict[str, Callable[[Transaction], object]] = {
    "the person leaves": lambda tx: tx.session.set_alone(ROOM),
    "the bot is removed": lambda tx: tx.session.suspend(ROOM),
    "the bot leaves": lambda tx: tx.session.leave(ROOM),
}
RETURNING: dict[str, Callable[[Transaction], object]] = {
    "the person is back": lambda tx: tx.session.set_alone(ROOM, alone=False),
    "the bot is back": lambda tx: tx.session.resume(ROOM),
    "another chat": lambda tx: tx.tokens.chat_opened(OTHER_ROOM, ANN),
}


@pytest.mark.parametrize("how", LEAVING)
async def test_who_left_the_direct_chat_for_thirty_days_is_forgotten(store: Store, rig: StoreRig, how: str) -> None:
    async with store.transaction() as tx:
        await tx.tokens.put(stored(rig))
        await tx.tokens.put(stored(rig, BOB, OTHER_ROOM))
        await LEAVING[how](tx)  # type: ignore[misc] # all of them are coroutines
    rig.advance(days=KEEP_ABSENT.days - 1)
    await delete_outdated(store)
    assert rig.count("token") == 2

    rig.advance(days=2)
    await delete_outdated(store)

    assert rig.execute("SELECT person FROM token") == [(BOB,)]


@pytest.mark.parametrize("how", RETURNING)
async def test_who_comes_back_is_not_forgotten(store: Store, rig: StoreRig, how: str) -> None:
    async with store.transaction() as tx:
        await tx.tokens.put(stored(rig))
        await tx.session.set_alone(ROOM)
    rig.advance(days=20)

    async with store.transaction() as tx:
        await RETURNING[how](tx)  # type: ignore[misc] # all of them are coroutines
    rig.advance(days=100)
    await delete_outdated(store)

    assert rig.count("token") == 1


async def test_tokens_follow_their_chat_to_the_room_that_replaces_it(store: Store, rig: StoreRig) -> None:
    async with store.transaction() as tx:
        await tx.tokens.put(stored(rig))
        await tx.session.move(ROOM, OTHER_ROOM)

    async with store.transaction() as tx:
        assert await tx.tokens.get(ANN, SERVER) == stored(rig, room=OTHER_ROOM)


@only_sqlite
async def test_a_backup_has_no_token_in_the_clear(rig: FileRig, store: Store, tmp_path: Path) -> None:
    await heard(store, rig, f"token ozlabs {TOKEN.text}")
    async with store.transaction() as tx:
        sealed = store.vault.seal(TOKEN, "x")
        await tx.tokens.put(StoredToken(ANN, SERVER, sealed, ROOM, rig.now))

    rig.execute(f"VACUUM INTO '{tmp_path / 'copy.db'}'")

    assert TOKEN.text.encode() not in (tmp_path / "copy.db").read_bytes()
