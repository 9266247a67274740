"""Names and subjects in the form in which they are compared. Pure."""

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
