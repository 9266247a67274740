"""`patchbot keys`, as far as it asks nobody; the rest is in the tests of the running bot."""

from pathlib import Path

import pytest

from bot.cli import main
from bot.ids import DeviceId, UserId
from bot.matrix.identity import RESET_WORDS, TrustReport
from support.cli_rig import work_in, write_config

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


@pytest.mark.parametrize("arguments", [["status"], ["reset", "--yes"]])
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
