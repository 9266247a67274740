import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.mails import MAX_CHARACTERS, MAX_LINES, own_words


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        ("Fine.\n", "Fine."),
        ("", ""),
        ("> quoted\n", ""),
        ("On Monday, Ada wrote:\n> quoted\n\nFine.\n", "Fine."),
        ("On Monday, 1 June,\nAda Sample <ada@example.org>\nwrote:\n> quoted\nFine.\n", "Fine."),
        ("Hello Ada,\n\nAda Sample <ada@example.org> writes:\n\n> quoted\n\nFine.\n", "Hello Ada,\nFine."),
        ("He wrote:\nnothing is quoted here\n", "He wrote:\nnothing is quoted here"),
        ("I like this line\nAda writes:\n> quoted\n", "I like this line"),
        ("Fine.\r\n\r\n-- \r\nRey\r\n", "Fine."),
        ("Fine.\n--\nRey\n", "Fine."),
        ("Fine.\n--- a/file\n", "Fine.\n--- a/file"),
        ("  >> quoted\n> > quoted\nFine.", "Fine."),
        ("\n".join("abcdefgh"), "a\nb\nc\nd\ne\nf\n…"),
        ("x" * 1_000, "x" * MAX_CHARACTERS + "…"),
        ("nul \x00 and half \ud800", "nul \ufffd and half ?"),
    ],
)
def test_what_a_reply_says_itself(mail: str, words: str) -> None:
    assert own_words(mail) == words


_PARTS = st.sampled_from(["> ", "\n", "On ", "wrote:", "-- ", "words", "\r\n", "\ud800", "\u2028"])


@given(st.lists(_PARTS, max_size=200).map("".join) | st.text())
def test_any_mail_is_read_in_a_few_lines(mail: str) -> None:
    words = own_words(mail)

    assert len(words) <= MAX_CHARACTERS + 2
    assert words.count("\n") <= MAX_LINES
    assert not any(line.startswith(">") for line in words.split("\n"))
