"""Storage of what submissions need according to their mails, and of what that is by now.

A mail names a series or a patch by its id, or a mail by its message-id. That may be known, arrive later, or never be
seen here, so it is looked up whenever it is shown. Nothing is asked of a server for it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.incidents import Incidents
from bot.notices.needs import MAX_SHOWN, NO_NEEDS, Need, Needs
from bot.patchwork.dependencies import MAX_OF_MAIL
from bot.patchwork.model import Dependency, DependencyKind, Patch, Person, Series
from bot.poll import Poll
from bot.store import rows, schema
from bot.store.book import Book, batched, drop_batch, readable
from bot.store.dependency_tables import dependency
from bot.store.patch_book import KEEP_PATCHES, PatchBook
from bot.submission import SubmissionKind, SubmissionRef

MAX_KEPT: Final = MAX_OF_MAIL  # of one submission in one poll, however many patches it has
MAX_DEPENDENTS: Final = 50  # newest submissions with a card, whose cards follow the changes of what they need
_CHUNK: Final = 400  # values in a statement, below the parameter limit of every SQLite version
_NOBODY: Final = Person("", "")


@dataclass(slots=True)
class _Known:
    """What is stored of what some submissions need: the submission of each dependency, and what is shown of it."""

    refs: dict[Dependency, SubmissionRef] = field(default_factory=dict)
    series: dict[int, Series] = field(default_factory=dict)
    patches: dict[int, Patch] = field(default_factory=dict)
    states: dict[SeriesId, Mapping[str, int]] = field(default_factory=dict)


class DependencyBook(Book):
    """The dependencies in one transaction; *incidents* records unreadable rows."""

    def __init__(self, connection: AsyncConnection, now: datetime, incidents: Incidents) -> None:
        super().__init__(connection, now)
        self._incidents = incidents

    async def save(self, poll: Poll) -> None:
        """Store what the submissions that a *poll* read need; what was stored of them before stays."""
        values = [
            {
                "server": poll.server,
                "kind": kind,
                "object": number,
                "needs": f"{need.kind}/{need.id}",
                "host": need.host,
                "place": place,
                "read_at": self._now,
            }
            for (kind, number), needs in _read(poll).items()
            for place, need in enumerate(list(needs)[:MAX_KEPT])
        ]
        await self._insert_new(dependency, values)

    async def of(
        self,
        server: ServerName,
        host: str | None,
        abouts: Mapping[SubmissionRef, Sequence[Dependency]],
    ) -> dict[SubmissionRef, Needs]:
        """Return what those of some submissions that need something need; *host* is that of their *server*.

        With each, dependencies may be given that are known from elsewhere, in addition to the stored ones.
        """
        named = {about: dict.fromkeys(more) for about, more in abouts.items() if more}
        for about, need in await self._stored(server, abouts):
            named.setdefault(about, {})[need] = None
        if not named:
            return {}
        own = {about: [_at(need, host) for need in needs][:MAX_KEPT] for about, needs in named.items()}
        known = await self._look_up(server, {need for needs in own.values() for need in needs if not need.host})
        found = {about: _needs(about, needs, known) for about, needs in own.items()}
        return {about: needs for about, needs in found.items() if needs != NO_NEEDS}

    async def dependents(self, server: ServerName, abouts: Collection[SubmissionRef]) -> list[SubmissionRef]:
        """Return the newest submissions with a card that name one of some others as what they need."""
        if not abouts or await self._one(sa.select(dependency.c.kind).where(dependency.c.server == server)) is None:
            return []
        card, found = schema.card, dict[SubmissionRef, None]()
        same = (card.c[name] == dependency.c[name] for name in ("server", "kind", "object"))
        has_card = sa.exists().where(*same, card.c.ended.is_(None))
        query = sa.select(dependency.c.kind, dependency.c.object).where(dependency.c.server == server, has_card)
        for some in batched(sorted(await self._names_of(server, abouts)), _CHUNK):
            named = query.where(dependency.c.needs.in_(some)).distinct()
            for row in await self._all(named.order_by(dependency.c.object.desc()).limit(MAX_DEPENDENTS)):
                found[SubmissionRef(server, SubmissionKind(row["kind"]), row["object"])] = None
        own = {(about.kind, about.id) for about in abouts}
        others = [ref for ref in found if (ref.kind, ref.id) not in own]
        return sorted(others, key=lambda ref: -ref.id)[:MAX_DEPENDENTS]

    async def tidy(self) -> bool:
        """Delete a batch of old dependencies, and return whether there may be more."""
        return await drop_batch(self._connection, dependency, dependency.c.read_at < self._now - KEEP_PATCHES)

    async def forget(self, server: ServerName) -> None:
        """Delete the dependencies on a server whose ids started over."""
        await self._connection.execute(sa.delete(dependency).where(dependency.c.server == server))

    async def _stored(
        self, server: ServerName, abouts: Collection[SubmissionRef]
    ) -> list[tuple[SubmissionRef, Dependency]]:
        """Return the stored dependencies of some submissions, in the order of their mails."""
        found: list[sa.RowMapping] = []
        for kind in SubmissionKind:
            ids = {about.id for about in abouts if about.kind is kind}
            query = sa.select(dependency).where(dependency.c.server == server, dependency.c.kind == kind)
            found += await self._among(query, dependency.c.object, ids)
        known = {(about.kind.value, about.id): about for about in abouts}
        ordered = sorted(found, key=lambda row: (row["place"], row["needs"], row["host"]))
        read = readable(ordered, lambda row: ((row["kind"], row["object"]), _dependency(row)), _name, self._incidents)
        return [(known[about], need) for about, need in read]

    async def _look_up(self, server: ServerName, needs: Collection[Dependency]) -> _Known:
        """Return what is stored of *needs*, all of which are on the *server*."""
        known = _Known()
        table, series = schema.patch, schema.series
        patch = sa.select(table.c.server, table.c.id, table.c.series, table.c.msgid).where(table.c.server == server)
        mails = sorted(need.id for need in needs if need.kind is DependencyKind.MAIL)
        for some in batched(mails, _CHUNK):
            opened = sa.select(series.c.cover, series.c.id).where(series.c.server == server, series.c.cover.in_(some))
            for row in await self._all(opened.order_by(series.c.id.desc())):
                known.refs[Dependency(DependencyKind.MAIL, row["cover"])] = _series_ref(server, row["id"])
            for row in await self._all(patch.where(table.c.msgid.in_(some)).order_by(table.c.id.desc())):
                known.refs[Dependency(DependencyKind.MAIL, row["msgid"])] = rows.to_ref(row)
        patches = [int(need.id) for need in needs if need.kind is DependencyKind.PATCH]
        for row in await self._among(patch, table.c.id, patches):
            known.refs[Dependency(DependencyKind.PATCH, str(row["id"]))] = rows.to_ref(row)
        for need in needs:
            if need.kind is DependencyKind.SERIES:
                known.refs[need] = _series_ref(server, int(need.id))
        await self._describe(server, known)
        return known

    async def _describe(self, server: ServerName, known: _Known) -> None:
        """Add what is shown of the submissions that are *known* by their identity."""
        series, patch = schema.series, schema.patch
        ids = {ref.id for ref in known.refs.values() if ref.kind is SubmissionKind.SERIES}
        query = sa.select(*(series.c[name] for name in ("id", "project", "name", "cover_name", "version")))
        for row in await self._among(query.where(series.c.server == server), series.c.id, ids):
            known.series[row["id"]] = _series(row)
        if known.series:
            known.states = dict(await PatchBook(self._connection, self._now).states_of(server, known.series))
        lone = {ref.id for ref in known.refs.values() if ref.kind is SubmissionKind.PATCH}
        query = sa.select(*(patch.c[name] for name in ("id", "project", "msgid", "name", "state")))
        for row in await self._among(query.where(patch.c.server == server), patch.c.id, lone):
            known.patches[row["id"]] = _patch(row)

    async def _names_of(self, server: ServerName, abouts: Collection[SubmissionRef]) -> set[str]:
        """Return all by which mails may name some submissions, as in the column `needs`."""
        series = [about.id for about in abouts if about.kind is SubmissionKind.SERIES]
        lone = [about.id for about in abouts if about.kind is SubmissionKind.PATCH]
        table = schema.patch
        query = sa.select(table.c.id, table.c.msgid).where(table.c.server == server)
        found = [*await self._among(query, table.c.series, series), *await self._among(query, table.c.id, lone)]
        names = {f"{DependencyKind.PATCH}/{row['id']}" for row in found}
        names |= {f"{DependencyKind.MAIL}/{row['msgid']}" for row in found}
        covers = sa.select(schema.series.c.cover).where(schema.series.c.server == server)
        covers = covers.where(schema.series.c.cover.is_not(None))
        names |= {
            f"{DependencyKind.MAIL}/{row['cover']}" for row in await self._among(covers, schema.series.c.id, series)
        }
        return names | {f"{DependencyKind.SERIES}/{number}" for number in series}


def _read(poll: Poll) -> dict[tuple[SubmissionKind, int], dict[Dependency, None]]:
    """Return what the submissions that a *poll* read need, each once, in the order of their mails."""
    found: dict[tuple[SubmissionKind, int], dict[Dependency, None]] = {}

    def add(kind: SubmissionKind, number: int, needs: Iterable[Dependency]) -> None:
        if each := dict.fromkeys(needs):
            found.setdefault((kind, number), {}).update(each)

    for read in poll.series:
        add(SubmissionKind.SERIES, read.series.id, read.series.needs or ())
        for patch in read.news:
            add(SubmissionKind.SERIES, read.series.id, patch.needs)
    for patch in poll.patches:
        add(SubmissionKind.PATCH, patch.id, patch.needs)
    for cover in poll.followed.covers:
        add(SubmissionKind.SERIES, cover.series, cover.needs)
    return found


def _needs(about: SubmissionRef, named: Sequence[Dependency], known: _Known) -> Needs:
    """Return what a submission needs, each once, however it is named; it does not need itself."""
    found: dict[object, Need] = {}
    for reference in named:
        ref = known.refs.get(reference)
        if ref is None or (ref.id not in known.series if ref.kind == "series" else ref.id not in known.patches):
            is_itself = (reference.kind, reference.id, reference.host) == (about.kind.value, str(about.id), "")
            is_again = bool(reference.host) and replace(reference, host="") in known.refs  # the server says its own id
            if not is_itself and not is_again:
                found.setdefault(reference, Need(reference))
        elif (ref.kind, ref.id) != (about.kind, about.id):
            found.setdefault(ref, _need(reference, ref, known))
    needs = tuple(found.values())
    return Needs(needs[:MAX_SHOWN], None if len(named) >= MAX_KEPT else max(len(needs) - MAX_SHOWN, 0))


def _need(reference: Dependency, ref: SubmissionRef, known: _Known) -> Need:
    if ref.kind is SubmissionKind.PATCH:
        patch = known.patches[ref.id]
        return Need(reference, patch=patch, states=((patch.state, 1),) if patch.state else ())
    states = known.states.get(SeriesId(ref.id), {})
    return Need(reference, series=known.series[ref.id], states=tuple(sorted(states.items())))


def _at(need: Dependency, host: str | None) -> Dependency:
    """Return a dependency as one on its own server, if its address is that of the server's *host*."""
    return replace(need, host="") if need.host and need.host == host else need


def _series_ref(server: ServerName, number: int) -> SubmissionRef:
    return SubmissionRef(server, SubmissionKind.SERIES, number)


def _name(row: sa.RowMapping) -> str:
    return f"what {row['kind']} {row['object']} of {row['server']} needs"


def _dependency(row: sa.RowMapping) -> Dependency:
    kind, _, name = row["needs"].partition("/")
    return Dependency(DependencyKind(kind), name, row["host"])


def _series(row: sa.RowMapping) -> Series:
    """Return what is shown of a series that is needed."""
    number, project = SeriesId(row["id"]), ProjectName(row["project"])
    return Series(number, project, row["name"], row["version"], _NOBODY, cover_name=row["cover_name"])


def _patch(row: sa.RowMapping) -> Patch:
    """Return what is shown of a patch that is needed."""
    number, project = PatchId(row["id"]), ProjectName(row["project"])
    return Patch(number, project, Msgid(row["msgid"]), row["name"], _NOBODY, state=row["state"])
