"""Answers `help`: the most wanted commands, all of them, queries, and whatever else a word names."""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain

from bot.commands.command_table import COMMANDS, FOR_ADMINS, Command, CommandGroup, Permission, find, typed
from bot.commands.help_topics import HelpSubject, StateTopic, Topic, nearest_topic, says_something, topics_of
from bot.commands.parameters import KEYS, ParameterKind, shown
from bot.commands.request import Answer, CommandRequest
from bot.commands.settings import RoomSetting
from bot.ids import UserId
from bot.notices.markup import Bullets, Code, Document, Inline, Line, Lines, Piece, Strong, words
from bot.patchwork.states import NO_STATES, States
from bot.query.durations import EXAMPLES
from bot.query.keys import Key
from bot.query.options import OptionKind

NOTES = {
    ParameterKind.REF: "REF is an id, server:id, message-id or link; in reply to a card, it may be left out.",
    ParameterKind.QUERY: "QUERY is made of terms, such as `path:migration/ from:@example.org -prefix:RFC`. All of them "
    "must match; a comma means or, a minus excludes.",
    ParameterKind.ID: "ID is the number of a subscription, as `subs` shows it.",
    ParameterKind.DURATION: f"A duration is a number of minutes, hours, days or weeks: {EXAMPLES}.",
    ParameterKind.KEY: KEYS,
    ParameterKind.ROOM: "ROOM is an alias or an id.",
}
_RIGHTS = (
    "Everybody may look things up.",
    f"{Permission.ROOM.value.replace('only moderators may', 'only moderators may change what is posted')}",
    "In a direct chat, what you subscribe to is yours alone.",
)


class HelpCommand:
    """The command `help` of a bot that answers to *verbs*; *servers* returns the states of each server."""

    def __init__(
        self, verbs: Collection[str], is_admin: Callable[[UserId], bool], servers: Callable[[], Iterable[States]]
    ) -> None:
        self._verbs = verbs
        self._is_admin = is_admin
        self._servers = servers

    async def help(self, request: CommandRequest) -> Answer:
        """Answer `help` with the most wanted commands, or with what there is on a word."""
        text = request.call.arguments.get("topic", "")
        verbs = self._verbs if self._is_admin(request.message.sender) else {*self._verbs}.difference(FOR_ADMINS)
        if not text or not says_something(text):
            return Answer(most_wanted(request.prefix, direct=request.direct))
        if (command := find(text, self._verbs)) is not None and command.verb not in verbs:
            return Answer((Lines((words(f"“{command.verb}” is only for the bot's admins."),)),))
        states = frozenset(chain.from_iterable(each.names for each in (*self._servers(), NO_STATES)))
        topics = topics_of(text, verbs, states)
        if not topics:
            return Answer(_unknown(text, verbs, request))
        pages = (self._page(topic, verbs, request.prefix) for topic in topics)
        return Answer(tuple(chain.from_iterable(pages)))

    def _page(self, topic: Topic, verbs: Collection[str], prefix: str) -> Document:
        match topic:
            case Command():
                return page(topic, prefix)
            case RoomSetting():
                return _setting(topic, prefix)
            case StateTopic(slug):
                return _state(slug, list(self._servers()), prefix)
            case HelpSubject(name):
                rights: Document = (Lines(tuple(words(sentence) for sentence in _RIGHTS)),)
                return {"all": overview(verbs, prefix), "rights": rights}.get(name) or queries(prefix)
            case _:
                return _key(topic, prefix)


def most_wanted(prefix: str, *, direct: bool) -> Document:
    """Return the five most wanted commands with examples, and where to find the others."""

    def code(verb: str, argument: str = "") -> Code:
        return Code(typed(verb, argument, prefix))

    reply = [part for verb in ("diff", "checks", "comments", "why") for part in (", ", code(verb))][1:]
    mine = [words(code("me", "ada@example.org"), " — what happens to the patches you send")] if direct else []
    return (
        Lines((words(Strong("Most wanted")),)),
        Bullets(
            (
                words(code("sub", "path:drivers/net/"), " — post series that touch these files"),
                words(code("test", "path:drivers/net/ 7d"), " — what that would have brought"),
                *mine,
                words(code("subs"), " · ", code("unsub", "7"), " · ", code("mute", "2h")),
                words(code("show", "https://lore.kernel.org/…"), " — look one up; in reply to a card: ", *reply),
                *([] if direct else [words(code("status"), " — whether all is well")]),
            )
        ),
        Lines(
            (
                words(
                    "Everything: ",
                    code("help", "all"),
                    " · queries: ",
                    code("help", "query"),
                    " · one word: ",
                    code("help", "digest"),
                ),
            )
        ),
    )


