"""Folds names, subjects and mail addresses into the form in which they are compared. Pure."""

import unicodedata

# Phones and word processors type these; mails have either.
_PLAIN_QUOTES = str.maketrans(
    {**dict.fromkeys("`‘’‚‛′＇´ʼ", "'"), **dict.fromkeys("“”„‟″＂«»", '"'), **dict.fromkeys("‐‑‒–—−－", "-")}
)


def folded(text: str) -> str:
    """*text* without regard to case, composition, the kinds of quotes and dashes, and the number and kind of blanks."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN_QUOTES)
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def domain_of(email: str) -> str:
    """The "@domain" of an address folded; "" where it has none."""
    _, at, domain = folded(email).rpartition("@")
    return at + domain if at else ""
