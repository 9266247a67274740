"""The rows of the sample Patchwork's database.

Mail dates are naive UTC, as Patchwork stores them; dates of events and checks are aware instants in UTC,
printed in the server's time zone when asked for. Message-ids stand without their angle brackets.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]  # in the mail's order; a name may repeat


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A mailing list; the texts are "" where the site gives none."""

    id: int
    link_name: str
    name: str
    list_id: str
    list_email: str
    list_archive_url_format: str = ""
    maintainers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """Somebody who sends mails."""

    id: int
    name: str | None
    email: str


@dataclass(frozen=True, slots=True)
class UserRecord:
    """An account of the site: actors, delegates, owners of checks."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """One version of a series; *total* is what its subjects claim."""

    id: int
    project: int
    submitter: int
    name: str | None
    version: int
    total: int
    date: datetime


@dataclass(frozen=True, slots=True)
class CoverRecord:
    """A cover letter; *series* is always known."""

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
    """A patch, or a pull request: that one has no diff, no hash and no series."""

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
    number: int  # 1 for a lone patch
    state: str = "new"
    archived: bool = False
    delegate: int | None = None
    commit_ref: str | None = None
    pull_url: str | None = None
    related: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """What an account's tool says of a patch."""

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
    """A reply to a patch or to a cover; the two kinds number themselves apart."""

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
    """One event; which of the references are set depends on its category."""

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
