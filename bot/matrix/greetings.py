"""What the bot says in a room by itself. Pure."""

from bot.ids import NoticeKey, RoomId
from bot.matrix.rooms import Room
from bot.notices.markup import Allowed, Code, Document, Lines, words, written
from bot.notices.outbox import Lane, Message, Notice, NoticeKind, Tag


def welcome(room: RoomId, prefix: str, *, direct: bool) -> Notice:
    """The line that says what the bot does here, once a room; without *prefix* in a direct chat."""
    spoken = "" if direct else f"{prefix} "
    who = "you" if direct else "this room"
    text = words(
        f"Hello! I tell {who} about patches. To subscribe, type for example ",
        Code(f"{spoken}sub path:drivers/net/"),
        "; ",
        Code(f"{spoken}help"),
        " tells what else can be typed.",
    )
    return _notice(room, f"welcome/{room}", Lines((text,)), rings=direct)


def cannot_read(room: Room) -> Notice:
    """That messages here are encrypted, which the bot cannot read yet; once a room."""
    text = words(
        "This room is encrypted, and I cannot read encrypted messages yet: commands here do not reach me. "
        "In a room without encryption they do. What I post here is not encrypted."
    )
    return _notice(room.id, f"encrypted/{room.id}", Lines((text,)), rings=room.is_direct)


def _notice(room: RoomId, key: str, piece: Lines, *, rings: bool) -> Notice:
    document: Document = (piece,)
    body, html = written(document, Allowed(()))
    return Notice(room, Lane.ANSWER, Message(body, html, Tag(NoticeKind.WELCOME, NoticeKey(key)), rings))
