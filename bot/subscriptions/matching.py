"""Which rooms a series is for: those that asked for one of its patches."""

from collections.abc import Collection
from dataclasses import dataclass

from bot.ids import PatchId, ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Patch, Series
from bot.subscriptions.facts import More, facts_of
from bot.subscriptions.index import Index
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.query import Key
from bot.subscriptions.verdict import Outcome, Reason
from bot.subscriptions.wishes import Digest

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
    """A room that a series or lone patch is for; *paths* are those that were asked for, in the patches' order.

    *digests* are those that it is told in, where nobody there asked for it in a richer form.
    """

    room: RoomId
    why: tuple[Why, ...]
    paths: tuple[str, ...]
    digests: tuple[Digest, ...] = ()


def match_rooms(
    index: Index, judged: Judged, news: Collection[PatchId], maintainers: Maintainers | None = None
) -> list[RoomMatch]:
    """The rooms that one of the *news* among the patches is for, by room; why and paths come from all patches.

    *maintainers* is the project's file, where one is known.

    Patches that were judged before decide nothing: whoever subscribed since then asked for what comes, not for
    what was.
    """
    forms: dict[RoomId, set[Digest | None]] = {}
    why: dict[RoomId, dict[Why, None]] = {}
    for patch in judged.patches:
        more = _sections(maintainers, patch) if maintainers else More()
        for match in index.match(facts_of(judged.server, patch, judged.series, more)):
            subscription = match.subscription
            if patch.id in news:
                forms.setdefault(subscription.room, set()).add(subscription.query.wishes.digest)
            reasons = why.setdefault(subscription.room, {})
            reasons.update({Why(subscription.id, reason): None for reason in match.reasons})
    return [RoomMatch(room, tuple(why[room]), _paths(why[room]), _digests(forms[room])) for room in sorted(forms)]


def _digests(forms: Collection[Digest | None]) -> tuple[Digest, ...]:
    """The digests among *forms*; none where one is a card, which is None."""
    digests = [form for form in forms if form is not None]
    return tuple(sorted(digests, key=str)) if len(digests) == len(forms) else ()


def _sections(maintainers: Maintainers, patch: Patch) -> More:
    """Whose the patch is."""
    covering = maintainers.covering(patch.paths, patch.text)
    return More(sections=covering, known_sections=maintainers.folded_names)


def _paths(why: Collection[Why]) -> tuple[str, ...]:
    found = [each.reason for each in why if each.reason.outcome is Outcome.FOUND]
    return tuple(dict.fromkeys(path for reason in found if reason.term.startswith(_PATH) for path in reason.seen))
