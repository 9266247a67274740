"""Look-behind and look-ahead in MAINTAINERS, held against an engine that has them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.query.maintainers.maintainers import read

LETTERS = st.sampled_from("abu/.")
WORDS = st.lists(st.sampled_from(["a", "b", "u", "[ab]", r"\."]), min_size=1, max_size=3).map("".join)
LOOKED_FOR = st.lists(WORDS, min_size=1, max_size=3)


@st.composite
def looks(draw: st.DrawFn, sign: str) -> str:
    """Of words of one length where an engine that goes back wants that."""
    words = draw(LOOKED_FOR)
    return f"(?{sign}{'|'.join(words[:1] if sign.startswith('<') else words)})"


@st.composite
def expressions(draw: st.DrawFn) -> str:
    behind = draw(st.just("") | looks("<!") | looks("<="))
    ahead = draw(st.just("") | looks("!") | looks("="))
    other = draw(st.just("") | WORDS.map(lambda word: f"|{word}b"))
    return f"{behind}{draw(WORDS)}{ahead}{other}"


@given(expressions(), st.text(LETTERS, max_size=12))
def test_a_path_is_taken_as_perl_takes_it(expression: str, path: str) -> None:
    maintainers = read(f"S\nN: {expression}\n")

    assert maintainers.remarks == ()
    assert bool(maintainers.covering([path])) is bool(re.search(expression, path))


@given(expressions(), st.lists(st.text(st.sampled_from("+-abu"), max_size=8), max_size=4))
def test_a_text_is_taken_as_perl_takes_it(expression: str, lines: list[str]) -> None:
    text = "\n".join(["--- a", "+++ b", *(line for line in lines if line[:3] not in {"+++", "---"})])
    changed = text.split("\n", 2)[2] if text.count("\n") > 1 else ""

    maintainers = read(f"S\nK: {expression}\n")

    assert maintainers.remarks == ()
    assert bool(maintainers.covering([], text)) is bool(re.search(f"(?m)^[+-].*{expression}", changed))


@pytest.mark.parametrize(
    ("expression", "taken", "left"),
    [
        ("(?<!uni)versal", ["versal.c", "x/versal", "iversal", "drivers/versal-net.c"], ["universal.c", "x/universal"]),
        ("(?<!uni|re)versal", ["versal", "xversal"], ["universal", "reversal", "x/reversal"]),
        ("(?i)(?<!UNI)versal", ["Versal"], ["UniVersal"]),
        ("(?<=uni)versal", ["universal"], ["versal"]),
        ("foo(?!bar)", ["foo", "foob", "foobaz", "foobar/foo"], ["foobar", "foobar.c"]),
        ("foo(?=bar)|baz", ["foobar", "baz"], ["foo"]),
        (r"(?<![a-z])acme(?!\d)", ["acme", "x/acme.c"], ["xacme", "acme1"]),
    ],
)
def test_examples(expression: str, taken: list[str], left: list[str]) -> None:
    maintainers = read(f"S\nN: {expression}\n")

    assert maintainers.remarks == ()
    assert [path for path in (*taken, *left) if maintainers.covering([path])] == taken


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("a(?!b)c", "it has a look-around in the middle"),
        ("(?<!a+)b", "its look-around is not a sequence of characters and sets"),
        ("(?<!)b", "its look-around is not a sequence of characters and sets"),
        ("(?<![^a])b", "its look-around is not a sequence of characters and sets"),
        ("(?<!+a)b", "its look-around is not a sequence of characters and sets"),
        (r"(?<!\+a)b", "its look-behind matches a + or -"),
        (f"(?<!{'|'.join(f'{n:04}' for n in range(10))})b", "its look-around is too large"),
        ("((?<!a)b)", "it has a look-around in the middle"),
    ],
)
def test_what_cannot_be_said_is_left_out_and_the_section_knows(expression: str, reason: str) -> None:
    maintainers = read(f"S\nF: a/\nN: {expression}\n")

    [section] = maintainers.sections
    assert [str(remark) for remark in maintainers.remarks] == [f"line 3: N: {expression} cannot be used: {reason}"]
    assert [str(rule) for rule in maintainers.unusable(section)] == [f"N: {expression}"]


@given(st.text(st.sampled_from("()?!<=|ab[]^\\*+"), max_size=30))
def test_any_expression_is_read(expression: str) -> None:
    read(f"S\nN: (?<!{expression}\nK: {expression}(?!a)\n").covering(["ab"], "ab")
