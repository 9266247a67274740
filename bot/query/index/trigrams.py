"""A trigram index of many words that may be parts of a text.

Each word is stored under one of its trigrams, the one with the fewest other words. A text is searched only for words
under its own trigrams. The result is cached until the words change, because the name of a series comes with each of
its patches, and the same people write again and again.
"""

from collections.abc import Iterable

MIN_CHARACTERS = 3  # of a word

_MAX_REMEMBERED = 4096  # texts
_MAX_WORDS_TRIED = 64  # without looking at the trigrams of a text, which takes as long


class WordIndex:
    """Words of MIN_CHARACTERS or more."""

    def __init__(self) -> None:
        self._words: dict[str, list[str]] = {}  # by trigram
        self._letters: dict[str, str] = {}  # trigram by word
        self._remembered: dict[str, list[str]] = {}  # cached results by text

    def __len__(self) -> int:
        return len(self._letters)

    def add(self, word: str) -> None:
        """Add *word*, which must be new."""
        letters = min(sorted(_letters_of(word)), key=lambda letters: len(self._words.get(letters, ())))
        self._letters[word] = letters
        self._words.setdefault(letters, []).append(word)
        self._remembered.clear()

    def remove(self, word: str) -> None:
        """Remove *word*, which must have been added."""
        letters = self._letters.pop(word)
        self._words[letters].remove(word)
        if not self._words[letters]:
            del self._words[letters]
        self._remembered.clear()

    def words_in(self, text: str) -> list[str]:
        """Return the words that are part of *text*."""
        words = self._remembered.get(text)
        if words is None:
            if len(self._remembered) == _MAX_REMEMBERED:
                self._remembered.clear()
            words = self._remembered[text] = [word for word in self._near(text) if word in text]
        return words

    def _near(self, text: str) -> Iterable[str]:
        """Return the words that share a trigram with *text*; all words if these are few."""
        if len(self._letters) <= _MAX_WORDS_TRIED:
            return self._letters
        return [word for letters in self._words.keys() & _letters_of(text) for word in self._words[letters]]


def _letters_of(text: str) -> set[str]:
    """Return the trigrams of *text*."""
    return {text[start : start + MIN_CHARACTERS] for start in range(len(text) - MIN_CHARACTERS + 1)}
