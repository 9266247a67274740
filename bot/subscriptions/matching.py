"""Which rooms a series is for: those that asked for one of its patches."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.ids import PatchId, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Patch, Series
from bot.subscriptions.facts import facts_of
from bot.subscriptions.index import Index
from bot.subscriptions.query import Key
from bot.subscriptions.verdict import Outcome, Reason

_PATH = f"{Key.PATH}:"


@dataclass(frozen=True, slots=True)
class Why:
    """A subscription of the room that matched, and the term that did."""

    subscription: SubscriptionId
    reason: Reason


@dataclass(frozen=True, slots=True)
class RoomMatch:
    """A room that a series or lone patch is for; *paths* are those that were asked for, in the patches' order."""

    room: RoomId
    why: tuple[Why, ...]
    paths: tuple[str, ...]


def match_rooms(
    index: Index, server: ServerName, series: Series | None, patches: Sequence[Patch], news: Collection[PatchId]
) -> list[RoomMatch]:
    """The rooms that one of the *news* among *patches* is for, by room; why and paths come from all patches.

    Patches that were judged before decide nothing: whoever subscribed since then asked for what comes, not for
    what was.
    """
    rooms: set[RoomId] = set()
    why: dict[RoomId, dict[Why, None]] = {}
    for patch in patches:
        for match in index.match(facts_of(server, patch, series)):
            subscription = match.subscription
            if patch.id in news:
                rooms.add(subscription.room)
            reasons = why.setdefault(subscription.room, {})
            reasons.update({Why(subscription.id, reason): None for reason in match.reasons})
    return [RoomMatch(room, tuple(why[room]), _paths(why[room])) for room in sorted(rooms)]


def _paths(why: Collection[Why]) -> tuple[str, ...]:
    found = [each.reason for each in why if each.reason.outcome is Outcome.FOUND]
    return tuple(dict.fromkeys(path for reason in found if reason.term.startswith(_PATH) for path in reason.seen))
