"""Describes each command once: parsing, help, errors and the reference page all use this table. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from bot.commands.parameters import InvalidArgument, Parameter, ParameterKind, read, shown
from bot.patchwork.references import read_ref
from bot.text import visible

TOPICS = frozenset({"query", "queries"})  # what there is help on that is no command
_QUOTES_AS_TYPED = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
_PREFIX_ENDS = re.compile(r":\s*|\s+|\Z")
_COLON = re.compile(r"\s?[:,](?:\s+|\Z)")
_NAME_ENDS = re.compile(rf"{_COLON.pattern}|\s+|\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Permission(Enum):
    """The people who may use a command; the value is the sentence for the help."""

    EVERYONE = "Everyone may."
    ROOM = "In a room, this needs the power level for org.patchbot.subscription (default 50), or an admin of the bot."
    DIRECT = "Everyone may, in a direct chat with the bot."
    OWN_ACCESS = "Everyone may who gave the bot a token; the Patchwork server decides what each may change."
    ADMIN = "The bot's admins may."


class CommandGroup(Enum):
    """A group of related commands; the value is its heading in the help."""

    BOT = "The bot"
    LOOK_UPS = "Looking patches up"
    SUBSCRIPTIONS = "Subscriptions"
    CHAT = "This chat, and you"
    ACTING = "Changing patches on Patchwork"
    ADMINS = "Admins"


@dataclass(frozen=True, slots=True)
class Command:
    """The description of a command: *summary* fits a line of the help, *example* follows the verb."""

    verb: str
    group: CommandGroup
    summary: str
    parameters: tuple[Parameter, ...] = ()
    example: str = ""
    aliases: tuple[str, ...] = ()
    who: Permission = Permission.EVERYONE
    more: str = ""

    def usage(self, prefix: str) -> str:
        """Return the command with its parameters as it is typed; *prefix* is "" if it may be omitted."""
        return typed(self.verb, " ".join(parameter.spelled for parameter in self.parameters), prefix)

    def typical(self, prefix: str) -> str:
        """Return the command with its example arguments."""
        return typed(self.verb, self.example, prefix)


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A command that was understood, with its arguments by name; optional ones that were not typed are absent."""

    command: Command
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InvalidCommand:
    """A command that was not understood; *text* is the answer, in one line."""

    text: str


_REF = Parameter(ParameterKind.REF, optional=True)
_QUERY = Parameter(ParameterKind.QUERY)
_ID = Parameter(ParameterKind.ID)
_ONE_OR_ALL = Parameter(ParameterKind.ID, optional=True)
_FROM = Parameter(ParameterKind.FROM, optional=True, shown="from")

