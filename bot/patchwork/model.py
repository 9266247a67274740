"""Model of patches and series, independent of the API version.

Dates of mails are naive UTC, as in Patchwork; everything here is pure and immutable.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple

from bot.ids import Msgid, PatchId, ProjectName, SeriesId

_PREFIXES = re.compile(r"\s*\[([^\[\]]{0,255})\]")
# As in Patchwork's parse_series_marker: "1/3", "1 of 3" (Mercurial), "PATCH1/3", "v2PATCH12/15".
_NUMBER = re.compile(r"[^\s,]*?([0-9]{1,5})(?:/| of )([0-9]{1,5})\Z")
_TOKEN = re.compile(r"[^\s,]*?[0-9]{1,5} of [0-9]{1,5}(?![^\s,])|[^\s,]+")


class CheckState(StrEnum):
    """The state of a check; a closed set in Patchwork."""

    PENDING = "pending"
    SUCCESS = "success"
    WARNING = "warning"
    FAIL = "fail"


WORST_FIRST = (CheckState.FAIL, CheckState.WARNING, CheckState.PENDING, CheckState.SUCCESS)


class TrailerKind(Enum):
    """The kinds of trailers that a card counts, with their letters on the card."""

    ACKED = "A"
    REVIEWED = "R"
    TESTED = "T"


@dataclass(frozen=True, slots=True)
class Trailer:
    """A person's Acked-by, Reviewed-by or Tested-by; each person counts once per kind."""

    kind: TrailerKind
    person: str  # the address in lower case, or the name if there is no address
    name: str = field(default="", compare=False)  # as the trailer spells it; "" if it has only an address

    @property
    def shown(self) -> str:
        """The person's display name: the name, or the address without its domain."""
        return self.name or self.person.rpartition("@")[0] or self.person


@dataclass(frozen=True, slots=True)
class Person:
    """A person on the mailing list; *name* is "" if Patchwork has none."""

    name: str
    email: str


class FileChange(NamedTuple):
    """One file that a diff touches; a tuple, because a treewide patch has thousands of them.

    *old_path* is set if a rename or copy changed the name. *added* and *removed* are numbers of lines; both are 0 for
    binary, mode-only and empty files.
    """

    path: str
    old_path: str | None = None
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class PatchRef:
    """A reference to a patch in an event or a series."""

    id: PatchId
    msgid: Msgid
    name: str

    @property
    def number(self) -> tuple[int, int] | None:
        """The number and the total of the patch, (11, 18) for "[v6,11/18] …"; None for a single patch."""
        return number_of(self.name)


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch; *files* is None if its diff was not read."""

    id: PatchId
    project: ProjectName
    msgid: Msgid
    name: str
    submitter: Person
    date: str = ""
    series: SeriesId | None = None
    state: str | None = None  # a slug of an open set; None if unknown
    delegate: str | None = None
    check: CheckState | None = None
    archived: bool = False
    hash: str | None = None
    pull_url: str | None = None
    commit_ref: str | None = None  # the commit in which it was applied, if known
    archive_url: str | None = None
    files: tuple[FileChange, ...] | None = None
    to: tuple[str, ...] = ()  # addresses in lower case
    cc: tuple[str, ...] = ()
    trailers: frozenset[Trailer] = frozenset()
    former_state: str | None = field(default=None, compare=False)  # before *state*, if the bot saw that change
    text: str = field(default="", repr=False, compare=False)  # the mail as returned by `mail_text`; not stored
    replies_to: tuple[Msgid, ...] = field(default=(), compare=False)  # its ancestors, the parent last; not stored

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The bracket tokens of the subject: ("v6", "11/18")."""
        return prefixes_of(self.name)

    @property
    def number(self) -> tuple[int, int] | None:
        """The number and the total of the patch, (11, 18) for "[v6,11/18] …"; None for a single patch."""
        return number_of(self.name)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that the patch touches, old and new, in the diff's order, each once."""
        return tuple(dict.fromkeys(paths_of(self.files or ())))


@dataclass(frozen=True, slots=True)
class Series:
    """One version of a series, with the patches that have arrived."""

    id: SeriesId
    project: ProjectName
    name: str
    version: int
    submitter: Person
    date: str = ""
    total: int = 1
    received_total: int = 0
    received_all: bool = False
    cover: Msgid | None = None
    cover_id: int | None = None
    cover_name: str = ""  # the subject of the cover letter with its prefixes, which *name* lacks; "" without one
    archive_url: str | None = None  # of the thread, if the server has it
    patches: tuple[PatchRef, ...] = ()  # in the order of their numbers
    trailers: frozenset[Trailer] = frozenset()  # of the comments on the cover letter; they apply to each patch


@dataclass(frozen=True, slots=True)
class PatchPage:
    """A patch as read from its own page, with its series and its diff; a pull request has neither."""

    patch: Patch
    series: Series | None = None
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A result that a tool's account reported for a patch; *date* is naive, in the server's own time zone."""

    id: int
    state: CheckState
    context: str
    user: str = ""
    description: str = ""
    url: str | None = None
    date: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A reply to a patch or a cover letter; *text* is the beginning of what its author wrote, without quotations."""

    id: int
    submitter: Person
    date: str = ""
    text: str = ""
    trailers: frozenset[Trailer] = frozenset()


def latest(checks: Iterable[Check]) -> list[Check]:
    """Return the latest check of each account in each context, the worst first, then by context."""
    last: dict[tuple[str, str], Check] = {}
    for check in sorted(checks, key=lambda check: (check.date, check.id)):
        last[check.user, check.context] = check
    return sorted(last.values(), key=lambda check: (WORST_FIRST.index(check.state), check.context, check.user))


def worst(states: Iterable[CheckState]) -> CheckState | None:
    """Return the worst of *states*; None if there are none."""
    return min(states, key=WORST_FIRST.index, default=None)


def paths_of(files: tuple[FileChange, ...]) -> list[str]:
    """Return the old and new names of *files*, in order."""
    return [path for file in files for path in (file.old_path, file.path) if path is not None]


def prefixes_of(name: str) -> tuple[str, ...]:
    """Return the tokens in the leading brackets of a subject, of which there may be several pairs."""
    tokens: list[str] = []
    position = 0
    while match := _PREFIXES.match(name, position):
        tokens += _TOKEN.findall(match[1])
        position = match.end()
    return tuple(tokens)


def bare_subject(name: str) -> str:
    """Return the subject without its leading brackets, or all of it if there is nothing else."""
    return without_prefixes(name) or name


def without_prefixes(name: str) -> str:
    """Return the text after the leading brackets of a subject."""
    position = 0
    while match := _PREFIXES.match(name, position):
        position = match.end()
    return name[position:].strip()


def number_of(name: str) -> tuple[int, int] | None:
    """Return the "n/m" among the prefixes of a subject, parsed as Patchwork does; None if there is none."""
    for token in prefixes_of(name):
        if match := _NUMBER.match(token):
            return int(match[1]), int(match[2])
    return None
