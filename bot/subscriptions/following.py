"""Who follows which sections of a project's MAINTAINERS. Pure."""

from collections.abc import Iterable

from bot.ids import ProjectName, RoomId
from bot.subscriptions.index import Subscription
from bot.subscriptions.maintainers import Maintainers, SectionChange, changed
from bot.subscriptions.query import Key, Query, terms_of, wanted_terms


def followed_changes(
    subscriptions: Iterable[Subscription], project: ProjectName, before: Maintainers, after: Maintainers
) -> dict[RoomId, tuple[SectionChange, ...]]:
    """By room, how the sections of *project* differ that its subscriptions name, in any of their terms."""
    differing: dict[str, SectionChange] = {}
    found: dict[RoomId, dict[str, SectionChange]] = {}
    for subscription in subscriptions:
        if not looks_at(subscription.query, project):
            continue
        for name in _followed(subscription.query, before, after):
            folded = name.casefold()
            if folded not in differing:
                differing[folded] = changed(before, after, name)
            if differing[folded]:
                found.setdefault(subscription.room, {})[folded] = differing[folded]
    return {room: tuple(changes.values()) for room, changes in found.items()}


def looks_at(query: Query, project: ProjectName) -> bool:
    """Whether *query* may match a patch of *project*: it names it, or no project at all."""
    named = [str(value) for term in wanted_terms(query.tree) if term.key is Key.PROJECT for value in term.values]
    return not named or project.casefold() in {name.casefold() for name in named}


def sections_named(query: Query) -> tuple[str, ...]:
    """The sections that *query* asks for or excludes, as it spells them."""
    return tuple(str(value) for term in terms_of(query.tree) if term.key is Key.MAINT for value in term.values)


def _followed(query: Query, before: Maintainers, after: Maintainers) -> Iterable[str]:
    for value in sections_named(query):
        for section in (*before.find(value), *after.find(value)):
            yield section.name
