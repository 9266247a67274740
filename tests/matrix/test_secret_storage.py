"""Secret storage, beside what other implementations wrote."""

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UserError
from bot.matrix import secret_storage as storage
from bot.matrix.secret_storage import EncryptedSecret

KEYS = st.binary(min_size=32, max_size=32)
RANDOM = st.binary(min_size=16, max_size=16)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
)
KEY = bytes(each * 7 + 1 & 255 for each in range(32))
IV = bytes(0x7F if each == 8 else 255 - each for each in range(16))


@pytest.mark.parametrize(
    ("key", "text"),
    [  # matrix-js-sdk 43.0.0, `encodeRecoveryKey`
        (KEY, "EsT1 HT7u 2D8e RJ5J Xpm5 QiQG RLzx hTZJ mA5Y F4nN CHD4 4593"),
        (bytes(32), "EsSz ygLv VP1b xF1C v7kE eBQx MxDP buG5 w25T L3b6 hfyG Kkrd"),
        (b"\xff" * 32, "EsUK 2TRo ZKTB CKmv wEDA o6rq tTYu aKzp eJ9f 95nM 3VHk Xbnq"),
    ],
)
def test_a_recovery_key_is_written_as_in_element(key: bytes, text: str) -> None:
    assert storage.recovery_key(key) == text
    assert storage.typed_key(text) == key


def test_white_space_in_a_typed_recovery_key_does_not_matter() -> None:
    """The key and its spaces are those of matrix-sdk-crypto's own test."""
    key = storage.typed_key("EsT           pRvZTnjck8    YrhRAtw XLS84Nr2r9S9LGAWDaExVAPBvLRK   \n")

    assert key.hex() == "9fbd46bb345171c6f6022c9a25d5681ba54eec6a6c4953f3adc0b96e9d91ada3"


def test_a_key_of_another_implementation_is_recognized() -> None:
    """The recovery key and its description are those of matrix-sdk-crypto's own test."""
    key = storage.typed_key("EsTj 3yST y93F SLpB jJsz eAXc 2XzA ygD3 w69H fGaN TKBj jXEd")
    description = storage.described(
        {
            "algorithm": storage.ALGORITHM,
            "iv": "xv5b6/p3ExEw++wTyfSHEg==",
            "mac": "ujBBbXahnTAMkmPUX2/0+VTfUh63pGyVRuBcDMgmJC8=",
        }
    )

    assert storage.is_key(key, description) is True
    assert storage.is_key(KEY, description) is False


def test_a_secret_is_encrypted_as_in_element() -> None:
    """The values are those of matrix-js-sdk 43.0.0, `encryptAESSecretStorageItem`."""
    secret = "It’s a secret, longer than one block of AES".encode()

    encrypted = storage.encrypt(KEY, "m.cross_signing.master", secret, IV)

    assert base64.b64encode(encrypted.ciphertext) == b"tJHGfoTkvwmya0nHgQ2JY6K3pk1cWmg0OEWQ6lOc3zu5Ve8ZJlVDTkystsGv"
    assert base64.b64encode(encrypted.mac) == b"zo3MTTFFk1YB7CyhNnEv3RqjRQas9KqK0Fv653eadgY="
    assert storage.key_description(KEY, "a key", IV)["mac"] == "xjQqJ7N64LsNFRmns4m63GVJ6rNFQgORdYChD+yBQE4"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no recovery key was given"),
        (" \n", "no recovery key was given"),
        ("EsTpRvZTnjck8YrhRAtwXLS84Nr2r9S9LGAWDaExVAPBvLRk", "there is a mistake in the recovery key"),
        (
            "AATpRvZTnjck8YrhRAtwXLS84Nr2r9S9LGAWDaExVAPBvLRk",
            "this is not a recovery key: it does not begin or end like one",
        ),
        ("AATpRvZTnjck8YrhRAtwXLS84Nr2r9S9", "this is not a recovery key: it does not begin or end like one"),
        ("AATpRvZTnjck8YrhRAtwXLS84Nr0OIl", "this is not a recovery key: it has characters that none has"),
        ("E" * 10_000_000, "this is not a recovery key: it has characters that none has"),
    ],
)
def test_what_is_not_a_recovery_key_is_refused_without_its_text(text: str, reason: str) -> None:
    with pytest.raises(UserError) as refusal:
        storage.typed_key(text)

    assert str(refusal.value) == reason


