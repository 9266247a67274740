"""A message of ours as the content of a room event, and back to its key. Pure.

A homeserver takes events of 65,536 bytes (Matrix specification, "Size limits"), and no floats. What it adds around the
content has room below the limit kept here.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace

from bot.errors import Permanent
from bot.ids import EventId, NoticeKey
from bot.matrix.model import Content
from bot.notices.markup import cut
from bot.notices.notice import Message, Tag
from bot.text import sendable

KEY = "org.patchbot"
TAG = "org.patchbot.tag"
OUR_TYPES = ("m.room.message", "m.reaction", "m.room.encrypted")
MAX_CONTENT_BYTES = 60_000
MAX_SEALED_BYTES = 45_000  # encryption makes a third more of it
_BODY_ALONE_CHARACTERS = 4_000  # at most 4 bytes each in JSON, and an edit says everything twice
_TAG_CHARACTERS = 16


def event_type(message: Message) -> str:
    """The type of the event that says *message*."""
    return "m.room.message" if message.reaction is None else "m.reaction"


def event_content(message: Message, limit: int = MAX_CONTENT_BYTES) -> Content:
    """The content of the event that says *message*.

    A message is an `m.notice`, which no client rings for, or an `m.text` where it rings; nobody is mentioned in either.
    HTML that makes it larger than *limit* bytes is left out, and a body cut.

    Raises:
        Permanent: not even the cut body fits.
    """
    relation = _relation(message)
    if message.reaction is not None:
        return {"m.relates_to": relation, KEY: _tag(message.tag)}
    content = _said(message)
    if message.edits is not None:
        content = _edit(content, message.edits)
    elif relation:
        content["m.relates_to"] = relation
    if size(content) > limit:
        return event_content(_shorter(message), limit)
    return content


def _said(message: Message) -> dict[str, object]:
    content: dict[str, object] = {
        "msgtype": "m.text" if message.rings else "m.notice",
        "body": sendable(message.body),
        "m.mentions": {},
        KEY: _tag(message.tag),
    }
    if message.html:
        content |= {"format": "org.matrix.custom.html", "formatted_body": sendable(message.html)}
    return content


def _edit(content: Mapping[str, object], event: EventId) -> dict[str, object]:
    """*content* as what *event* says from now on; clients that know no edits show it with a star before it."""
    starred = {name: f"* {content[name]}" for name in ("body", "formatted_body") if name in content}
    relation = {"rel_type": "m.replace", "event_id": event}
    return {**content, **starred, "m.new_content": dict(content), "m.relates_to": relation}


def _shorter(message: Message) -> Message:
    """*message* without its HTML, and its body cut.

    Raises:
        Permanent: it is short already.
    """
    if not message.html and len(message.body) <= _BODY_ALONE_CHARACTERS:
        raise Permanent("the message is too large for a room")
    return replace(message, html="", body=cut(sendable(message.body), _BODY_ALONE_CHARACTERS))


def key_of(content: Content) -> NoticeKey | None:
    """The key of the message that has this content; None where it is none of ours."""
    tag = content.get(KEY)
    key = tag.get("key") if isinstance(tag, dict) else None
    return NoticeKey(key) if isinstance(key, str) else None


def tag_of(secret: bytes, key: NoticeKey) -> str:
    """What stands for *key* outside of an encrypted message: it tells those who lack the *secret* nothing."""
    return hmac.new(secret, sendable(key).encode(), "sha256").hexdigest()[:_TAG_CHARACTERS]


def tagged(content: Content, tag: str) -> Content:
    """*content*, seen by everybody, with *tag* in the place of what the event is about."""
    return {**{name: value for name, value in content.items() if name != KEY}, TAG: tag}


def sealed(content: Content, ciphertext: Content, tag: str) -> Content:
    """What everybody sees of an encrypted message: what it hangs on, which the homeserver must know, and its *tag*."""
    relation = {name: content[name] for name in ("m.relates_to",) if name in content}
    return {**ciphertext, **relation, TAG: tag}


def is_ours(content: Content, key: NoticeKey, tag: str) -> bool:
    """Whether the message that has this content, encrypted or not, is the one with *key*, for which *tag* stands."""
    return content.get(TAG) == tag or key_of(content) == key


def encoded(content: Content) -> bytes:
    """Canonical JSON (Matrix specification, appendix "Canonical JSON"), with "?" for each lone surrogate."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")


def size(content: Content) -> int:
    """How many bytes of an event this takes."""
    return len(encoded(content))


def _relation(message: Message) -> Content:
    """What the event hangs on; empty where it stands alone.

    In a thread, clients that know none show a reply to what was asked; others do not ("is_falling_back").
    """
    if message.reaction is not None:
        return {"rel_type": "m.annotation", "event_id": message.reaction, "key": sendable(message.body)}
    reply = {"m.in_reply_to": {"event_id": message.replies_to or message.thread}}
    if message.thread is not None:
        return {"rel_type": "m.thread", "event_id": message.thread, "is_falling_back": True, **reply}
    return reply if message.replies_to is not None else {}


def _tag(tag: Tag) -> Content:
    """What the event is about, as far as it applies."""
    fields = {
        "kind": tag.kind.value,
        "key": sendable(tag.key),
        "server": tag.server,
        "project": tag.project,
        "series": tag.series,
        "patch": tag.patch,
        "version": tag.version,
    }
    return {name: value for name, value in fields.items() if value is not None}
