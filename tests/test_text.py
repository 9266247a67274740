"""Text from outside, whatever is in it: what is left of it for a database, a room, a terminal."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.text import MAX_LINE, encodable, one_line, printable, sendable, storable, visible, with_newlines

ANY_TEXT = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from("\x00\t\r\n\x85\u2028\u202e\ud800")))


@pytest.mark.parametrize(
    ("made", "text", "fit"),
    [
        (encodable, "a\ud800b\x00", "a?b\x00"),
        (storable, "a\ud800b\x00", "a?b\ufffd"),
        (one_line, " a\r\n\x00\u2028b\t\ud800 ", "a b ?"),
        (with_newlines, "a\r\nb\rc\x0bd\u2029e\x85f\x1cg", "a\nb\nc\nd\ne\nf\ng"),
        (visible, "a\u202eb\u200b\x07\xad\U000e0041\ufeffc\n\t", "abc\n\t"),
        (sendable, "a\x07b\ud800\x00\n\tc\u202e", "ab?\n\tc\u202e"),
        (printable, "a\x1b[2J\nb\u202e\x85", "a\ufffd[2J\ufffdb\ufffd\ufffd"),
        (lambda text: printable(text, ""), "a\x1b\nb", "ab"),
    ],
)
def test_what_is_left_of_it(made: Callable[[str], str], text: str, fit: str) -> None:
    assert made(text) == fit


@pytest.mark.parametrize("made", [encodable, storable, one_line, with_newlines, visible, sendable, printable])
@given(text=ANY_TEXT)
def test_what_is_fit_stays_as_it_is(made: Callable[[str], str], text: str) -> None:
    assert made(made(text)) == made(text)


@given(text=ANY_TEXT)
def test_nothing_unfit_is_left(text: str) -> None:
    for made in (encodable(text), storable(text), one_line(text), sendable(text)):
        made.encode()
    assert "\x00" not in storable(text)
    assert len(one_line(text).splitlines()) <= 1
    assert len(one_line(text * 200)) <= MAX_LINE
    assert not {"Cc"} & {unicodedata.category(char) for char in one_line(text)}
    assert {"\n"}.issuperset(char for char in with_newlines(text) if len(f"a{char}b".splitlines()) > 1)
    assert {"\t", "\n"}.issuperset(char for char in sendable(text) if char < " ")
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)
