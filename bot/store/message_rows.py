"""Messages as the database keeps them, and back."""

from collections.abc import Mapping

from bot.ids import EventId
from bot.notices.notice import Message, NoticeKind, Tag


def message_of(stored: dict[str, object]) -> Message:
    """The message as it was written down; what earlier versions did not write is absent."""
    match stored:
        case {"body": str(body), "html": str(html), "tag": dict(tag), "rings": bool(rings)}:
            return Message(
                body=body,
                html=html,
                tag=Tag(**{**tag, "kind": NoticeKind(tag["kind"])}),
                rings=rings,
                thread=_event(stored, "thread"),
                replies_to=_event(stored, "replies_to"),
                reaction=_event(stored, "reaction"),
                edits=_event(stored, "edits"),
            )
        case _:
            raise TypeError("a stored notice has another shape than this program writes")


def _event(stored: Mapping[str, object], name: str) -> EventId | None:
    value = stored.get(name)
    return EventId(value) if isinstance(value, str) else None
