"""Changes of MAINTAINERS sections that subscriptions follow. Pure."""

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
    """Return, by room, the changes of sections of the project *where* that its subscriptions name in any term."""

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
    """Return whether *query* may match a patch of this project, by its terms on projects and servers."""
    return _may_match(query.tree, {Key.PROJECT: project, Key.SERVER: server}) is not False


def sections_named(query: Query) -> tuple[str, ...]:
    """Return the sections that *query* names, even to exclude them, in its spelling."""
    return tuple(str(value) for term in terms_of(query.tree) if term.key is Key.MAINT for value in term.values)


def _may_match(node: Node, known: dict[Key, str]) -> bool | None:
    """Return whether *node* matches regardless of everything else; None if that depends on the rest."""
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
