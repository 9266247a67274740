"""Finds the open submissions that touch the same files as others, among the stored patches."""

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from bot.ids import ProjectName, ServerName
from bot.store import rows, schema
from bot.store.book import Book
from bot.submission import SubmissionRef

MAX_SCANNED: Final = 20_000  # newest open patches that are looked at
_MAX_NAMED = 60  # paths that the database looks for; with more, it returns all patches
_WILD: Final = {ord(char): f"!{char}" for char in "!%_"}


@dataclass(frozen=True, slots=True)
class Overlap:
    """A submission, and those of the paths asked for that it touches, sorted."""

    ref: SubmissionRef
    paths: tuple[str, ...]


class OverlapBook(Book):
    """The files of open submissions in one transaction."""

    async def open_touching(
        self, server: ServerName, project: ProjectName, paths: Collection[str], closed: Collection[str]
    ) -> list[Overlap]:
        """Return the open submissions of a project that touch some of *paths*, the most of them first, then the newest.

        *closed* are the slugs of closed states. Series that have a later version do not count. Of the stored patches,
        the newest `MAX_SCANNED` open ones are looked at.
        """
        table, files = schema.patch, sa.cast(schema.patch.c.files, sa.Text)
        where = [
            table.c.server == server,
            sa.func.lower(table.c.project) == project.lower(),
            table.c.archived.is_(False),
            sa.or_(table.c.state.is_(None), table.c.state.not_in(sorted(closed))),
        ]
        if len(paths) <= _MAX_NAMED:
            quoted = (json.dumps(path).translate(_WILD) for path in sorted(paths))
            where.append(sa.or_(sa.false(), *(files.like(f"%{name}%", escape="!") for name in quoted)))
        query = sa.select(table.c.server, table.c.id, table.c.series, files.label("files")).where(*where)
        patches = await self._all(query.order_by(table.c.id.desc()).limit(MAX_SCANNED))
        overlaps = await asyncio.to_thread(_overlaps, patches, frozenset(paths))
        replaced = await self._replaced(server, [each.ref.id for each in overlaps if each.ref.kind == "series"])
        return [each for each in overlaps if each.ref.kind != "series" or each.ref.id not in replaced]

    async def _replaced(self, server: ServerName, series: Collection[int]) -> set[int]:
        """Return those of *series* that have a later version."""
        table = schema.series
        query = sa.select(table.c.former).where(table.c.server == server)
        return {row["former"] for row in await self._among(query, table.c.former, series)}


def _overlaps(patches: Sequence[Any], paths: frozenset[str]) -> list[Overlap]:
    found: dict[SubmissionRef, set[str]] = {}
    for row in patches:
        files = json.loads(row["files"]) or ()
        if shared := paths.intersection(path for file in files for path in file[:2] if path is not None):
            found.setdefault(rows.to_ref(row), set()).update(shared)
    ordered = sorted(found, key=lambda ref: (-len(found[ref]), -ref.id))
    return [Overlap(ref, tuple(sorted(found[ref]))) for ref in ordered]
