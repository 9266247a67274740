"""Proposes a subscription for a room from its name and topic, only if it can say why and how much that would bring."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.commands.context import CommandContext
from bot.commands.dry_run import weekly_rate
from bot.commands.rights import RoomText
from bot.errors import UserError
from bot.ids import ProjectName, RoomId, ServerName
from bot.query.keys import Key
from bot.query.parser import parse
from bot.query.query import Query, Term, all_of
from bot.query.values import folded

SEARCH_SECONDS: Final = 5.0  # a welcome does not wait longer to know how much the proposal brings
_WORD: Final = re.compile(r"[^\W_]+")
_MEANINGLESS: Final = frozenset(
    {"the", "and", "for", "all", "room", "chat", "general", "rest", "patches", "patch", "devel", "development", "team"}
    | {"bot", "bots", "discussion", "code", "maintainers", "list", "include", "test", "tests", "other", "misc", "linux"}
)
_SHORTEST: Final = 3  # characters of a word that says something


@dataclass(frozen=True, slots=True)
class Proposal:
    """A query that fits a room, why it does, and how many series a week it would bring."""

    query: Query
    reason: str
    a_week: float


@dataclass(frozen=True, slots=True)
class KnownTree:
    """What is known of a project's tree: the sections of its MAINTAINERS, and the directories that patches touched."""

    server: ServerName
    project: ProjectName
    sections: tuple[str, ...] = ()
    directories: frozenset[str] = frozenset()


async def propose(context: CommandContext, room: RoomId) -> Proposal | None:
    """Return the subscription that the name or topic of a *room* suggests; None if none does, or if in doubt."""
    fit = fitting_query(await context.room_rights.text_of(room), await _trees(context))
    if fit is None:
        return None
    query, reason = fit
    try:
        async with asyncio.timeout(SEARCH_SECONDS):
            rate = await weekly_rate(context.past, query, context.clock.now())
    except (TimeoutError, UserError):
        return None
    return Proposal(query, reason, rate.a_week) if rate is not None and rate.a_week else None


def fitting_query(text: RoomText, trees: Sequence[KnownTree]) -> tuple[Query, str] | None:
    """Return the query that fits a room's name, or else its topic, with the reason; None if none or several fit best.

    A section of MAINTAINERS fits whose words are all there, a directory whose name is; sections are preferred.
    """
    for where, words in (("name", _words(text.name.partition(":")[0])), ("topic", _words(text.topic))):
        if fits := _sections(words, trees) or _directories(words, trees):
            if len(fits) > 1:
                return None
            [(term, tree, what)] = fits
            scope = [Term(Key.PROJECT, (tree.project,))] if len(trees) > 1 else []
            return parse(str(all_of([*scope, term]))), f"this room's {where} fits {what}"
    return None


_Fit = tuple[Term, KnownTree, str]


def _sections(words: frozenset[str], trees: Sequence[KnownTree]) -> list[_Fit]:
    """Return the sections of which most words are among *words*."""
    found = [
        (len(needed), tree, name)
        for tree in trees
        for name in tree.sections
        if (needed := _words(name)) and needed <= words and any(len(word) >= _SHORTEST for word in needed)
    ]
    most = max((count for count, *_ in found), default=0)
    return [
        (Term(Key.MAINT, (name,)), tree, f"the section “{name}” of MAINTAINERS")
        for count, tree, name in found
        if count == most
    ]


def _directories(words: frozenset[str], trees: Sequence[KnownTree]) -> list[_Fit]:
    """Return the directories whose name is among *words*, those at the top if there are any."""
    long = {word for word in words if len(word) >= _SHORTEST}
    found = [(path, tree) for tree in trees for path in tree.directories if folded(path.rpartition("/")[2]) in long]
    at_top = [each for each in found if "/" not in each[0]] or found
    return [(Term(Key.PATH, (f"{path}/",)), tree, f"the directory {path}/") for path, tree in at_top]


def _words(text: str) -> frozenset[str]:
    return frozenset(map(folded, _WORD.findall(text))) - _MEANINGLESS


async def _trees(context: CommandContext) -> list[KnownTree]:
    """Return the trees of the watched projects."""
    seen = await context.seen_paths()
    found: list[KnownTree] = []
    for (server, project), paths in seen.items():
        file = context.files(server, project)
        names = tuple(section.name for section in file.sections) if file else ()
        found.append(KnownTree(server, project, names, frozenset(_upper_directories(paths))))
    return found


def _upper_directories(paths: Iterable[str]) -> set[str]:
    """Return the directories of the two upper levels."""
    found: set[str] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        found |= {"/".join(parts[:depth]) for depth in (1, 2) if len(parts) >= depth}
    return found
