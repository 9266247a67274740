"""The whole bot before a Patchwork server that fails, in virtual time: one card each, and few requests."""

from pathlib import Path

import httpx
import pytest

from bot.app import Bot
from bot.sample_patchwork.server import SampleTransport
from patchwork_faults import FAULTS, Fault, FaultyTransport
from support.rig import Rig

pytestmark = pytest.mark.slow

SECONDS = 10
FEW = 20  # requests in that time
PLACES = {"everything": "/", "what arrived": "/series/"}


class FaultyRig(Rig):
    """A bot whose server can be made to fail."""

    def __post_init__(self) -> None:
        """Put the faults in between."""
        super().__post_init__()
        self.network = FaultyTransport(SampleTransport(self.patchwork))
        self.transport = self.network  # type: ignore[assignment] # whatever answers will do

    async def pass_by(self, bot: Bot, seconds: int, step: int = 1) -> None:
        """Let time pass, and do what is due then."""
        for _ in range(0, seconds, step):
            self.clock.advance(step)
            await bot.settle()


@pytest.fixture
def rig(tmp_path: Path) -> FaultyRig:
    return FaultyRig(tmp_path, poll_seconds=1.0)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_every_series_has_one_card_after_any_fault_and_few_requests_were_made(
    rig: FaultyRig, fault: Fault, place: str
) -> None:
    names = ["before", "as it begins", "meanwhile", "after"]
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name=names[0], patches=2)
        await rig.pass_by(bot, 1)
        asked = len(rig.network.asked)
        rig.network.place, rig.network.fault = place, fault
        rig.post("migration/ram.c", name=names[1], patches=2)
        await rig.pass_by(bot, SECONDS // 2)
        rig.post("migration/ram.c", name=names[2], patches=2)
        await rig.pass_by(bot, SECONDS // 2)
        made = len(rig.network.asked) - asked
        [failing] = (await bot.overview.condition()).servers
        rig.network.fault = None
        rig.post("migration/ram.c", name=names[3], patches=2)
        await rig.pass_by(bot, 2400, step=300)  # the safety net is cast every half hour
        [healed] = (await bot.overview.condition()).servers

    assert 0 < rig.network.suffered <= made < FEW
    assert sorted(rig.titles()) == sorted(names)
    assert {httpx.URL(url).host for url in rig.network.asked} == {"patchwork.example.org"}
    if place == PLACES["everything"]:
        assert failing.health.failing_since is not None
        assert failing.health.reason
    assert healed.health.failing_since is None
