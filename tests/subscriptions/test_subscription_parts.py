"""Words are found as parts of texts."""

from hypothesis import given
from hypothesis import strategies as st

from bot.query.index.trigrams import MIN_CHARACTERS, WordIndex

WORDS = st.sets(st.text("abc ", min_size=MIN_CHARACTERS, max_size=6), max_size=12)


@given(WORDS, WORDS, st.text("abc ", max_size=20))
def test_just_the_words_that_stand_in_a_text_are_found(kept: set[str], removed: set[str], text: str) -> None:
    parts = WordIndex()
    for word in kept | removed:
        parts.add(word)
    for word in removed - kept:
        parts.remove(word)

    assert sorted(parts.words_in(text)) == sorted(word for word in kept if word in text)
    assert len(parts) == len(kept)


@given(WORDS)
def test_nothing_is_kept_of_words_that_were_removed(words: set[str]) -> None:
    parts = WordIndex()
    for word in words:
        parts.add(word)
    for word in words:
        parts.remove(word)

    assert not parts._words
    assert not parts._letters
    assert not parts._remembered


def test_a_word_hangs_on_the_letters_that_fewest_others_have() -> None:
    parts = WordIndex()
    for word in ("fix", "fixing", "fixed", "fixture"):
        parts.add(word)

    assert all(len(words) == 1 for words in parts._words.values())
