"""The rules of get_maintainer.pl, one by one and all together."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.query.maintainers import rules as maintainers_rules
from bot.query.maintainers.maintainers import Maintainers, read
from bot.query.maintainers.pattern_index import without_layout
from bot.query.maintainers.rules import MAX_EXPRESSIONS, MAX_TEXT_CHARACTERS


def takes(rules: str, *paths: str, text: str = "") -> bool:
    """Whether a section of these rules covers a patch."""
    found = read(f"SECTION\n{rules}\n")
    assert found.remarks == ()
    return bool(found.covering(paths, text))


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        # no end anchor
        ("fs/foo.c", ["fs/foo.c", "fs/foo.cc", "fs/foo.c.inc"], ["fs/fooxc", "fs/foo", "lib/fs/foo.c"]),
        ("fs/helper*.h", ["fs/helper.h", "fs/helper-gen.h.inc"], ["fs/help.h"]),
        ("roms/fw", ["roms/fw-build.config"], ["roms/f"]),
        # as many slashes in the path as in the pattern
        ("drivers/net/*", ["drivers/net/a.c"], ["drivers/net/wifi/a.c", "drivers/net"]),
        ("*/net/*", ["drivers/net/a.c"], ["net/a.c", "drivers/net/wifi/a.c"]),
        ("*", ["README"], ["docs/README"]),
        # a slash at the end
        ("fs/", ["fs/a.c", "fs/ext/a.c"], ["fs", "fsx/a.c", "lib/fs/a.c"]),
        ("*/", ["fs/a.c", "fs/ext/a.c"], ["README"]),
        # there a star crosses slashes
        ("drivers/*/acme/", ["drivers/clk/acme/a.c", "drivers/media/platform/acme/x/a.c"], ["drivers/acme/a.c"]),
        ("arch/*x/", ["arch/ax/b", "arch/a/bx/c"], ["arch/a/b"]),
        # a question mark is any one character, a slash too
        ("fs/?oo.c", ["fs/foo.c"], ["fs/oo.c", "fs/ffoo.c"]),
        ("a?b/", ["a/b/c", "axb/c"], ["ab/c"]),
        # two stars
        ("fs/**/*foo*.c", ["fs/a/foo.c", "fs/a/b/xfoox.c"], ["fs/foo.c", "fs/a/foo.h"]),
        ("**/Kconfig", ["fs/Kconfig", "fs/a/Kconfig.x"], ["Kconfig"]),
        ("fs/**", ["fs/a", "fs/a/b"], ["fsx/a"]),
        ("fs/a**c", ["fs/ac", "fs/ab/bc"], ["fs/b/ac"]),
        # a directory without its slash, or a file
        ("fs/ext", ["fs/ext/a.c", "fs/ext/b/a.c", "fs/ext", "fs/ext-readme"], ["fs/ext-readme/a.c", "fs/ex"]),
        ("board/v1.2", ["board/v1.2"], ["board/v1.2/a.c"]),
        # what else is in a pattern is a regular expression
        ("hw/*.[ch]", ["hw/a.c", "hw/a.h"], ["hw/a.S", "hw/x/a.c"]),
        ("hw/[^a]*", ["hw/bc"], ["hw/ac"]),
        ("a|b/", ["x/ab/", "a"], ["x/a/c"]),
        ("a/b{0}c/d", ["a/c/d"], ["a/bc/d"]),
    ],
)
def test_files_of(pattern: str, taken: list[str], left: list[str]) -> None:
    """An F: pattern takes what get_maintainer.pl has it take."""
    assert {path: takes(f"F: {pattern}", path) for path in taken} == dict.fromkeys(taken, True)
    assert {path: takes(f"F: {pattern}", path) for path in left} == dict.fromkeys(left, False)


@pytest.mark.parametrize("order", ["F: net/\nX: net/ipv6/", "X: net/ipv6/\nF: net/"])
def test_an_exclusion_wins_wherever_it_stands(order: str) -> None:
    assert takes(order, "net/a.c")
    assert not takes(order, "net/ipv6/a.c")


def test_an_exclusion_goes_path_by_path() -> None:
    found = read("NET\nF: net/\nX: net/ipv6/\n").covering(["net/ipv6/a.c", "net/b.c"])

    assert [each.path for each in found] == ["net/b.c"]


def test_an_exclusion_is_its_own_sections_only() -> None:
    found = read("NET\nF: net/\nX: net/ipv6/\n\nIPV6\nF: net/ipv6/\n").covering(["net/ipv6/a.c"])

    assert [each.section.name for each in found] == ["IPV6"]


def test_an_exclusion_holds_for_names_and_not_for_keywords() -> None:
    rules = "X: net/ipv6/\nN: ipv6\nK: ipv6"

    assert not takes(rules, "net/ipv6/a.c")
    assert takes(rules, "net/ipv6/a.c", text="ipv6")


def test_a_name_is_searched_in_the_whole_path() -> None:
    assert takes("N: [^a-z]acme", "drivers/net/acme-a.c")
    assert not takes("N: [^a-z]acme", "acme/a.c")


def test_blanks_and_comments_in_an_expression_mean_nothing() -> None:
    assert takes("N: ac me  # the maker", "acme.c")
    assert takes(r"K: a\ b [ ] c \#", text="a b c#")


PATCH = """\
Subject: [PATCH] clk: speed up frobnication

It waits for the lock no more.
Fixes: 0123456789ab ("sched: unsleep")
---
 drivers/clk/dozing.c | 2 +-

