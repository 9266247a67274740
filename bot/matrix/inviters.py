"""Whose invitations are accepted. Pure."""

from collections.abc import Iterable

from bot.ids import UserId


def accepts(patterns: Iterable[str], inviter: UserId) -> bool:
    """Whether one of the patterns (`*:example.org`, `@ann:example.org`, `*:*`) covers *inviter*.

    `*` stands for anything on its side of the first colon; host names know no case.
    """
    name, _, host = inviter.partition(":")
    sides = (pattern.partition(":") for pattern in patterns)
    return any(covers(left, name) and covers(right.lower(), host.lower()) for left, _, right in sides)


def covers(pattern: str, text: str) -> bool:
    """Whether *text* is *pattern*, with anything for each `*`; in linear time."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *between, last = others
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in between:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
