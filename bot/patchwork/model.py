"""Model of patches and series, independent of the API version.

Dates of mails are naive UTC, as in Patchwork; everything here is pure and immutable.

Subjects are written as they were mailed, as far as Patchwork keeps them: prefixes in one pair of brackets, then the
title. Patchwork drops "PATCH" and the list's own prefix, and puts commas between the others. A series' own name lacks
them all, so they are taken from the cover letter, or from the patches.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import NamedTuple

from bot.ids import Msgid, PatchId, ProjectName, SeriesId

_PREFIXES = re.compile(r"\s*\[([^\[\]]{0,255})\]")
# As in Patchwork's parse_series_marker: "1/3", "1 of 3" (Mercurial), "PATCH1/3", "v2PATCH12/15".
_NUMBER = re.compile(r"[^\s,]*?([0-9]{1,5})(?:/| of )([0-9]{1,5})\Z")
_TOKEN = re.compile(r"[^\s,]*?[0-9]{1,5} of [0-9]{1,5}(?![^\s,])|[^\s,]+")
_DOTTED = re.compile(r"v([0-9]{1,5})\.([0-9]{1,5})\Z", re.IGNORECASE)


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


class Version(NamedTuple):
    """The version of a series; *part* is 1 for "v5.1", and 0 for most."""

    number: int
    part: int = 0

    def __str__(self) -> str:
        return f"v{self.number}.{self.part}" if self.part else f"v{self.number}"


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


class DependencyKind(StrEnum):
    """What a dependency is named by."""

    SERIES = "series"
    PATCH = "patch"
    MAIL = "mail"  # a patch or a cover letter, by its message-id


@dataclass(frozen=True, slots=True)
class Dependency:
    """What a mail says that it needs: a series or a patch by its id, or a mail by its message-id.

    *host* is that of the address in which the id stood; "" if it is an id of the mail's own server.
    """

    kind: DependencyKind
    id: str
    host: str = ""


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
    fingerprint: bytes = field(default=b"", repr=False, compare=False)  # of its diff; stored apart
    replies_to: tuple[Msgid, ...] = field(default=(), compare=False)  # its ancestors, the parent last; not stored
    needs: tuple[Dependency, ...] = field(default=(), compare=False)  # according to its mail; stored apart

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
    needs: tuple[Dependency, ...] | None = field(default=None, compare=False)  # None before API 1.4; stored apart


@dataclass(frozen=True, slots=True)
class PatchPage:
    """A patch as read from its own page, with its series and its diff; a pull request has neither."""

    patch: Patch
    series: Series | None = None
    diff: str = ""


@dataclass(frozen=True, slots=True)
class CoverPage:
    """What a cover letter opens, None if that is unknown, and what it says that it needs."""

    series: SeriesId | None
    needs: tuple[Dependency, ...] = ()


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


def series_subject(series: Series) -> str:
    """Return the subject of a series' cover letter: "[RFC v3 0/3] title".

    Without one it is the series' name, with the prefixes that its patches have in common. Versions from 2 on are always
    among them.
    """
    name = series.cover_name or series.name
    tokens = prefixes_of(name) or common_prefixes(ref.name for ref in series.patches)
    return _written(name, with_version(tokens, version_of(series)))


def patch_subject(patch: Patch, series: Series | None = None) -> str:
    """Return the subject of a patch; *series* is the one that it is the only patch of, whose version it then has."""
    tokens = prefixes_of(patch.name)
    return _written(patch.name, with_version(tokens, Version(series.version)) if series else tokens)


def short_subject(patch: Patch, prefixes: Collection[str]) -> str:
    """Return the subject of a patch below that of its series, whose *prefixes* it does not repeat: "3/5 title"."""
    known = {prefix.casefold() for prefix in prefixes}
    tokens = [token for token in prefixes_of(patch.name) if token.casefold() not in known]
    number = patch.number
    shown = [token for token in tokens if number is None or number_of(f"[{token}]") is None]
    brackets = f"[{' '.join(shown)}] " if shown else ""
    return f"{f'{number[0]}/{number[1]} ' if number else ''}{brackets}{bare_subject(patch.name)}"


def common_prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the bracket tokens that all *names* have, without numbers, in the order of the first."""
    all_of_them = [[token for token in prefixes_of(name) if number_of(f"[{token}]") is None] for name in names]
    if not all_of_them:
        return ()
    return tuple(token for token in all_of_them[0] if all(token in other for other in all_of_them))


def with_version(tokens: tuple[str, ...], version: Version) -> tuple[str, ...]:
    """Return *tokens* with the version in front of the number, if it is 2 or more and not among them."""
    name = str(version)
    if version <= Version(1) or any(token.casefold() == name for token in tokens):
        return tokens
    at = next((place for place, token in enumerate(tokens) if number_of(f"[{token}]")), len(tokens))
    return (*tokens[:at], name, *tokens[at:])


def _written(name: str, tokens: tuple[str, ...]) -> str:
    title = bare_subject(name)
    is_all_brackets = bool(prefixes_of(name)) and title == name
    return name if is_all_brackets or not tokens else f"[{' '.join(tokens)}] {title}"


def version_of(series: Series) -> Version:
    """Return the version of a series, including "v5.1", which Patchwork does not parse but all its patches name."""
    numbers = {_dotted(name) for name in ([ref.name for ref in series.patches] or [series.name])}
    dotted = numbers.pop() if len(numbers) == 1 else None
    return dotted or Version(series.version)


def may_follow(series: Series) -> bool:
    """Return whether a series may have a former version, which the first version has not."""
    return version_of(series) > Version(1)


def is_partial_reroll(series: Series) -> bool:
    """Return whether only some patches of a version were sent again, as in "[v5.1,10/12]"."""
    return version_of(series).part > 0 and not series.received_all


def _dotted(name: str) -> Version | None:
    matches = [each for token in prefixes_of(name) if (each := _DOTTED.match(token))]
    return Version(int(matches[0][1]), int(matches[0][2])) if len(matches) == 1 else None
