"""Rules for accepting invitations. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.ids import UserId

_USER_ID = re.compile(r"@[^:\0]*:[^\0]+")


@dataclass(frozen=True, slots=True)
class InviteRules:
    """The users who may invite the bot, the rooms that it joins by itself (aliases or ids), and its command prefix."""

    me: UserId
    invite_from: tuple[str, ...]
    configured: tuple[str, ...] = ()
    prefix: str = "!pw"

    @property
    def server(self) -> str:
        """The name of our homeserver."""
        return self.me.partition(":")[2]


def accepts(patterns: Iterable[str], inviter: UserId) -> bool:
    """Return whether one of the patterns (`*:example.org`, `@ann:example.org`, `*:*`) matches *inviter*.

    `*` stands for anything on its side of the first colon; host names are case-insensitive.
    """
    if not is_user_id(inviter):
        return False
    name, _, host = inviter.partition(":")
    sides = (pattern.partition(":") for pattern in patterns)
    return any(covers(left, name) and covers(right.lower(), host.lower()) for left, _, right in sides)


def is_user_id(text: str) -> bool:
    """Return whether *text* is a user id by the rules that all servers share (specification, "User Identifiers")."""
    return len(text.encode("utf-8", "replace")) <= 255 and _USER_ID.fullmatch(text) is not None


def covers(pattern: str, text: str) -> bool:
    """Return whether *text* matches *pattern*, in which each `*` stands for anything, in linear time."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *between, last = others
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in between:
        match_at = text.find(part, place, end)
        if match_at < 0:
            return False
        place = match_at + len(part)
    return True
