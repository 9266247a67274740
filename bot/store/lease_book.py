"""The lease that lets one instance act, and the instances that wait for it; all times are of the database's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from bot.lease import LEASE_SECONDS, LeaseRow
from bot.store.book import Book, drop_batch, upsert
from bot.store.columns import Utc
from bot.store.lease_tables import lease, standby

SEEN_SECONDS: Final = 15.0  # an instance that was not seen for longer does not stand by
KEEP_SECONDS: Final = 86_400.0
_NOW: Final = sa.func.timezone("UTC", sa.func.clock_timestamp(), type_=sa.DateTime())
_DB_NOW: Final = sa.type_coerce(_NOW, Utc())
_ENDS_IN: Final = sa.extract("epoch", lease.c.ends_at - _NOW)


def _in(seconds: float) -> sa.ColumnElement[datetime]:
    """Return the time in so many *seconds*; negative: ago."""
    return sa.type_coerce(_NOW + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds), Utc())


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of the bot: a *name* that no other has at the same time, and its *host*, for people."""

    name: str
    host: str


@dataclass(frozen=True, slots=True)
class LeaseView:
    """The lease as an instance sees it that stands by; *keys* are what its holder must share with it, by name."""

    row: LeaseRow
    keys: Mapping[str, str]
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True)
class StandbyInstance:
    """An instance that stands by; *reaches_homeserver* is None unless it was asked to try."""

    host: str
    reaches_homeserver: bool | None = None


class LeaseBook(Book):
    """The lease in one transaction; on PostgreSQL only, but for `tidy`."""

    async def view(self) -> LeaseView:
        """Return the lease."""
        query = sa.select(lease, _ENDS_IN.label("ends_in")).where(lease.c.id == 1)
        row = await self._one(query)
        return _view(row)

    async def stand_by(self, me: Instance, *, reaches_homeserver: bool | None) -> None:
        """Note that an instance waits for the lease."""
        values = {"host": me.host, "seen_at": _DB_NOW, "reaches_homeserver": reaches_homeserver}
        insert = upsert("postgresql", standby).values(instance=me.name, since=_DB_NOW, **values)
        await self._connection.execute(insert.on_conflict_do_update(index_elements=standby.primary_key, set_=values))

    async def go(self, me: Instance) -> None:
        """Note that an instance does not wait for the lease any more."""
        await self._connection.execute(sa.delete(standby).where(standby.c.instance == me.name))

    async def lock(self) -> LeaseView:
        """Lock the lease for this transaction, and return it."""
        first = {"id": 1, "holder": "", "host": "", "epoch": 0, "keys": {}, "is_cut_off": False}
        insert = upsert("postgresql", lease).values(**first, taken_at=_DB_NOW, ends_at=_DB_NOW)
        await self._connection.execute(insert.on_conflict_do_nothing())
        query = sa.select(lease, _ENDS_IN.label("ends_in")).where(lease.c.id == 1).with_for_update()
        return _view(await self._one(query))

    async def take(self, me: Instance) -> int:
        """Give the locked lease to an instance, and return the new epoch."""
        values = {
            "holder": me.name,
            "host": me.host,
            "taken_at": _DB_NOW,
            "ends_at": _in(LEASE_SECONDS),
            "is_cut_off": False,
        }
        update = sa.update(lease).values(**values, epoch=lease.c.epoch + 1).returning(lease.c.epoch)
        await self.go(me)
        return int((await self._connection.execute(update)).scalar_one())

    async def renew(self, epoch: int, *, is_cut_off: bool) -> bool:
        """Renew the lease of *epoch*, even if it has ended; return False if another instance has it."""
        update = (
            sa.update(lease).where(lease.c.epoch == epoch).values(ends_at=_in(LEASE_SECONDS), is_cut_off=is_cut_off)
        )
        return (await self._connection.execute(update)).rowcount > 0

    async def release(self, epoch: int, seconds: float) -> None:
        """End the lease of *epoch* in so many *seconds*, if it does not end earlier."""
        ends_at = sa.func.least(lease.c.ends_at, _in(seconds))
        await self._connection.execute(sa.update(lease).where(lease.c.epoch == epoch).values(ends_at=ends_at))

    async def publish(self, epoch: int, keys: Mapping[str, str]) -> None:
        """Set what other instances must share with the holder."""
        await self._connection.execute(sa.update(lease).where(lease.c.epoch == epoch).values(keys=dict(keys)))

    async def standbys(self) -> tuple[StandbyInstance, ...]:
        """Return the instances that stand by now, by host."""
        query = sa.select(standby).where(standby.c.seen_at > _in(-SEEN_SECONDS)).order_by(standby.c.host)
        return tuple(StandbyInstance(row["host"], row["reaches_homeserver"]) for row in await self._all(query))

    async def tidy(self) -> bool:
        """Delete a batch of instances that were not seen for a day, and return whether there may be more."""
        if self._connection.dialect.name == "sqlite":
            return False
        return await drop_batch(self._connection, standby, standby.c.seen_at < _in(-KEEP_SECONDS))


def _view(row: sa.RowMapping | None) -> LeaseView:
    if row is None:
        return LeaseView(LeaseRow(), {})
    known = LeaseRow(row["holder"], row["host"], int(row["epoch"]), float(row["ends_in"]))
    return LeaseView(known, {str(name): str(key) for name, key in row["keys"].items()}, bool(row["is_cut_off"]))
