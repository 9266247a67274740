"""Defines the request for a command and the answer to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.commands.grammar import ParsedCommand
from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.notices.card import ServerLinks
from bot.notices.chart import Chart
from bot.notices.markup import Document
from bot.store.inbox_book import InboxMessage
from bot.submission import SubmissionRef


@dataclass(frozen=True, slots=True)
class AnswerSubject:
    """The patch or series that an answer is about."""

    server: ServerName
    project: ProjectName
    series: SeriesId | None = None
    patch: PatchId | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its subject and the servers its links may lead to; *is_refusal* is true for refused commands.

    If *reaction* is an emoji, it is the whole answer; if it *is_silent*, nothing is said where the command was. The
    rows of a list are *listed* in the order of their numbers; None if it has no numbered rows, so that those of the
    last list still count. If it has a *chart*, the document describes the picture of it.
    """

    document: Document
    site: ServerLinks | None = None
    about: AnswerSubject | None = None
    is_refusal: bool = False
    reaction: str = ""
    is_silent: bool = False
    listed: tuple[SubmissionRef, ...] | None = None
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command with the message that it came in; *prefix* is used in suggestions, and is "" in a direct chat."""

    call: ParsedCommand
    message: InboxMessage
    prefix: str
    direct: bool


WelcomeHandler = Callable[[InboxMessage, str, bool], Awaitable[Answer]]  # with the prefix, and whether it is direct
Handler = Callable[[CommandRequest], Awaitable[Answer]]
