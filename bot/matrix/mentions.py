"""Recognition of messages that begin with a mention of the bot, in the forms that clients use. Pure.

A pill is a link to the user at matrix.to, or a `matrix:` URI, in the formatted body; the plain body has its text, or
the link as Markdown. A client without pills may send a name before a colon, and name the user only in `m.mentions`; in
a reply, `m.mentions` also has the sender of the other message, so it is ignored there. People who type by hand write
the display name before a colon or comma, or after an @.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from bot.ids import UserId
from bot.matrix.model import Content

_MAX_FORMATTED = 16_384  # characters
_PILL = re.compile(
    r"\s*+(?:<mx-reply>.*?</mx-reply>)?\s*+(?:<(?:p|div|span)>\s*+)*"
    r"<a\s[^<>]*?\bhref=[\"']([^\"'<>]+)[\"'][^<>]*>([^<>]{1,255})</a>",
    re.IGNORECASE | re.DOTALL,
)
_MARKDOWN = re.compile(r"\[[^\[\]]{0,255}\]\(<?([^()<>\s]{1,1000})>?\)")
_NAMED = re.compile(r"@?[^\n:,]{1,100}(?=[:,](?:\s|\Z))")
_ENDS = re.compile(r"\s|\Z")
_LINKS = ("https://matrix.to/#/", "matrix:u/")


@dataclass(frozen=True, slots=True)
class BotInRoom:
    """The bot in a room: its user id, and its display name there; "" if it has none."""

    user: UserId
    name: str = ""


def with_mention(body: str, content: Content, me: BotInRoom) -> str:
    """Return *body*, a message without quotation, with a mention of *me* at its beginning replaced by the user id."""
    text = body.lstrip()
    for mention in _mentions(text, content, me):
        if mention and text[: len(mention)].casefold() == mention.casefold():
            return f"{me.user}{text[len(mention) :]}"
    return body


def _mentions(text: str, content: Content, me: BotInRoom) -> Iterator[str]:
    """Yield the possible mentions of *me* at the beginning of *text*."""
    if (match := _MARKDOWN.match(text)) is not None and _leads_to(match[1], me.user):
        yield match[0]
    formatted = content.get("formatted_body")
    match = _PILL.match(formatted[:_MAX_FORMATTED]) if isinstance(formatted, str) else None
    if match is not None and _leads_to(html.unescape(match[1]), me.user):
        name = html.unescape(match[2]).strip()
        yield from (name, f"@{name}")
    if (match := _NAMED.match(text)) is not None:
        if me.name and match[0].removeprefix("@").casefold() == me.name.casefold():
            yield match[0]
        if _is_named_alone(content, me.user):
            yield match[0]
    if me.name and _ENDS.match(text, len(me.name) + 1):
        yield f"@{me.name}"


def _leads_to(url: str, me: UserId) -> bool:
    """Return whether a link leads to *me*."""
    for link in _LINKS:
        if url.startswith(link):
            user = unquote(url.removeprefix(link).partition("?")[0])
            return user.removeprefix("@").casefold() == me.removeprefix("@").casefold()
    return False


def _is_named_alone(content: Content, me: UserId) -> bool:
    """Return whether a message that is not a reply mentions only *me*."""
    relation, mentions = content.get("m.relates_to"), content.get("m.mentions")
    if isinstance(relation, Mapping) and "m.in_reply_to" in relation:
        return False
    return isinstance(mentions, Mapping) and mentions.get("user_ids") == [me]
