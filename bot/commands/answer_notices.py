"""Makes notices of the answers to messages. Pure."""

from bot.commands.request import Answer, AnswerSubject
from bot.ids import NoticeKey
from bot.notices.markup import Allowed, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag, answer_key
from bot.store.inbox_book import InboxMessage

LONG_LINES = 15  # of an answer that goes into a thread in a busy room
LONG_CHARACTERS = 1_500


def is_long(answer: Answer) -> bool:
    """Return whether an answer would push what others say out of sight."""
    body, _ = written(answer.document, answer.site.allowed if answer.site else Allowed(()))
    return body.count("\n") >= LONG_LINES or len(body) >= LONG_CHARACTERS


def notice(message: InboxMessage, answer: Answer, *, in_thread: bool = False) -> Notice:
    """Return the notice that replies with an answer, in the thread of the command if it has one.

    With *in_thread*, it begins a thread at the command otherwise.
    """
    if answer.reaction:
        return reaction(message, answer.reaction)
    allowed = answer.site.allowed if answer.site else Allowed(())
    body, html = written(answer.document, allowed)
    key = answer_key(message.room, message.event)
    kind = NoticeKind.CHART if answer.chart else NoticeKind.ANSWER
    tag = subject_tag(key, answer.about) if answer.about else Tag(kind, key)
    thread = message.thread or (message.event if in_thread else None)
    spoken = Message(body, html, tag, thread=thread, replies_to=message.event, chart=answer.chart)
    return Notice(message.room, Lane.ANSWER, spoken, asked_by=message.sender)


def reaction(message: InboxMessage, emoji: str) -> Notice:
    """Return a reaction to a message, which costs less than an answer."""
    reaction = Message(emoji, emoji, _tag(message), reaction=message.event)
    return Notice(message.room, Lane.ANSWER, reaction, asked_by=message.sender)


def subject_tag(key: NoticeKey, about: AnswerSubject) -> Tag:
    """Return the tag of an answer about a patch or series."""
    return Tag(
        kind=NoticeKind.ANSWER,
        key=key,
        server=about.server,
        project=about.project,
        series=about.series,
        patch=about.patch,
        version=about.version,
    )


def _tag(message: InboxMessage) -> Tag:
    return Tag(kind=NoticeKind.ANSWER, key=answer_key(message.room, message.event))