@given(KEYS)
def test_every_recovery_key_can_be_typed(key: bytes) -> None:
    text = storage.recovery_key(key)

    assert [len(group) for group in text.split(" ")] == [4] * 12
    assert storage.typed_key(text) == key


@given(KEYS, st.integers(0, 47), st.sampled_from(storage._ALPHABET))
def test_one_wrong_character_never_makes_another_key(key: bytes, place: int, wrong: str) -> None:
    text = storage.recovery_key(key).replace(" ", "")
    mistyped = text[:place] + wrong + text[place + 1 :]

    try:
        typed = storage.typed_key(mistyped)
    except UserError:
        return
    assert mistyped == text or typed != key


@given(st.text() | st.text(storage._ALPHABET, min_size=40, max_size=60))
def test_any_typed_text_is_a_key_or_a_mistake(text: str) -> None:
    with suppress(UserError):
        assert len(storage.typed_key(text)) == 32


@given(KEYS, st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=200), RANDOM)
def test_a_secret_is_read_as_it_was_written(key: bytes, name: str, secret: bytes, random: bytes) -> None:
    written = storage.encrypt(key, name, secret, random)
    read = storage.encrypted_with({"encrypted": {"id": written.content()}}, "id")

    assert read == written
    assert written.iv[8] < 0x80
    assert storage.decrypt(key, name, written) == secret


@given(KEYS, KEYS, st.binary(min_size=1, max_size=50), RANDOM, st.integers(0, 255))
def test_nothing_else_opens_a_secret(key: bytes, other: bytes, secret: bytes, random: bytes, change: int) -> None:
    written = storage.encrypt(key, "a", secret, random)
    changed = bytes((written.ciphertext[0] ^ change, *written.ciphertext[1:]))

    assert storage.decrypt(key, "b", written) is None
    assert (storage.decrypt(other, "a", written) is None) == (key != other)
    assert (storage.decrypt(key, "a", EncryptedSecret(written.iv, changed, written.mac)) is None) == (change != 0)


@given(st.dictionaries(st.sampled_from(["key", "name", "iv", "mac", "algorithm", "encrypted"]), JSON))
def test_any_account_data_are_parsed(content: dict[str, Any]) -> None:
    description = storage.described(content)

    assert storage.is_key(KEY, description) is None
    assert storage.encrypted_with(content, "id") is None
    assert storage.default_key(content) == (content.get("key") if storage.default_key(content) else None)


@pytest.mark.parametrize("key", [None, 7, "", "a b", "x" * 256, "\ud800", "é", ["x"], {"x": 1}])
def test_what_cannot_be_the_id_of_a_key_is_none(key: object) -> None:
    assert storage.default_key({"key": key}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"iv": "AAAA"},
        {"iv": 3},
        {"mac": "?"},
        {"mac": "A" * 100_000},
        {"ciphertext": None},
        {"ciphertext": "A" * 5_000},
    ],
)
def test_a_malformed_entry_is_none(change: dict[str, object]) -> None:
    entry = storage.encrypt(KEY, "a", b"secret", IV).content()

    assert storage.encrypted_with({"encrypted": {"id": entry}}, "id") is not None
    assert storage.encrypted_with({"encrypted": {"id": {**entry, **change}}}, "id") is None


def test_a_key_is_not_in_its_description() -> None:
    assert repr(storage.StorageKey("ID", KEY)) == "StorageKey(id='ID')"
