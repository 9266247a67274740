"""What a reply on a list says itself: without what it quotes, who it quotes, and the signature."""

import re

from bot.patchwork.text import valid

MAX_LINES = 6
MAX_CHARACTERS = 400
_MOST_READ = 64 * 1024
_SIGNATURE = re.compile(r"^-- ?\r?$", re.MULTILINE)
_ATTRIBUTION_END = re.compile(r"\b(?:wrote|writes|schrieb|escribió|a écrit)\s*:\Z", re.IGNORECASE)
_ATTRIBUTION_LINES = 3  # a client breaks "On …, … wrote:" into so many at most


def own_words(mail: str) -> str:
    """The first lines that the writer of *mail* wrote, an ellipsis where more follow; "" where there are none.

    A quotation is told by its ">", its first line by the blank or quoted line after it.
    """
    text = valid(mail[:_MOST_READ])
    body = _SIGNATURE.split(text, maxsplit=1)[0]
    lines = [line.rstrip() for line in body.splitlines()]
    kept = [line for line in _without_quotations(lines) if line.strip()]
    shown = "\n".join(kept[:MAX_LINES])
    if len(shown) > MAX_CHARACTERS:
        return shown[:MAX_CHARACTERS].rstrip() + "…"
    return f"{shown}\n…" if len(kept) > MAX_LINES else shown


def _without_quotations(lines: list[str]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if not line.lstrip().startswith(">"):
            kept.append(line)
        elif kept:
            _drop_attribution(kept)
    return kept


def _drop_attribution(kept: list[str]) -> None:
    """Take the "On …, … wrote:" before a quotation off the end of *kept*."""
    while kept and not kept[-1].strip():
        kept.pop()
    if kept and _ATTRIBUTION_END.search(kept[-1]):
        last = len(kept) - 1
        start = next((at for at in range(last, max(-1, last - _ATTRIBUTION_LINES), -1) if _opens(kept[at])), last)
        del kept[start:]


def _opens(line: str) -> bool:
    return line.startswith(("On ", "Am ", "Le ", "El "))
