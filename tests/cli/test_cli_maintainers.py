"""`patchbot maintainers`."""

import io
from pathlib import Path

import pytest

from bot.cli import main
from support.cli_rig import work_in

FILE = """\
Migration
M: Ada Sample <ada@example.org>
F: migration/
N: (?=dirty)x

Dirty \x1b[31mtricks
F: util/

THE REST
F: */
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    work_in(tmp_path, monkeypatch)
    (tmp_path / "MAINTAINERS").write_text(FILE)
    return "MAINTAINERS"


def test_sections_come_one_a_line_with_rule_and_path(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintainers", file, "migration/ram.c", "./util/a.c"]) == 0
    assert capsys.readouterr().out == (
        "Migration\tF: migration/\tmigration/ram.c\n"
        "THE REST\tF: */\tmigration/ram.c\n"
        "Dirty �[31mtricks\tF: util/\tutil/a.c\n"
        "THE REST\tF: */\tutil/a.c\n"
    )


def test_a_rule_that_cannot_be_used_is_told_beside_the_answer(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["maintainers", file, "util/a.c"])

    assert capsys.readouterr().err == "line 4: N: (?=dirty)x cannot be used: it has a look-around in the middle\n"


def test_no_section_is_exit_status_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"A\nF: a/\n")))

    assert main(["maintainers", "-", "b"]) == 1
    assert capsys.readouterr() == ("", "no section covers these paths\n")


def test_a_file_without_files_is_no_maintainers_file(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text("<html>502</html>")

    assert main(["maintainers", file, "a"]) == 2
    assert capsys.readouterr() == ("", "MAINTAINERS has no F: line; is it a MAINTAINERS file?\n")


def test_a_file_that_is_not_there_is_named(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintainers", f"{file}.old", "a"]) == 2
    assert capsys.readouterr().err == "cannot read MAINTAINERS.old: No such file or directory\n"


def test_a_path_is_needed(file: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["maintainers", file])

    assert left.value.code == 2
