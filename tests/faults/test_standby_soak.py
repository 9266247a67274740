"""A short soak of two instances."""

from pathlib import Path

import pytest

from standby_soak import Plan, a_standby_soak
from support.homeserver import Homeserver
from support.postgres_server import PostgresServer
from support.standby_rig import LONGEST_SECONDS

TAKEOVERS = 2


@pytest.mark.timeout(900)
async def test_two_take_overs_lose_nothing_and_say_nothing_twice(
    homeserver: Homeserver, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with a_standby_soak(Plan(TAKEOVERS), homeserver, tmp_path / "bots", postgres) as soak:
        done = await soak.run()

    assert done.faults == []
    assert done.kills == TAKEOVERS
    assert [how for how, seconds in soak.seconds.items() if max(seconds) > LONGEST_SECONDS] == []
    assert {name: verdict.cards > 0 for name, verdict in done.rooms.items()} == dict.fromkeys(done.rooms, True)
