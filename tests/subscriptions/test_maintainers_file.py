"""Reading MAINTAINERS files of three families, and anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.query.maintainers import file as maintainers_file
from bot.query.maintainers.file import MAX_FILE_BYTES, MAX_PATTERN_CHARACTERS, RuleKind
from bot.query.maintainers.maintainers import MAX_REMARKS, read

LINUX = """\
List of maintainers
===================

\tM: *Mail* patches to: Full Name <address@domain>
\tF: *Files* with wildcards

Maintainers List
----------------

.. note:: the most precise first

8080 SERIAL DRIVER
M:\tAda Sample <Ada@Example.org>
R:\t"Bo (the reviewer)" <bo@example.org>
L:\tserial@lists.example.org
S:\tMaintained
F:\tdrivers/tty/8080*
F:\tfs/**/*tty*.c
X:\tdrivers/tty/8080_old/

THE REST
M:\tcy@example.org
S:\tBuried under mail
F:\t*
F:\t*/
"""

QEMU = """\
Maintainers
===========

Some prose about it.

Guest CPU cores
---------------
Overall cores
M: Ada Sample <ada@example.org>
S: Maintained
F: target/*.[ch]

Boards
------
M: Bo <bo@example.org>
F: hw/boards/

K: ^Subject:.*(?i)board

Orphans
~~~~~~~
S: Orphan
"""

U_BOOT = """\
Descriptions of section entries:

\tP: Person (obsolete)

Maintainers List (try the most precise first)

\t\t-----------------------------------
ARC
M:\tAda Sample <ada@example.org>
S:\tMaintained
T:\tgit https://example.org/arc.git
F:\tarch/arc/
N:\tarc[0-9]


ARM
M:\tBo <bo@example.org>, cy@example.org
F:\tarch/arm/
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (LINUX, ("8080 SERIAL DRIVER", "THE REST")),
        (QEMU, ("Overall cores", "Boards")),
        (U_BOOT, ("ARC", "ARM")),
    ],
)
def test_each_familys_sections_are_found_in_file_order(text: str, names: tuple[str, ...]) -> None:
    assert read(text).names == names
    assert read(text).remarks == ()


def test_people_are_the_addresses_of_maintainers_and_reviewers_in_lower_case() -> None:
    assert read(LINUX).sections[0].people == ("ada@example.org", "bo@example.org")
    assert read(U_BOOT).sections[1].people == ("bo@example.org", "cy@example.org")


def test_rules_keep_their_order_their_kind_and_their_line() -> None:
    rules = read(U_BOOT).sections[0].rules

    assert [(rule.kind, rule.pattern, rule.line) for rule in rules] == [
        (RuleKind.FILES, "arch/arc/", 12),
        (RuleKind.PATH, "arc[0-9]", 13),
    ]
    assert [str(rule) for rule in rules] == ["F: arch/arc/", "N: arc[0-9]"]


def test_a_blank_line_ends_no_section() -> None:
    assert [str(rule) for rule in read(QEMU).sections[1].rules] == ["F: hw/boards/", "K: ^Subject:.*(?i)board"]


def test_a_comment_ends_no_section() -> None:
    assert read("A\nF: a\n# not a heading\nF: b\n").names == ("A",)


def test_any_other_line_begins_a_section() -> None:
    assert read("A\nF: a\n  continued\nF: b\n").names == ("A", "continued")


def test_dashes_with_no_heading_above_are_the_heading() -> None:
    assert read("-----\nF: a\n").names == ("-----",)


def test_rules_with_no_heading_at_all_are_a_section_without_a_name() -> None:
    assert read("F: a\n").names == ("",)


def test_windows_line_ends_a_byte_order_mark_and_bytes_that_are_not_utf_8_do_no_harm() -> None:
    found = read(b"\xef\xbb\xbfGR\xfcN\r\nM: a@example.org\r\nF: gr\xc3\xbcn/\r\n")

    assert found.names == ("GR\ufffdN",)
    assert [each.section.name for each in found.covering(["grün/x"])] == ["GR\ufffdN"]


def test_an_error_page_has_no_files() -> None:
    assert not read("<html>\n<h1>502</h1>\nM: the proxy\n</html>").has_files
    assert read(LINUX).has_files


@pytest.mark.parametrize(
    ("rule", "remark"),
    [
        ("F:", "line 2: F: without a pattern"),
        (f"X: {'a' * (MAX_PATTERN_CHARACTERS + 1)}", "line 2: X: with more than 1,000 characters"),
        ("F: a[b", "line 2: F: a[b cannot be used: missing ]: [b"),
        (
            "N: a(?=b*)",
            "line 2: N: a(?=b*) cannot be used: its look-around is not a sequence of characters and sets",
        ),
        (r"K: (a)\1", r"line 2: K: (a)\1 cannot be used: invalid escape sequence: \1"),
        ("K: # nothing else", "line 2: K: # nothing else cannot be used: it is a comment only"),
    ],
)
def test_a_rule_that_cannot_be_used_is_a_remark_and_the_others_hold(rule: str, remark: str) -> None:
    found = read(f"A\n{rule}\nF: b\n")

    assert [str(each) for each in found.remarks] == [remark]
    assert len(found.covering(["b"])) == 1


def test_remarks_of_all_kinds_come_by_line() -> None:
    assert [remark.line for remark in read("A\nF: [\nN:\nK: (\nX:\n").remarks] == [2, 3, 4, 5]


def test_a_file_that_is_too_long_is_read_up_to_the_last_whole_line() -> None:
    line = "F: some/directory/\n"
    found = read("A\n" + line * (MAX_FILE_BYTES // len(line) + 1))

    assert {rule.pattern for rule in found.sections[0].rules} == {"some/directory/"}
    assert str(found.remarks[0]).endswith("the rest is not read")


def test_too_many_rules_and_people_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintainers_file, "MAX_FIELDS", 3)

    found = read("A\nM: a@example.org\nF: a\nF: b\nF: c\n")

    assert [rule.pattern for rule in found.sections[0].rules] == ["a", "b"]
    assert [str(remark) for remark in found.remarks] == ["line 5: after 3 rules and people; the rest is not read"]


def test_a_file_of_mistakes_gives_no_more_than_a_hundred_remarks() -> None:
    assert len(read("F:\n" * 1_000).remarks) == MAX_REMARKS


@given(
    st.text()
    | st.binary()
    | st.lists(st.sampled_from([*"MRFXNKS:#-=*?[](){}|\\ \n\t\r./@a\0\ud800", "\nF: ", "\nK: "])).map("".join)
)
def test_reading_never_fails(file: str | bytes) -> None:
    found = read(file)

    found.covering(["a", "a/a", "\udcff"], "Subject: a\n--- a\n+a\udcff\n")
    assert len(found.names) == len(found.sections)