COMMANDS: tuple[Command, ...] = (
    Command(
        "help",
        CommandGroup.BOT,
        "what can be typed, or what one command does",
        (Parameter(ParameterKind.VERB, optional=True, shown="verb"),),
        "sub",
        ("?", "h", "commands"),
    ),
    Command(
        "status", CommandGroup.BOT, "the bot's health: what it watches, what is pending", aliases=("stat", "health")
    ),
    Command("version", CommandGroup.BOT, "the name and the version of the bot", aliases=("ver", "about")),
    Command(
        "show",
        CommandGroup.LOOK_UPS,
        "a patch or a series, by id, message-id or link",
        (_REF,),
        "2194095",
        ("s", "get", "info", "patch", "view"),
        more="A number is the id of a patch, or else of a series.",
    ),
    Command("series", CommandGroup.LOOK_UPS, "the series, with all its patches", (_REF,), "2194095"),
    Command("diff", CommandGroup.LOOK_UPS, "what the patch changes", (_REF,), "2194095", ("d",)),
    Command("checks", CommandGroup.LOOK_UPS, "the checks of the patch", (_REF,), "2194095", ("check", "ci")),
    Command(
        "comments", CommandGroup.LOOK_UPS, "what reviewers wrote about the patch", (_REF,), "2194095", ("comment",)
    ),
    Command(
        "find",
        CommandGroup.LOOK_UPS,
        "the newest series that a query matches",
        (_QUERY,),
        "path:migration/ from:@example.org",
        ("search", "f", "q"),
    ),
    Command(
        "sub",
        CommandGroup.SUBSCRIPTIONS,
        "get a card for each new series that matches a query",
        (_QUERY,),
        "path:migration/ -prefix:RFC",
        ("subscribe", "add", "follow", "watch"),
        Permission.ROOM,
    ),
    Command(
        "unsub",
        CommandGroup.SUBSCRIPTIONS,
        "end a subscription",
        (_ID,),
        "7",
        ("unsubscribe", "del", "delete", "remove", "rm", "unfollow", "unwatch"),
        Permission.ROOM,
    ),
    Command(
        "subs",
        CommandGroup.SUBSCRIPTIONS,
        "the subscriptions here, with their ids",
        (_FROM,),
        "31",
        ("ls", "list", "subscriptions"),
    ),
    Command(
        "edit",
        CommandGroup.SUBSCRIPTIONS,
        "give a subscription another query",
        (_ID, _QUERY),
        "7 path:migration/,hw/",
        ("change",),
        Permission.ROOM,
    ),
    Command(
        "test",
        CommandGroup.SUBSCRIPTIONS,
        "what a query would have matched: how many a day, and the newest",
        (_QUERY, Parameter(ParameterKind.DURATION, optional=True, shown="7d")),
        "path:migration/ 7d",
        ("try", "preview"),
        more="Nothing is subscribed by it.",
    ),
    Command(
        "why",
        CommandGroup.SUBSCRIPTIONS,
        "as a reply to a card: which subscriptions brought it",
        more="Type it as a reply to a card, or in its thread.",
    ),
    Command(
        "mute",
        CommandGroup.SUBSCRIPTIONS,
        "pause one subscription or all, for a time or until unmute",
        (_ONE_OR_ALL, Parameter(ParameterKind.DURATION, optional=True, shown="2h")),
        "7 2h",
        ("pause", "silence", "snooze"),
        Permission.ROOM,
    ),
    Command(
        "unmute",
        CommandGroup.SUBSCRIPTIONS,
        "end the pause",
        (_ONE_OR_ALL,),
        "7",
        ("unpause", "unsnooze", "resume"),
        Permission.ROOM,
    ),
    Command(
        "set",
        CommandGroup.CHAT,
        "change a setting",
        (Parameter(ParameterKind.KEY), Parameter(ParameterKind.VALUE)),
        "timezone Europe/Berlin",
        who=Permission.ROOM,
    ),
    Command("settings", CommandGroup.CHAT, "the settings, and what they can be", aliases=("config", "options")),
    Command(
        "me",
        CommandGroup.CHAT,
        "in a direct chat: your mail addresses, or one more, whose patches you then hear of",
        (Parameter(ParameterKind.ADDRESS, optional=True),),
        "ada@example.org",
        ("iam", "whoami"),
        Permission.DIRECT,
        more="Adding an address makes is:mine match its patches, and subscribes you to them.",
    ),
    Command(
        "me forget",
        CommandGroup.CHAT,
        "in a direct chat: no longer count an address as yours",
        (Parameter(ParameterKind.ADDRESS),),
        "ada@example.org",
        who=Permission.DIRECT,
    ),
    Command(
        "export", CommandGroup.CHAT, "the subscriptions here, as lines for the configuration", (_FROM,), "31", ("dump",)
    ),
    Command(
        "state",
        CommandGroup.ACTING,
        "set the state of patches; a series means all its patches",
        (Parameter(ParameterKind.REFS, shown="REF… STATE"),),
        "2194095 accepted",
        who=Permission.OWN_ACCESS,
        more="Several patches may be named, and none in a reply to a card. The answer has the command that undoes it.",
    ),
    Command(
        "delegate",
        CommandGroup.ACTING,
        "delegate patches to a maintainer, to yourself, or to nobody",
        (Parameter(ParameterKind.REFS, shown="REF… USER|me|nobody"),),
        "2194095 me",
        ("assign",),
        Permission.OWN_ACCESS,
    ),
    Command(
        "archive",
        CommandGroup.ACTING,
        "archive patches",
        (Parameter(ParameterKind.REFS, optional=True, shown="REF…"),),
        "2194095",
        who=Permission.OWN_ACCESS,
    ),
    Command(
        "unarchive",
        CommandGroup.ACTING,
        "take patches out of the archive",
        (Parameter(ParameterKind.REFS, optional=True, shown="REF…"),),
        "2194095",
        who=Permission.OWN_ACCESS,
    ),
    Command(
        "token",
        CommandGroup.ACTING,
        "in an encrypted direct chat: your API tokens, or one more, to change patches with",
        (Parameter(ParameterKind.TOKEN, optional=True, shown="SERVER TOKEN"),),
        "ozlabs 1234…",
        ("tokens",),
        Permission.DIRECT,
        more="Your profile page on the Patchwork server makes a token. The bot deletes your message if it may.",
    ),
    Command(
        "token forget",
        CommandGroup.ACTING,
        "delete the token that you gave for a server",
        (Parameter(ParameterKind.SERVER),),
        "ozlabs",
        who=Permission.DIRECT,
    ),
    Command("rooms", CommandGroup.ADMINS, "the rooms that the bot is in", (_FROM,), "31", who=Permission.ADMIN),
    Command(
        "leave",
        CommandGroup.ADMINS,
        "make the bot leave a room",
        (Parameter(ParameterKind.ROOM),),
        "#qemu-migration:example.org",
        ("part",),
        Permission.ADMIN,
    ),
)
_NEAR = 0.7  # below that, what is guessed has little to do with what was typed
# What the bot answers by itself and at once; the others may wait for a server, the homeserver or a long search.
QUICK = frozenset({"help", "status", "version", "subs", "why", "settings", "me", "me forget", "export"})
VERBS = frozenset(command.verb for command in COMMANDS)
_BY_NAME = {name: command for command in COMMANDS for name in (command.verb, *command.aliases)}


