"""Patch states: their names as a server spells them, and their classes, which say whose turn it is in a state. Pure.

The API has no list of the names. Slugs, which are in lower case, come from patches and events; names come from the
filter form of a project's list of patches. The form has no slugs: a name and a slug belong together if they differ only
in case and separators.

States are an open set that differs per server. The default classes are those of Patchwork itself, kernel.org, ozlabs,
DPDK, sourceware and freedesktop; an operator may set others. A state that nobody has put into a class is unknown, and
counts as open.
"""

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from bot.patchwork.model import Patch
from bot.text import one_line

_MAX_STATES = 100
_MAX_FORM = 32 * 1024  # characters
_MAX_NAME = 60
_BEGIN, _END = "<select", "</select>"


@dataclass(frozen=True, slots=True)
class States:
    """The states of a server by slug, each with its name; None if no page with the name was read."""

    names: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """True if a page that lists all states was read."""
        return any(self.names.values())

    def has(self, slug: str) -> bool:
        """Return whether the server is known to have a state."""
        return any(folded_state(known) == folded_state(slug) for known in self.names)

    def slug(self, spelled: str) -> str | None:
        """Return the state that a slug or a name in any case means, as the server's own slug; None if it is unknown."""
        return next((slug for slug, name in self.names.items() if same_state(spelled, slug, name or slug)), None)

    def name(self, slug: str) -> str:
        """Return the server's spelling of a state, or a derived one: "under-review" becomes "Under Review"."""
        alike = (name for known, name in self.names.items() if name and folded_state(known) == folded_state(slug))
        spelled = self.names.get(slug) or next(alike, None)
        return spelled or " ".join(word[:1].upper() + word[1:] for word in slug.split("-"))


NO_STATES = States()


def same_state(spelled: str, *others: str) -> bool:
    """Return whether a slug or name stands for the same state as one of *others*."""
    return folded_state(spelled) in map(folded_state, others)


def states_in(page: str) -> dict[str, str]:
    """Return the names of the states in the filter form of *page*, by slug; empty if there is no such form."""
    form = _form(page)
    names = {folded_state(name): name for name in _options(form)}
    return dict(list(names.items())[:_MAX_STATES])


def _form(page: str) -> str:
    """Return the contents of the state selection, up to `_MAX_FORM` characters."""
    at = page.find(_BEGIN)
    while at >= 0:
        end = page.find(">", at)
        if end < 0:
            return ""
        if 'name="state"' in page[at:end]:
            return page[end + 1 : end + 1 + _MAX_FORM].partition(_END)[0]
        at = page.find(_BEGIN, end)
    return ""


def _options(form: str) -> Iterator[str]:
    """Yield the names of the options that stand for a state: their values are numbers."""
    for option in form.split("<option")[1:]:
        attributes, _, rest = option.partition(">")
        value = attributes.partition('value="')[2].partition('"')[0]
        name = one_line(html.unescape(rest.partition("<")[0]), _MAX_NAME)
        if value.isascii() and value.isdigit() and folded_state(name):
            yield name


@lru_cache(maxsize=1_024)  # servers have a dozen, and each patch has one
def folded_state(name: str) -> str:
    """Return the common form of a state's name and slug: "Needs ACK" and needs_ack become needs-ack."""
    return "-".join("".join(char if char.isalnum() else " " for char in name.lower()).split())


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
