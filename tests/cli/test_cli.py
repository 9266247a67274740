"""What every verb has in common."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot import __version__
from bot.cli import main
from support.cli_rig import environment, patchbot

VERBS = [
    ["demo"],
    ["check-config"],
    ["paths"],
    ["explain"],
    ["db"],
    ["db", "upgrade"],
    ["db", "check"],
    ["db", "backup"],
]


@pytest.mark.slow
def test_help_loads_no_database_no_network_and_no_settings() -> None:
    heavy = (
        "sqlalchemy alembic aiosqlite psycopg nio httpx aiohttp pydantic apscheduler structlog prompt_toolkit rich re2"
    )
    script = (
        "import sys, bot.cli\n"
        "try: bot.cli.main(['--help'])\n"
        f"except SystemExit: print('loaded:', *[name for name in {heavy.split()} if name in sys.modules])"
    )

    output = run([sys.executable, "-c", script])

    assert output.rstrip().endswith("loaded:")


@pytest.mark.parametrize("verb", [[], *VERBS], ids=" ".join)
def test_every_verb_has_help(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*verb, "--help"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(" ".join(["usage: patchbot", *verb]))


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"patchbot {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "the following arguments are required: VERB"),
        (["db"], "the following arguments are required: ACTION"),
        (["bogus"], "argument VERB: invalid choice: 'bogus'"),
        (["db", "backup"], "the following arguments are required: FILE"),
        (["explain"], "the following arguments are required: QUERY"),
        (["paths", "--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_a_wrong_use_exits_2_and_says_why(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    many = tmp_path / "many.diff"
    many.write_text("".join(f"diff --git a/f{n} b/f{n}\nnew file mode 100644\n" for n in range(20_000)))
    command = f"{sys.executable} -m bot.cli paths {many} 2>{tmp_path}/err | true; echo ${{PIPESTATUS[0]}}"

    output = run_in_bash(command)

    assert output == "1\n"
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.slow
def test_a_full_disk_is_told_in_a_line(tmp_path: Path) -> None:
    output = run_in_bash(f"{sys.executable} -m bot.cli paths {diff_in(tmp_path)} 2>&1 >/dev/full; echo $?")

    assert output.splitlines() == ["No space left on device", "1"]


@pytest.mark.slow
def test_closed_streams_are_empty_ones() -> None:
    assert run_in_bash(f"{sys.executable} -m bot.cli paths <&- 2>&1; echo $?") == "no diff found\n0\n"


@pytest.mark.slow
def test_a_stream_that_cannot_spell_a_character_still_gets_the_rest(tmp_path: Path) -> None:
    query = "subject:“crash” path:grün/"

    done = patchbot("explain", query, tmp_path / "none", fresh=True, PYTHONIOENCODING="ascii", PYTHONUTF8="1")

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def diff_in(folder: Path) -> Path:
    file = folder / "a.diff"
    file.write_text("diff --git a/f b/f\nnew file mode 100644\n")
    return file


def run_in_bash(command: str) -> str:
    return run(["/bin/bash", "-c", command])


def run(command: list[str]) -> str:
    return subprocess.run(  # noqa: S603  # our own command
        command, capture_output=True, text=True, env=environment(), timeout=300, check=False
    ).stdout