def find(name: str, verbs: Collection[str] = VERBS) -> Command | None:
    """Return the command with this verb or alias, in any case, if it is one of *verbs*."""
    command = _BY_NAME.get(" ".join(name.lower().split()))
    return command if command is not None and command.verb in verbs else None


def parse(text: str, prefix: str, verbs: Collection[str] = VERBS) -> ParsedCommand | InvalidCommand:
    """Parse *text*, from which the prefix was removed, as one of the commands with these *verbs*.

    *prefix* appears in the suggestions of an error; it is "" in a direct chat. Typographic quotes and escaped `*` and
    `_`, which some clients insert, are read as they were typed.
    """
    command, verb, rest = _command(_as_typed(text), verbs)
    if command is None:
        return InvalidCommand(_unknown(verb, prefix, verbs))
    try:
        arguments = read(command.parameters, rest)
    except InvalidArgument as misread:
        return InvalidCommand(f"{misread} {usage(command, prefix)}")
    if (name := arguments.get("verb")) is not None and name.lower() not in TOPICS and find(name, verbs) is None:
        return InvalidCommand(_unknown(name, prefix, verbs))
    return ParsedCommand(command, arguments)


def usage(command: Command, prefix: str) -> str:
    """Return the usage of a command in one line, with an example."""
    example = f" — for example: {command.typical(prefix)}" if command.example else ""
    return f"Usage: {command.usage(prefix)}{example}"


def addressed(body: str, prefix: str, me: str = "", *, direct: bool) -> str | None:
    """Return the command in a message, without its prefix, or None if the message is not for the bot.

    Every message in a direct chat is for the bot, and may omit the prefix. A colon may follow the prefix. The user id
    of the bot, *me*, and its local part are accepted instead of the prefix; the local part without an @ needs a colon
    or comma. The quote in a reply and invisible characters are dropped.
    """
    text = visible(_without_quote(body)).strip()
    names = [(prefix.removesuffix(":"), _PREFIX_ENDS)]
    if local := me.removeprefix("@").partition(":")[0]:
        names += [(me, _NAME_ENDS), (f"@{local}", _NAME_ENDS), (local, _COLON)]
    for name, end in names:
        behind = text[len(name) :]
        if text[: len(name)].lower() == name.lower() and (found := end.match(behind)) is not None:
            return behind[found.end() :]
    return text if direct and text else None


def typed(verb: str, argument: str, prefix: str) -> str:
    """Return a command as it must be typed."""
    return " ".join(part for part in (prefix, verb, argument) if part)


def _command(text: str, verbs: Collection[str]) -> tuple[Command | None, str, str]:
    """Return the command, its verb as typed, and the rest of *text*; verbs of two words take precedence."""
    first, second, *rest = [*text.split(maxsplit=2), "", ""][:3]
    if (command := find(f"{first} {second}", verbs)) is not None and second:
        return command, command.verb, "".join(rest)
    return find(first or "help", verbs), first, text.lstrip()[len(first) :]


def _as_typed(text: str) -> str:
    r"""Return *text* as it was typed, without escapes and typographic quotes; `\\` does not begin another escape.

    Invisible characters, which come from clients and from copies of the bot's own answers, are dropped.
    """
    unescaped = _ESCAPE.sub(lambda escape: escape[1] if escape[1] in "*_" else escape[0], text)
    return visible(unescaped.translate(_QUOTES_AS_TYPED))


def _unknown(verb: str, prefix: str, verbs: Collection[str]) -> str:
    """Return the error for an unknown verb, with a similar one if there is any."""
    if read_ref(verb) is not None and "show" in verbs:
        return f"To look that up, type: {typed('show', verb, prefix)}"
    names = [name for name, command in _BY_NAME.items() if command.verb in verbs]
    near = difflib.get_close_matches(shown(verb).lower(), names, n=1, cutoff=_NEAR)
    guess = f"Did you mean “{_BY_NAME[near[0]].verb}”?" if near else f"Type “{typed('help', '', prefix)}” for a list."
    return f"There is no command “{shown(verb)}”. {guess}"


def _without_quote(body: str) -> str:
    """Return *body* without the quoted lines that a client puts before a reply, each of which begins with ">"."""
    lines = body.split("\n")
    while len(lines) > 1 and lines[0].startswith(">"):
        lines.pop(0)
    return "\n".join(lines)
