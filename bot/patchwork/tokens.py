"""API tokens of people, and how they are taken out of the messages in which they were typed. Pure.

A token of Patchwork is 40 hex digits. People paste it in many ways, misspell the command around it, or type it where it
does not belong, so a message is searched for anything that may be one: each word of 40 hex digits that stands by
itself, and, where the word "token" stands in the message, each long word with several digits. What is found is replaced
before the message is stored, logged or answered.
"""

import re
from dataclasses import dataclass, field

from bot.text import visible

MASK = "[token]"  # what stands in a message instead of a token
MAX_LENGTH = 200
_DIGITS = 3  # fewer are in names of servers, too
_WORD_TOKEN = re.compile(r"(?<![\w:/.])tokens?(?![\w/.])", re.IGNORECASE)
_CANDIDATE = re.compile(r"[0-9A-Za-z_-]{16,}")
_HEX = re.compile(r"[0-9A-Fa-f]{40}")
_NOT_BEFORE, _NOT_AFTER = frozenset("/@."), frozenset("@/")  # of addresses and paths
_KEY_BEFORE = frozenset(":=")  # of a query's key, or of a URL's parameter


@dataclass(frozen=True, slots=True)
class ApiToken:
    """An API token, which must not be stored unencrypted, logged or shown; its repr does not have it."""

    text: str = field(repr=False)

    @property
    def is_sound(self) -> bool:
        """True if it may stand in a header."""
        return 0 < len(self.text) <= MAX_LENGTH and self.text.isascii() and self.text.isalnum()


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text without the tokens that may have been in it; *token* is the first of them, None if there were none."""

    text: str
    token: ApiToken | None = None


def masked(text: str) -> MaskedText:
    """Return *text* with `MASK` in place of each word that may be a token; it is unchanged if there are none.

    Where there are some, invisible characters are dropped, which could hide another one.
    """
    seen = visible(text)
    speaks_of_tokens = _WORD_TOKEN.search(seen) is not None
    found: list[ApiToken] = []
    pieces, end = list[str](), 0
    for match in _CANDIDATE.finditer(seen):
        if _may_be_token(seen, match, speaks_of_tokens=speaks_of_tokens):
            pieces += [seen[end : match.start()], MASK]
            end = match.end()
            found.append(ApiToken(match[0]))
    if not found:
        return MaskedText(text)
    return MaskedText("".join([*pieces, seen[end:]]), found[0])


def _may_be_token(text: str, match: re.Match[str], *, speaks_of_tokens: bool) -> bool:
    before, after = text[max(match.start() - 1, 0) : match.start()], text[match.end() : match.end() + 1]
    if before in _NOT_BEFORE or after in _NOT_AFTER:
        return False
    if speaks_of_tokens:
        return sum(char.isdigit() for char in match[0]) >= _DIGITS
    return before not in _KEY_BEFORE and _HEX.fullmatch(match[0]) is not None
