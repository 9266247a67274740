"""Files with keys in them, put back from a backup with permissions that are too wide."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.ids import DeviceId, UserId
from bot.matrix import device, keyring
from bot.matrix.crypto.crypto_store import CryptoStore

ME = UserId("@patchbot:example.org")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o601, 0o777])
def test_a_restored_keyring_that_others_can_read_is_made_private(tmp_path: Path, mode: int) -> None:
    ring = keyring.load(tmp_path)
    path = tmp_path / keyring.FILE
    path.chmod(mode)

    again = keyring.load(tmp_path)

    assert again == ring
    assert mode_of(path) == 0o600


def test_a_restored_device_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    device.save(tmp_path, device.Device(ME, DeviceId("BOT"), "token"))
    path = tmp_path / device.FILE
    path.chmod(0o644)

    kept = device.load(tmp_path)

    assert kept == device.Device(ME, DeviceId("BOT"), "token")
    assert mode_of(path) == 0o600


def test_a_restored_crypto_store_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    CryptoStore.open(tmp_path).close()
    folder = tmp_path / "crypto"
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)

    CryptoStore.open(tmp_path).close()

    assert mode_of(folder) == 0o700
    assert {mode_of(path) for path in folder.iterdir()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_keyring_that_others_can_read_and_the_bot_cannot_make_private_is_refused() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keyring.load(folder)
        (folder / keyring.FILE).chmod(0o644)
        folder.chmod(0o755)
        os.seteuid(65_534)
        try:
            with pytest.raises(StoreError, match="mode 0644") as caught:
                keyring.load(folder)
        finally:
            os.seteuid(0)

    assert "with mode 0600" in str(caught.value)


def test_a_file_that_is_private_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x")
    path.chmod(0o400)

    device.restrict(path)

    assert mode_of(path) == 0o400
