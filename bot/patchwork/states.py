"""The names of patch states as a server spells them on its pages; the API has no list of them.

Slugs, which are in lower case, come from patches and events; names come from the filter form of a project's list of
patches. The form has no slugs: a name and a slug belong together if they differ only in case and separators.
"""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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


def folded_state(name: str) -> str:
    """Return the common form of a state's name and slug: "Needs ACK" and needs_ack become needs-ack."""
    return "-".join("".join(char if char.isalnum() else " " for char in name.lower()).split())
