"""A short run of the fuzz test; `make fuzz` is the long one."""

from pathlib import Path

import pytest

from mutations import REPLACEMENTS
from run import Plan, fuzzed
from support.postgres_server import PostgresServer
from world import Check, a_world

pytestmark = pytest.mark.slow

SHORT = Plan(inputs=90, seed=1)
TEXTS = ("NUL", "lone surrogate")  # PostgreSQL takes less than SQLite does


@pytest.mark.timeout(900)
async def test_after_each_wrong_input_the_ordinary_ones_behind_it_are_handled(tmp_path: Path) -> None:
    report = await fuzzed(SHORT, tmp_path)

    assert [str(finding) for finding in report.findings] == []
    assert report.tried.total() == SHORT.inputs


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", TEXTS)
async def test_texts_that_postgresql_refuses_cost_nothing_but_themselves(
    tmp_path: Path, postgres: PostgresServer, kind: str
) -> None:
    assert kind in REPLACEMENTS
    plan = Plan(inputs=5, seed=2, only=f": {kind} at")

    report = await fuzzed(plan, tmp_path, postgres.database)

    assert [str(finding) for finding in report.findings] == []
    assert report.tried.total() == plan.inputs


async def test_a_bot_that_does_not_answer_is_found_out(tmp_path: Path) -> None:
    """Or all of the above would say nothing."""
    async with a_world(tmp_path / "bot") as world:
        check = Check()
        world.homeserver.is_garbled = True  # no answer to a sync

        world.follow_up(check, sealed=True)
        failures = await world.failures(check)
        world.homeserver.is_garbled = False

    assert {"no answer", "no encrypted answer", "sync stuck"} <= set(failures)
