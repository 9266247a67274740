"""The log."""

import errno
import io
import json
import logging as standard_logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.ops import logging

PASSWORD = "hunter2-and-more"  # noqa: S105  # an invented one, to be looked for where it must not be


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = standard_logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, sys.excepthook
    yield
    sys.excepthook = hook
    standard_logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_line_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure()

    structlog.get_logger("bot").info("card", server="ozlabs", id=5)

    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    moment, _, rest = line.partition(" ")
    assert moment.endswith("Z")
    assert rest.split() == ["[info", "]", "card", "id=5", "server='ozlabs'"]
    assert captured.out == ""


def test_what_is_below_the_level_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("WARNING")

    structlog.get_logger("bot").info("not this")
    structlog.get_logger("bot").warning("but this")

    (line,) = capsys.readouterr().err.splitlines()
    assert "but this" in line


def test_what_a_server_said_stays_on_its_line_and_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure()

    structlog.get_logger("bot").info("refused", reason="a\nb\x1b[2J\u202e")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"reason='a\nb\x1b[2J\u202e'")


def test_a_trace_tells_no_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure()

    def log_in(password: str) -> None:
        if password:
            raise ValueError("refused\x1b[2J")

    try:
        log_in("".join(reversed(PASSWORD)))
    except ValueError:
        structlog.get_logger("bot").exception("the login failed")

    told = capsys.readouterr().err
    assert "the login failed" in told
    assert told.endswith("ValueError: refused�[2J\n")
    assert PASSWORD[::-1] not in told


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_in_json_an_event_is_one_object_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("info", "json")

    structlog.get_logger("bot").info("card", server="ozlabs", id=5)
    structlog.get_logger("bot").debug("not this")

    (told,) = json_lines(capsys)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "card", "level": "info", "server": "ozlabs", "id": 5}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(reason=st.text())
def test_in_json_what_a_server_said_stays_on_its_line(capsys: pytest.CaptureFixture[str], reason: str) -> None:
    logging.configure("info", "json")

    structlog.get_logger("bot").info("refused", reason=reason)

    (line,) = capsys.readouterr().err.splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["reason"] == reason


def test_in_json_a_trace_is_a_value_and_tells_no_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("info", "json")

    def log_in(password: str) -> None:
        if password:
            raise ValueError("refused")

    try:
        log_in("".join(reversed(PASSWORD)))
    except ValueError:
        structlog.get_logger("bot").exception("the login failed", secret=SecretStr(PASSWORD))

    (told,) = json_lines(capsys)
    assert told["exception"].endswith("ValueError: refused")
    assert PASSWORD[::-1] not in json.dumps(told)
    assert PASSWORD not in json.dumps(told)


def test_in_json_what_a_library_logs_is_one_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    standard_logging.getLogger().handlers.clear()
    logging.configure("info", "json")

    try:
        int("a\nb")
    except ValueError:
        standard_logging.getLogger("aiohttp.server").exception("Error handling\nrequest")

    (told,) = json_lines(capsys)
    assert told["timestamp"].endswith("Z")
    assert (told["logger"], told["level"], told["event"]) == ("aiohttp.server", "error", "Error handling\nrequest")
    assert told["exception"].endswith("with base 10: 'a\\nb'")


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_library_logs_of_a_server_stays_on_its_line_and_commands_no_terminal(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    standard_logging.getLogger().handlers.clear()
    logging.configure("info", form)

    standard_logging.getLogger("aio\nhttp").warning("refused: %s", "a\nb\x1b[2J\u202e\x9b1m\u2028c")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert "a" in line


def test_the_trace_of_a_library_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    standard_logging.getLogger().handlers.clear()
    logging.configure()

    def refuse() -> None:
        raise ValueError("a\x1b[2Jb\u202e")

    try:
        refuse()
    except ValueError:
        standard_logging.getLogger("aiohttp").exception("Error", stack_info=True)

    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert "ValueError: a�[2Jb�" in lines


def test_a_warning_and_what_ends_the_program_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    standard_logging.getLogger().handlers.clear()
    logging.configure()

    warnings.showwarning("a\x1b[2J", UserWarning, "file.py", 1)
    sys.excepthook(ValueError, ValueError("b\x1b[2J"), None)

    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert lines[-1] == "ValueError: b�[2J"


class FullDisk(io.StringIO):
    """A file on a disk without space; *refused* are the texts that had no space."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []

    def write(self, text: str) -> int:
        """Refuse it."""
        self.refused.append(text)
        raise OSError(errno.ENOSPC, f"no space left for {len(text)} characters")


def test_a_line_for_which_there_is_no_space_ends_nothing() -> None:
    """The log's disk is often the database's."""
    disk = FullDisk()
    with redirect_stderr(disk):
        logging.configure()

        structlog.get_logger("bot").error("the disk is full")

    assert "the disk is full" in disk.refused[0]
