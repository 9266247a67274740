"""Describes each command once: parsing, help, errors and the reference page all use this table. Pure.

A new command is a row of `COMMANDS`, and a handler in `handlers.py`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from bot.commands.parameters import Parameter, ParameterKind


class Permission(Enum):
    """The people who may use a command; the value is the sentence for the help, "" for everyone."""

    EVERYONE = ""
    ROOM = "In a room, only moderators may (power level 50, or what the room sets for org.patchbot.subscription)."
    DIRECT = "Only in a direct chat with me."
    OWN_ACCESS = "For whoever gave the bot a token; the Patchwork server decides what each person may change."
    ADMIN = "Only for the bot's admins."


class CommandGroup(Enum):
    """A group of related commands; the value is its heading in the help."""

    BOT = "The bot"
    LOOK_UPS = "Looking patches up"
    SUBSCRIPTIONS = "Subscriptions"
    CHAT = "This chat, and you"
    FOLLOWING = "What you follow"
    ACTING = "Changing patches on Patchwork"
    ADMINS = "Admins"


@dataclass(frozen=True, slots=True)
class Command:
    """The description of a command: *summary* fits a line of the help, *example* follows the verb.

    *words* are further words by which questions such as "how do I stop this?" find it. A *quick* command is answered by
    the bot itself and at once; others may wait for a server, the homeserver or a long search.
    """

    verb: str
    group: CommandGroup
    summary: str
    parameters: tuple[Parameter, ...] = ()
    example: str = ""
    aliases: tuple[str, ...] = ()
    who: Permission = Permission.EVERYONE
    more: str = ""
    words: tuple[str, ...] = ()
    quick: bool = False

    def usage(self, prefix: str) -> str:
        """Return the command with its parameters as it is typed; *prefix* is "" if it may be omitted."""
        return typed(self.verb, " ".join(parameter.spelled for parameter in self.parameters), prefix)

    def typical(self, prefix: str) -> str:
        """Return the command with its example arguments."""
        return typed(self.verb, self.example, prefix)


def typed(verb: str, argument: str, prefix: str) -> str:
    """Return a command as it must be typed."""
    return " ".join(part for part in (prefix, verb, argument) if part)


_REF = Parameter(ParameterKind.REF, asked=True)
_QUERY = Parameter(ParameterKind.QUERY)
_ID = Parameter(ParameterKind.ID, asked=True)
_ONE_OR_ALL = Parameter(ParameterKind.ID, optional=True)
_FROM = Parameter(ParameterKind.FROM, optional=True, shown="from")

COMMANDS: tuple[Command, ...] = (
    Command(
        "help",
        CommandGroup.BOT,
        "the most wanted commands, all of them, or what one word means",
        (Parameter(ParameterKind.TOPIC, optional=True),),
        "digest",
        ("?", "h", "commands", "man"),
        more="WORD is all, query, or a command, a part of a query, a setting or a state; a question will do as well.",
        quick=True,
    ),
    Command(
        "status",
        CommandGroup.BOT,
        "whether all is well: the servers, and what this room gets",
        aliases=("stat", "health", "ping"),
        words=("working", "alive", "down", "broken", "running", "online", "nothing"),
        quick=True,
    ),
    Command("version", CommandGroup.BOT, "the name and the version of the bot", aliases=("ver", "about"), quick=True),
    Command(
        "show",
        CommandGroup.LOOK_UPS,
        "a patch or a series, by id, message-id or link",
        (_REF,),
        "2194095",
        ("s", "get", "info", "patch", "view", "open", "lookup", "look up"),
        more="A number is the id of a patch, or else of a series.",
        words=("look", "link", "msgid", "message-id", "lore"),
    ),
    Command("series", CommandGroup.LOOK_UPS, "a series with all its patches", (_REF,), "2194095"),
    Command(
        "diff",
        CommandGroup.LOOK_UPS,
        "what a patch changes, or what changed between two versions of a series",
        (Parameter(ParameterKind.RANGE, asked=True),),
        "2194095",
        ("d", "interdiff", "range-diff", "rangediff", "compare"),
        more="In reply to a card, v5..v6 means versions of its series, and v6 alone is compared with the one before. "
        "Elsewhere name the series, too: 2194095 v5..v6, or both: SERIES..SERIES. Patches are matched as by git "
        "range-diff, and each changed one has its diff of diffs.",
        words=("changes", "code", "changed", "versions", "reroll"),
    ),
    Command(
        "also",
        CommandGroup.LOOK_UPS,
        "other open series that touch the same files",
        (Parameter(ParameterKind.LISTED, asked=True),),
        "2194095",
        ("overlaps", "conflicts"),
        more="Those with the most files in common come first; of each series the newest version counts.",
        words=("conflict", "overlap", "overlapping", "flight", "touches"),
    ),
    Command(
        "checks",
        CommandGroup.LOOK_UPS,
        "the checks of a patch",
        (_REF,),
        "2194095",
        ("check", "ci", "tests"),
        words=("checkpatch", "build", "builds", "failing"),
    ),
    Command(
        "comments",
        CommandGroup.LOOK_UPS,
        "what reviewers wrote about a patch",
        (_REF,),
        "2194095",
        ("comment", "replies"),
        words=("review", "reviews", "reviewers", "answers"),
    ),
    Command(
        "find",
        CommandGroup.LOOK_UPS,
        "the newest series that match a query",
        (_QUERY,),
        "path:migration/ from:@example.org",
        ("search", "f", "q", "grep"),
        words=("searching", "past", "old", "older"),
    ),
    Command(
        "queue",
        CommandGroup.LOOK_UPS,
        "what is open here and whose turn it is, with the reason",
        (Parameter(ParameterKind.QUERY, optional=True, shown="QUERY] [PAGE"),),
        "turn:review",
        ("todo", "backlog", "worklist"),
        more="In a room: what its subscriptions match. In a direct chat: what you sent or follow, and what is "
        "delegated to you.",
        words=("waiting", "turn", "pending", "unreviewed", "inbox", "morning"),
    ),
    Command(
        "stats",
        CommandGroup.LOOK_UPS,
        "figures: what came, was accepted, is open, and how long it took",
        (Parameter(ParameterKind.QUERY, optional=True), Parameter(ParameterKind.DURATION, optional=True, shown="90d")),
        "path:migration/ 90d",
        ("statistics", "figures", "numbers"),
        more="Times are those at which the bot saw a patch, its first comment and its last change. Without a QUERY: "
        "everything that is watched, or the project that is set here.",
        words=("statistic", "median", "average", "count"),
    ),
    Command(
        "chart",
        CommandGroup.LOOK_UPS,
        "the figures week by week, as a picture",
        (Parameter(ParameterKind.QUERY, optional=True), Parameter(ParameterKind.DURATION, optional=True, shown="90d")),
        "path:migration/ 90d",
        ("graph", "plot", "diagram"),
        more="What was open at the end of each week, and what came and was accepted in it; `stats` has the sums. "
        "A week ends at the hour at which you ask.",
        words=("picture", "trend", "weekly", "graphs", "curve"),
    ),
    Command(
        "sub",
        CommandGroup.SUBSCRIPTIONS,
        "post each new series that matches a query",
        (_QUERY,),
        "path:migration/ -prefix:RFC",
        ("subscribe", "add", "watch"),
        Permission.ROOM,
        words=("subscribing", "start", "begin", "notified", "notify me"),
    ),
    Command(
        "unsub",
        CommandGroup.SUBSCRIPTIONS,
        "end a subscription",
        (Parameter(ParameterKind.WHICH, asked=True, shown="ID"),),
        "7",
        ("unsubscribe", "del", "delete", "remove", "rm", "unwatch"),
        Permission.ROOM,
        more="`subs` lists the subscriptions, each with its number.",
        words=("unsubscribing", "stop", "cancel", "end", "leave", "rid"),
    ),
    Command(
        "subs",
        CommandGroup.SUBSCRIPTIONS,
        "the subscriptions here, with their numbers and what they bring",
        (_FROM,),
        "31",
        ("ls", "list", "subscriptions"),
        words=("subscribed",),
        quick=True,
    ),
    Command(
        "edit",
        CommandGroup.SUBSCRIPTIONS,
        "give a subscription another query",
        (_ID, Parameter(ParameterKind.QUERY, asked=True)),
        "7 path:migration/,hw/",
        ("change", "modify", "replace"),
        Permission.ROOM,
        words=("update",),
    ),
    Command(
        "test",
        CommandGroup.SUBSCRIPTIONS,
        "what a query would have brought, without subscribing",
        (_QUERY, Parameter(ParameterKind.DURATION, optional=True, shown="7d")),
        "path:migration/ 7d",
        ("try", "preview"),
        words=("trying", "many", "volume"),
    ),
    Command(
        "why",
        CommandGroup.SUBSCRIPTIONS,
        "as a reply to a card: which subscriptions brought it",
        more="Type it as a reply to a card, or in its thread.",
        words=("reason",),
        quick=True,
    ),
    Command(
        "mute",
        CommandGroup.SUBSCRIPTIONS,
        "pause one subscription or all, for a time or until unmute",
        (_ONE_OR_ALL, Parameter(ParameterKind.DURATION, optional=True, shown="2h")),
        "7 2h",
        ("pause", "silence"),
        Permission.ROOM,
        more="Nothing that arrives meanwhile is posted, not even later.",
        words=("many", "quiet", "quieter", "noisy", "noise", "spam", "shut", "stop", "vacation", "holiday", "break"),
    ),
    Command(
        "unmute",
        CommandGroup.SUBSCRIPTIONS,
        "end the pause",
        (_ONE_OR_ALL,),
        "7",
        ("unpause", "resume", "unsilence"),
        Permission.ROOM,
    ),
    Command(
        "snooze",
        CommandGroup.CHAT,
        "keep a patch or series out of the queues here until then; alone: list them",
        (Parameter(ParameterKind.REFS, optional=True, shown="REF 2w|until DATE|until v7"),),
        "2194095 2w",
        ("snoozed", "snoozes", "remind"),
        Permission.ROOM,
        more=(
            "It is back by itself, before its time if somebody comments on it or a new version comes. Until then it is "
            "in no stale list either. Days are in the zone of set timezone."
        ),
        words=("later", "postpone", "defer", "hide", "remind me", "reminder"),
    ),
    Command(
        "unsnooze",
        CommandGroup.CHAT,
        "end that",
        (_REF,),
        "2194095",
        who=Permission.ROOM,
    ),
    Command(
        "set",
        CommandGroup.CHAT,
        "change a setting",
        (Parameter(ParameterKind.KEY), Parameter(ParameterKind.VALUE)),
        "timezone Europe/Berlin",
        who=Permission.ROOM,
        words=("setting", "configure"),
    ),
    Command(
        "settings",
        CommandGroup.CHAT,
        "the settings, and what they can be",
        aliases=("config", "options", "preferences"),
        quick=True,
    ),
    Command(
        "me",
        CommandGroup.CHAT,
        "in a direct chat: your mail addresses, or one more, whose patches you then hear of",
        (Parameter(ParameterKind.ADDRESS, optional=True),),
        "ada@example.org",
        ("iam", "whoami", "i am", "i'm"),
        Permission.DIRECT,
        more="An address that you add makes is:mine match its patches, and subscribes you to them.",
        words=("mine", "myself", "email", "mail", "address", "addresses", "own"),
        quick=True,
    ),
    Command(
        "me forget",
        CommandGroup.CHAT,
        "in a direct chat: no longer count an address as yours",
        (Parameter(ParameterKind.ADDRESS),),
        "ada@example.org",
        ("forget", "forget me"),
        who=Permission.DIRECT,
        quick=True,
    ),
    Command(
        "export",
        CommandGroup.CHAT,
        "the subscriptions here, as lines for the configuration",
        (_FROM,),
        "31",
        ("dump", "backup"),
        quick=True,
    ),
    Command(
        "follow",
        CommandGroup.FOLLOWING,
        "post to your direct chat what happens to a patch or a series, and its later versions",
        (_REF,),
        "2194095",
        ("track",),
        more="The reaction 👀 to a card means the same. The news: states, checks that get worse, reviews, comments.",
        words=("following", "tracking", "reaction", "react", "eyes"),
    ),
    Command(
        "unfollow",
        CommandGroup.FOLLOWING,
        "end that",
        (_REF,),
        "2194095",
        ("untrack",),
        more="Taking back the reaction 👀 means the same.",
        words=("unfollowing",),
    ),
    Command(
        "follows",
        CommandGroup.FOLLOWING,
        "what you follow",
        (_FROM,),
        "31",
        ("followed", "following"),
        quick=True,
    ),
    Command(
        "state",
        CommandGroup.ACTING,
        "set the state of patches; a series means all its patches",
        (Parameter(ParameterKind.REFS, shown="REF… STATE"),),
        "2194095 accepted",
        who=Permission.OWN_ACCESS,
        more="Name several patches, or none in a reply to a card. The answer has the command that undoes it.",
        words=("accept", "reject", "supersede", "mark", "status"),
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
QUICK = frozenset(command.verb for command in COMMANDS if command.quick)
VERBS = frozenset(command.verb for command in COMMANDS)
FOR_ADMINS = frozenset(command.verb for command in COMMANDS if command.who is Permission.ADMIN)
BY_NAME = {name: command for command in COMMANDS for name in (command.verb, *command.aliases)}


def find(name: str, verbs: Collection[str] = VERBS) -> Command | None:
    """Return the command with this verb or alias, in any case, if it is one of *verbs*."""
    command = BY_NAME.get(" ".join(name.lower().split()))
    return command if command is not None and command.verb in verbs else None
