"""A command that somebody typed, and what answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.commands.answer import Answer
from bot.commands.grammar import Call
from bot.store.inbox_book import Said


@dataclass(frozen=True, slots=True)
class Asked:
    """A command, and the message that it came in; *prefix* is for what to type instead, "" in a direct chat."""

    call: Call
    message: Said
    prefix: str
    direct: bool


Handler = Callable[[Asked], Awaitable[Answer]]
