"""What rooms see of what happens on a server, in virtual time."""

from pathlib import Path

import pytest

from rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_new_series_gets_one_card(rig: Rig) -> None:
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: Fix it", patches=3)

        await rig.poll(bot, times=5)

        assert rig.titles() == ["migration: Fix it"]
