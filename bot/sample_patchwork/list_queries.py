"""Filters, orders and pages the lists of the sample Patchwork.

An invalid value never makes a request fail: the list is empty instead. Unknown parameters are ignored.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode

from bot.sample_patchwork.records import CoverRecord, EventRecord, PatchRecord, SeriesRecord
from bot.sample_patchwork.site import Site
from bot.sample_patchwork.tables import Snapshot

Mailed = TypeVar("Mailed", PatchRecord, CoverRecord, SeriesRecord)
Filed = TypeVar("Filed", PatchRecord, CoverRecord)
Comparable: TypeAlias = int | str | datetime

# In the order of their ids; states that an admin adds are recognized by patches that have them.
STATES = (
    "new",
    "under-review",
    "accepted",
    "rejected",
    "rfc",
    "not-applicable",
    "changes-requested",
    "awaiting-upstream",
    "superseded",
    "deferred",
)

EVENT_CATEGORIES = frozenset(
    {
        "cover-created",
        "patch-created",
        "patch-completed",
        "patch-state-changed",
        "patch-delegated",
        "patch-relation-changed",
        "check-created",
        "series-created",
        "series-completed",
        "cover-comment-created",
        "patch-comment-created",
    }
)
_COMMENT_CATEGORIES = frozenset({"cover-comment-created", "patch-comment-created"})
_DEFAULT_PAGE_SIZE = 30
_MAX_PAGE_SIZE = 250
_ID = re.compile(r"\d{1,9}")
_DATE = re.compile(
    r"(?P<date>\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[T ](?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?)(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?\Z"
)


class BadValueError(Exception):
    """A filter value that cannot match anything."""


class NoSuchPageError(Exception):
    """A page number that is invalid or past the end."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """The position of a page in a list; *last* is the number of the last page, and pages count from 1."""

    number: int
    last: int
    first_row: int
    end_row: int


class ListParameters:
    """The parameters of a request; a name may occur more than once."""

    def __init__(self, text: str) -> None:
        self.pairs = parse_qsl(text, keep_blank_values=True)

    def all(self, name: str) -> list[str]:
        """Return all values of *name* that are not empty, in order."""
        return [value for key, value in self.pairs if key == name and value]

    def last(self, name: str) -> str | None:
        """Return the last value of *name*, the only one that most filters use, or None."""
        values = self.all(name)
        return values[-1] if values else None

    def with_page(self, number: int) -> str:
        """Return the query string for another page, with sorted keys, as Django REST framework writes it."""
        pairs = [(key, value) for key, value in self.pairs if key != "page"]
        return urlencode(sorted([*pairs, ("page", str(number))], key=lambda pair: pair[0]))


def page_of(query: ListParameters, count: int) -> ListPage:
    """Return the requested page of *count* rows.

    Raises:
        NoSuchPageError: its number is 0, not a number, or past the end.
    """
    asked = query.last("per_page") or ""
    size = min(int(asked), _MAX_PAGE_SIZE) if _ID.fullmatch(asked) else _DEFAULT_PAGE_SIZE
    size = size or _DEFAULT_PAGE_SIZE
    last = max(1, -(-count // size))
    wanted = query.last("page") or "1"
    if wanted == "last":
        wanted = str(last)
    if not _ID.fullmatch(wanted) or not 1 <= int(wanted) <= last:
        raise NoSuchPageError
    number = int(wanted)
    return ListPage(number, last, (number - 1) * size, min(number * size, count))


class Lists:
    """The lists for one request; *version* determines which filters exist."""

    def __init__(self, site: Site, rows: Snapshot, query: ListParameters, version: str) -> None:
        self._site = site
        self._rows = rows
        self._query = query
        self._version = version

    def events(self, *, ordered: bool) -> Sequence[EventRecord]:
        """Return events, newest first, or by ascending date if requested and if *ordered* says that the server can."""
        projects, series = self._projects(), self._ids("series", self._rows.series)
        patches, covers = self._ids("patch", self._rows.patches), self._ids("cover", self._rows.covers)
        category, actor = self._query.last("category"), self._actor()
        if category is not None and category not in EVENT_CATEGORIES:
            raise BadValueError
        hidden = _COMMENT_CATEGORIES if self._version < "1.3" else frozenset()
        events = [
            event
            for event in self._rows.events_between(self._instant("since"), self._instant("before"))
            if (projects is None or event.project in projects)
            and (series is None or event.series in series)
            and (patches is None or event.patch in patches)
            and (covers is None or event.cover in covers)
            and (category is None or event.category == category)
            and (actor is None or event.actor == actor)
            and event.category not in hidden
        ]
        if not (ordered and self._query.last("order") == "date"):
            events.reverse()
        return events

    def patches(self) -> Sequence[PatchRecord]:
        """Return patches by ascending id, or in the requested order."""
        series, state = self._ids("series", self._rows.series), self._state()
        archived = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}.get(
            self._query.last("archived") or ""
        )
        delegate, wants_hash = self._delegate(), self._query.last("hash") if self._version >= "1.2" else None
        rows = [
            patch
            for patch in self._mailed(self._rows.patches.values())
            if (series is None or patch.series in series)
            and (state is None or patch.state in state)
            and (archived is None or patch.archived is archived)
            and (delegate is None or patch.delegate == delegate)
            and (wants_hash is None or patch.hash == wants_hash.lower())
        ]
        return self._ordered(self._with_msgid(rows))

    def covers(self) -> Sequence[CoverRecord]:
        """Return cover letters by ascending id, or in the requested order."""
        if self._query.all("series"):
            return []  # real servers look up this id among the projects
        rows = self._with_msgid(self._mailed(self._rows.covers.values()))
        return self._ordered(rows)

    def series(self) -> Sequence[SeriesRecord]:
        """Return series by ascending id, or in the requested order."""
        rows = self._mailed(self._rows.series.values())
        return self._ordered(rows)

    def _mailed(self, rows: Iterable[Mailed]) -> list[Mailed]:
        """Return the rows that pass the filters that patches, covers and series have in common."""
        projects, submitters = self._projects(), self._submitters()
        since, before = self._moment("since"), self._moment("before")
        words = [word.lower() for word in re.split(r"[\s,]+", self._query.last("q") or "") if word]
        return [
            row
            for row in rows
            if (projects is None or row.project in projects)
            and (submitters is None or row.submitter in submitters)
            and (since is None or row.date >= since)
            and (before is None or row.date < before)
            and all(word in (row.name or "").lower() for word in words)
        ]

    def _with_msgid(self, rows: list[Filed]) -> list[Filed]:
        msgid = self._query.last("msgid") if self._version >= "1.2" else None
        return rows if msgid is None else [row for row in rows if row.msgid == msgid]

    def _ordered(self, rows: list[Mailed]) -> list[Mailed]:
        wish = self._query.last("order") or "id"
        keys: dict[str, Callable[[Mailed], Comparable]] = {"id": _id, "name": _name, "date": _date}
        key = keys.get(wish.removeprefix("-"))
        return rows if key is None else sorted(rows, key=key, reverse=wish.startswith("-"))

    def _projects(self) -> set[int] | None:
        known = {str(project.id): project.id for project in self._rows.projects.values()}
        known |= {project.link_name.lower(): project.id for project in self._rows.projects.values()}
        return self._found("project", known)

    def _submitters(self) -> set[int] | None:
        known = {str(person.id): person.id for person in self._rows.people.values()}
        known |= {person.email.lower(): person.id for person in self._rows.people.values()}
        return self._found("submitter", known)

    def _ids(self, name: str, rows: Mapping[int, object]) -> set[int] | None:
        return self._found(name, {str(row_id): row_id for row_id in rows} if self._query.all(name) else {})

    def _found(self, name: str, known: Mapping[str, int]) -> set[int] | None:
        values = self._query.all(name)
        if not values:
            return None
        if any(value.lower() not in known for value in values):
            raise BadValueError
        return {known[value.lower()] for value in values}

    def _state(self) -> set[str] | None:
        values = self._query.all("state")
        if not values:
            return None
        by_id = {str(number): slug for number, slug in enumerate(STATES, start=1)}
        slugs = [by_id.get(value, value) for value in values]
        if any(slug not in STATES and not self._in_use(slug) for slug in slugs):
            raise BadValueError
        return set(slugs)

    def _in_use(self, slug: str) -> bool:
        return any(patch.state == slug for patch in self._rows.patches.values())

    def _delegate(self) -> int | None:
        value = self._query.last("delegate")
        if value is None:
            return None
        for user in self._rows.users.values():
            if value in {str(user.id), user.username}:
                return user.id
        raise BadValueError

    def _actor(self) -> int | None:
        value = self._query.last("actor") if self._version >= "1.2" else None
        if value is None:
            return None
        if not _ID.fullmatch(value) or int(value) not in self._rows.users:
            raise BadValueError
        return int(value)

    def _instant(self, name: str) -> datetime | None:
        naive = self._moment(name)
        try:
            return None if naive is None else self._site.instant(naive)
        except OverflowError as error:
            raise BadValueError from error

    def _moment(self, name: str) -> datetime | None:
        """Return a date parameter as a naive time, or None if it is missing.

        A time with a zone is converted to the server's zone, even to compare it with dates in UTC.
        """
        value = self._query.last(name)
        if value is None:
            return None
        match = _DATE.match(value.strip())
        if match is None or (match["time"] is None and self._site.newest < "1.3"):
            raise BadValueError
        try:
            moment = datetime.fromisoformat(_padded(match))
            return moment if moment.tzinfo is None else self._site.local(moment)
        except (ValueError, OverflowError) as error:
            raise BadValueError from error


def _padded(match: re.Match[str]) -> str:
    """Return the matched date in the form that `datetime.fromisoformat` accepts."""
    date = "-".join(part.zfill(2) for part in match["date"].split("-"))
    if match["time"] is None:
        return date
    hour, _, rest = match["time"].replace(",", ".").partition(":")
    whole, point, fraction = rest.partition(".")
    return f"{date}T{hour.zfill(2)}:{whole}{point}{fraction.ljust(6, '0') if point else ''}{match['zone'] or ''}"


def _id(row: Mailed) -> int:
    return row.id


def _name(row: Mailed) -> str:
    return row.name or ""


def _date(row: Mailed) -> datetime:
    return row.date