def overview(verbs: Collection[str], prefix: str) -> Document:
    """Return all commands, one line each."""
    pieces: list[Piece] = []
    for group in CommandGroup:
        commands = [command for command in COMMANDS if command.group is group and command.verb in verbs]
        if commands:
            pieces += [
                Lines((words(Strong(group.value)),)),
                Bullets(tuple(_line(command, prefix) for command in commands)),
            ]
    more = words("More about one: ", Code(typed("help", "show", prefix)))
    return (*pieces, Lines((more, words("What a QUERY may ask for: ", Code(typed("help", "query", prefix))))))


def queries(prefix: str) -> Document:
    """Return what a query may ask for, one line each."""
    terms = tuple(words(*_examples(each), f" — {each.meaning}") for each in (*Key, *OptionKind))
    more = words("More about one: ", Code(typed("help", "path", prefix)))
    return (Lines((_with_code(NOTES[ParameterKind.QUERY], prefix),)), Bullets(terms), Lines((more,)))


def page(command: Command, prefix: str) -> Document:
    """Return everything about one command."""
    notes = [NOTES[parameter.kind] for parameter in command.parameters if parameter.kind in NOTES]
    lines = [_line(command, prefix), *(_with_code(text, prefix) for text in (command.more, *notes) if text)]
    last: list[str | Inline] = ["Example: ", Code(command.typical(prefix))] if command.example else []
    if command.aliases:
        last += [" · also: " if last else "Also: ", ", ".join(command.aliases)]
    lines += [words(*last)] if last else []
    if command.who.value and (prefix or command.who is not Permission.ROOM):
        lines.append(words(command.who.value))
    return (Lines(tuple(lines)),)


def _key(key: Key | OptionKind, prefix: str) -> Document:
    short = key.spec.short_name if isinstance(key, Key) else None
    also: list[str | Inline] = [" · short: ", Code(f"{short}:")] if short else []
    lines = [
        words(*_examples(key), f" — {key.meaning}", *also),
        *(_with_code(sentence, prefix) for sentence in key.more),
        words("Try it: ", Code(typed("sub", _example_query(key), prefix))),
    ]
    return (Lines(tuple(lines)),)


def _examples(key: Key | OptionKind) -> list[str | Inline]:
    """Return the examples of *key*, which are separated by "or", as code."""
    first, *others = key.example.split(" or ")
    return [Code(first), *(part for other in others for part in (" or ", Code(other)))]


def _example_query(key: Key | OptionKind) -> str:
    """Return a query with the example of *key* that may be subscribed to."""
    term = key.example.partition(" or ")[0]
    if isinstance(key, OptionKind):
        return f"path:drivers/net/ {term}"
    return f"{term} {OptionKind.DIGEST.example}" if key in {Key.STALE, Key.TURN} else term


def _setting(setting: RoomSetting, prefix: str) -> Document:
    where = " Only in a direct chat." if setting.only_direct else " Only in a room." if setting.only_rooms else ""
    return (
        Lines(
            (
                words(
                    Code(typed("set", f"{setting.key} {setting.example}", prefix)),
                    f" — {setting.summary}: {setting.values}.",
                ),
                words(f"Without it: {setting.default}.{where} Now: ", Code(typed("settings", "", prefix))),
            )
        ),
    )


def _state(slug: str, servers: Sequence[States], prefix: str) -> Document:
    name = next((each.name(slug) for each in servers if each.has(slug)), slug)
    return (
        Lines(
            (
                words(Strong(name), " is a state of patches: ", Code(f"state:{slug}"), " in a query."),
                words(Code(typed("find", f"state:{slug}", prefix)), " — the newest that have it"),
                words(Code(typed("sub", f"path:drivers/net/ state:{slug}", prefix)), " — post series when they get it"),
                words(Code(f"state:*->{slug}"), " — only the change to it"),
            )
        ),
    )


def _unknown(text: str, verbs: Collection[str], request: CommandRequest) -> Document:
    """Return the answer to a question about something that there is no help on."""
    near = nearest_topic(text, verbs)
    guess = f"Did you mean “{near}”?" if near else "These are the most wanted commands:"
    line = Lines((words(f"I have no help on “{shown(text)}”. {guess}"),))
    return (line,) if near else (line, *most_wanted(request.prefix, direct=request.direct)[1:])


def _line(command: Command, prefix: str) -> Line:
    return words(Code(command.usage(prefix)), " — ", *_with_code(command.summary, prefix))


def _with_code(text: str, prefix: str) -> Line:
    """Return *text* with what stands between backquotes as code, commands as they must be typed."""
    parts = text.split("`")
    return words(*(Code(_as_typed(part, prefix)) if number % 2 else part for number, part in enumerate(parts) if part))


def _as_typed(code: str, prefix: str) -> str:
    return typed(code, "", prefix) if find(code.partition(" ")[0]) is not None else code
