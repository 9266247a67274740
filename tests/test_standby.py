"""What an instance does with the lease: it waits, acts, stops in time, and yields."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bot import standby
from bot.clock import VirtualClock
from bot.errors import ConfigError, StoreError, Temporary
from bot.lease import GRACE_SECONDS, USABLE_SECONDS
from bot.shared_keys import ACCOUNT, IDENTITY, TAGS, TOKENS, differences
from bot.standby import YIELDS, StandbyContext, StandbyHealth, StandbyRole
from bot.store.lease_book import Instance
from bot.store.leases import Leases
from support.store_rig import StoreRig

KEYS = {ACCOUNT: "@bot:hs", IDENTITY: "seeds", TAGS: "tags", TOKENS: "tokens"}


@dataclass
class Deadlines:
    """A deadline that is only noted; None if there is none."""

    seconds: float | None = None

    def set(self, seconds: float) -> None:
        """Note it."""
        self.seconds = seconds

    def clear(self) -> None:
        """Forget it."""
        self.seconds = None


@dataclass
class Place:
    """An instance with its surroundings."""

    leases: Leases
    clock: VirtualClock
    keys: dict[str, str] = field(default_factory=lambda: dict(KEYS))
    reaches: bool = True
    deadline: Deadlines = field(default_factory=Deadlines)

    def __post_init__(self) -> None:
        """Make its role."""
        context = StandbyContext(lambda: dict(self.keys), self.reaches_homeserver, self.deadline)
        self.role = StandbyRole(self.leases, context, self.clock)

    async def reaches_homeserver(self) -> bool:
        """Whether it does."""
        return self.reaches


@pytest.fixture
def rig(migrated_postgres_url: str) -> StoreRig:
    return StoreRig(migrated_postgres_url)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(standby, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(standby, "AGAIN_SECONDS", 0.02)


@pytest.fixture
async def ada(rig: StoreRig) -> AsyncIterator[Place]:
    leases = Leases(rig.url, Instance("a", "ada"), rig.clock)
    yield Place(leases, rig.clock)
    await leases.close()


@pytest.fixture
async def bob(rig: StoreRig) -> AsyncIterator[Place]:
    leases = Leases(rig.url, Instance("b", "bob"), rig.clock)
    yield Place(leases, rig.clock)
    await leases.close()


async def until(rig: StoreRig, rows: str) -> None:
    """Wait until the database has such rows."""
    async with asyncio.timeout(30):
        while not rig.execute(f"SELECT 1 FROM {rows}"):  # noqa: ASYNC110, S608  # another task changes it; our own
            await asyncio.sleep(0.02)  # between two looks


async def test_an_instance_waits_until_the_lease_is_given_up(ada: Place, bob: Place, rig: StoreRig) -> None:
    async with ada.role.holding(await ada.role.wait()):
        waiting = asyncio.ensure_future(bob.role.wait())
        await until(rig, "standby WHERE host = 'bob'")
        assert not waiting.done()

    tenure = await waiting
    assert tenure.epoch == 2
    tenure.check()


async def test_an_instance_that_acts_has_a_deadline_until_it_gives_up_the_lease(ada: Place) -> None:
    async with ada.role.holding(tenure := await ada.role.wait()):
        during = ada.deadline.seconds

    assert during is not None
    assert USABLE_SECONDS < during <= USABLE_SECONDS + GRACE_SECONDS
    assert ada.deadline.seconds is None
    with pytest.raises(Temporary):
        tenure.check()


async def test_an_instance_whose_lease_was_taken_loses_its_right_at_once(ada: Place, bob: Place, rig: StoreRig) -> None:
    async with ada.role.holding(tenure := await ada.role.wait()):
        rig.execute("UPDATE lease SET holder = 'b', epoch = 2")
        await asyncio.wait_for(tenure.lost.wait(), 10)

    with pytest.raises(Temporary):
        tenure.check()
    assert (await bob.leases.view()).row.ends_in_seconds > 0  # not released by its former holder


async def test_an_instance_that_cannot_renew_aborts_and_has_no_deadline_and_goes_on_when_it_can(
    ada: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenure = await ada.role.wait()
    aborted = asyncio.Event()
    tenure.on_lapse(aborted.set)
    renew = ada.leases.renew

    async def fail(epoch: int, *, is_cut_off: bool) -> None:
        raise StoreError(f"away: {epoch} {is_cut_off}")

    monkeypatch.setattr(ada.leases, "renew", fail)
    tenure._until = tenure._now() + 0.1  # as if the last renewal was long ago
    async with ada.role.holding(tenure):
        await asyncio.wait_for(aborted.wait(), 10)
        with pytest.raises(Temporary, match="its lease was not renewed in time"):
            tenure.check()
        assert ada.deadline.seconds is None
        [outage] = ada.role.outages()
        assert outage.startswith("The lease has not been seen in the database since 2026-01-01 00:00 UTC (away: 1")

        monkeypatch.setattr(ada.leases, "renew", renew)
        await asyncio.wait_for(tenure.extended.wait(), 10)
        tenure.check()
        async with asyncio.timeout(10):
            while ada.role.outages():  # noqa: ASYNC110  # another task changes it
                await asyncio.sleep(0.02)  # between two looks


async def test_an_instance_that_the_homeserver_does_not_answer_yields_to_one_that_it_answers(
    ada: Place, bob: Place, rig: StoreRig
) -> None:
    began = rig.now
    ada.role.cut_off_since = lambda: began
    async with ada.role.holding(tenure := await ada.role.wait()):
        waiting = asyncio.ensure_future(bob.role.wait())
        await until(rig, "standby WHERE host = 'bob' AND reaches_homeserver IS NULL")
        rig.advance(seconds=YIELDS.total_seconds())
        await asyncio.wait_for(tenure.lost.wait(), 10)

    assert (await waiting).epoch == 2


async def test_an_instance_does_not_yield_to_one_that_is_not_answered_either(
    ada: Place, bob: Place, rig: StoreRig
) -> None:
    bob.reaches, began = False, rig.now
    ada.role.cut_off_since = lambda: began
    async with ada.role.holding(tenure := await ada.role.wait()):
        rig.advance(seconds=YIELDS.total_seconds())
        waiting = asyncio.ensure_future(bob.role.wait())
        await until(rig, "standby WHERE NOT reaches_homeserver")
        rig.execute("DELETE FROM standby")
        await until(rig, "standby WHERE NOT reaches_homeserver")

        assert not tenure.lost.is_set()
        waiting.cancel()


async def test_an_instance_that_could_not_renew_does_not_blame_the_homeserver_for_it(
    ada: Place, bob: Place, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, renew, failed = rig.now, ada.leases.renew, asyncio.Event()
    ada.role.cut_off_since = lambda: began
    tenure = await ada.role.wait()
    await bob.leases.look(reaches_homeserver=True)

    async def fail(epoch: int, *, is_cut_off: bool) -> None:
        failed.set()
        raise StoreError(f"away: {epoch} {is_cut_off}")

    monkeypatch.setattr(ada.leases, "renew", fail)
    async with ada.role.holding(tenure):
        await asyncio.wait_for(failed.wait(), 10)
        rig.advance(seconds=YIELDS.total_seconds())
        monkeypatch.setattr(ada.leases, "renew", renew)
        async with asyncio.timeout(10):
            while ada.role.outages():  # noqa: ASYNC110  # another task changes it
                await asyncio.sleep(0.02)  # between two looks
        rig.execute("UPDATE lease SET is_cut_off = true")
        await until(rig, "lease WHERE NOT is_cut_off")

        assert not tenure.lost.is_set()


async def test_an_instance_that_yielded_leaves_the_lease_to_others(ada: Place, bob: Place, rig: StoreRig) -> None:
    began = rig.now
    ada.role.cut_off_since = lambda: began
    tenure = await ada.role.wait()
    await bob.leases.look(reaches_homeserver=True)
    rig.advance(seconds=YIELDS.total_seconds())
    async with ada.role.holding(tenure):
        await asyncio.wait_for(tenure.lost.wait(), 10)

    waiting = asyncio.ensure_future(ada.role.wait())
    await until(rig, "standby WHERE host = 'ada'")
    assert not waiting.done()
    waiting.cancel()


async def test_an_instance_publishes_its_keys_and_refuses_to_wait_without_those_of_the_active_one(
    ada: Place, bob: Place, rig: StoreRig
) -> None:
    bob.keys = {ACCOUNT: "@bot:hs", TAGS: "others", IDENTITY: "seeds"}
    async with ada.role.holding(await ada.role.wait()):
        await until(rig, "lease WHERE keys::text LIKE '%tokens%'")
        with pytest.raises(ConfigError) as refused:
            await bob.role.wait()

    remedy = "copy it from the active instance, on ada"
    assert str(refused.value).splitlines() == [
        f"store.data_dir: keys.json holds another secret of the tags in encrypted rooms; {remedy}",
        f"store.data_dir: tokens.key is missing; {remedy}",
    ]
    assert rig.execute("SELECT * FROM standby") == []


async def test_whoever_takes_over_knows_the_device_of_an_instance_that_did_not_end_in_order(
    ada: Place, bob: Place, rig: StoreRig
) -> None:
    async with ada.role.holding(tenure := await ada.role.wait()):
        assert ada.role.device is None
        await ada.role.act_with("ADAS", tenure)
        tenure.doubt()
    rig.execute("UPDATE lease SET ends_at = taken_at")

    async with bob.role.holding(await bob.role.wait()):
        pass  # it is stopped before it could end that device

    async with bob.role.holding(tenure := await bob.role.wait()):
        assert bob.role.device == "ADAS"
        await until(rig, "lease WHERE keys::text LIKE '%ADAS%'")  # until it was ended
        await bob.role.act_with("BOBS", tenure)
        await until(rig, "lease WHERE keys::text LIKE '%BOBS%'")

    await ada.role.wait()
    assert ada.role.device is None  # all that the other one sent was answered


async def test_an_instance_prepares_only_with_all_keys_of_the_active_one(ada: Place, bob: Place, rig: StoreRig) -> None:
    del ada.keys[IDENTITY]
    async with ada.role.holding(await ada.role.wait()):
        waiting = asyncio.ensure_future(bob.role.wait())
        await until(rig, "standby WHERE host = 'bob'")
        assert not bob.role.may_prepare.is_set()

        ada.keys = dict(KEYS)
        await asyncio.wait_for(bob.role.may_prepare.wait(), 10)
        waiting.cancel()


def test_the_account_must_be_the_same() -> None:
    assert list(differences({ACCOUNT: "@one:hs"}, {ACCOUNT: "@two:hs"}, "ada")) == [
        "the active instance, on ada, is @one:hs, and this one @two:hs"
    ]


def test_an_active_instance_without_an_identity_asks_for_none() -> None:
    assert list(differences({ACCOUNT: "@bot:hs", TAGS: "tags"}, KEYS, "ada")) == []


async def test_who_stands_by_is_told(ada: Place, bob: Place, rig: StoreRig) -> None:
    assert ada.role.acts() == ""
    async with ada.role.holding(await ada.role.wait()):
        waiting = asyncio.ensure_future(bob.role.wait())
        async with asyncio.timeout(10):
            while not ada.role.acts():  # noqa: ASYNC110  # another task changes it
                await asyncio.sleep(0.02)  # between two looks
        there = ada.role.acts()
        told = await StandbyHealth(bob.role, rig.clock).condition()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await bob.role.go()
        async with asyncio.timeout(10):
            while ada.role.acts() == there:  # noqa: ASYNC110  # another task changes it
                await asyncio.sleep(0.02)  # between two looks
        gone = ada.role.acts()

    active = "Active is the instance on ada, since 2026-01-01 00:00 UTC"
    assert there == f"{active}; bob stands by."
    assert gone == f"{active}; none has stood by since 2026-01-01 00:00 UTC."
    assert told.stands_by
    assert told.role == "The instance on bob has stood by since 2026-01-01 00:00 UTC; active is the one on ada."
