"""Who follows which sections of a project's MAINTAINERS. Pure."""

from collections.abc import Iterable
from functools import cache
from typing import assert_never

from bot.ids import ProjectName, RoomId, ServerName
from bot.query.index.index import Subscription
from bot.query.keys import Key
from bot.query.maintainers.maintainers import Maintainers, SectionChange, changed
from bot.query.query import And, Node, Not, Or, Query, Term, terms_of


def followed_changes(
    subscriptions: Iterable[Subscription],
    where: tuple[ServerName, ProjectName],
    before: Maintainers,
    after: Maintainers,
) -> dict[RoomId, tuple[SectionChange, ...]]:
    """By room, how the sections of the project *where* differ that its subscriptions name, in any of their terms."""

    @cache
    def changes_of(value: str) -> tuple[SectionChange, ...]:
        names = dict.fromkeys(section.name for file in (before, after) for section in file.find(value))
        return tuple(change for name in names if (change := changed(before, after, name)))

    found: dict[RoomId, dict[str, SectionChange]] = {}
    for subscription in subscriptions:
        named = sections_named(subscription.query)
        if named and looks_at(subscription.query, *where):
            changes = {change.name: change for value in named for change in changes_of(value)}
            if changes:
                found.setdefault(subscription.room, {}).update(changes)
    return {room: tuple(changes.values()) for room, changes in found.items()}


def looks_at(query: Query, server: ServerName, project: ProjectName) -> bool:
    """Whether *query* may match a patch of this project, by what it says of projects and servers."""
    return _may_match(query.tree, {Key.PROJECT: project, Key.SERVER: server}) is not False


def sections_named(query: Query) -> tuple[str, ...]:
    """The sections that *query* asks for or excludes, as it spells them."""
    return tuple(str(value) for term in terms_of(query.tree) if term.key is Key.MAINT for value in term.values)


def _may_match(node: Node, known: dict[Key, str]) -> bool | None:
    """Whether *node* matches whatever else is so; None where that depends on the rest."""
    match node:
        case Term(key, values):
            return known[key].casefold() in {str(value).casefold() for value in values} if key in known else None
        case Not(part):
            matches = _may_match(part, known)
            return None if matches is None else not matches
        case And(parts):
            found = [_may_match(part, known) for part in parts]
            return False if False in found else None if None in found else True
        case Or(parts):
            found = [_may_match(part, known) for part in parts]
            return True if True in found else None if None in found else False
        case _:
            assert_never(node)
