"""Who is told of what happens to a patch that is known: whoever asked for such changes, and whose query came true."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.query.facts import Facts
from bot.query.index.index import Index, Match
from bot.query.options import On


@dataclass(frozen=True, slots=True)
class Happened:
    """What happened to a patch: how it was and is, and what *changes* that is."""

    before: Facts
    after: Facts
    changes: frozenset[On]


@dataclass(frozen=True, slots=True)
class Hearing:
    """A subscription that is told of what happened, and why.

    Of the changes it named some in its `on:`, those *asked* for; *told* are they and those that made its query true.
    """

    match: Match
    asked: frozenset[On]
    told: frozenset[On]


def hearings(index: Index, happened: Happened) -> Iterator[Hearing]:
    """The subscriptions that are told of what *happened*, in the order of their ids.

    `on:` hears of each change of a patch that the query matches now. What the query's own terms look at is told when
    the query comes true by it: it matches now, and did not before.
    """
    if not index.anybody_hears(happened.changes):
        return
    matches = index.match_changed(happened.after, happened.changes)
    named = [happened.changes.intersection(match.subscription.query.wishes.on) for match in matches]
    matched_before = set() if all(named) else index.find(happened.before)
    for match, asked in zip(matches, named, strict=True):
        came_true = match.subscription.id not in matched_before
        implied = match.subscription.query.implied & happened.changes if came_true else frozenset()
        if told := asked | implied:
            yield Hearing(match, asked, told)
