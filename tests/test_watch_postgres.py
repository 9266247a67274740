"""The promises again, with PostgreSQL as the database: nothing lost, nothing twice, and no text that it cannot keep."""

import json
from pathlib import Path

import pytest

from bot.errors import StoreError
from bot.ids import EventId, UserId
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.store.inbox_book import InboxMessage
from support.postgres_server import PostgresServer, rows
from support.rig import PROJECT, ROOM, Rig

BREAK = """
    CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE 'broken' USING ERRCODE = '23514'; END $$;
    CREATE TRIGGER broken BEFORE UPDATE ON server EXECUTE FUNCTION broken()
"""
TABLES = ("card", "inbox", "notice", "patch", "pending", "project", "seen_event", "series", "server", "early_update")
QUOTED = r'"a/migration/\000\355\240\200\377.c"'  # a path as git quotes it: NUL, a surrogate, no UTF-8 at all
HOSTILE = "\0NUL \ud800 surrogate \x1b[31m \u202e \x80 \U0001f4a3 %s :name '; DROP TABLE notice; --"


@pytest.fixture
def rig(tmp_path: Path, migrated_postgres_url: str) -> Rig:
    return Rig(tmp_path, url=migrated_postgres_url)


async def test_a_series_gets_one_card_however_often_the_bot_starts(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
    rig.post("migration/ram.c", name="while away", patches=3)
    for _ in range(3):
        async with rig.running() as bot:
            await rig.poll(bot, times=2)

    assert rig.titles() == ["while away"]


async def test_a_poll_that_cannot_be_written_leaves_nothing_and_is_found_again(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: Fix it", patches=2)
        before = dump(rig)
        rows(rig.url, BREAK)

        await rig.poll(bot)
        rows(rig.url, "DROP TRIGGER broken ON server")

        assert dump(rig) == before
        await rig.poll(bot)
    assert rig.titles() == ["migration: Fix it"]


async def test_a_bot_outlives_its_database(rig: Rig, postgres: PostgresServer) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="while it was down", patches=2)
        with postgres.away(), pytest.raises(StoreError, match="cannot be reached: no server listens there"):
            await rig.poll(bot)

        await rig.poll(bot, times=2)

    assert rig.titles() == ["while it was down"]


async def test_what_postgresql_cannot_keep_never_reaches_it(rig: Rig) -> None:
    diff = sample_diff("migration/ram.c") + sample_diff("migration/x.c").replace("a/migration/x.c", QUOTED)
    async with rig.running() as bot:
        await bot.settle()
        patches = tuple(NewPatch(f"{HOSTILE} {number}", diff) for number in range(2))
        rig.patchwork.post_series(PROJECT, NewSeries(name=f"hostile {HOSTILE}", patches=patches, cover=True))

        await rig.poll(bot, times=40)
        await bot.receive(InboxMessage(ROOM, EventId("$1"), UserId("@you:hs"), f"!pw show {HOSTILE}", rig.clock.now()))
        await bot.settle()

    first, *_ = rig.titles()
    assert first.startswith("hostile")
    assert len(rig.titles()) == 2
    kept = json.dumps(dump(rig))
    assert "\\u0000" not in kept
    assert "\\ud800" not in kept


def dump(rig: Rig) -> list[object]:
    """Everything that the database holds, sequences apart, which never go back."""
    return [rows(rig.url, f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES]  # noqa: S608  # named above
