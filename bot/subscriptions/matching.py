"""Which rooms a series is for: those that asked for one of its patches."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.ids import PatchId, ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Patch, Series
from bot.subscriptions.facts import More, facts_of
from bot.subscriptions.index import Index, Match
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.query import Key
from bot.subscriptions.verdict import Outcome, Reason

_PATH = f"{Key.PATH}:"


@dataclass(frozen=True, slots=True)
class Judged:
    """What is judged: a series with its patches, or one patch that has none."""

    server: ServerName
    series: Series | None
    patches: tuple[Patch, ...]

    @property
    def project(self) -> ProjectName:
        """Where it was sent."""
        return self.series.project if self.series else self.patches[0].project


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
    index: Index, judged: Judged, news: Collection[PatchId], maintainers: Maintainers | None = None
) -> list[RoomMatch]:
    """The rooms that one of the *news* among the patches is for, by room; why and paths come from all patches.

    *maintainers* is the project's file, where one is known.

    Patches that were judged before decide nothing: whoever subscribed since then asked for what comes, not for
    what was.
    """
    rooms: set[RoomId] = set()
    why: dict[RoomId, dict[Why, None]] = {}
    for patch in judged.patches:
        for match in matches_of(index, judged, patch, maintainers):
            subscription = match.subscription
            if patch.id in news:
                rooms.add(subscription.room)
            reasons = why.setdefault(subscription.room, {})
            reasons.update({Why(subscription.id, reason): None for reason in match.reasons})
    return [RoomMatch(room, tuple(why[room]), _paths(why[room])) for room in sorted(rooms)]


def matches_of(index: Index, judged: Judged, patch: Patch, maintainers: Maintainers | None = None) -> list[Match]:
    """The subscriptions that one *patch* of those that are *judged* is for."""
    more = _sections(maintainers, patch) if maintainers else More()
    return index.match(facts_of(judged.server, patch, judged.series, more))


def _sections(maintainers: Maintainers, patch: Patch) -> More:
    """Whose the patch is."""
    covering = maintainers.covering(patch.paths, patch.text)
    return More(sections=covering, known_sections=maintainers.folded_names)


def _paths(why: Collection[Why]) -> tuple[str, ...]:
    found = [each.reason for each in why if each.reason.outcome is Outcome.FOUND]
    return asked_paths((reason.term, reason.seen) for reason in found)


def asked_paths(found: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """The paths among what terms *found*, each once."""
    return tuple(dict.fromkeys(path for term, seen in found if term.startswith(_PATH) for path in seen))
