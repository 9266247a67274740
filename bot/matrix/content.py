"""The content of our room events, made from messages and identified by keys. Pure.

A homeserver accepts events of up to 65,536 bytes (Matrix specification, "Size limits"), without floats. The limit here
leaves room for what it adds to the content.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace

from bot.errors import Permanent
from bot.ids import EventId, NoticeKey
from bot.matrix.model import Content
from bot.notices.notice import Message, Tag, fallback
from bot.text import cut, sendable

KEY = "org.patchbot"
TAG = "org.patchbot.tag"
OUR_TYPES = ("m.room.message", "m.reaction", "m.room.encrypted")
MAX_CONTENT_BYTES = 60_000
MAX_SEALED_BYTES = 45_000  # before encryption, which adds a third
_BODY_ALONE_CHARACTERS = 4_000  # at most 4 bytes each in JSON; an edit has the text twice
_TAG_CHARACTERS = 16


def event_type(message: Message) -> str:
    """Return the type of the event for *message*."""
    return "m.room.message" if message.reaction is None else "m.reaction"


def event_content(message: Message, limit: int = MAX_CONTENT_BYTES) -> Content:
    """Return the content of the event for *message*.

    A message is an `m.notice`, which never notifies, or an `m.text` if it rings; neither mentions anyone. If it is
    larger than *limit* bytes, the HTML is left out and the body cut.

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
        "com.beeper.linkpreviews": [],  # clients that know it fetch no page of Patchwork for each link
        KEY: _tag(message.tag),
    }
    if message.html:
        content |= {"format": "org.matrix.custom.html", "formatted_body": sendable(message.html)}
    return content


def _edit(content: Mapping[str, object], event: EventId) -> dict[str, object]:
    """Return *content* as an edit of *event*.

    Clients without support for edits show the first two lines after an asterisk; the others are in the room already.
    """
    outside = {name: value for name, value in content.items() if name not in {"format", "formatted_body"}}
    relation = {"rel_type": "m.replace", "event_id": event}
    return {
        **outside,
        "body": f"* {fallback(str(content['body']))}",
        "m.new_content": dict(content),
        "m.relates_to": relation,
    }


def _shorter(message: Message) -> Message:
    """Return *message* without its HTML, and with its body cut.

    Raises:
        Permanent: the message is already short.
    """
    if not message.html and len(message.body) <= _BODY_ALONE_CHARACTERS:
        raise Permanent("the message is too large for a room")
    return replace(message, html="", body=cut(sendable(message.body), _BODY_ALONE_CHARACTERS))


def key_of(content: Content) -> NoticeKey | None:
    """Return the key of our message with this content; None if it is not ours."""
    tag = content.get(KEY)
    key = tag.get("key") if isinstance(tag, dict) else None
    return NoticeKey(key) if isinstance(key, str) else None


def tag_of(secret: bytes, key: NoticeKey) -> str:
    """Return the tag that stands for *key* outside an encrypted message and reveals nothing without the *secret*."""
    return hmac.new(secret, sendable(key).encode(), "sha256").hexdigest()[:_TAG_CHARACTERS]


def tagged(content: Content, tag: str) -> Content:
    """Return unencrypted *content* with *tag* instead of the description of its subject."""
    return {**{name: value for name, value in content.items() if name != KEY}, TAG: tag}


def encrypted_content(content: Content, ciphertext: Content, tag: str) -> Content:
    """Return the visible content of an encrypted message: its relation, which the homeserver needs, and its *tag*."""
    relation = {name: content[name] for name in ("m.relates_to",) if name in content}
    return {**ciphertext, **relation, TAG: tag}


def is_ours(content: Content, key: NoticeKey, tag: str) -> bool:
    """Return whether an event's content, encrypted or not, is that of the message with *key*, whose tag is *tag*."""
    return content.get(TAG) == tag or key_of(content) == key


def encoded(content: Content) -> bytes:
    """Return canonical JSON (Matrix specification, appendix "Canonical JSON"), with "?" for each lone surrogate."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode("utf-8", "replace")


def size(content: Content) -> int:
    """Return the size of *content* as JSON in bytes."""
    return len(encoded(content))


def _relation(message: Message) -> Content:
    """Return the relation of the event for *message*; empty if there is none.

    In a thread, only clients without support for threads show it as a reply to the last message ("is_falling_back").
    """
    if message.reaction is not None:
        return {"rel_type": "m.annotation", "event_id": message.reaction, "key": sendable(message.body)}
    reply = {"m.in_reply_to": {"event_id": message.replies_to or message.thread}}
    if message.thread is not None:
        return {"rel_type": "m.thread", "event_id": message.thread, "is_falling_back": True, **reply}
    return reply if message.replies_to is not None else {}


def _tag(tag: Tag) -> Content:
    """Return the tag as event content, without empty fields."""
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
