"""Two instances over one PostgreSQL database: one acts, the other one takes over."""

from collections.abc import AsyncIterator

import pytest

from support.person import Person
from support.postgres_server import PostgresServer
from support.rig import PROJECT, a_series
from support.run_rig import Stage
from support.standby_rig import LONGEST_SECONDS, Pair, a_pair


@pytest.fixture
async def pair(stage: Stage, postgres: PostgresServer, migrated_postgres_url: str) -> AsyncIterator[Pair]:
    async with a_pair(stage, postgres, migrated_postgres_url) as pair:
        yield pair


async def test_a_killed_instance_is_followed_by_the_one_that_stands_by(pair: Pair, stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)
    first, second = pair.seats
    await pair.start_both()
    stage.patchwork.post_series(PROJECT, a_series("migration/a.c", name="before"))
    await stage.cards(ann, room, 1)

    await first.running.kill()
    stage.patchwork.post_series(PROJECT, a_series("migration/b.c", name="after"))
    seconds = await second.until_logged("lease.taken")
    titles = await second.stage.titles(ann, room) if await second.stage.cards(ann, room, 2) else []

    assert seconds < LONGEST_SECONDS
    assert len(titles) == 2
