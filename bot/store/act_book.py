"""Acts: changes on Patchwork that people asked for, each with its old value, written before it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from bot.ids import EventId, PatchId, ProjectName, RoomId, SeriesId, ServerName, UserId
from bot.store.acting_tables import act as acts
from bot.store.acting_tables import act_patch as patches
from bot.store.book import Book, drop_batch

KEEP_ACTS: Final = timedelta(days=30)


class ActField(StrEnum):
    """The field of a patch that an act changes."""

    STATE = "state"
    DELEGATE = "delegate"
    ARCHIVED = "archived"


class ActStep(StrEnum):
    """How far the change of a patch came."""

    PLANNED = "planned"
    SENT = "sent"  # or about to be: the outcome is unknown
    DONE = "done"
    UNCHANGED = "unchanged"  # it was not sent, because of what the server showed, or because the act was given up
    FAILED = "failed"  # it was sent, and the server did not do it

    @property
    def is_final(self) -> bool:
        """True if nothing more is done about it."""
        return self not in {ActStep.PLANNED, ActStep.SENT}


@dataclass(frozen=True, slots=True)
class ActValue:
    """A value of a field: *shown* as the server shows it, *id* that of a delegate.

    A state is shown by its slug, a delegate by the name of the account, "" is nobody; an archived patch by "archived",
    any other by "".
    """

    field: ActField
    shown: str
    id: int | None = None


@dataclass(frozen=True, slots=True)
class ActPatch:
    """A patch of an act, with its *old* value in the form of `ActValue.shown`; *reason* is why it was not changed."""

    id: PatchId
    project: ProjectName
    series: SeriesId | None
    name: str
    old: str
    step: ActStep = ActStep.PLANNED
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActKey:
    """The command that an act is about, and the server."""

    room: RoomId
    event: EventId
    server: ServerName


@dataclass(frozen=True, slots=True)
class Act:
    """An act of a person, who asked for it at *began_at* (UTC)."""

    id: int
    key: ActKey
    person: UserId
    value: ActValue
    began_at: datetime
    patches: tuple[ActPatch, ...]


class ActBook(Book):
    """The acts in one transaction."""

    async def add(self, key: ActKey, person: UserId, value: ActValue, planned: Sequence[ActPatch]) -> Act:
        """Write a new act down."""
        values = {
            "room": key.room,
            "event": key.event,
            "server": key.server,
            "person": person,
            "field": value.field,
            "value": value.shown,
            "value_id": value.id,
            "began_at": self._now,
        }
        inserted = await self._connection.execute(sa.insert(acts).values(values).returning(acts.c.id))
        number = inserted.scalar_one()
        await self._insert(patches, [_row(number, position, each) for position, each in enumerate(planned)])
        return Act(number, key, person, value, self._now, tuple(planned))

    async def of_command(self, room: RoomId, event: EventId) -> list[Act]:
        """Return the acts of a command, one for each server, in the order in which they began."""
        query = sa.select(acts).where(acts.c.room == room, acts.c.event == event).order_by(acts.c.id)
        return [await self._act(row) for row in await self._all(query)]

    async def set_steps(self, act: int, changed: Sequence[ActPatch]) -> None:
        """Write down how far the changes of these patches came."""
        for each in changed:
            where = (patches.c.act == act, patches.c.patch == each.id)
            values = {"step": each.step, "reason": each.reason}
            await self._connection.execute(sa.update(patches).where(*where).values(values))

    async def tidy(self) -> bool:
        """Delete a batch of old acts, and return whether there may be more."""
        if await drop_batch(self._connection, acts, acts.c.began_at < self._now - KEEP_ACTS):
            return True
        gone = patches.c.act.not_in(sa.select(acts.c.id))
        return await drop_batch(self._connection, patches, gone)

    async def _act(self, row: sa.RowMapping) -> Act:
        query = sa.select(patches).where(patches.c.act == row["id"]).order_by(patches.c.position)
        return Act(
            id=row["id"],
            key=ActKey(RoomId(row["room"]), EventId(row["event"]), ServerName(row["server"])),
            person=UserId(row["person"]),
            value=ActValue(ActField(row["field"]), row["value"], row["value_id"]),
            began_at=row["began_at"],
            patches=tuple(_patch(each) for each in await self._all(query)),
        )


def _row(act: int, position: int, patch: ActPatch) -> dict[str, object]:
    return {
        "act": act,
        "patch": patch.id,
        "position": position,
        "project": patch.project,
        "series": patch.series,
        "name": patch.name,
        "old": patch.old,
        "step": patch.step,
        "reason": patch.reason,
    }


def _patch(row: sa.RowMapping) -> ActPatch:
    return ActPatch(
        id=PatchId(row["patch"]),
        project=ProjectName(row["project"]),
        series=None if row["series"] is None else SeriesId(row["series"]),
        name=row["name"],
        old=row["old"],
        step=ActStep(row["step"]),
        reason=row["reason"],
    )
