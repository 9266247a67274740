"""Defines the rows of the sample Patchwork's database.

Dates of mails are naive UTC, as Patchwork stores them; dates of events and checks are aware instants in UTC, shown in
the server's time zone in responses. Message-ids have no angle brackets.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]  # in the mail's order; a name may repeat


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A mailing list; texts that the site does not set are ""."""

    id: int
    link_name: str
    name: str
    list_id: str
    list_email: str
    list_archive_url_format: str = ""
    maintainers: tuple[int, ...] = ()
    show_dependencies: bool = False


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A sender of mails."""

    id: int
    name: str | None
    email: str


@dataclass(frozen=True, slots=True)
class UserRecord:
    """An account on the site: an actor, a delegate, or the owner of a check."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """One version of a series; *total* is the number of patches in its subjects."""

    id: int
    project: int
    submitter: int
    name: str | None
    version: int
    total: int
    date: datetime


@dataclass(frozen=True, slots=True)
class CoverRecord:
    """A cover letter, which always has a series."""

    id: int
    project: int
    submitter: int
    series: int
    msgid: str
    name: str
    date: datetime
    headers: Headers
    content: str


@dataclass(frozen=True, slots=True)
class PatchRecord:
    """A patch or a pull request; pull requests have no diff, no hash and no series."""

    id: int
    project: int
    submitter: int
    msgid: str
    name: str
    date: datetime
    headers: Headers
    content: str
    diff: str | None
    hash: str | None
    series: int | None
    number: int  # 1 for a single patch
    state: str = "new"
    archived: bool = False
    delegate: int | None = None
    commit_ref: str | None = None
    pull_url: str | None = None
    related: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The result of a tool for a patch, posted by its account."""

    id: int
    patch: int
    user: int
    date: datetime
    state: str
    context: str
    description: str
    target_url: str | None


@dataclass(frozen=True, slots=True)
class CommentRecord:
    """A reply to a patch or to a cover; the two kinds have separate ids."""

    id: int
    parent: int
    submitter: int
    msgid: str
    subject: str
    date: datetime
    headers: Headers
    content: str
    addressed: bool | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event; its category determines which references are set."""

    id: int
    category: str
    project: int
    date: datetime
    actor: int | None = None
    series: int | None = None
    patch: int | None = None
    cover: int | None = None
    check: int | None = None
    comment: int | None = None
    previous: str | int | None = None  # a state's slug or a delegate's user id
    current: str | int | None = None
