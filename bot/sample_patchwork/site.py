"""Holds the state that all parts of the sample Patchwork share: tables, clock and time zone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.clock import Clock
from bot.sample_patchwork.accounts import Accounts
from bot.sample_patchwork.mail import split_mailbox
from bot.sample_patchwork.records import CommentRecord, CoverRecord, EventRecord, PatchRecord, PersonRecord, UserRecord
from bot.sample_patchwork.tables import Table, Tables

STATE_NAMES = (
    "New",
    "Under Review",
    "Accepted",
    "Rejected",
    "RFC",
    "Not Applicable",
    "Changes Requested",
    "Awaiting Upstream",
    "Superseded",
    "Deferred",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """The content of an event before it gets an id and a date."""

    category: str
    project: int
    actor: int | None = None
    series: int | None = None
    patch: int | None = None
    cover: int | None = None
    check: int | None = None
    comment: int | None = None
    previous: str | int | None = None
    current: str | int | None = None


class Site:
    """The tables, with the clock and the TIME_ZONE that date their rows.

    The dates of simultaneous events differ by *event_step*, as on a real server; set it to zero for equal dates.
    *newest* is the newest supported API version, which determines the ids of mails and whether comments raise events.
    """

    def __init__(self, clock: Clock, time_zone: str, newest: str) -> None:
        self.newest = newest
        self.tables = Tables()
        self.accounts = Accounts()
        self.zone = ZoneInfo(time_zone)
        self.states = list(STATE_NAMES)
        self.event_step = timedelta(microseconds=1)
        self._clock = clock
        self._last_now: datetime | None = None
        self._steps = 0

    def now(self) -> datetime:
        """Return the clock's time as naive UTC."""
        return self._clock.now().astimezone(UTC).replace(tzinfo=None)

    def stamp(self) -> datetime:
        """Return the instant that the database stores for the current time.

        The server writes a naive local time, and PostgreSQL reads it in the same zone. In the hour that the end of
        daylight saving time repeats, both passes are read as the second one, so dates jump back by an hour there.
        """
        now = self._clock.now()
        self._steps = self._steps + 1 if now == self._last_now else 0
        self._last_now = now
        local = (now + self._steps * self.event_step).astimezone(self.zone)
        return self.instant(local.replace(tzinfo=None))

    def instant(self, naive: datetime) -> datetime:
        """Return the instant of a naive local time, read as in PostgreSQL: as standard time if it is ambiguous."""
        first = naive.replace(tzinfo=self.zone, fold=0)
        second = naive.replace(tzinfo=self.zone, fold=1)
        offsets = first.utcoffset(), second.utcoffset()
        repeated = offsets[0] is not None and offsets[1] is not None and offsets[0] > offsets[1]
        return (second if repeated else first).astimezone(UTC)

    def local(self, instant: datetime) -> datetime:
        """Return an instant as the server shows it: naive, in its time zone."""
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def person(self, mailbox: str) -> int:
        """Return the id of the person "Name <address>", who is added if the address is unknown."""
        name, email = split_mailbox(mailbox)
        for person in self.tables.people.rows.values():
            if person.email.lower() == email.lower():
                return person.id
        return self.tables.people.put(PersonRecord(self.tables.people.next_id(), name or None, email)).id

    def user(self, username: str | None) -> int | None:
        """Return the id of an account, or None for None."""
        return None if username is None else self.account(username)

    def account(self, username: str) -> int:
        """Return the id of an account, which is added if it is unknown."""
        for user in self.tables.users.rows.values():
            if user.username == username:
                return user.id
        return self.tables.users.put(UserRecord(self.tables.users.next_id(), username)).id

    def mail_id(self, table: Table[PatchRecord] | Table[CoverRecord] | Table[CommentRecord]) -> int:
        """Return a new id for *table*; up to 2.2, patches and covers share a sequence of ids, as do all comments."""
        if self.newest < "1.3":
            tables = self.tables
            comments = (tables.patch_comments, tables.cover_comments)
            both = comments if table in comments else (tables.patches, tables.covers)
            table.last_id = max(each.last_id for each in both)
        return table.next_id()

    def raise_event(self, happening: NewEvent) -> EventRecord:
        """Add an event, dated now."""
        event = EventRecord(
            id=self.tables.events.next_id(),
            category=happening.category,
            project=happening.project,
            date=self.stamp(),
            actor=happening.actor,
            series=happening.series,
            patch=happening.patch,
            cover=happening.cover,
            check=happening.check,
            comment=happening.comment,
            previous=happening.previous,
            current=happening.current,
        )
        return self.tables.events.put(event)
