"""Stores the progress of the sweeps of a server, and selects the known submissions that they read again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.ids import PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.states import States
from bot.poll import ListMark, OpenSubmission, OpenSubmissions, SweepState
from bot.store import schema
from bot.store.book import Book

OPEN_FOR = timedelta(days=60)  # since it arrived; what is older changes rarely, and its card is old
SETTLED_FOR = timedelta(days=1)  # what has a final state for less may still be told its commit
_FINAL_STATES = ("accepted", "rejected", "superseded", "not-applicable", "mainlined", "handled-elsewhere")


class SweepBook(Book):
    """The sweeps in one transaction."""

    async def save(self, server: ServerName, state: SweepState) -> None:
        """Store the progress of the sweeps of *server*."""
        marks = {"patches": _of_mark(state.patches), "series": _of_mark(state.series)}
        values = {"at": state.at, "named_at": state.named_at, "archived": state.archived, "below": state.below, **marks}
        await self._replace(schema.sweep, {"server": server}, values)

    async def states(self, server: ServerName) -> States:
        """Return the patch states seen on *server*."""
        rows = await self._all(sa.select(schema.state).where(schema.state.c.server == server))
        return States({row["slug"]: row["name"] for row in rows})

    async def learn_states(self, server: ServerName, slugs: Iterable[str], names: Mapping[str, str]) -> None:
        """Store the states that were seen, and the *names* from a page; drop names that no page shows any more."""
        known = (await self.states(server)).names
        seen = dict.fromkeys(slugs)
        if names:
            dropped = known.keys() - names.keys() - seen.keys()
            keys = ({"server": server, "slug": slug} for slug in dropped if known[slug] is not None)
            await self._delete_all(schema.state, keys)
        for slug, name in {**seen, **names}.items():
            if slug not in known or (name is not None and known[slug] != name):
                await self._replace(schema.state, {"server": server, "slug": slug}, {"name": name})

    async def archived(self, server: ServerName, projects: Collection[ProjectName]) -> dict[PatchId, OpenSubmission]:
        """Return the patches of *projects* that are known as archived, each with its submission."""
        table = schema.patch
        query = sa.select(table.c.project, table.c.series, table.c.id.label("newest"), sa.literal("").label("name"))
        query = query.where(table.c.server == server, table.c.project.in_(projects), table.c.archived.is_(True))
        return {PatchId(row["newest"]): _to_submission(row) for row in await self._all(query)}

    async def open(
        self, server: ServerName, projects: Collection[ProjectName], below: PatchId | None, limit: int
    ) -> OpenSubmissions:
        """Return the open submissions of *projects* with the newest patch below the id *below*, newest first."""
        patch, series = schema.patch, schema.series
        is_open = sa.and_(
            sa.or_(patch.c.state.is_(None), patch.c.state.not_in(_FINAL_STATES)),
            patch.c.archived.is_(False),
            patch.c.read_at >= self._now - OPEN_FOR,
        )
        where = (
            patch.c.server == server,
            patch.c.project.in_(projects),
            sa.or_(is_open, patch.c.changed_at >= self._now - SETTLED_FOR),
        )
        lone = sa.case((patch.c.series.is_(None), patch.c.id))
        newest = sa.func.max(patch.c.id)
        query = sa.select(patch.c.project, patch.c.series, newest.label("newest"), series.c.name)
        of_series = sa.and_(series.c.server == patch.c.server, series.c.id == patch.c.series)
        query = query.select_from(patch.outerjoin(series, of_series)).where(*where)
        query = query.group_by(patch.c.project, patch.c.series, lone, series.c.name)
        query = query.having(newest < below) if below is not None else query
        found = await self._all(query.order_by(newest.desc()).limit(limit))
        total = (await self._connection.execute(sa.select(sa.func.count()).where(*where))).scalar_one()
        return OpenSubmissions(tuple(map(_to_submission, found)), total)


def to_sweep_state(row: sa.RowMapping) -> SweepState:
    """Return the progress of the sweeps in a row."""
    below = None if row["below"] is None else PatchId(row["below"])
    marks = _to_mark(row["patches"]), _to_mark(row["series"])
    return SweepState(row["at"], row["archived"], below, *marks, row["named_at"])


def _to_submission(row: sa.RowMapping) -> OpenSubmission:
    series = None if row["series"] is None else SeriesId(row["series"])
    return OpenSubmission(ProjectName(row["project"]), series, PatchId(row["newest"]), row["name"] or "")


def _of_mark(mark: ListMark) -> list[object]:
    return [mark.highest, mark.total, list(mark.projects), dict(mark.floors)]


def _to_mark(stored: Sequence[Any]) -> ListMark:
    highest, total, projects, floors = stored
    return ListMark(highest, total, tuple(projects), floors)
