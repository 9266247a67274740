"""Every command, described once: parsing, help and errors come from this table."""

import difflib
from dataclasses import dataclass

from bot.notices.replies import Usage


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: its other names, its parameters as help spells them, how many it takes, and what it does."""

    verb: str
    summary: str
    aliases: tuple[str, ...] = ()
    parameters: str = ""
    at_least: int = 0
    at_most: int = 0

    @property
    def usage(self) -> Usage:
        """What help says of it."""
        return Usage(self.verb, self.parameters, self.summary)


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was understood."""

    command: Command
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command that was not understood, and what to tell whoever typed it."""

    text: str


HELP = Command("help", "this list, or what one command does", ("?",), "[verb]", at_most=1)
SHOW = Command("show", "one patch or series: id, message-id or link", ("s",), "REF", at_least=1, at_most=1)
COMMANDS = (HELP, SHOW)
_BY_NAME = {name: command for command in COMMANDS for name in (command.verb, *command.aliases)}


def find(verb: str) -> Command | None:
    """The command with this verb or alias, in any case."""
    return _BY_NAME.get(verb.lower())


def parse(text: str) -> Call | Mistake:
    """The command that *text*, without the prefix, is."""
    verb, *arguments = text.split()[:50] or ["help"]
    command = find(verb)
    if command is None:
        near = difflib.get_close_matches(verb.lower()[:50], _BY_NAME, n=1)
        guess = f"Did you mean {near[0]}?" if near else "Type help for what there is."
        return Mistake(f"There is no command “{verb[:50]}”. {guess}")
    if not command.at_least <= len(arguments) <= command.at_most:
        return Mistake(f"Usage: {' '.join(part for part in (command.verb, command.parameters) if part)}")
    return Call(command, tuple(arguments))


def addressed(body: str, prefix: str, *, direct: bool) -> str | None:
    """The command in a message, without its prefix; None when the message is not for the bot.

    In a direct chat every message is, and the prefix may be left out.
    """
    text = body.strip()
    head, _, rest = text.partition(" ")
    if head.lower() == prefix.lower():
        return rest.strip()
    return text if direct and text else None
