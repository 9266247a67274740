"""Storage of open floods and catch-ups, of the series listed in them instead of a card, and of the last polls."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import Msgid, NoticeKey, PatchId, ProjectName, RoomId, SeriesId, ServerName
from bot.incidents import Incidents
from bot.notices.catch_up import Absence, AbsenceCause
from bot.notices.floods import DEFAULT_LIMIT, QUIET, Cause, Flood, FloodDecision, FloodEntry, flood_decision, flood_key
from bot.notices.notice import Lane, NoticeState
from bot.patchwork.model import Patch, Person, Series
from bot.query.options import CardForm
from bot.store import schema
from bot.store.book import batched, drop_batch, read_each, readable
from bot.store.patch_book import KEEP_PATCHES
from bot.store.subscription_book import FLOOD
from bot.submission import SubmissionKind, SubmissionRef

_CHUNK = 150  # objects of three parameters each, below the parameter limit of every SQLite version
Why = Sequence[Sequence[str | int]]  # the subscription, the term and its matches, for each reason


@dataclass(frozen=True, slots=True)
class HeldSubmission:
    """A submission without a card, with its reasons, its matching paths, and its form."""

    about: SubmissionRef
    why: Why
    paths: tuple[str, ...] = ()
    form: CardForm = CardForm.CARD


class FloodBook:
    """The floods in one transaction."""

    def __init__(self, connection: AsyncConnection, now: datetime, incidents: Incidents) -> None:
        self._connection = connection
        self._now = now
        self._incidents = incidents

    # Limits

    async def configure(self, limits: Mapping[str, int]) -> None:
        """Store the limits of the settings, by the rooms' configured names."""
        table = schema.flood_limit
        await self._connection.execute(sa.delete(table))
        if limits:
            rows = [{"name": name, "series": series} for name, series in limits.items()]
            await self._connection.execute(sa.insert(table), rows)

    async def limit(self, room: RoomId) -> int:
        """Return how many series at once get cards in *room*, as set in chat or else in the settings; 0: any number."""
        limit, _ = await self.limit_and_recent(room)
        return limit

    async def limit_and_recent(self, room: RoomId) -> tuple[int, int]:
        """Return the limit of series that get cards in *room* (0: none), and its number of cards in the last minute."""
        setting, card = schema.room_setting, schema.card
        chosen = sa.select(setting.c.value).where(setting.c.room == room, setting.c.key == FLOOD)
        recent = sa.select(sa.func.count()).where(card.c.room == room, card.c.created_at > self._now - QUIET)
        counts = {"chosen": chosen, "configured": _configured_limit(room), "recent": recent}
        query = sa.select(*(each.scalar_subquery().label(name) for name, each in counts.items()))
        row = (await self._connection.execute(query)).one()
        if row.chosen is not None:
            return int(row.chosen), row.recent
        return DEFAULT_LIMIT if row.configured is None else row.configured, row.recent

    async def configured_limit(self, room: RoomId) -> int:
        """Return how many series at once get cards in *room* according to the settings alone; 0: any number."""
        series: int | None = (await self._connection.execute(_configured_limit(room))).scalar_one_or_none()
        return DEFAULT_LIMIT if series is None else series

    # Floods

    async def all(self) -> list[Flood]:
        """Return the open floods, the oldest first."""
        table = schema.flood
        rows = await self._all(sa.select(table).order_by(table.c.opened, table.c.key))
        return readable(rows, _flood, lambda row: str(row["key"]), self._incidents)

    async def next_due(self, put_off: AbstractSet[str]) -> datetime | None:
        """Return when the next flood is due to be posted (UTC), ignoring the keys in *put_off*; None if none is."""
        polled, floods = CatchUpBook(self._connection), [each for each in await self.all() if each.key not in put_off]
        due = [flood.next_due(self._now, await polled.polled_at(flood.server)) for flood in floods]
        return min(due, default=None)

    async def put(self, flood: Flood) -> None:
        """Store an open flood."""
        await self.remove(flood)
        await self._connection.execute(sa.insert(schema.flood).values(**asdict(flood)))

    async def remove(self, flood: Flood) -> None:
        """Delete a flood that has ended and was posted."""
        await self._connection.execute(sa.delete(schema.flood).where(schema.flood.c.key == flood.key))

    async def rooms_with(self, card: SubmissionRef) -> set[RoomId]:
        """Return the rooms where this submission is in a list, or held for one, instead of a card."""
        rooms = (await self._connection.execute(_ROOMS_WITH, _of(card))).scalars()
        return {RoomId(room) for room in rooms}

    async def gather(self, room: RoomId, key: NoticeKey, held: Sequence[HeldSubmission]) -> None:
        """Add *held* submissions, in this order, to the list with *key*.

        A submission in another list that is not posted yet remains there; one in an earlier list moves to this one.
        """
        new = {(each.about.server, each.about.kind, each.about.id): each for each in held}
        for row in await self._rows_of(room, key, new):
            if row["stays"]:
                del new[row["server"], row["kind"], row["object"]]
            else:
                await self._connection.execute(
                    sa.delete(schema.flood_entry).where(schema.flood_entry.c.id == row["id"])
                )
        rows = [
            {
                "room": room,
                "server": each.about.server,
                "kind": each.about.kind,
                "object": each.about.id,
                "key": key,
                "content": _of_held(each),
                "added_at": self._now,
            }
            for each in new.values()
        ]
        if rows:
            await self._connection.execute(sa.insert(schema.flood_entry), rows)

    async def _rows_of(
        self, room: RoomId, key: NoticeKey, abouts: Iterable[tuple[ServerName, str, int]]
    ) -> list[sa.RowMapping]:
        """Return the rows of a room for *abouts*; *stays* is true for rows of *key* or of an open flood."""
        table, flood = schema.flood_entry, schema.flood
        is_untold = sa.exists().where(flood.c.key == table.c.key)
        stays = sa.or_(table.c.key == key, is_untold).label("stays")
        rows: list[sa.RowMapping] = []
        for batch in batched(abouts, _CHUNK):
            same = sa.tuple_(table.c.server, table.c.kind, table.c.object).in_(batch)
            rows += await self._all(sa.select(table, stays).where(table.c.room == room, same))
        return rows

    async def held(self, key: NoticeKey, rebuilds: int) -> list[HeldSubmission]:
        """Return the submissions in the list with *key*, in their order."""
        table = schema.flood_entry
        rows = await self._all(sa.select(table).where(table.c.key == key).order_by(table.c.id))
        return readable(rows, lambda row: _held(row, rebuilds), _name, self._incidents)

    async def release(self, key: NoticeKey) -> None:
        """Remove the submissions in the list with *key*, because they get cards."""
        table = schema.flood_entry
        await self._connection.execute(sa.delete(table).where(table.c.key == key))

    async def leave(self, room: RoomId, card: SubmissionRef) -> None:
        """Remove a submission from the lists of *room*, because it has a card there."""
        await self._connection.execute(_LEAVE, {"of_room": room} | _of(card))

    async def keys(self, prefix: str) -> list[tuple[RoomId, NoticeKey, int]]:
        """Return the lists whose keys begin with *prefix*: room, key and number of submissions, by arrival."""
        table = schema.flood_entry
        query = sa.select(table.c.room, table.c.key, sa.func.count().label("count"), sa.func.min(table.c.id))
        query = query.where(table.c.key.startswith(prefix, autoescape=True)).group_by(table.c.room, table.c.key)
        rows = await self._all(query.order_by(sa.func.min(table.c.id)))
        return [(RoomId(row["room"]), NoticeKey(row["key"]), row["count"]) for row in rows]

    async def gathered(self, key: NoticeKey) -> list[FloodEntry]:
        """Return the displayed data of the submissions in the list with *key*, in their order."""
        table, series, patch = schema.flood_entry, schema.series, schema.patch
        same = (series.c.server == table.c.server, series.c.id == table.c.object, table.c.kind == "series")
        alone = (patch.c.server == table.c.server, patch.c.id == table.c.object, table.c.kind == "patch")
        member = schema.patch.alias()
        is_member = (member.c.server == table.c.server, member.c.series == series.c.id)
        has_pull = sa.exists().where(*is_member, member.c.pull_url.is_not(None)).label("has_pull")
        columns = [series.c.version, series.c.date, series.c.total, series.c.received_total, patch.c.msgid]
        columns += [patch.c.pull_url]
        shared = [
            sa.func.coalesce(series.c[name], patch.c[name]).label(name)
            for name in ("project", "name", "submitter_name", "submitter_email")
        ]
        query = sa.select(table.c.server, table.c.kind, table.c.object, *columns, has_pull, *shared)
        query = query.select_from(table.outerjoin(series, sa.and_(*same)).outerjoin(patch, sa.and_(*alone)))
        rows = await self._all(query.where(table.c.key == key).order_by(table.c.id))
        return [_gathered_or_number(row) for row in rows]

    # Cards that are replaced by a flood

    async def withdraw_recent(self, room: RoomId) -> list[HeldSubmission]:
        """Remove and return the cards of the last minute that were not tried yet, in their order."""
        return await self._withdraw(room, schema.card.c.created_at > self._now - QUIET)

    async def fold(self, room: RoomId) -> None:
        """Replace the suspended cards of *room* by a flood if there are too many."""
        untried_cards = (schema.notice.c.state == NoticeState.SUSPENDED, schema.notice.c.attempts == 0)
        count = len(await self._all(self._cards(room, *untried_cards)))
        flood = next((each for each in await self.all() if each.room == room), None)
        if count == 0 or flood_decision(await self.limit(room), count, 0, flood) is FloodDecision.CARDS:
            return
        held = await self._withdraw(room, *untried_cards)
        if flood is None:
            key = flood_key(room, self._now)
            flood = Flood(room, key, held[0].about.server, self._now, self._now, cause=Cause.KEPT)
            await self.put(flood)
        await self.gather(room, flood.key, held)

    async def _withdraw(self, room: RoomId, *where: sa.ColumnElement[bool]) -> list[HeldSubmission]:
        notice, card = schema.notice, schema.card
        held: list[HeldSubmission] = []
        for row in await self._all(self._cards(room, *where)):
            untried = (notice.c.id == row["notice"], notice.c.attempts == 0)
            if (await self._connection.execute(sa.delete(notice).where(*untried))).rowcount:
                await self._connection.execute(sa.delete(notice).where(notice.c.of == row["notice_key"]))
                is_it = (card.c.room == room, card.c.notice_key == row["notice_key"])
                await self._connection.execute(sa.delete(card).where(*is_it))
                about = SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"])
                held.append(HeldSubmission(about, row["why"], form=CardForm(row["form"])))
        return held

    def _cards(self, room: RoomId, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Return the query for the untried cards of *room* in the order of their creation."""
        notice, card = schema.notice, schema.card
        query = sa.select(card, notice.c.id.label("notice")).join(notice, notice.c.key == card.c.notice_key)
        is_card = (card.c.room == room, notice.c.room == room, notice.c.lane == Lane.CARD)
        waiting = notice.c.state.in_((NoticeState.WAITING, NoticeState.SUSPENDED))
        return query.where(*is_card, waiting, notice.c.attempts == 0, *where).order_by(notice.c.id)

    # Moved rooms, and housekeeping

    async def move(self, old: RoomId, new: RoomId) -> None:
        """Move the floods of one room to another; lists that were posted in the old room are posted again."""
        table, other = schema.flood_entry, schema.flood_entry.alias()
        same = [other.c[name] == table.c[name] for name in ("server", "kind", "object")]
        double = sa.select(other.c.id).where(other.c.room == new, *same).exists()
        await self._connection.execute(sa.delete(table).where(table.c.room == old, double))
        for flood in [each for each in await self.all() if each.room == old]:
            key = flood_key(new, flood.opened)
            await self.remove(flood)
            await self.put(replace(flood, room=new, key=key, is_posted=False))
            await self._connection.execute(sa.update(table).where(table.c.key == flood.key).values(key=key))
        await self._connection.execute(sa.update(table).where(table.c.room == old).values(room=new))

    async def tidy(self) -> bool:
        """Delete a batch of list entries whose series are no longer stored, and return whether there may be more."""
        table = schema.flood_entry
        return await drop_batch(self._connection, table, table.c.added_at < self._now - KEEP_PATCHES)

    async def _all(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        rows: Sequence[sa.RowMapping] = (await self._connection.execute(query)).mappings().all()
        return rows


def _configured_limit(room: RoomId) -> sa.Select[Any]:
    table, known = schema.flood_limit, schema.room
    called = sa.select(known.c.name).where(known.c.room == room, known.c.name.is_not(None))
    return sa.select(table.c.series).where(sa.or_(table.c.name == room, table.c.name.in_(called))).limit(1)


_IS = [schema.flood_entry.c[name] == sa.bindparam(f"of_{name}") for name in ("server", "kind", "object")]
_ROOMS_WITH: Final = sa.select(schema.flood_entry.c.room).where(*_IS)
_LEAVE: Final = sa.delete(schema.flood_entry).where(schema.flood_entry.c.room == sa.bindparam("of_room"), *_IS)


def _of(card: SubmissionRef) -> dict[str, object]:
    return {"of_server": card.server, "of_kind": card.kind, "of_object": card.id}


def _held(row: sa.RowMapping, rebuilds: int) -> HeldSubmission:
    about, content = (
        SubmissionRef(ServerName(row["server"]), SubmissionKind(row["kind"]), row["object"], rebuilds),
        row["content"],
    )
    return HeldSubmission(about, content["why"], tuple(content["paths"]), CardForm(content["form"]))


def _name(row: sa.RowMapping) -> str:
    return f"{row['kind']} {row['object']} of {row['server']}"


def _flood(row: sa.RowMapping) -> Flood:
    return Flood(
        room=RoomId(row["room"]),
        key=NoticeKey(row["key"]),
        server=ServerName(row["server"]),
        opened=row["opened"],
        last=row["last"],
        before=row["before"],
        is_posted=row["is_posted"],
        cause=Cause(row["cause"]),
    )


def _gathered_or_number(row: sa.RowMapping) -> FloodEntry:
    """Return the displayed data of a row, or only the number if the submission is unreadable."""
    entries, _ = read_each([row], _gathered, _name)
    return entries[0] if entries else FloodEntry(ServerName(row["server"]), row["object"], None)


def _gathered(row: sa.RowMapping) -> FloodEntry:
    what: Series | Patch | None = None
    if row["name"] is not None:
        project, submitter = ProjectName(row["project"]), Person(row["submitter_name"], row["submitter_email"])
        if row["kind"] == "series":
            what = Series(
                id=SeriesId(row["object"]),
                project=project,
                name=row["name"],
                version=row["version"],
                submitter=submitter,
                total=row["total"],
                received_total=row["received_total"],
            )
        else:
            number, msgid = PatchId(row["object"]), Msgid(row["msgid"])
            what = Patch(number, project, msgid, row["name"], submitter, pull_url=row["pull_url"])
    is_pull = row["pull_url"] is not None or row["has_pull"]
    return FloodEntry(ServerName(row["server"]), row["object"], what, is_pull)


def _of_held(held: HeldSubmission) -> dict[str, object]:
    return {"why": [list(reason) for reason in held.why], "paths": list(held.paths), "form": held.form}


@dataclass(frozen=True, slots=True)
class LastContact:
    """The time of the last successful poll of a server (UTC), and the last absence from it; None if there was none."""

    polled_at: datetime | None
    absence: Absence | None


class CatchUpBook:
    """The absences in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def polled_at(self, server: ServerName) -> datetime | None:
        """Return when a poll of *server* last succeeded (UTC); None if never."""
        query = sa.select(schema.server.c.polled_at).where(schema.server.c.name == server)
        polled_at: datetime | None = (await self._connection.execute(query)).scalar_one_or_none()
        return polled_at

    async def last(self, server: ServerName) -> Absence | None:
        """Return the last absence from *server*; None if there was none."""
        query = sa.select(schema.catch_up).where(schema.catch_up.c.server == server)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else _absence(row)

    async def last_contact(self, server: ServerName) -> LastContact:
        """Return when *server* was last polled, and the last absence from it."""
        polled, absence = schema.server, schema.catch_up
        query = sa.select(polled.c.polled_at, absence).join_from(
            polled, absence, absence.c.server == polled.c.name, isouter=True
        )
        row = (await self._connection.execute(query.where(polled.c.name == server))).mappings().first()
        if row is None:
            return LastContact(None, await self.last(server))
        return LastContact(row["polled_at"], None if row["server"] is None else _absence(row))

    async def put(self, absence: Absence) -> None:
        """Store an absence, replacing an earlier one of the server."""
        table = schema.catch_up
        await self._connection.execute(sa.delete(table).where(table.c.server == absence.server))
        await self._connection.execute(sa.insert(table).values(**asdict(absence)))


def _absence(row: sa.RowMapping) -> Absence:
    return Absence(
        server=ServerName(row["server"]),
        since=row["since"],
        until=row["until"],
        whose=AbsenceCause(row["whose"]),
        came=row["came"],
        old=row["old"],
        ended=row["ended"],
    )
