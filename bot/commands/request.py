"""A command that somebody typed, and the answer to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.commands.grammar import ParsedCommand
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.notices.card import ServerLinks
from bot.notices.markup import Document
from bot.store.inbox_book import InboxMessage


@dataclass(frozen=True, slots=True)
class AnswerSubject:
    """What an answer is about."""

    server: ServerName
    project: ProjectName
    series: SeriesId | None = None
    patch: PatchId | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, where its links may lead, what it is about; whether it refuses what was asked."""

    document: Document
    site: ServerLinks | None = None
    about: AnswerSubject | None = None
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command, and the message that it came in; *prefix* is for what to type instead, "" in a direct chat."""

    call: ParsedCommand
    message: InboxMessage
    prefix: str
    direct: bool


Handler = Callable[[CommandRequest], Awaitable[Answer]]
