"""`patchbot demo` where standard input is no terminal."""

import itertools
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from bot.cli import main
from support.cli_rig import SEED, environment, patchbot, work_in
from support.homeserver import a_free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


def test_the_demo_shows_cards_and_ends_by_itself() -> None:
    done = patchbot("demo", fresh=True)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b" in migration/" in done.stdout


def test_the_demo_shows_how_a_card_changes() -> None:
    output = patchbot("demo").stdout.decode()

    edits = re.split(r"\nedited: \S+ \[v2 0/3\] migration: Tell why a switchover failed\n", output)[1:]
    standing = [line for edit in edits for line in edit.splitlines() if line.startswith(("New", "Under", "Accepted"))]
    assert [line.partition(" ·")[0] for line in standing] == ["New", "Under Review", "Accepted"]


def test_a_recorded_patch_gets_its_card_and_answers() -> None:
    done = patchbot("demo", "--patch", SEED, stdin=b"show 2194095\n")

    output = done.stdout.decode()
    card, _, answer = output.partition("> show 2194095\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert " in migration/" in card
    assert answer.startswith("🆕 [v6 11/18] colo: Fix crash during device vmstate load\n")


def test_in_the_demo_everything_that_is_typed_is_answered() -> None:
    done = patchbot("demo", stdin=b"version\n" * 65)

    assert done.stdout.count(b"> version\n") == 65
    assert done.stdout.count(b"patchwork-matrix-bot ") == 65


def test_in_the_demo_the_queue_has_what_is_open_of_the_room_s_subscription() -> None:
    shown = patchbot("demo", stdin=b"queue\nshow #1\n").stdout.decode()

    queue, show = shown.partition("> queue\n")[2].split("> show #1\n")
    assert queue.startswith("Queue: 1 to be reviewed\nNeeds review\n• #1 [RFC 0/2] migration/multifd: Compress")
    assert "migration/multifd: Compress" in show.partition("\n")[0]


def test_quit_ends_the_demo_before_the_next_line() -> None:
    done = patchbot("demo", stdin=b"quit\nshow 1\n")

    assert done.returncode == 0
    assert b"show 1" not in done.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read {file}: No such file or directory"),
        ("nonsense", "{file} is not valid JSON; "),
        ("[]", "{file} is not a patch; "),
        ("{}", "{file}: this is not a patch"),
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

    assert b" in migration/" in read
    assert answer != b""
    assert (demo.returncode, complaints) == (130, b"")


def test_a_reader_of_the_demo_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m bot.cli demo </dev/null 2>{tmp_path}/err | head -1; echo ${{PIPESTATUS[0]}}"

    subprocess.run(["/bin/bash", "-c", command], capture_output=True, env=environment(), timeout=300, check=True)  # noqa: S603  # ours

    assert (tmp_path / "err").read_text() == ""


def test_the_sample_server_by_itself_waits_for_a_bot_and_then_things_happen_there() -> None:
    port = a_free_port()
    with subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "bot.cli", "demo", "--serve", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        lines = map(bytes.decode, iter(server.stdout.readline, b""))
        invitation = "".join(itertools.takewhile(lambda line: not line.startswith("and start"), lines))
        _, _, table = invitation.partition("config.toml\n")
        (watched,) = tomllib.loads(table)["patchwork"]
        with httpx.Client(base_url=watched["url"], trust_env=False) as bot:
            looks = [bot.get("/api/1.3/events/", params={"project": watched["projects"][0]}) for _ in range(2)]
            arrived = next(line for line in lines if line.startswith("Mon: "))
            seen = bot.get("/api/1.3/series/", params={"order": "-id", "per_page": 1}).json()
        server.send_signal(signal.SIGINT)
        complaints = server.stderr.read()

    assert [len(look.json()) > 0 for look in looks] == [True, True]
    assert arrived == f"Mon: {seen[0]['name']} arrives\n"
    assert (server.returncode, complaints) == (0, b"")


def test_a_port_that_is_taken_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        status = main(["demo", "--serve", str(port)])

    assert (status, capsys.readouterr().err) == (2, f"--serve: cannot listen on port {port}: Address already in use\n")
