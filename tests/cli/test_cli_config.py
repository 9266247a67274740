"""`patchbot check-config`."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot import __version__
from bot.cli import main
from support.cli_rig import patchbot, work_in, write_config


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


def complaints(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["check-config", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_it_says_what_would_be_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder, more='[[room]]\nroom = "#migration:example.org"\nsubscribe = ["dfn:/migration/"]')

    status = main(["check-config"])

    assert status == 0
    output = capsys.readouterr().out.replace(str(folder), "FOLDER").replace(__version__, "VERSION")
    assert output.splitlines() == snapshot(
        [
            "Signs in to https://matrix.example.org as @patchbot:example.org.",
            "Keeps its database in FOLDER/patchbot.db, and its device and keys in FOLDER.",
            "Polls ozlabs (https://patchwork.ozlabs.org) every 60 s for qemu-devel; posts a series that stays incomplete 30 minutes after its first mail.",  # noqa: E501  # as it is printed
            "Gives Patchwork servers @patchbot:example.org as the contact, in the User-Agent patchwork-matrix-bot/VERSION (@patchbot:example.org; installation ID, a random one made at the first start).",  # noqa: E501  # as it is printed
            "Tells #migration:example.org about: path:migration/",
            "Answers commands that begin with !pw.",
            "Accepts invitations from *:example.org.",
            "Admins: none.",
            "Serves its status on 127.0.0.1:9199: / for people, /livez, /readyz and /metrics for programs.",
            "Logs at level info and above, as lines of text.",
            "Note: example.org is only the example's server; replace it in matrix.homeserver, matrix.user_id.",
            "Note: neither matrix.password nor matrix.access_token is set here; `patchbot run` needs one of them, from the environment (PATCHBOT_MATRIX__PASSWORD) or the secrets directory, or a sign-in: run `patchbot login`.",  # noqa: E501  # as it is printed
        ]
    )


@pytest.mark.slow
def test_a_secret_that_is_set_is_not_noted_and_not_shown(folder: Path) -> None:
    file = write_config(folder)

    done = patchbot("check-config", "--config", file, folder=folder, PATCHBOT_MATRIX__PASSWORD="hunter2")  # noqa: S106  # invented

    assert done.returncode == 0
    assert b"matrix.password" not in done.stdout
    assert b"hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("matrix", "more", "told"),
    [
        ("", '[[room]]\nroom = "#a:hs"\nsubscribe = ["path:"]', ["room[0].subscribe[0]: path: needs a value, e.g."]),
        ("", "[web]\nlisten = 1", ["web.listen: must be text"]),
        ("", "[log]\nformat = 'xml'", ["log.format: must be 'text' or 'json'"]),
        ("", "[log]\nlevel = 'loud'", ["log.level: must be 'debug', 'info', 'warning' or 'error'"]),
        ("", "[web]\nlissten = ''", ["web.lissten: unknown key; did you mean web.listen?"]),
        ("pasword = 'x'", "", ["matrix.pasword: unknown key; did you mean matrix.password?"]),
        (
            "",
            '[[patchwork]]\nname = "b"\nurl = "ftp://b"\nprojects = ["p"]',
            ["patchwork[1].url: must begin with http"],
        ),
        ("= =", "", ["FILE: is not valid TOML: "]),
        (
            "",
            (
                '[[room]]\nroom = "#a:hs"\nsubscribe = ["path:a", "bogus:1", """\npath:\n"""]\n'
                '[[room]]\nroom = "#b:hs"\nsubscribe = ["(x"]'
            ),
            [
                "room[0].subscribe[1]: bogus: is not a key.",
                "room[0].subscribe[2]: path: needs",
                "room[1].subscribe[0]: ",
            ],
        ),
        (
            "admins = ['x']",
            "[commands]\nprefix = ''",
            ["matrix.admins[0]: must be a Matrix", "commands.prefix: must not"],
        ),
    ],
)
def test_every_mistake_of_the_file_is_a_line_that_names_its_key(
    folder: Path, capsys: pytest.CaptureFixture[str], matrix: str, more: str, told: list[str]
) -> None:
    file = write_config(folder, matrix=matrix, more=more)

    lines = complaints(capsys, "--config", str(file))

    assert len(lines) == len(told)
    for line, beginning in zip(lines, told, strict=True):
        assert line.startswith(beginning.replace("FILE", str(file)))


def test_a_file_that_is_not_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert complaints(capsys, "--config", "nowhere.toml") == ["nowhere.toml: cannot be read: No such file or directory"]
    assert complaints(capsys, "--config", str(folder)) == [f"{folder}: cannot be read: Is a directory"]


@pytest.mark.slow
def test_an_unknown_variable_is_a_mistake(folder: Path) -> None:
    done = patchbot("check-config", "--config", write_config(folder), folder=folder, PATCHBOT_MATRIX__PASWORD="x")  # noqa: S106  # invented

    assert done.returncode == 2
    assert done.stderr.decode() == (
        "PATCHBOT_MATRIX__PASWORD: unknown variable; did you mean PATCHBOT_MATRIX__PASSWORD?\n"
    )
