"""Finds what a word or a question that somebody wants help on is about. Pure."""

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from bot.commands.command_table import COMMANDS, Command, find
from bot.commands.settings import SETTINGS, RoomSetting
from bot.query.keys import Key, key_named
from bot.query.options import OptionKind

MOST_TOPICS: Final = 3
_WORDS: Final = re.compile(r"[\w@-]+")
_SCOPED: Final = re.compile(r"(-?[a-z]+):(\S*)")
_SMALL_WORDS: Final = frozenset(
    re.findall(
        r"[\w]+",
        """
        a about add all am and any are at be been bot but by can change check could d did do does
        done f for from get gets got h have help how i if in is it its list m made make many may me
        message messages more much my need no not of on one only open or our out patch patches
        please post posts q re room rooms s see series set should show so some t test than that the
        them then there these they this those to up us use using ve view want we what when where
        which who will with work works would you your
        """,
    )
)
_QUERIES: Final = frozenset(
    {"query", "queries", "syntax", "language", "filter", "filters", "filtering", "exclude", "grammar"}
)
_ALL: Final = frozenset({"all", "everything", "commands", "verbs", "full", "list", "more"})
_RIGHTS: Final = frozenset(
    {"permission", "permissions", "allowed", "rights", "moderator", "moderators", "power", "admin", "admins"}
)


@dataclass(frozen=True, slots=True)
class StateTopic:
    """A state of a server, by its slug."""

    slug: str


@dataclass(frozen=True, slots=True)
class HelpSubject:
    """Help that is no single entry of a table: "all", "query", or "rights"."""

    name: str


Topic: TypeAlias = Command | Key | OptionKind | RoomSetting | StateTopic | HelpSubject


def topics_of(text: str, verbs: Collection[str], states: Collection[str]) -> list[Topic]:
    """Return what *text* is about, at most a few topics, the most likely first; none if it names nothing known.

    *verbs* are the commands that there is help on, *states* the slugs that the servers have.
    """
    name = " ".join(text.lower().strip("\"'“”‘’`?!. ").split())
    topics = list(dict.fromkeys(_named(name, verbs, states)))
    if topics or len(name.split()) < 2:
        return topics
    return list(dict.fromkeys(_in_question(name, verbs, states)))[:MOST_TOPICS]


def says_something(text: str) -> bool:
    """Return whether *text* has more than small words, unlike "what can you do?"."""
    return len(text.split()) < 2 or not _SMALL_WORDS.issuperset(_WORDS.findall(text.lower()))


def nearest_topic(text: str, verbs: Collection[str]) -> str | None:
    """Return the name of a topic that resembles *text*; None if none does."""
    names = [
        *(each.verb for each in COMMANDS if each.verb in verbs),
        *Key,
        *OptionKind,
        *(each.key for each in SETTINGS),
    ]
    near = difflib.get_close_matches(text.lower()[:50], names, n=1, cutoff=0.7)
    return near[0] if near else None


def _named(name: str, verbs: Collection[str], states: Collection[str]) -> Iterator[Topic]:
    """Yield the topics that are called *name*."""
    if (scoped := _SCOPED.fullmatch(name)) is not None:
        key = key_named(scoped[1].lstrip("-"))
        if key is Key.STATE and scoped[2] in states:
            yield StateTopic(scoped[2])
        elif key is not None:
            yield key
        return
    if name in _QUERIES:
        yield HelpSubject("query")
    if name in _ALL and name != "list":
        yield HelpSubject("all")
    if name in _RIGHTS:
        yield HelpSubject("rights")
    yield from (command for command in [find(name, verbs)] if command is not None)
    yield from (each for each in (*Key, *OptionKind) if name in each.words and name not in _SMALL_WORDS)
    yield from (setting for setting in SETTINGS if setting.key == name)
    if (key := key_named(name) if len(name) > 1 else None) is not None:
        yield key
    slug = "-".join(name.replace("_", " ").split())
    if slug in states:
        yield StateTopic(slug)
    yield from (key for key in Key if name in key.spec.names_elsewhere)


def _in_question(text: str, verbs: Collection[str], states: Collection[str]) -> Iterator[Topic]:
    """Yield what the words of a question are about, in their order: what they name, else what they remind of."""
    for pair in ("time zone", "pull request", "under review", "direct chat", "regular expression"):
        text = text.replace(pair, pair.replace(" ", "-") if "review" in pair else pair.replace("time zone", "timezone"))
    if text.startswith("who ") or "allowed to" in text:
        yield HelpSubject("rights")
    if any(word in text for word in ("my own", "my patches", "my series", "mine")):
        yield from (command for command in [find("me", verbs)] if command is not None)
    for word in _WORDS.findall(text):
        plain = word.removesuffix("'s")
        named = [] if plain in _SMALL_WORDS else list(_named(plain, verbs, states))
        yield from named or _reminded(plain, verbs)


def _reminded(word: str, verbs: Collection[str]) -> Iterator[Topic]:
    """Yield what *word* reminds of."""
    yield from (command for command in COMMANDS if command.verb in verbs and word in command.words)
    yield from (setting for setting in SETTINGS if word in setting.words)
    if word not in _SMALL_WORDS:
        yield from (key for key in (*Key, *OptionKind) if word in key.words)
