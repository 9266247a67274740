"""Patches and series as the bot knows them, whatever API version told of them.

Dates of mails are naive UTC, as Patchwork has them; everything here is pure and immutable.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from bot.ids import Msgid, PatchId, ProjectName, SeriesId

CLOSED_STATES = frozenset(
    {"accepted", "rejected", "superseded", "not-applicable", "deferred", "handled-elsewhere", "mainlined"}
)
_PREFIXES = re.compile(r"\s*\[([^\[\]]{0,255})\]")
# As Patchwork's parse_series_marker reads it: "1/3", "1 of 3" (Mercurial), "PATCH1/3", "v2PATCH12/15".
_NUMBER = re.compile(r"[^\s,]*?([0-9]{1,5})(?:/| of )([0-9]{1,5})\Z")
_TOKEN = re.compile(r"[^\s,]*?[0-9]{1,5} of [0-9]{1,5}(?![^\s,])|[^\s,]+")


class CheckState(StrEnum):
    """What a check says; Patchwork's closed set."""

    PENDING = "pending"
    SUCCESS = "success"
    WARNING = "warning"
    FAIL = "fail"


WORST_FIRST = (CheckState.FAIL, CheckState.WARNING, CheckState.PENDING, CheckState.SUCCESS)


class TrailerKind(Enum):
    """The trailers a card counts, each with its letter there."""

    ACKED = "A"
    REVIEWED = "R"
    TESTED = "T"


@dataclass(frozen=True, slots=True)
class Trailer:
    """One person's word under a patch; a person counts once per kind."""

    kind: TrailerKind
    person: str  # the address in lower case, or the name where there is none
    name: str = field(default="", compare=False)  # as the trailer spells it; "" where it gives an address only

    @property
    def shown(self) -> str:
        """What the person is called in a room: by name, else by the address without its domain."""
        return self.name or self.person.rpartition("@")[0] or self.person


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the list; *name* is "" where Patchwork knows none."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that a diff touches.

    *old_path* is set where a rename or copy has another old name. *added* and *removed* count lines;
    both are 0 for binary, mode-only and empty files.
    """

    path: str
    old_path: str | None = None
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class PatchRef:
    """A patch as events and series name it."""

    id: PatchId
    msgid: Msgid
    name: str

    @property
    def number(self) -> tuple[int, int] | None:
        """(11, 18) for "[v6,11/18] …"; None for a lone patch."""
        return number_of(self.name)


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch with all that was read of it; its *files* are None until its diff was read."""

    id: PatchId
    project: ProjectName
    msgid: Msgid
    name: str
    submitter: Person
    date: str = ""
    series: SeriesId | None = None
    state: str | None = None  # a slug; an open set. None: nobody told yet
    delegate: str | None = None
    check: CheckState | None = None
    archived: bool = False
    hash: str | None = None
    pull_url: str | None = None
    commit_ref: str | None = None  # where it was applied, as far as somebody says so
    archive_url: str | None = None
    files: tuple[FileChange, ...] | None = None
    to: tuple[str, ...] = ()  # addresses in lower case
    cc: tuple[str, ...] = ()
    trailers: frozenset[Trailer] = frozenset()
    text: str = field(default="", repr=False, compare=False)  # the mail, as `mail_text` has it; not kept in the store
    replies_to: tuple[Msgid, ...] = field(default=(), compare=False)  # its ancestors, the parent last; not kept either

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The bracket tokens of the subject: ("v6", "11/18")."""
        return prefixes_of(self.name)

    @property
    def number(self) -> tuple[int, int] | None:
        """(11, 18) for "[v6,11/18] …"; None for a lone patch."""
        return number_of(self.name)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path the patch touches, old and new names, in the diff's order, each once."""
        return tuple(dict.fromkeys(paths_of(self.files or ())))


@dataclass(frozen=True, slots=True)
class Series:
    """One version of a series, as far as it arrived."""

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
    archive_url: str | None = None  # of the thread, where the server tells it
    patches: tuple[PatchRef, ...] = ()  # in the order of their numbers
    trailers: frozenset[Trailer] = frozenset()  # of the comments on the cover letter: they are under each patch


@dataclass(frozen=True, slots=True)
class PatchPage:
    """A patch as its own page shows it: with its series as far as that is told, and its diff; a pull has neither."""

    patch: Patch
    series: Series | None = None
    diff: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """What an account's tool said of a patch; *date* is naive, in the server's own time zone."""

    id: int
    state: CheckState
    context: str
    user: str = ""
    description: str = ""
    url: str | None = None
    date: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A reply to a patch or a cover letter: the beginning of what it says itself, without quotations."""

    id: int
    submitter: Person
    date: str = ""
    text: str = ""
    trailers: frozenset[Trailer] = frozenset()


def is_open(patches: Iterable[Patch]) -> bool:
    """Whether one of *patches* still waits for a decision; a state that nobody knows is no decision."""
    return any(not patch.archived and patch.state not in CLOSED_STATES for patch in patches)


def latest(checks: Iterable[Check]) -> list[Check]:
    """The last word of each account in each context, the worst first, then by context."""
    last: dict[tuple[str, str], Check] = {}
    for check in sorted(checks, key=lambda check: (check.date, check.id)):
        last[check.user, check.context] = check
    return sorted(last.values(), key=lambda check: (WORST_FIRST.index(check.state), check.context, check.user))


def worst(states: Iterable[CheckState]) -> CheckState | None:
    """The worst of *states*; None where there are none."""
    return min(states, key=WORST_FIRST.index, default=None)


def paths_of(files: tuple[FileChange, ...]) -> list[str]:
    """The old and new names of *files*, in order."""
    return [path for file in files for path in (file.old_path, file.path) if path is not None]


def prefixes_of(name: str) -> tuple[str, ...]:
    """The tokens of the leading brackets of a subject; several brackets in a row all count."""
    tokens: list[str] = []
    position = 0
    while match := _PREFIXES.match(name, position):
        tokens += _TOKEN.findall(match[1])
        position = match.end()
    return tuple(tokens)


def bare_subject(name: str) -> str:
    """The subject without its leading brackets; all of it where there is nothing else."""
    return without_prefixes(name) or name


def without_prefixes(name: str) -> str:
    """What follows the leading brackets of a subject."""
    position = 0
    while match := _PREFIXES.match(name, position):
        position = match.end()
    return name[position:].strip()


def number_of(name: str) -> tuple[int, int] | None:
    """The "n/m" among the prefixes, as Patchwork reads it from the subject."""
    for token in prefixes_of(name):
        if match := _NUMBER.match(token):
            return int(match[1]), int(match[2])
    return None
