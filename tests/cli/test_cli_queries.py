"""`patchbot paths` and `patchbot explain`."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cli import main
from support.cli_rig import SEED, patchbot, work_in

DIFF = b"diff --git a/%b b/%b\nnew file mode 100644\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


def diff_of(*names: bytes) -> bytes:
    return b"".join(DIFF % (name, name) for name in names)


def type_in(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


# paths


def test_paths_of_standard_input_are_sorted_and_unique(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    type_in(monkeypatch, diff_of(b"b.c", b"a/z.c", b"b.c"))

    assert main(["paths"]) == 0
    assert capsysbinary.readouterr().out == b"a/z.c\nb.c\n"


def test_paths_of_several_files_are_one_list_with_old_and_new_names(
    folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    (folder / "1").write_bytes(diff_of(b"z.c"))
    (folder / "2").write_bytes(
        b"diff --git a/old.c b/new.c\nsimilarity index 100%\nrename from old.c\nrename to new.c\n"
    )

    assert main(["paths", "1", "2"]) == 0
    assert capsysbinary.readouterr().out == b"new.c\nold.c\nz.c\n"


@pytest.mark.slow
def test_a_name_that_is_not_utf_8_survives(folder: Path) -> None:
    (folder / "1").write_bytes(diff_of(b"caf\xe9.c", "grün.c".encode()))

    done = patchbot("paths", folder / "1", folder=folder, fresh=True, LC_ALL="C", PYTHONUTF8="0")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf\xe9.c\ngr\xc3\xbcn.c\n", b"")


def test_a_name_with_a_line_break_is_still_one_line(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    type_in(monkeypatch, b'diff --git "a/x\\ny" "b/x\\ny"\nnew file mode 100644\n')

    assert main(["paths"]) == 0
    assert capsysbinary.readouterr().out == b'"x\\ny"\n'


def test_a_file_that_cannot_be_read_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paths", "nowhere"]) == 2
    assert main(["paths", str(folder)]) == 2
    assert capsys.readouterr().err == (
        f"cannot read nowhere: No such file or directory\ncannot read {folder}: Is a directory\n"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.binary(max_size=300) | st.lists(st.binary(max_size=20), max_size=3).map(lambda n: diff_of(*n)))
def test_any_bytes_have_paths_or_none(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    type_in(monkeypatch, content)

    assert main(["paths"]) == 0


# explain


def test_a_match_names_what_matched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "path:migration/ from:lukasstraub2@web.de", str(SEED)]) == 0
    assert capsys.readouterr().out == (
        "match\n  path:migration/ matches migration/colo.c\n  from:lukasstraub2@web.de matches lukasstraub2@web.de\n"
    )


def test_a_refusal_names_the_exclude(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "path:migration/ -path:migration/colo.c", str(SEED)]) == 1
    assert capsys.readouterr().out == "no match\n  -path:migration/colo.c excludes migration/colo.c\n"


def test_a_refusal_names_what_was_there_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "path:hw/", str(SEED)]) == 1
    assert capsys.readouterr().out == "no match\n  path:hw/ does not match migration/colo.c\n"


def test_what_may_be_meant_otherwise_is_noted_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "path:colo.c OR text:colo", str(SEED)]) == 0

    told = capsys.readouterr()
    assert told.out == "match\n  text:colo matches the patch's text\n"
    assert told.err == "note: path:colo.c is a file at the top of the tree; for any depth, use path:**/colo.c\n"


def test_why_no_alternative_matches_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "path:hw/ OR (state:accepted v:>2)", str(SEED)]) == 1
    assert capsys.readouterr().out == (
        "no match\n  path:hw/ does not match migration/colo.c\n  state:accepted does not match new\n"
    )


def test_the_patch_may_come_through_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, SEED.read_bytes())

    assert main(["explain", "path:migration/"]) == 0
    assert capsys.readouterr().out.startswith("match\n")


@pytest.mark.parametrize("query", ["-hw path:migration/", "-path:hw/ path:migration/", "-help,hw path:migration/"])
def test_a_query_may_begin_with_an_exclude(query: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", query, str(SEED)]) == 0
    assert capsys.readouterr().out.startswith("match\n")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("path:", "path:\n^^^^^\npath: needs a value, e.g. path:drivers/net/\n"),
        (
            "path:a bogus:1",
            (
                "path:a bogus:1\n       ^^^^^^\n"
                'bogus: is not a key. To look for it in the subject, put it in quotes: "bogus:"\n'
            ),
        ),
        ("path:a\n\tpath:", "path:a  path:\n        ^^^^^\npath: needs a value, e.g. path:drivers/net/\n"),
        (
            "-path:hw/",
            (
                "-path:hw/\n^^^^^^^^^\nThis matches nearly everything: add what you want to hear of, "
                "e.g. project:qemu-devel -path:hw/\n"
            ),
        ),
    ],
)
def test_a_bad_query_exits_2_with_a_caret_under_the_mistake(
    query: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", query, str(SEED)]) == 2
    assert capsys.readouterr().err == told


SERIES = {"id": 5, "name": "A series", "project": {"id": 1, "link_name": "qemu-devel"}, "patches": []}
ROW_OF_A_LIST = {
    "id": 5,
    "name": "A patch",
    "msgid": "<1@hs>",
    "state": "new",
    "project": {"id": 1, "link_name": "qemu-devel"},
}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"diff --git", "answer.json is not valid JSON; expected a patch, as /api/patches/N/ returns it"),
        (b"\xff\xfe", "answer.json is not valid JSON; expected a patch, as /api/patches/N/ returns it"),
        (b"", "answer.json is not valid JSON; expected a patch, as /api/patches/N/ returns it"),
        (b"[" * 100_000, "answer.json is not valid JSON; expected a patch, as /api/patches/N/ returns it"),
        (b"[]", "answer.json is a list; expected a patch, as /api/patches/N/ returns it"),
        (b"{}", "answer.json is not a patch; expected a patch, as /api/patches/N/ returns it"),
        (json.dumps(SERIES).encode(), "answer.json is a series; expected a patch, as /api/patches/N/ returns it"),
        (
            json.dumps(ROW_OF_A_LIST).encode(),
            "answer.json is a patch without its diff, as in a list; expected a patch, as /api/patches/N/ returns it",
        ),
    ],
)
def test_a_file_that_is_no_patch_is_told_as_what_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes, told: str
) -> None:
    (folder / "answer.json").write_bytes(content)

    assert main(["explain", "path:migration/", "answer.json"]) == 2
    assert capsys.readouterr().err == f"{told}\n"


def test_nothing_that_a_patch_says_is_obeyed_by_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(SEED.read_bytes())
    answer["diff"] = 'diff --git "a/\\033[2J" "b/\\033[2J"\nnew file mode 100644\n'
    (folder / "answer.json").write_text(json.dumps(answer))

    main(["explain", "path:migration/", "answer.json"])

    assert capsys.readouterr().out == "no match\n  path:migration/ does not match �[2J\n"
