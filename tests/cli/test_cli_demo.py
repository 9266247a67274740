"""`patchbot demo` where standard input is no terminal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import main
from cli_rig import SEED, environment, patchbot, work_in


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


def test_the_demo_shows_cards_and_ends_by_itself() -> None:
    done = patchbot("demo")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"matched: migration/" in done.stdout


def test_the_demo_shows_how_a_card_changes() -> None:
    output = patchbot("demo").stdout.decode()

    edits = output.split("\nedited: migration: Tell why a switchover failed\n")[1:]
    standing = [line for edit in edits for line in edit.splitlines() if line.startswith(("New", "Under", "Accepted"))]
    assert [line.partition(" ·")[0] for line in standing] == ["New 3", "Under Review 3", "Accepted 3"]


def test_a_recorded_patch_gets_its_card_and_answers() -> None:
    done = patchbot("demo", "--patch", SEED, stdin=b"show 2194095\n")

    output = done.stdout.decode()
    card, _, answer = output.partition("> show 2194095\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "matched: migration/colo.c" in card
    assert answer.startswith("[v6,11/18] colo: Fix crash during device vmstate load\n")


def test_in_the_demo_everything_that_is_typed_is_answered() -> None:
    done = patchbot("demo", stdin=b"version\n" * 65)

    assert done.stdout.count(b"> version\n") == 65
    assert done.stdout.count(b"patchwork-matrix-bot ") == 65


def test_quit_ends_the_demo_before_the_next_line() -> None:
    done = patchbot("demo", stdin=b"quit\nshow 1\n")

    assert done.returncode == 0
    assert b"show 1" not in done.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read {file}: No such file or directory"),
        ("nonsense", "{file} is no JSON"),
        ("[]", "{file} is no patch: "),
        ("{}", "{file}: this is no patch"),
    ],
)
def test_a_bad_recorded_patch_exits_2_with_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str | None, reason: str
) -> None:
    file = folder / "bad.json"
    if content is not None:
        file.write_text(content)

    status = main(["demo", "--patch", str(file)])

    (line,) = capsys.readouterr().err.splitlines()
    assert status == 2
    assert line.startswith(reason.format(file=file))


def test_a_line_typed_through_a_pipe_is_answered_at_once_and_an_interrupt_ends_the_wait() -> None:
    with subprocess.Popen(  # our own program
        [sys.executable, "-m", "bot.cli", "demo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as demo:
        assert demo.stdin is not None
        assert demo.stdout is not None
        assert demo.stderr is not None
        demo.stdin.write(b"show 1\n")
        demo.stdin.flush()
        read = b""
        while (line := demo.stdout.readline()) != b"> show 1\n":
            assert line, demo.stderr.read()
            read += line
        answer = demo.stdout.readline()
        demo.send_signal(signal.SIGINT)
        complaints = demo.stderr.read()

    assert b"matched: migration/" in read
    assert answer != b""
    assert (demo.returncode, complaints) == (130, b"")


def test_a_reader_of_the_demo_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m bot.cli demo </dev/null 2>{tmp_path}/err | head -1; echo ${{PIPESTATUS[0]}}"

    subprocess.run(["/bin/bash", "-c", command], capture_output=True, env=environment(), timeout=60, check=True)  # noqa: S603  # ours

    assert (tmp_path / "err").read_text() == ""
