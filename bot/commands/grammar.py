"""Reads messages as commands, by the table of all commands. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bot.commands.command_table import BY_NAME, FOR_ADMINS, VERBS, Command, find, typed
from bot.commands.parameters import InvalidArgument, read, shown
from bot.commands.phrases import Courtesy, read_phrase
from bot.query.keys import begins_with_key
from bot.text import visible

_QUOTES_AS_TYPED = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})
_PREFIX_ENDS = re.compile(r":\s*|\s+|\Z")
_COLON = re.compile(r"\s?[:,](?:\s+|\Z)")
_NAME_ENDS = re.compile(rf"{_COLON.pattern}|\s+|\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ADDRESS = re.compile(r"<?([^\s@<>\d][^\s@<>]*@[\w-]+(?:\.[\w-]+)+)>?")
FOR_ADMINS_ONLY = "That is only for the bot's admins."
_NEAR = 0.7  # below that, what is guessed has little to do with what was typed


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A command that was understood, with its arguments by name; optional ones that were not typed are absent."""

    command: Command
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InvalidCommand:
    """A command that was not understood; *text* is the answer, in one line."""

    text: str


def parse(
    text: str, prefix: str, verbs: Collection[str] = VERBS, unlisted: Collection[str] = FOR_ADMINS
) -> ParsedCommand | InvalidCommand | Courtesy:
    """Parse *text*, from which the prefix was removed, as one of the commands with these *verbs*.

    *prefix* appears in the suggestions of an error; it is "" in a direct chat. The *unlisted* verbs are not suggested.
    Typographic quotes and escaped `*` and `_`, which some clients insert, are read as they were typed.
    """
    phrase = read_phrase(_as_typed(text))
    if isinstance(phrase, Courtesy):
        return phrase
    command, verb, rest = _command(phrase, verbs)
    if command is None:
        return InvalidCommand(_unknown(phrase, verb, prefix, {*verbs}.difference(unlisted)))
    try:
        return ParsedCommand(command, read(command.parameters, rest))
    except InvalidArgument as misread:
        if command.verb in unlisted:
            return InvalidCommand(FOR_ADMINS_ONLY)
        return InvalidCommand(f"{misread} {usage(command, prefix)}")


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


def nearest_verb(word: str, verbs: Collection[str]) -> str | None:
    """Return the verb whose name or alias resembles *word* most, among *verbs*; None if none does."""
    names = [name for name, command in BY_NAME.items() if command.verb in verbs]
    typed_word = shown(word).lower()
    swapped = [name for name in names if len(name) > 2 and sorted(name) == sorted(typed_word)]
    near = swapped or difflib.get_close_matches(typed_word, names, n=1, cutoff=_NEAR)
    return BY_NAME[near[0]].verb if near else None


def _unknown(text: str, verb: str, prefix: str, verbs: Collection[str]) -> str:
    """Return the error for an unknown verb, with a similar one if there is any."""
    if begins_with_key(text.lstrip("-–—−")) and {"sub", "find"} <= {*verbs}:
        query = shown(text)
        return (
            f"What should I do with that query? To post what matches: {typed('sub', query, prefix)} · "
            f"to look at what came so far: {typed('find', query, prefix)}"
        )
    if (address := _ADDRESS.fullmatch(text)) is not None and {"me", "find"} <= {*verbs}:
        found = typed("find", f"from:{address[1]}", prefix)
        mine = f"{typed('me', address[1], '')}, in a direct chat"
        return f"What should I do with that address? To look at its patches: {found} · if it is yours: {mine}"
    near = nearest_verb(verb, verbs)
    guess = f"Did you mean “{near}”?" if near else f"For what I understand, type: {typed('help', '', prefix)}"
    return f"I do not know the command “{shown(verb)}”. {guess}"


def _without_quote(body: str) -> str:
    """Return *body* without the quoted lines that a client puts before a reply, each of which begins with ">"."""
    lines = body.split("\n")
    while len(lines) > 1 and lines[0].startswith(">"):
        lines.pop(0)
    return "\n".join(lines)
