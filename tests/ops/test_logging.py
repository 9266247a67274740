"""The log."""

import errno
import io
import logging as standard_logging
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from bot.ops import logging

PASSWORD = "hunter2-and-more"  # noqa: S105  # an invented one, to be looked for where it must not be


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = standard_logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
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


class FullDisk(io.StringIO):
    """A file on a disk without space."""

    def write(self, text: str) -> int:
        """Refuse it."""
        raise OSError(errno.ENOSPC, f"no space left for {len(text)} characters")


def test_a_line_for_which_there_is_no_space_ends_nothing() -> None:
    """The log's disk is often the database's."""
    with redirect_stderr(FullDisk()):
        logging.configure()

        structlog.get_logger("bot").error("the disk is full")
