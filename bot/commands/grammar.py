"""Every command, described once: parsing, help and errors come from this table."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from bot.notices.replies import Usage
from bot.patchwork.lookup import read_ref

_MAX_WORDS = 50
_AS_TYPED = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})


@dataclass(frozen=True, slots=True)
class Command:
    """A verb: its other names, its parameters as help spells them, how many it takes, and what it does."""

    verb: str
    summary: str
    aliases: tuple[str, ...] = ()
    parameters: str = ""
    parameter: str = ""  # what its argument is called
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
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command that was not understood, and what to tell whoever typed it."""

    text: str


HELP = Command("help", "what can be typed, or what one command does", ("?",), "[verb]", "verb", at_most=1)
SHOW = Command("show", "a patch or a series, by id, message-id or link", ("s",), "REF", "ref", at_most=1)
SERIES = Command("series", "a series with all its patches", (), "REF", "ref", at_most=1)
DIFF = Command("diff", "what a patch changes", ("d",), "REF", "ref", at_most=1)
CHECKS = Command("checks", "what tools say of a patch", (), "REF", "ref", at_most=1)
COMMENTS = Command("comments", "what people replied to a patch", (), "REF", "ref", at_most=1)
FIND = Command("find", "the newest matches of a query", (), "QUERY", "query", at_least=1, at_most=_MAX_WORDS + 1)
STATUS = Command("status", "how the bot is: what it watches, what it waits for")
COMMANDS = (HELP, SHOW, SERIES, DIFF, CHECKS, COMMENTS, FIND, STATUS)
_BY_NAME = {name: command for command in COMMANDS for name in (command.verb, *command.aliases)}


def find(verb: str) -> Command | None:
    """The command with this verb or alias, in any case."""
    return _BY_NAME.get(verb.lower())


def parse(text: str, prefix: str) -> Call | Mistake:
    """The command that *text* is; *prefix*, no longer in it, is for what has to be typed instead ("" in a direct chat).

    Typographic quotes and escaped `*` and `_`, which clients write on their own, are read as typed.
    """
    typed = text.translate(_AS_TYPED).replace("\\*", "*").replace("\\_", "_")
    verb, *arguments = typed.split(maxsplit=_MAX_WORDS) or [HELP.verb]
    command = find(verb)
    if command is None:
        return Mistake(_unknown(verb, prefix))
    if not command.at_least <= len(arguments) <= command.at_most:
        return Mistake(f"Usage: {command.usage.typed(prefix)}")
    if command is HELP and arguments and find(arguments[0]) is None:
        return Mistake(_unknown(arguments[0], prefix))
    rest = typed.strip().partition(typed.split()[0])[2].strip() if arguments else ""
    return Call(command, {command.parameter: rest} if arguments else {})


def addressed(body: str, prefix: str, *, direct: bool) -> str | None:
    """The command in a message, without its prefix; None when the message is not for the bot.

    In a direct chat every message is, and the prefix may be left out. What a reply quotes is dropped.
    """
    text = _without_quote(body).strip()
    head, *rest = text.split(maxsplit=1)[:2] or [""]
    if head.lower() == prefix.lower():
        return rest[0] if rest else ""
    return text if direct and text else None


def _unknown(verb: str, prefix: str) -> str:
    """That there is no such verb, and what is near."""
    if read_ref(verb) is not None:
        return f"To look that up, type: {typed(SHOW.verb, verb, prefix)}"
    near = difflib.get_close_matches(verb.lower()[:50], [command.verb for command in COMMANDS], n=1)
    guess = f"Did you mean “{near[0]}”?" if near else f"Type “{typed(HELP.verb, '', prefix)}” for what there is."
    return f"There is no command “{verb[:50]}”. {guess}"


def typed(verb: str, argument: str, prefix: str) -> str:
    """A command as it is to be typed."""
    return Usage(verb, argument, "").typed(prefix)


def _without_quote(body: str) -> str:
    """*body* without the lines that a client puts before a reply, each behind a ">"."""
    lines = body.split("\n")
    while len(lines) > 1 and lines[0].startswith(">"):
        lines.pop(0)
    return "\n".join(lines)
