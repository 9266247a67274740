"""Notices about changed sections of MAINTAINERS. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.ids import NoticeKey, ProjectName, RoomId, ServerName
from bot.notices.markup import Allowed, Bullets, Code, Document, Line, lines, words, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag
from bot.query.maintainers.maintainers import SectionChange
from bot.text import cut

MAX_NAMED = 10  # rules and people of one kind


def section_notices(
    where: tuple[ServerName, ProjectName],
    now: datetime,
    changes: Mapping[RoomId, Sequence[SectionChange]],
    direct: Collection[RoomId],
) -> list[Notice]:
    """Return a notice for each room that follows a changed section; *now* (UTC) is part of its key."""
    return [_notice(where, now, room, told, rings=room in direct) for room, told in changes.items()]


def sections_changed(project: ProjectName, changes: Sequence[SectionChange]) -> Document:
    """Return a document with the changes, as a list for each section."""
    pieces: list[Line | Bullets] = []
    for change in changes:
        said = " is gone, so subscriptions to it bring nothing more" if change.is_gone else " has changed"
        pieces.append(words("MAINTAINERS of ", cut(project, 100), ": ", Code(cut(change.name, 200)), said))
        pieces.append(Bullets(tuple(_differences(change))))
    return tuple(lines([piece]) if isinstance(piece, tuple) else piece for piece in pieces)


def _differences(change: SectionChange) -> list[Line]:
    kinds = (
        ("now also ", change.rules_added),
        ("no longer ", change.rules_removed),
        ("new people: ", change.people_added),
        ("no longer named: ", change.people_removed),
    )
    return [words(said, *_named(things)) for said, things in kinds if things]


def _named(things: Sequence[str]) -> list[str | Code]:
    named: list[str | Code] = []
    for thing in things[:MAX_NAMED]:
        named += [", "] if named else []
        named.append(Code(cut(thing, 100)))
    rest = len(things) - MAX_NAMED
    return [*named, f" and {rest} more"] if rest > 0 else named


def _notice(
    where: tuple[ServerName, ProjectName], now: datetime, room: RoomId, changes: Sequence[SectionChange], *, rings: bool
) -> Notice:
    server, project = where
    body, html = written(sections_changed(project, changes), Allowed(()))
    key = NoticeKey(f"section/{server}/{project}/{now:%Y-%m-%dT%H:%M:%S}/{room}")
    return Notice(room, Lane.CARD, Message(body, html, Tag(NoticeKind.SECTION, key, server, project), rings))
