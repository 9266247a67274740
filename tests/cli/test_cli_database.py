"""`patchbot db upgrade`, `check` and `backup`."""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bot.cli import main
from bot.store import migrate
from support.cli_rig import work_in, write_config

NEWEST = migrate.newest()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def _settings(folder: Path) -> None:
    write_config(folder)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit status and what was said, on whichever stream."""
    status = main(["db", *arguments])
    captured = capsys.readouterr()
    assert (captured.err == "") == (status == 0)
    return status, captured.out + captured.err


def test_a_database_is_made_checked_and_backed_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "upgrade") == (0, f"Created a new database, version {NEWEST}.\n")
    assert run(capsys, "upgrade") == (0, f"The database already has version {NEWEST}.\n")
    assert run(capsys, "check") == (0, "The database is intact and matches this program's version.\n")
    assert run(capsys, "backup", "copy.db") == (0, "Wrote copy.db.\n")
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.glob("*.db*")} == {
        "patchbot.db": "0o600",
        "copy.db": "0o600",
    }


def test_a_backup_is_a_database_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "upgrade")
    run(capsys, "backup", "copy.db")
    write_config(folder, more='[store]\nurl = "sqlite:///copy.db"')

    assert run(capsys, "check") == (0, "The database is intact and matches this program's version.\n")


def test_a_backup_overwrites_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "upgrade")
    Path("copy.db").write_text("precious")

    assert run(capsys, "backup", "copy.db") == (1, "copy.db exists already; name a new file for the copy\n")
    assert run(capsys, "backup", "no/copy.db") == (1, "cannot write no/copy.db: No such file or directory\n")
    assert Path("copy.db").read_text() == "precious"


def test_a_database_that_is_not_there_is_not_made_by_looking(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check") == (1, "there is no database at patchbot.db\n")
    assert run(capsys, "backup", "copy.db") == (1, "there is no database at patchbot.db\n")
    assert list(folder.glob("*.db")) == []


def test_a_text_file_is_no_database(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("patchbot.db").write_text("this is a text file, not a database")

    for action in (["check"], ["upgrade"], ["backup", "copy.db"]):
        assert run(capsys, *action) == (1, "the database patchbot.db is not a SQLite database\n")
    assert [path.name for path in folder.glob("*.db*")] == ["patchbot.db"]


def test_a_damaged_database_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "upgrade")
    file = Path("patchbot.db")
    content = file.read_bytes()
    file.write_bytes(content[:4_096] + b"\xff" * (len(content) - 4_096))

    for action in (["check"], ["upgrade"]):
        assert run(capsys, *action) == (1, "the database patchbot.db is damaged; restore a backup\n")


def test_a_newer_database_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "upgrade")
    with closing(sqlite3.connect("patchbot.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
        connection.commit()

    for action in ("check", "upgrade"):
        assert run(capsys, action) == (
            1,
            f"the database is newer (0999) than this program ({NEWEST}): upgrade the program\n",
        )


def test_the_database_of_another_program_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect("patchbot.db")) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")

    for action in ("check", "upgrade"):
        assert run(capsys, action) == (
            1,
            "the database patchbot.db belongs to another program: set another one in store.url\n",
        )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "postgresql://bot:hunter2@db/bot?nonsense=1",
            "store.url: cannot be read: postgresql://USER@HOST/DATABASE?PARAMETER=VALUE\n",
        ),
        ("sqlite:///a.db?mode=ro", "store.url: takes no parameters, but has mode\n"),
    ],
)
def test_a_url_of_no_use_is_a_mistake_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, told: str
) -> None:
    monkeypatch.setenv("PATCHBOT_STORE__URL", url)

    assert run(capsys, "upgrade") == (2, told)


def test_a_database_of_postgresql_is_made_and_checked_and_backed_up_by_its_own_tools(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    monkeypatch.setenv("PATCHBOT_STORE__URL", postgres_url)

    assert run(capsys, "check") == (
        1,
        f"the database is at version none, the program at {NEWEST}: run `patchbot db upgrade`\n",
    )
    assert run(capsys, "upgrade") == (0, f"Created a new database, version {NEWEST}.\n")
    assert run(capsys, "upgrade") == (0, f"The database already has version {NEWEST}.\n")
    assert run(capsys, "check") == (0, "The database responds and matches this program's version.\n")
    assert run(capsys, "backup", "copy.db") == (
        2,
        "store.url: is a PostgreSQL database, which pg_dump backs up; this command copies SQLite files only\n",
    )
    assert not list(folder.glob("*.db"))


def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATCHBOT_STORE__URL", "postgresql://bot:hunter2@127.0.0.1:1/bot")

    for action in ("check", "upgrade"):
        assert run(capsys, action) == (
            1,
            "the database bot on 127.0.0.1:1 cannot be reached: no server listens there\n",
        )


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that any user may enter."""
    with tempfile.TemporaryDirectory(prefix="patchbot-test-", dir="/tmp") as name:  # pytest's own is closed to others
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Root may write anywhere; somebody else may not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (["upgrade"], "the database {db} cannot be created: Permission denied\n"),
        (["backup", "copy.db"], "cannot write copy.db: Permission denied\n"),
    ],
)
def test_a_folder_without_write_permission_is_told_in_a_line(
    public_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    action: list[str],
    told: str,
) -> None:
    run(capsys, "upgrade")  # so that all is imported while it may be read
    monkeypatch.chdir(public_folder)
    write_config(public_folder)
    if action != ["upgrade"]:
        Path("patchbot.db").touch()
    public_folder.chmod(0o555)

    with as_an_ordinary_user():
        found = run(capsys, *action)

    assert found == (1, told.format(db="patchbot.db"))


@pytest.mark.parametrize("action", ["upgrade", "check"])
def test_a_database_that_may_only_be_read_is_told_in_a_line(
    public_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.chdir(public_folder)
    write_config(public_folder)
    run(capsys, "upgrade")
    Path("patchbot.db").chmod(0o444)
    public_folder.chmod(0o555)

    with as_an_ordinary_user():
        status, told = run(capsys, action)

    assert status == 1
    assert told.startswith("the database patchbot.db cannot be ")
    assert len(told.splitlines()) == 1
