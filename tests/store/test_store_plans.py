"""No statement of everyday work reads all of a table that grows with the years."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bot.ids import RoomId
from bot.sample_patchwork.patchwork import NewCheck
from bot.store.retention import delete_outdated
from support.rig import PROJECT, ROOM, Rig, a_series

OTHER = RoomId("!other:hs")
GROWING = ("patch", "series", "patch_check", "comment", "seen_event", "card", "notice", "recheck", "digest_entry")
LARGE = "UPDATE pg_class SET relpages = 1, reltuples = 1000000 WHERE relname = ANY(%s)"
SCANS = re.compile(rf"SCAN ({'|'.join(GROWING)})(_\d+)?\b")


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """A bot with a digest, which watches an old server, too: both have tables of their own."""
    subscribe: dict[RoomId, tuple[str, ...]] = {
        ROOM: ("path:migration/ on:new,state,check,comment",),
        OTHER: ('path:migration/ digest:"09:00"',),
    }
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'bot.db'}" if is_file else request.getfixturevalue("migrated_postgres_url")
    rig = Rig(tmp_path, subscribe, url=url, has_twin=True)
    rig.twin.api_versions = ("1.0", "1.1", "1.2")
    return rig


async def test_polls_messages_and_housekeeping_find_their_rows_by_an_index(rig: Rig) -> None:
    statements: dict[str, Any] = {}

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, _: object, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            statements[statement] = parameters[0] if many and isinstance(parameters, list) else parameters

    async with rig.running() as bot:
        await rig.poll(bot)
        sa.event.listen(bot.store._engine.sync_engine, "before_cursor_execute", note)
        [patch] = rig.post("migration/ram.c").patches
        rig.twin.post_series(PROJECT, a_series("migration/ram.c"))
        await rig.poll(bot, times=2)
        rig.patchwork.set_state(patch, "accepted")
        rig.patchwork.add_comment(patch, "Well done.\n")
        rig.patchwork.add_check(patch, NewCheck("fail", "build"))
        await rig.poll(bot, times=2)
        await rig.pass_quietly(bot, 3_600)
        await delete_outdated(bot.store)
        sa.event.remove(bot.store._engine.sync_engine, "before_cursor_execute", note)
        async with bot.store.reading() as tx:
            connection = tx.watch._connection
            tables = [sa.table(name) for name in GROWING]
            empty = [
                table.name
                for table in tables
                if not (await connection.execute(sa.select(sa.text("1")).select_from(table))).first()
            ]

    assert empty == []
    scans = _scans_of_sqlite if rig.url.startswith("sqlite") else _scans_of_postgresql
    assert list(scans(rig, statements)) == []
    assert any("DELETE FROM card" in statement for statement in statements)


def _scans_of_sqlite(rig: Rig, statements: Mapping[str, Any]) -> Iterator[str]:
    with closing(sqlite3.connect(rig.folder / "bot.db")) as connection:
        for statement, parameters in statements.items():
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
                if SCANS.match(row[3]):
                    yield f"{row[3]}: {statement}"


def _scans_of_postgresql(rig: Rig, statements: Mapping[str, Any]) -> Iterator[str]:
    """As the server would plan them for tables of a million rows each."""
    with psycopg.connect(rig.url, autocommit=True) as connection:
        connection.execute(LARGE, [list(GROWING)])
        for statement, parameters in statements.items():
            explained = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}".encode(), parameters or None)
            for node in _nodes(explained.fetchall()[0][0][0]["Plan"]):
                if node.get("Relation Name") in GROWING and _reads_all(node):
                    yield f"{json.dumps(node)}: {statement}"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner = plan.pop("Plans", [])
    yield plan
    for each in inner:
        yield from _nodes(each)


def _reads_all(node: dict[str, Any]) -> bool:
    kind = node["Node Type"]
    return kind == "Seq Scan" or (kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node)
