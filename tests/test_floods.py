"""Many series at once, in virtual time over the whole bot."""

import re
from pathlib import Path

import pytest

from bot.app import Bot
from bot.demo.sample.mail import NewSeries
from bot.ids import NoticeKey, RoomId
from bot.matrix.content import MAX_CONTENT_BYTES, event_content, size
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES
from bot.notices.outbox import NoticeKind
from rig import PROJECT, ROOM, Rig, a_series

OTHER = RoomId("!other:hs")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def post(rig: Rig, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        rig.post("migration/ram.c", name=f"series {number}")


def roots(rig: Rig, room: RoomId = ROOM) -> list[tuple[NoticeKind, str]]:
    """What stands in the room outside of threads, as it reads now."""
    posts = [post for post in rig.chat.posted if post.room == room and not post.message.thread]
    shown = {event: message.body for event, message in shown_in(rig, room).items()}
    return [(each.message.tag.kind, shown[each.event].partition("\n")[0]) for each in posts if not each.message.edits]


def threads(rig: Rig, room: RoomId = ROOM) -> list[str]:
    return [each.message.body for each in rig.chat.posted if each.room == room and each.message.thread]


def listed(rig: Rig, room: RoomId = ROOM) -> list[str]:
    """The series of all threads."""
    return [name for body in threads(rig, room) for name in re.findall(r"(?m)^• (.*?) · ", body)]
