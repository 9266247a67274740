"""`patchbot keys`, as far as it asks nobody; the rest is in the tests of the running bot."""

import io
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bot.cli import device_keys, main
from bot.ids import DeviceId, UserId
from bot.matrix import device, keyring
from bot.matrix.identity import RESET_WORDS, TrustReport
from bot.matrix.recovery import BackupStatus, StoredBackup
from bot.matrix.secret_storage import recovery_key
from support.cli_rig import environment, work_in, write_config

BOT = UserId("@patchbot:example.org")
ANOTHER_TEXT = "MySecretPasswordMySecretPassword"

GOOD = TrustReport(
    user=UserId("@bot:hs"),
    device=DeviceId("ONE"),
    is_known=True,
    is_stored=True,
    is_signed=True,
    identity="KEY",
    is_ours=True,
    one_time_keys=50,
)


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(work_in(tmp_path, monkeypatch))


@pytest.mark.parametrize("arguments", [["status"], ["reset", "--yes"], ["backup"]])
def test_before_its_first_login_the_bot_has_no_keys(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", *arguments]) == 2

    assert capsys.readouterr().err == "the bot has not logged in yet: let it run once first\n"


def test_a_reset_must_be_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "reset"]) == 2

    assert capsys.readouterr().err == (
        "people who verified the bot will be warned that its identity changed; confirm with --yes\n"
    )


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (
            TrustReport(GOOD.user, GOOD.device, False, False, False, None, False, 0),
            "The homeserver has no keys of the device yet: they are uploaded when the bot runs.",
        ),
        (
            TrustReport(GOOD.user, GOOD.device, True, False, True, "KEY", True, 50),
            "The crypto store does not have the keys of the device: the next start makes a new device.",
        ),
        (
            TrustReport(GOOD.user, GOOD.device, True, True, False, "KEY", True, 50),
            "The device is not signed: others see a warning.",
        ),
        (
            TrustReport(GOOD.user, GOOD.device, True, True, True, "KEY", False, None),
            f"The account's identity is not the bot's (KEY); {RESET_WORDS}.",
        ),
    ],
)
def test_what_is_wrong_is_said(report: TrustReport, sentence: str) -> None:
    assert not report.is_good
    assert sentence in report.lines()


def test_what_is_right_is_said() -> None:
    assert GOOD.is_good
    assert list(GOOD.lines()) == [
        "The bot is @bot:hs, device ONE.",
        "The device is signed.",
        "The account's identity is the bot's own: KEY.",
        "One-time keys at the homeserver: 50.",
    ]


def test_before_its_first_login_nothing_is_restored(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(recovery_key(bytes(32)).encode())))

    assert main(["keys", "restore"]) == 2

    assert capsys.readouterr().err == "the bot has not logged in yet: let it run once first\n"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "no recovery key was given"),
        (ANOTHER_TEXT, "this is not a recovery key: it does not begin or end like one"),
        ("EsT0", "this is not a recovery key: it has characters that none has"),
        (recovery_key(bytes(32))[:-1] + "e", "there is a mistake in the recovery key"),
    ],
)
def test_a_recovery_key_with_a_mistake_is_not_repeated(
    typed: str, reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{typed}\n".encode())))

    assert main(["keys", "restore"]) == 2

    assert capsys.readouterr() == ("", f"{reason}\n")


def test_without_seeds_there_is_no_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device.save(tmp_path, device.Device(BOT, DeviceId("ONE"), "token"))

    assert main(["keys", "backup"]) == 1

    assert capsys.readouterr() == (
        "",
        "there are no seeds of an identity in keys.json: let the bot run once first, or restore the file\n",
    )
    assert not (tmp_path / keyring.FILE).exists()


def test_without_the_homeserver_there_is_no_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    device.save(tmp_path, device.Device(BOT, DeviceId("ONE"), "token"))
    keyring.save(tmp_path, keyring.Keyring(bytes(32), (keyring.new_seeds(),)))
    monkeypatch.setenv("PATCHBOT_MATRIX__HOMESERVER", "http://127.0.0.1:1")

    assert main(["keys", "backup"]) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("cannot connect to 127.0.0.1:1: ")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(("answer", "agrees"), [("y", True), ("Yes", True), ("", False), ("n", False)])
def test_at_a_terminal_a_new_recovery_key_is_asked_about(
    answer: str, agrees: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator, terminal = pty.openpty()
    os.write(operator, f"{answer}\n".encode())
    with os.fdopen(terminal, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        before = StoredBackup(BackupStatus.FOREIGN, "ID", "a\x1b[31mname", ("m.megolm_backup.v1",))
        assert device_keys._may_replace(before, is_confirmed=False) == agrees
    os.close(operator)

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "The account has a recovery key already, which the bot did not make (ID, “a\ufffd[31mname”).\n"
        "With a new one, clients ask for that instead, and do not accept the old one any more.\n"
        "Only the old one opens m.megolm_backup.v1, the key of the backup of encrypted messages, which clients would "
        "not find any more.\n"
        "Make a new recovery key? [y/N] "
    )


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (recovery_key(bytes(32)).encode() + b"\n", b"the bot has not logged in yet: let it run once first"),
        (b"\x04", b"no recovery key was given"),
    ],
)
def test_a_recovery_key_is_not_shown_while_it_is_typed(tmp_path: Path, typed: bytes, reason: bytes) -> None:
    operator, terminal = pty.openpty()
    command = [sys.executable, "-m", "bot.cli", "keys", "restore"]
    process = subprocess.Popen(  # noqa: S603  # our own command
        command,
        cwd=tmp_path,
        env=environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,  # or it would ask at the terminal that the tests run in
    )
    with process:
        os.close(terminal)
        shown = b""
        while b"Recovery key: " not in shown:
            shown += os.read(operator, 1024)
        os.write(operator, typed)
        with suppress(OSError):  # it has ended
            while more := os.read(operator, 1024):
                shown += more
    os.close(operator)

    assert process.returncode == 2
    assert shown.splitlines()[-1] == reason
    assert typed.strip() not in shown
