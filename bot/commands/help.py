"""`help`: what can be typed, and what one command does. Pure."""

from collections.abc import Collection

from bot.commands.grammar import COMMANDS, TOPICS, Command, CommandGroup, find, typed
from bot.commands.parameters import KEYS, ParameterKind
from bot.commands.request import Answer, CommandRequest
from bot.notices.markup import Bullets, Code, Document, Line, Lines, Piece, words
from bot.query.keys import Key
from bot.query.options import OptionKind

NOTES = {
    ParameterKind.REF: "REF is an id, server:id, message-id or link; as a reply to a card, or in its thread, it may be "
    "missing.",
    ParameterKind.QUERY: "QUERY is made of terms such as path:migration/ from:@example.org -prefix:RFC: all of them "
    "must match, a comma means or, a minus excludes.",
    ParameterKind.ID: "ID is the number of a subscription.",
    ParameterKind.DURATION: "A time is a number of minutes, hours, days or weeks: 30m, 2h, 7d, 2w.",
    ParameterKind.KEY: KEYS,
    ParameterKind.ROOM: "ROOM is an alias or an id.",
}


class HelpCommand:
    """What a bot that answers to *verbs* says of them."""

    def __init__(self, verbs: Collection[str]) -> None:
        self._verbs = verbs

    async def help(self, asked: CommandRequest) -> Answer:
        """One command, or queries, or all."""
        name = asked.call.arguments.get("verb", "")
        if name.lower() in TOPICS:
            return Answer(queries())
        command = find(name, self._verbs)
        return Answer(page(command, asked.prefix) if command else overview(self._verbs, asked.prefix))


def overview(verbs: Collection[str], prefix: str) -> Document:
    """What can be typed, a line each."""
    pieces: list[Piece] = [Lines((words("What you can type:"),))]
    for group in CommandGroup:
        commands = [command for command in COMMANDS if command.group is group and command.verb in verbs]
        if commands:
            pieces += [Lines((words(group.value),)), Bullets(tuple(_line(command, prefix) for command in commands))]
    more = words("More about one command: ", Code(typed("help", "show", prefix)))
    return (*pieces, Lines((more, words("What a QUERY may ask for: ", Code(typed("help", "query", prefix))))))


def queries() -> Document:
    """What a query may ask for, a line each."""
    terms = tuple(words(Code(each.example), f" — {each.meaning}") for each in (*Key, *OptionKind))
    return (Lines((words(NOTES[ParameterKind.QUERY]),)), Bullets(terms))


def page(command: Command, prefix: str) -> Document:
    """All there is to know of one command."""
    notes = [NOTES[parameter.kind] for parameter in command.parameters if parameter.kind in NOTES]
    sentences = [command.more, *notes, command.who.value]
    told = [_line(command, prefix), *(words(sentence) for sentence in sentences if sentence)]
    if command.example:
        told.append(words("Example: ", Code(command.typical(prefix))))
    if command.aliases:
        told.append(words(f"Other names: {', '.join(command.aliases)}"))
    return (Lines(tuple(told)),)


def _line(command: Command, prefix: str) -> Line:
    return words(Code(command.usage(prefix)), f" — {command.summary}")
