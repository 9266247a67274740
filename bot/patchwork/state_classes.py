"""Classes of patch states: whose turn it is in each state, by default or as an operator says. Pure.

Patchwork's states are an open set that differs per server. The defaults are those of Patchwork itself, kernel.org,
ozlabs, DPDK, sourceware and freedesktop. A state that nobody has put into a class is unknown, and counts as open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.patchwork.model import Patch
from bot.patchwork.states import folded_state


class StateClass(StrEnum):
    """What a state means for a patch."""

    OPEN = "open"  # somebody is to review, apply or forward it
    WAITING = "waiting"  # it is the submitter's turn
    CLOSED = "closed"  # nothing more is to be done about it
    UNKNOWN = "unknown"  # counts as open


ACCEPTED = frozenset({"accepted", "mainlined", "committed", "applied", "merged"})
SUPERSEDED = "superseded"
NEW = "new"

_DEFAULTS: Mapping[StateClass, frozenset[str]] = {
    StateClass.OPEN: frozenset(
        {
            NEW,
            "under-review",
            "rfc",
            "awaiting-upstream",
            "queued",  # kernel.org
            "needs-ack",  # kernel.org
            "in-next",  # kernel.org
            "needs-review-ack",  # ozlabs (OpenWrt)
            "reviewed",  # freedesktop
            "in-progress",  # freedesktop
        }
    ),
    StateClass.WAITING: frozenset({"changes-requested", "needs-work"}),
    StateClass.CLOSED: frozenset(
        {
            *ACCEPTED,
            SUPERSEDED,
            "rejected",
            "not-applicable",
            "deferred",
            "handled-elsewhere",  # kernel.org
            "dropped",  # sourceware
            "withdrawn",
            "obsolete",
        }
    ),
}
DEFAULTS = {slug: kind for kind, slugs in _DEFAULTS.items() for slug in slugs}


@dataclass(frozen=True, slots=True)
class StateClasses:
    """The classes of a server's states; *configured* are those that the operator set, by slug."""

    configured: Mapping[str, StateClass] = field(default_factory=dict)

    def of(self, slug: str | None) -> StateClass:
        """Return the class of a state, in any spelling; unknown for None."""
        if slug is None:
            return StateClass.UNKNOWN
        folded = folded_state(slug)
        return self.configured.get(folded) or DEFAULTS.get(folded, StateClass.UNKNOWN)

    def is_closed(self, slug: str | None) -> bool:
        """Return whether nothing more is to be done in a state."""
        return self.of(slug) is StateClass.CLOSED

    def is_waiting(self, slug: str | None) -> bool:
        """Return whether it is the submitter's turn in a state."""
        return self.of(slug) is StateClass.WAITING

    def is_open(self, patches: Iterable[Patch]) -> bool:
        """Return whether one of *patches* still awaits a decision; an unknown state is not a decision."""
        return any(not patch.archived and not self.is_closed(patch.state) for patch in patches)

    def unknown(self, slugs: Iterable[str]) -> list[str]:
        """Return those of *slugs* that have no class, in order, each once."""
        return [slug for slug in dict.fromkeys(slugs) if self.of(slug) is StateClass.UNKNOWN]

    @property
    def closed(self) -> frozenset[str]:
        """The slugs of all closed states, as Patchwork spells them."""
        known = DEFAULTS | dict(self.configured)
        return frozenset(slug for slug, kind in known.items() if kind is StateClass.CLOSED)


def state_classes(by_class: Mapping[StateClass, Iterable[str]]) -> StateClasses:
    """Return the classes that an operator set, with the names or slugs of the states in each."""
    return StateClasses({folded_state(name): kind for kind, names in by_class.items() for name in names})


DEFAULT_CLASSES = StateClasses()


def is_accepted(slug: str | None) -> bool:
    """Return whether a state says that the patch was taken."""
    return slug is not None and folded_state(slug) in ACCEPTED


def is_superseded(slug: str | None) -> bool:
    """Return whether a state says that a later version replaces the patch."""
    return slug is not None and folded_state(slug) == SUPERSEDED


def is_new(slug: str | None) -> bool:
    """Return whether a state says that nobody has looked at the patch."""
    return slug is not None and folded_state(slug) == NEW
