"""The lines of a patch that are compared with those of another version."""

from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.diff_lines import (
    MAX_LINES,
    MAX_WIDTH,
    fingerprint,
    fingerprint_of,
    is_same,
    line_numbers,
    read_lines,
)
from bot.sample_patchwork.diffs import Hunk, git_diff, new_file_diff, rename_diff

DIFF = git_diff("hw/a.c", Hunk(7, " before\n-old\n+new\n\n after\n", function="int main(void)"))
MAIL = f"""\
Say what it does.

Signed-off-by: Ada Sample <ada@example.org>
Reviewed-by: Bruno Muster <bruno@example.net>
---
v2: say it better

 hw/a.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

{DIFF}-- \n2.39.5

"""


def test_a_mail_is_its_message_and_its_diff_with_headings() -> None:
    lines = read_lines(MAIL)

    assert lines.message == ("Say what it does.", "", "Signed-off-by: Ada Sample <ada@example.org>")
    assert lines.diff == (
        " ## hw/a.c ##",
        "@@ hw/a.c: int main(void)",
        " before",
        "-old",
        "+new",
        " ",
        " after",
    )


def test_what_happens_to_a_file_is_in_its_heading() -> None:
    mode = "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
    gone = new_file_diff("c.h", "one\n").replace("new file", "deleted file").replace("+one", "-one")
    gone = (
        gone.replace("+++ b/c.h", "+++ /dev/null")
        .replace("--- /dev/null", "--- a/c.h")
        .replace("-0,0 +1,1", "-1,1 +0,0")
    )

    lines = read_lines(new_file_diff("a.h", "one\n") + rename_diff("b.c", "b/c.c") + mode + gone).diff

    assert [line for line in lines if line.startswith(" ##")] == [
        " ## a.h (new) ##",
        " ## b.c => b/c.c ##",
        " ## run.sh (mode change 100644 => 100755) ##",
        " ## c.h (deleted) ##",
    ]


def test_a_binary_file_ends_before_the_signature() -> None:
    binary = "diff --git a/x.png b/x.png\nnew file mode 100644\nindex 000..111\nGIT binary patch\nliteral 3\nKcmZ\n\n"

    assert read_lines(f"{binary}-- \n2.39.5\n").diff == read_lines(binary).diff
    assert read_lines(binary).diff[0] == " ## x.png (new) ##"
    assert "KcmZ" in read_lines(binary).diff


def test_a_rebase_does_not_change_the_fingerprint() -> None:
    rebased = MAIL.replace("@@ -7,", "@@ -99,").replace("index ", "index 1")

    assert fingerprint_of(rebased) == fingerprint_of(MAIL)
    assert is_same(fingerprint_of(rebased), fingerprint_of(MAIL))
    assert not is_same(b"", b"")


def test_a_fingerprint_has_a_number_for_each_line() -> None:
    numbers = line_numbers(fingerprint(["a", "b", "a"]))

    assert len(numbers) == 3
    assert numbers[0] == numbers[2] != numbers[1]


def test_too_long_a_diff_has_no_fingerprint_and_a_long_line_is_cut() -> None:
    long = new_file_diff("a.txt", "line\n" * MAX_LINES)
    wide = new_file_diff("a.txt", "x" * 3_000_000)

    assert fingerprint_of(long) == b""
    assert fingerprint_of("") == b""
    assert max(len(line) for line in read_lines(wide).diff) == MAX_WIDTH


@given(st.text(alphabet="-+ @\n\\abdiff/git-0123,", max_size=300))
def test_any_text_is_read(text: str) -> None:
    read_lines(text)
    fingerprint_of(f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n{text}")
