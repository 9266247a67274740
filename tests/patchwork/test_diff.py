import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unidiff.patch import PatchSet

from bot.patchwork.diff import _NOTABLE, MAX_FILES, changed_files, touched_paths
from bot.patchwork.diff_headers import read_header
from bot.patchwork.model import FileChange, paths_of

SAMPLES = Path(__file__).parent.parent / "samples"

Tree = Mapping[str, bytes]
ENTRY = tuple[str, int, int]  # a path with its lines added and removed

NESTED = b"""\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
Subject: [PATCH] fix the build

---
 src/evil.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/src/evil.c b/src/evil.c
index 1111111..2222222 100644
--- a/src/evil.c
+++ b/src/evil.c
@@ -1,3 +1,3 @@
 one
-two
+three
 four
-- \n2.39.5
"""
LINES = [b"line %d\n" % number for number in range(60)]
TEXT = b"".join(LINES)
EDITED = b"".join([b"first\n", *LINES[:20], b"-- a/x\n", *LINES[22:50], b"++ b/x\n", b"last"])
BINARY = bytes(range(256)) * 8


@dataclass(frozen=True)
class Repo:
    """A throw-away git repository."""

    home: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
    )

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What one git command prints."""
        command = ["git", "-C", str(self.home), *arguments]
        run = subprocess.run(command, input=stdin, env=self.environment, capture_output=True, check=True)  # noqa: S603 - fixed program, no shell
        return run.stdout

    def tree(self, files: Tree, mode: str = "100644") -> str:
        """The id of a tree with these files."""
        entries = b""
        for path, content in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=content).strip()
            entries += mode.encode() + b" " + blob + b"\t" + os.fsencode(path) + b"\0"
        self.git("read-tree", "--empty")
        self.git("update-index", "-z", "--index-info", stdin=entries)
        return self.git("write-tree").decode().strip()

    def diff(self, trees: tuple[str, str], *options: str, config: tuple[str, ...] = ()) -> bytes:
        """The diff between two trees, renames and copies found."""
        configured = [part for pair in config for part in ("-c", pair)]
        return self.git(*configured, "diff", "-M", "-C", "--find-copies-harder", *options, *trees)

    def numstat(self, diff: bytes, *options: str) -> list[ENTRY]:
        """What git reads out of *diff*."""
        shown = self.git("apply", "--numstat", "-z", *options, stdin=diff) if diff else b""
        return [_numstat_entry(text(line)) for line in shown.split(b"\0")[:-1]]

    def old_names(self, trees: tuple[str, str]) -> set[str]:
        """The old names of the renames and copies between two trees."""
        parts = self.diff(trees, "--name-status", "-z").split(b"\0")[:-1]
        names = set()
        while parts:
            moved = parts[0][:1] in b"RC"
            names |= {text(parts[1])} if moved else set()
            parts = parts[3:] if moved else parts[2:]
        return names


def _numstat_entry(line: str) -> ENTRY:
    added, removed, path = line.split("\t", 2)
    return path, int(added.replace("-", "0")), int(removed.replace("-", "0"))


@pytest.fixture(scope="session")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    repo = Repo(tmp_path_factory.mktemp("repo"))
    repo.git("init", "--quiet")
    return repo


def text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def entries(files: tuple[FileChange, ...]) -> list[ENTRY]:
    return [(file.path, file.added, file.removed) for file in files]


def paths(diff: str) -> list[str]:
    return [file.path for file in changed_files(diff)]


def all_names(files: tuple[FileChange, ...]) -> set[str]:
    return {file.path for file in files} | {file.old_path for file in files if file.old_path is not None}


def an_edit(path: str, *, prefixes: tuple[str, str] = ("a/", "b/")) -> str:
    """A git diff that replaces the one line of *path*."""
    old, new = prefixes[0] + path, prefixes[1] + path
    header = f"diff --git {old} {new}\nindex 1111111..2222222 100644\n"
    return f"{header}--- {old}\n+++ {new}\n@@ -1 +1 @@\n-old\n+new\n"


ODD_NAMES = [
    "with space.c",
    "two  spaces b/two  spaces.c",
    "comma,semicolon;.c",
    "trailing space ",
    " leading",
    'quo"te',
    "back\\slash",
    "tab\there",
    "new\nline",
    "bell\a\b\v\f\r\x7f",
    "docs/ü/日本語.rst",
    "a => b",
    "{brace,s}",
    "b/x b/x",
    "-dash",
    "#hash",
    "1970-01-01 00:00:00",
    b"latin\xfc1".decode(errors="surrogateescape"),
]

CASES: dict[str, tuple[Tree, Tree]] = {
    "edit": ({"dir/x.c": TEXT}, {"dir/x.c": EDITED}),
    "top-level edit": ({"x": TEXT}, {"x": EDITED}),
    "directory named like a prefix": ({"a/x": TEXT, "b/b/x": TEXT}, {"a/x": EDITED, "b/b/x": EDITED}),
    "new": ({}, {"new.c": TEXT}),
    "deleted": ({"old.c": TEXT}, {}),
    "empty new": ({}, {"empty": b""}),
    "empty deleted": ({"dir/empty file": b""}, {}),
    "pure rename": ({"old name.c": TEXT}, {"dir/new name.c": TEXT}),
    "rename with edits": ({"a/x.c": TEXT}, {"b/x.c": EDITED}),
    "rename to an odd name": ({"plain": TEXT}, {'quo"te \t ü': TEXT + b"more\n"}),
    "rename between odd names": ({"ü 1": TEXT}, {"tab\t2": TEXT}),
    "copy": ({"one": TEXT}, {"one": TEXT, "two": TEXT, "three": EDITED}),
    "rename of a copy": ({"one": TEXT}, {"two": TEXT, "three": TEXT}),
    "binary edit": ({"x.bin": BINARY}, {"x.bin": BINARY[::-1]}),
    "binary new and deleted": ({"a b.bin": BINARY}, {"c.bin": BINARY[::-1] + b"\0"}),
    "binary rename": ({"x.bin": BINARY}, {"y z.bin": BINARY}),
    "text becomes binary": ({"x": TEXT}, {"x": BINARY}),
    "CRLF content": ({"x": TEXT.replace(b"\n", b"\r\n")}, {"x": EDITED.replace(b"\n", b"\r\n")}),
    "no newline at the end": ({"x": b"one", "y": b"a\nb\nc"}, {"x": b"two", "y": b"a\nB\nc\n"}),
    "form feeds and line separators": ({"x": b"a\x0cb\n"}, {"x": "a\u2028b\x85c\x0cd\re\n".encode()}),
    "a diff added": ({}, {"package/0001-fix.patch": NESTED}),
    "a diff removed": ({"package/0001-fix.patch": NESTED}, {"other": b"x\n"}),
    "a diff edited": ({"fix.patch": TEXT + NESTED}, {"fix.patch": NESTED + TEXT}),
    "a diff of a diff": ({}, {"x.patch": b"".join(b"+" + line for line in NESTED.splitlines(keepends=True))}),
    "odd names, edited": (dict.fromkeys(ODD_NAMES, TEXT), dict.fromkeys(ODD_NAMES, EDITED)),
    "odd names, new": ({}, dict.fromkeys(ODD_NAMES, TEXT)),
    "odd names, empty": ({}, dict.fromkeys(ODD_NAMES, b"")),
    "odd names, deleted": (dict.fromkeys(ODD_NAMES, TEXT), {}),
    "odd names, binary": (dict.fromkeys(ODD_NAMES, BINARY), dict.fromkeys(ODD_NAMES, BINARY[1:])),
}


@dataclass(frozen=True)
class Style:
    """A way to have git write a diff, and to have it read it back."""

    options: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()


STYLES = {
    "plain": Style(),
    "binary": Style(("--binary", "--full-index")),
    "no context": Style(("-U0",), reading=("--unidiff-zero",)),
    "reversed": Style(("-R",)),
    "no prefix": Style(("--no-prefix",), reading=("-p0",)),
    "mnemonic prefix": Style(("--src-prefix=i/", "--dst-prefix=w/")),
    "bare names": Style(config=("core.quotePath=false",)),
    "with stat": Style(("--stat", "--patch")),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.slow
def test_git_reads_the_same_files_and_counts(repo: Repo, case: str, style: str) -> None:
    assert_agrees_with_git(repo, CASES[case], STYLES[style])


WITHOUT_SPACES = [case for case, (old, new) in CASES.items() if not any(" " in path for path in (*old, *new))]


@pytest.mark.parametrize("case", WITHOUT_SPACES)
def test_prefixes_of_unequal_length_are_told_from_names(repo: Repo, case: str) -> None:
    """Only a name with spaces that nothing but the header tells stays open then."""
    assert_agrees_with_git(repo, CASES[case], Style(("--src-prefix=before/", "--dst-prefix=after/")))


def assert_agrees_with_git(repo: Repo, case: tuple[Tree, Tree], style: Style) -> None:
    trees = repo.tree(case[0]), repo.tree(case[1])
    diff = repo.diff(trees, *style.options, config=style.config)
    expected = repo.numstat(diff, *style.reading)
    old_names = repo.old_names((trees[1], trees[0]) if "-R" in style.options else trees)

    files = changed_files(text(diff))

    assert entries(files) == expected
    assert all_names(files) == {path for path, _, _ in expected} | old_names


def test_a_mode_change_alone_names_its_file(repo: Repo) -> None:
    files = dict.fromkeys(ODD_NAMES, TEXT)
    diff = repo.diff((repo.tree(files), repo.tree(files, mode="100755")))

    changed = changed_files(text(diff))

    assert len(changed) == len(ODD_NAMES)
    assert entries(changed) == repo.numstat(diff)


def test_a_file_that_becomes_a_symlink_comes_as_often_as_git_shows_it(repo: Repo) -> None:
    diff = repo.diff((repo.tree({"x y": TEXT}), repo.tree({"x y": b"target"}, mode="120000")))

    assert entries(changed_files(text(diff))) == [("x y", 0, 60), ("x y", 1, 0)] == repo.numstat(diff)


def test_mnemonic_prefixes_of_every_kind_are_taken_off(repo: Repo) -> None:
    mnemonic = ("-c", "diff.mnemonicPrefix=true", "diff")
    (repo.home / "x y").write_bytes(EDITED)
    repo.git("read-tree", repo.tree({"x y": TEXT}))
    repo.git("commit", "--quiet", "--message", "one")

    unstaged = repo.git(*mnemonic)
    against_head = repo.git(*mnemonic, "HEAD")
    object_to_file = repo.git(*mnemonic, "HEAD:x y", "x y")
    repo.git("add", "x y")
    staged = repo.git(*mnemonic, "--cached")

    prefixes = [diff.split()[2][:2] for diff in (unstaged, against_head, object_to_file, staged)]
    assert prefixes == [b"i/", b"c/", b"o/", b"c/"]
    for diff in (unstaged, against_head, object_to_file, staged):
        assert entries(changed_files(text(diff))) == repo.numstat(diff)


def test_five_megabytes_read_as_git_reads_them(repo: Repo) -> None:
    before = {f"dir{n % 7}/file {n}.c": TEXT * 400 for n in range(40)}
    after = {path: EDITED * 400 + NESTED * n for n, path in enumerate(before)}
    diff = repo.diff((repo.tree(before), repo.tree(after)), "--no-renames")

    files = changed_files(text(diff))

    assert len(diff) > 5_000_000
    assert entries(files) == repo.numstat(diff)


@pytest.mark.parametrize("case", ["edit", "new", "deleted", "rename with edits", "a diff added", "a diff edited"])
def test_unidiff_reads_the_same_files_and_counts(repo: Repo, case: str) -> None:
    before, after = CASES[case]
    diff = text(repo.diff((repo.tree(before), repo.tree(after))))

    files = changed_files(diff)

    assert entries(files) == [(file.path, file.added, file.removed) for file in PatchSet(diff)]


def test_a_real_answer_of_a_server_names_its_file() -> None:
    sample = json.loads((SAMPLES / "patch-2194095.json").read_text(encoding="utf-8"))

    files = changed_files(sample["diff"])

    assert files == (FileChange("migration/colo.c", added=6, removed=0),)


def test_removed_and_added_lines_that_look_like_file_lines_are_content() -> None:
    diff = an_edit("x").replace("-old\n+new\n", "--- a/fake\n+++ b/fake\n")

    assert changed_files(diff + "@@ -9 +9 @@\n-1\n+2\n") == (FileChange("x", added=2, removed=2),)


def test_a_removed_line_above_an_added_one_that_read_like_the_names_of_a_file_begin_none() -> None:
    """Python 3.11.2 ended the hunk too early, when a possessive group took its lines."""
    diff = (
        "diff --git a/x.c b/x.c\nindex 1234567..89abcde 100644\n--- a/x.c\n+++ b/x.c\n"
        "@@ -1,3 +1,3 @@\n same\n--- a/y.c\n+++ b/z.c\n same\n@@ -9 +9 @@\n-old\n+new\n"
    )

    assert changed_files(diff) == (FileChange("x.c", added=2, removed=2),)


@pytest.mark.parametrize(
    ("quoted", "name"),
    [(r"\\", "\\"), (r"x\"y", 'x"y'), (r"x\\\"y", 'x\\"y'), (r"\\\\x", r"\\x")],
)
def test_a_quoted_name_ends_at_the_first_quote_that_is_not_escaped(quoted: str, name: str) -> None:
    diff = f'--- "a/{quoted}" "old"\n+++ "b/{quoted}" "new"\n@@ -1 +1 @@\n-old\n+new\n'

    assert paths(diff) == [name]


def test_a_signature_below_the_last_hunk_is_not_counted() -> None:
    assert changed_files(an_edit("x") + "-- \n2.39.5\n\n") == (FileChange("x", added=1, removed=1),)


@pytest.mark.parametrize(
    "below",
    ["-- \n2.39.5\n", "-- \r\n2.39.5\n", "- a\n+ b\n", "\n- a\n", "+1\n", " x | 2 +-\n", "\\ No newline\n", "\n\n"],
)
def test_what_stands_below_the_last_of_several_hunks_is_not_counted(below: str) -> None:
    diff = an_edit("x") + "@@ -9,2 +9,3 @@ f()\n 1\n--\n+2\n+++ 3\n"

    assert changed_files(diff + below) == (FileChange("x", added=3, removed=2),)
    assert entries(changed_files(diff + below + an_edit("y"))) == [("x", 3, 2), ("y", 1, 1)]


def test_an_indented_or_cited_diff_in_a_message_is_not_read() -> None:
    indented = "".join(f"    {line}" for line in an_edit("cited").splitlines(keepends=True))
    cited = "".join(f"> {line}" for line in an_edit("cited").splitlines(keepends=True))

    assert paths(f"Fix this:\n\n{indented}\n{cited}\n---\n\n{an_edit('real')}") == ["real"]


@pytest.mark.parametrize(
    "below", [" real | 2 +-\n 1 file changed, 1 insertion(+)\n\n", "v2: fixed\n\n real | 2 +-\n\n", "\n", ""]
)
def test_a_diff_pasted_above_the_end_of_the_message_is_not_read(below: str) -> None:
    mail = f"Subject: fix\n\nThis broke it:\n\n{an_edit('pasted')}\nSigned-off-by: A\n---\n{below}"

    assert paths(mail + an_edit("real")) == ["real"]
    assert paths((mail + an_edit("real")).replace("\n", "\r\n")) == ["real"]


def test_a_dashed_line_between_two_diffs_in_prose_drops_neither() -> None:
    """In doubt a file counts as touched."""
    mail = f"Try this:\n\n{an_edit('one')}\n---\nand on top of it:\n\n{an_edit('two')}"

    assert paths(mail) == ["one", "two"]


def test_a_dashed_footer_below_the_diff_drops_nothing() -> None:
    assert paths(f"Hi\n\n{an_edit('one')}\n---\nScanned for viruses.\n") == ["one"]


def test_each_mail_of_an_mbox_has_its_own_message() -> None:
    start = "From 0123abc Mon Sep 17 00:00:00 2001\nSubject: x\n\n"
    first = f"{start}{an_edit('one')}-- \n2.39.5\n\n"
    second = f"{start}{an_edit('pasted')}\n---\n two | 2 +-\n\n{an_edit('two')}-- \n2.39.5\n\n"

    assert paths(first + second + first) == ["one", "two", "one"]


def test_a_line_that_merely_begins_with_from_starts_no_mail() -> None:
    mail = f"As said:\n{an_edit('pasted')}\nFrom here on it works.\n---\n\n{an_edit('real')}"

    assert paths(mail) == ["real"]


def test_a_mail_below_a_bare_diff_does_not_drop_it() -> None:
    mail = f"Subject: y\n\nText\n---\n two | 2 +-\n\n{an_edit('two')}"

    assert paths(an_edit("one") + mail) == ["one", "two"]


def test_a_header_line_quoted_alone_is_no_diff() -> None:
    assert paths("It says\n\ndiff --git a/x b/x\n\nand\n\n--- a/y\n+++ b/y\n\nthere.\n") == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("a/dir/x.c", "b/dir/x.c", "dir/x.c"),
        ("dir/x.c", "dir/x.c", "dir/x.c"),
        ("x.c.orig", "x.c", "x.c"),
        ("a/x.c~fix", "a/x.c", "x.c"),
        ("a/x.c", "b/x.c.new", "x.c"),
        ("linux-6.1.orig/mm/x.c", "linux-6.1/mm/x.c", "mm/x.c"),
        ("a/x.c\t2024-01-01 10:00:00.000000000 +0100", "b/x.c\t2024-01-02 10:00:00.000000000 +0100", "x.c"),
        ("a/x y.c  2024-01-01 10:00:00 +0100", "b/x y.c 2024-01-02 10:00:00 +0100", "x y.c"),
        ("x.c\t(revision 1)", "x.c\t(working copy)", "x.c"),
        ("/dev/null\tThu Jan 01 00:00:00 1970 +0000", "b/x.c\tThu Jan 01 00:00:01 1970 +0000", "x.c"),
        ("a/x.c", "/dev/null", "x.c"),
        ("/dev/null", "dir/x.c", "dir/x.c"),
        ('"a/\\303\\274.c"', '"b/\\303\\274.c"', "ü.c"),
        ("a/old.c", "b/new.c", "new.c"),
    ],
)
def test_a_diff_without_a_git_header_names_its_file(old: str, new: str, path: str) -> None:
    diff = f"Index: x\n=====\n--- {old}\n+++ {new}\n@@ -1 +1,2 @@\n-a\n+b\n+c\n"

    assert changed_files(diff) == (FileChange(path, added=2, removed=1),)
    assert changed_files(diff.replace("\n", "\r\n")) == (FileChange(path, added=2, removed=1),)


def test_plain_diffs_in_a_row_are_told_apart_by_their_counts() -> None:
    one = "--- a/one\n+++ b/one\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n"
    two = "--- a/two\n+++ b/two\n@@ -0,0 +1 @@\n+y\n"

    assert entries(changed_files(one + two)) == [("one", 1, 1), ("two", 1, 0)]


def test_a_merge_is_counted_per_line_of_any_parent() -> None:
    diff = (
        'diff --cc "d\\303\\274r/x.c"\nindex 1,2..3\nmode 100644,100644..100755\n--- "a/d\\303\\274r/x.c"\n'
        '+++ "b/d\\303\\274r/x.c"\n@@@ -1,3 -1,3 +1,4 @@@\n  same\n- one\n -two\n--- both\n++++new\n+ left\n +right\n'
    )

    assert changed_files(diff + an_edit("y")) == (FileChange("dür/x.c", None, 3, 3), FileChange("y", None, 1, 1))


def test_mercurial_git_diffs_without_index_lines_are_read() -> None:
    rename = "diff --git a/old.c b/new.c\nrename from old.c\nrename to new.c\n"
    added = "diff --git a/y z b/y z\nnew file mode 100644\n--- /dev/null\n+++ b/y z\n@@ -0,0 +1,1 @@\n+y\n"

    files = changed_files("# HG changeset patch\n# User a\nText\n\n" + rename + added)

    assert files == (FileChange("new.c", old_path="old.c"), FileChange("y z", added=1))


def test_blank_context_lines_that_lost_their_space_count() -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1,4 +1,4 @@\n one\n\n-two\n+--- a/y\n\n--- a/z\n+++ b/z\n@@ -1 +1 @@\n-1\n+2\n"

    assert entries(changed_files(diff)) == [("x", 1, 1), ("z", 1, 1)]


def test_a_cut_hunk_does_not_swallow_the_next_file() -> None:
    cut = an_edit("x").replace("@@ -1 +1 @@", "@@ -1,90 +1,90 @@")

    assert entries(changed_files(cut + an_edit("y"))) == [("x", 1, 1), ("y", 1, 1)]


def test_names_without_prefix_keep_directories_that_look_like_one() -> None:
    assert paths(an_edit("a/x", prefixes=("", "")) + an_edit("b/x b/x")) == ["a/x", "b/x b/x"]


def test_a_comparison_of_two_files_names_the_new_one() -> None:
    diff = "diff --git a/one.c b/other.c\nindex 1..2 100644\n--- a/one.c\n+++ b/other.c\n@@ -1 +1 @@\n-1\n+2\n"

    assert changed_files(diff) == (FileChange("other.c", added=1, removed=1),)


def test_a_rename_cut_short_still_names_both() -> None:
    diff = "diff --git a/old.c b/new.c\nsimilarity index 100%\nrename from old.c\n"

    assert changed_files(diff) == (FileChange("new.c", old_path="old.c"),)


def test_bytes_that_are_not_utf8_become_valid_text() -> None:
    diff = 'diff --git "a/\\374\\9\\q\\"" "b/\\374\\9\\q\\""\nold mode 100644\nnew mode 100755\n'

    assert paths(diff) == ['\ufffd9q"']


def test_no_more_files_than_the_cap_are_returned() -> None:
    diff = "".join(f"diff --git a/{n} b/{n}\nnew file mode 100644\n" for n in range(MAX_FILES + 5))

    assert len(changed_files(diff)) == MAX_FILES


@pytest.mark.timeout(10)  # quadratic work on any of these would take minutes
@pytest.mark.parametrize(
    "unit",
    [
        "@@ -1,999999999 +1,999999999 @@\n",
        "--- a/x\n+++ b/x\n@@ -1,999999999 +1,999999999 @@\n",
        "--- a/x\n+++ b/x\n@@ -1,999999999 +1,999999999 @@\n+\n \n-\n\n",
        "--- a/x\n+++ b/x\n@@@@@ -1,9 -1,9 -1,9 -1,9 +1,999999999 @@@@@\n",
        "---\n",
        "---\n1\ndiff --git a/x b/x\nindex\n",
        "diff --git a/x b/x\n",
        "From x Mon Sep 17 00:00:00 2001\n",
        "index ",
        "\n",
        "\\",
        '"',
        " ",
        " |",
        "\\\n",
        "- ",
        "@",
        "\x00",
    ],
)
@pytest.mark.parametrize("head", ["", "diff --git ", 'diff --git "', "--- ", " a\n---\n ", an_edit("x")])
def test_hostile_repetition_takes_linear_time(unit: str, head: str) -> None:
    diff = head + unit * (400_000 // len(unit))

    assert len(changed_files(diff)) <= MAX_FILES


FRAGMENTS = st.sampled_from(
    [
        *an_edit("x y").splitlines(keepends=True),
        *text(NESTED).splitlines(keepends=True),
        "rename from x\nrename to y\n",
        'rename from ""\n',
        'diff --git "a/\\303" "b/\\',
        "diff --git a/ b/\nindex\n",
        "diff --cc \nindex\n",
        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n",
        "--- a/\n+++ b/\n@@ -1 +1 @@\n",
        f"@@ -{'9' * 9},{'9' * 9} +1 @@\n",
        f"@@ -{'9' * 5000},1 +1 @@\n",
        "@@@ -1,2 -1 +1,0 @@@\n",
        "GIT binary patch\nliteral 3\nzcmV\n\n",
        "\ud800\r",
        "\\ No newline at end of file\n",
        "\n",
    ]
)


def assert_sane(diff: str) -> None:
    files = changed_files(diff)

    assert touched_paths(diff) == paths_of(files)
    assert len(files) <= MAX_FILES
    assert all(file.path and file.old_path not in (file.path, "") for file in files)
    assert sum(len(file.path) + len(file.old_path or "") for file in files) <= len(diff)
    assert sum(file.added + file.removed for file in files) <= diff.count("\n") + 1


@given(st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=20))).map("".join)))
def test_any_text_is_read_without_an_error(diff: str) -> None:
    assert_sane(diff)


NAMES_IN_HEADERS = st.text('ab/. \t\r"\u00a0(1)', min_size=1, max_size=6)
USUAL_LINES = [
    "diff --git a/{0} b/{0}",
    "diff --git a/{0} b/{1}",
    "new file mode 100644",
    "index 1..2",
    "--- a/{0}",
    "+++ b/{0}",
    "@@ -1 +1 @@",
    "+++ b/{1}",
]


@given(
    st.lists(st.sampled_from(USUAL_LINES), max_size=8).map("\n".join) | st.just("\n".join(USUAL_LINES)),
    NAMES_IN_HEADERS,
    NAMES_IN_HEADERS,
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_usual_header_is_read_as_any_other(lines: str, name: str, other: str, end: str) -> None:
    diff = "\n" + lines.format(name, other).replace("\n", end)

    for notable in _NOTABLE.finditer(diff):
        path = notable[1] or notable[2]
        if path and "./" not in path and "//" not in path:
            assert read_header(diff, notable.start()) == (path, None, notable.end())


@pytest.fixture(scope="session")
def many_kinds(repo: Repo) -> str:
    """One diff with most of what git can write."""
    before = {f"{case}/{path}": content for case, (tree, _) in CASES.items() for path, content in tree.items()}
    after = {f"{case}/{path}": content for case, (_, tree) in CASES.items() for path, content in tree.items()}
    return text(repo.diff((repo.tree(before), repo.tree(after)), "--stat", "--patch"))


@given(st.data())
def test_a_damaged_diff_is_read_without_an_error(many_kinds: str, data: st.DataObject) -> None:
    place = st.integers(0, len(many_kinds))
    start, end, cut = data.draw(place), data.draw(place), data.draw(place)
    inserted = data.draw(st.one_of(FRAGMENTS, st.text(max_size=20)))

    assert_sane((many_kinds[:start] + inserted + many_kinds[end:])[:cut])


NAMES = st.text('ab \t"\\é\n,=>{}~', min_size=1, max_size=6)
PATHS = st.builds("{}/{}".format, st.sampled_from(["a", "b", "a b", "ü"]), NAMES)
CONTENT_LINES = st.sampled_from(
    [*text(NESTED).splitlines(), "-- a/x", "++ b/x", "--", "++", "@@ -1 +1 @@", "\r", "", " ", "\\ No newline", "x"]
)
CONTENTS = st.one_of(
    st.builds(
        lambda lines, end: ("\n".join(lines) + end).encode(), st.lists(CONTENT_LINES), st.sampled_from(["", "\n"])
    ),
    st.just(TEXT),
    st.just(b"\0binary"),
)
TREES = st.dictionaries(PATHS, CONTENTS, max_size=4)


@settings(max_examples=40, deadline=None)
@given(before=TREES, after=TREES, style=st.sampled_from([STYLES["plain"], STYLES["no prefix"], STYLES["no context"]]))
def test_git_agrees_on_any_two_trees(repo: Repo, before: Tree, after: Tree, style: Style) -> None:
    assert_agrees_with_git(repo, (before, after), style)


# Names that other tools wrote, and mailers changed


@pytest.mark.parametrize(
    "behind",
    [
        " Sat Dec 26 11:39:47 2009",
        " Sat Dec 26 11:39:47 CET 2009",
        "  Wed Mar 06 11:20:41 2019 +0100",
        " Thu, 06 Mar 2019 11:20:41 +0100",
        "    26 Jul 2007 08:50:30 -0000      1.1.1.1",
        " 26-Jul-2007 08:50:30",
        " Sat Dec 26 2009 11:39:47",
        " 12/26/2009 11:39",
        " 26.12.2009 11:39:47",
        "\u00a02009-12-26 11:39:47",
        "\u00a0\u00a0(Arbeitskopie)",
        "        (revision 4007)",
        " (revision 4007)",
        " (révision 4007)",
        " (working copy)",
        " (nonexistent)",
        "        (Arbeitskopie)",
        " (.../branches/old)     (revision 12)",
        " 2009-12-26 11:39:47.000000000 +0100",
        " 2009/12/26 11:39:47",
        " 2009-12-26T11:39:47Z",
        "\t2009-12-26 11:39:47",
        "        1.4",
        "  ",
        " ",
    ],
)
def test_what_stands_behind_a_name_is_no_part_of_it(behind: str) -> None:
    diff = f"Index: src/main.c\n--- src/main.c{behind}\n+++ src/main.c{behind}\n@@ -1 +1 @@\n-a\n+b\n"
    new = f"--- /dev/null{behind}\n+++ b/lib/first.txt{behind}\n@@ -0,0 +1 @@\n+a\n"

    assert touched_paths(diff) == ["src/main.c"]
    assert touched_paths(new) == ["lib/first.txt"]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("src/x.c (original)", "src/x.c (modified)", "src/x.c"),
        ("src/x.c (r4007)", "src/x.c (r4008)", "src/x.c"),
        ("src/x.c", "src/x.c (Kopie von r3)", "src/x.c"),
        ("a/src/x.c (alt)", "b/src/x.c (neu)", "src/x.c"),
        ("a/src/x (1).c", "b/src/x (1).c", "src/x (1).c"),
        ("a/src/x (1)", "b/src/x (1)", "src/x (1)"),
    ],
)
def test_notes_that_differ_are_no_part_of_a_name(old: str, new: str, path: str) -> None:
    assert touched_paths(f"--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n") == [path]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("./src/a.c", "./src/a.c", "src/a.c"),
        ("./src/b.c.orig", "./src/b.c", "src/b.c"),
        ("a//src/x.c", "b//src/x.c", "src/x.c"),
        ("a/./src/x.c", "b/./src/x.c", "src/x.c"),
        ("a/src//x.c", "b/src//x.c", "src/x.c"),
        ("a/src/././/x.c", "b/src/././/x.c", "src/x.c"),
        ("linux.orig/.//src/x.c", "linux/.//src/x.c", "src/x.c"),
        (".//src/x.c", ".//src/x.c", "src/x.c"),
        ("a/My File (1).txt\t", "b/My File (1).txt\t", "My File (1).txt"),
    ],
)
def test_dots_and_doubled_slashes_are_no_part_of_a_name(old: str, new: str, path: str) -> None:
    hunk = "@@ -1 +1 @@\n-a\n+b\n"
    names = (old.strip(), new.strip())

    assert touched_paths(f"--- {old}\n+++ {new}\n{hunk}") == [path]
    assert touched_paths(f"diff --git {names[0]} {names[1]}\nindex 1..2 100644\n--- {old}\n+++ {new}\n{hunk}") == [path]


@pytest.mark.parametrize("rest", ["", "\n", "\n\n", "\n-- \n2.43.0\n"])
def test_a_bare_header_that_is_left_of_a_deleted_binary_names_its_file(rest: str) -> None:
    first = "diff --git a/logo.png b/logo.png\n"

    assert touched_paths(first.rstrip("\n") + rest) == ["logo.png"]
    assert touched_paths(first + "diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n") == [
        "logo.png",
        "x.c",
    ]


def test_a_header_in_a_sentence_names_no_file() -> None:
    assert touched_paths("It says\ndiff --git a/logo.png b/logo.png\nand then nothing.\n") == []