diff --git a/drivers/clk/dozing.c b/drivers/clk/dozing.c
index 1..2 100644
--- a/drivers/clk/dozing.c
+++ b/drivers/clk/dozing.c
@@ -1,3 +1,3 @@ static int hunk_of(void)
 \tint context;
-\told_call();
+\tnew_call();
"""


@pytest.mark.parametrize(
    ("keyword", "is_found"),
    [
        ("^Subject:.*(?i)FROB", True),
        (r"\block\b", True),  # in the message
        ("old_call", True),  # removed
        (r"\bnew_(call|shout)\b", True),  # added
        ("dozing", True),  # the list of files is before the diff
        ("dozing.c$", False),  # lines that name files are not searched
        ("context", False),
        ("hunk_of", False),
        ("unsleep", False),
        ("more[.]Fixes", False),
        (r"more\.\s*Fixes", False),  # never across lines
        ("nothing|context", True),  # the script asks only the first branch to be in a changed line
    ],
)
def test_a_keyword_is_searched_in_the_patch_line_by_line(keyword: str, is_found: bool) -> None:
    assert takes(f"K: {keyword}", text=PATCH) is is_found


def test_only_the_beginning_of_a_huge_patch_is_searched() -> None:
    assert takes("K: needle", text="hay " * 1_000 + "needle")
    assert not takes("K: needle", text="-" * MAX_TEXT_CHARACTERS + "needle")


def test_more_expressions_than_can_be_kept_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintainers_rules, "MAX_EXPRESSIONS", 2)

    found = read("A\nF: [a]\nF: b\nN: c\nN: d\n")

    assert [len(found.covering([path])) for path in "abcd"] == [1, 1, 1, 0]
    assert [str(remark) for remark in found.remarks] == [
        "line 5: N: d cannot be used: there are 2 regular expressions before it"
    ]


def test_expressions_too_large_for_one_set_are_asked_in_several() -> None:
    found = read("".join(f"S{n}\nN: x{n}(?i:[^y]{{500}}){{2}}\nN: name{n}\\b\n" for n in range(MAX_EXPRESSIONS // 20)))

    assert found.remarks == ()
    assert [each.section.name for each in found.covering(["name7", "name98"])] == ["S7", "S98"]


@pytest.mark.parametrize("pattern", ["*a*a*a*a*a*a*a*a*b", "[a]*a*a*a*a*a*a*a*b", "**a**a**a**a**b/", "(a+)+$"])
def test_no_pattern_makes_a_path_slow(pattern: str) -> None:
    """A backtracking matcher would not come back within the test's time limit."""
    found = read(f"A\nF: {pattern}\nN: (a*)*b$\n")

    assert found.covering(["a" * 4_000 + "c"]) == ()


# The same, found the slow way


def slowly(found: Maintainers, paths: list[str]) -> list[tuple[str, str, str]]:
    """The sections that cover *paths* with their reasons, every rule tried on every path."""
    covered = []
    for section in found.sections:
        for path in paths:
            taking = [rule for rule in section.rules if slow_rule(rule.kind, rule.pattern, path)]
            if taking and not any(rule.kind == "X" for rule in taking):
                covered.append((section.name, str(taking[0]), path))
                break
    return covered


def slow_rule(kind: str, pattern: str, path: str) -> bool:
    if kind == "N":
        return re.search(pattern, path) is not None
    may_be_folder = not pattern.endswith("/") and not set(".*?[") & set(pattern)
    return slow_pattern(pattern, path) or (may_be_folder and slow_pattern(f"{pattern}/", path))


def slow_pattern(pattern: str, path: str) -> bool:
    signs = {".": r"\.", "*": ".*", "?": "."}
    found = re.match("".join(signs.get(sign, sign) for sign in pattern), path)
    counts = pattern.endswith("/") or "**" in pattern or pattern.count("/") == path.count("/")
    return found is not None and counts


PATHS = st.lists(st.sampled_from(["a", "b", "ab", "a.c", "b.h", "é"]), min_size=1, max_size=4).map("/".join)
PATTERNS = st.lists(st.sampled_from([*"ab/.*?é", "a/", "/b", "*/", "**", "[ab]", "[^a]", "ab"]), min_size=1, max_size=7)
RULES = st.tuples(st.sampled_from("FFFX"), PATTERNS.map("".join)) | st.tuples(
    st.just("N"), st.sampled_from(["a", "^b", "b$", "a.*é", "[^b]/"])
)


@given(st.lists(st.lists(RULES, min_size=1, max_size=6), max_size=5), st.lists(PATHS, min_size=1, max_size=3))
def test_the_index_answers_as_every_rule_tried_on_every_path(
    sections: list[list[tuple[str, str]]], paths: list[str]
) -> None:
    lines = [
        [f"SECTION {number}", *(f"{kind}: {pattern}" for kind, pattern in rules)]
        for number, rules in enumerate(sections)
    ]
    found = read("\n".join(line for section in lines for line in section))

    answer = [(each.section.name, str(each.rule), each.path) for each in found.covering(paths)]

    assert found.remarks == ()
    assert answer == slowly(found, paths)


@given(st.text("[]#\\ a\t:^", max_size=40))
def test_taking_out_layout_keeps_what_is_not_layout(expression: str) -> None:
    kept = without_layout(expression)

    assert without_layout(kept) == kept
    assert len(kept) <= len(expression)
