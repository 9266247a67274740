"""The titles of cards, as tests name them."""

import re

_SIGN = re.compile(r"(?:🆕|👀|🔁|✅|❌|♻️|📦) ")
_ROW = re.compile(r"^#\d+ ")  # of a list
_OF_A_COVER = re.compile(r" ?\b0+/\d+(?=\])")


def title_of(body: str) -> str:
    """Return the first line of a card without its sign, and without the number of a cover letter."""
    line = _SIGN.sub("", _ROW.sub("", body.partition("\n")[0]), count=1)
    return _OF_A_COVER.sub("", line, count=1).replace("[] ", "", 1)
