"""Requests about keys that are refused because of somebody who is in them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.clock import VirtualClock
from bot.errors import Permanent, Temporary
from bot.ids import DeviceId, UserId
from bot.incidents import Incidents
from bot.matrix.encryption import Encryption, EncryptionContext
from bot.matrix.identity import SigningAccount
from bot.matrix.key_exchange import _P, _T, KeyExchange
from bot.matrix.model import Content
from bot.matrix.requests import MatrixRequest
from support.crypto_rig import ROOM, Device
from support.hostile_device import HostileDevice

BOT = UserId("@bot:hs")


@dataclass
class Refusing:
    """A homeserver that knows devices, and refuses each request at an endpoint that somebody is in."""

    people: dict[UserId, HostileDevice]
    refused: tuple[str, UserId | None] = ("", None)
    asked: list[MatrixRequest] = field(default_factory=list)

    async def ask(self, request: MatrixRequest) -> Content:
        """Answer as a homeserver does."""
        self.asked.append(request)
        endpoint, who = self.refused
        if endpoint and endpoint in request.path and (who is None or f"'{who}'" in str(request.body)):
            raise Permanent("HTTP 400 M_INVALID_PARAM no")
        assert request.body is not None
        wanted = request.body.get("device_keys") or request.body.get("one_time_keys") or {}
        assert isinstance(wanted, dict)
        people = [self.people[user] for user in wanted]
        if "/keys/query" in request.path:
            return {"device_keys": {each.user: {each.id: each.device_keys()} for each in people}}
        if "/keys/claim" in request.path:
            return {"one_time_keys": {each.user: each.claimed()["one_time_keys"][each.user] for each in people}}  # type: ignore[index]  # a mapping
        return {}

    def count(self, endpoint: str) -> int:
        """How often it was asked there."""
        return len([request for request in self.asked if endpoint in request.path])


async def at_once(step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a step; there are no others."""
    return step(*args, **kwargs)


@pytest.fixture
def bot(tmp_path: Path) -> Device:
    return Device(tmp_path / "bot", BOT)


@pytest.fixture
def server() -> Refusing:
    people = (HostileDevice(UserId(f"@p{number}:hs"), DeviceId("ONE")) for number in range(16))
    return Refusing({each.user: each for each in people})


async def reached(bot: Device, server: Refusing) -> set[UserId]:
    """Give the key of the next message to everybody; who got it."""
    keys, machine = KeyExchange(server.ask, at_once), bot.machine
    await keys.fetch_devices(machine, tuple(server.people))
    found: set[UserId] = set()
    for parcel in bot.parcels(*server.people):
        taken = await keys.deliver(machine, parcel)
        machine.arrived(ROOM, taken)
        found |= {device.user for device in taken.devices}
    return found


@pytest.mark.parametrize("endpoint", ["/keys/query", "/keys/claim", "/sendToDevice/"])
async def test_a_request_that_is_refused_because_of_one_of_many_reaches_the_others(
    bot: Device, server: Refusing, endpoint: str
) -> None:
    bad = UserId("@p7:hs")
    server.refused = (endpoint, bad)

    assert await reached(bot, server) == server.people.keys() - {bad}

    assert server.count(endpoint) <= 2 + 2 * 4  # the whole, one about nobody, and two for each time it is halved
    [fault] = bot.machine.faults.take_all()
    assert (fault.kind, fault.name) == ("encryption.request_refused", f"devices of {bad}")
    assert "M_INVALID_PARAM" in str(fault.reason)


@pytest.mark.parametrize("endpoint", ["/keys/query", "/keys/claim", "/sendToDevice/"])
async def test_who_is_at_fault_is_done_without_for_a_while_and_then_tried_again(
    bot: Device, server: Refusing, endpoint: str
) -> None:
    bad = UserId("@p7:hs")
    server.refused = (endpoint, bad)
    await reached(bot, server)
    before = len(server.asked)

    assert await reached(bot, server) == set()
    assert len(server.asked) == before

    server.refused = ("", None)
    bot.clock.advance(301)
    assert await reached(bot, server) == {bad}


@pytest.mark.parametrize("endpoint", ["/keys/query", "/keys/claim", "/sendToDevice/"])
async def test_the_only_one_in_a_request_is_left_out_too(bot: Device, server: Refusing, endpoint: str) -> None:
    """Else a room where all others have the key already would be silent."""
    await reached(bot, server)
    server.people[UserId("@new:hs")] = HostileDevice(UserId("@new:hs"))
    server.refused = (endpoint, UserId("@new:hs"))

    assert await reached(bot, server) == set()


@pytest.mark.parametrize("endpoint", ["/keys/query", "/keys/claim", "/sendToDevice/"])
async def test_nobody_is_left_out_where_the_homeserver_refuses_everything(
    bot: Device, server: Refusing, endpoint: str
) -> None:
    server.refused = (endpoint, None)

    with pytest.raises(Temporary, match="refuses to exchange keys: HTTP 400"):
        await reached(bot, server)

    server.refused = ("", None)
    assert await reached(bot, server) == server.people.keys()


@pytest.mark.parametrize("name", ["nonsense", "@no-server", "@nul\x00:hs", "@half\ud800:hs", f"@{'a' * 1_000}:hs"])
async def test_a_user_who_can_be_none_is_not_asked_for(bot: Device, server: Refusing, name: str) -> None:
    await KeyExchange(server.ask, at_once).fetch_devices(bot.machine, (UserId(name), UserId("@p1:hs")))

    query, claim = (request.body for request in server.asked)
    assert query is not None
    assert claim is not None
    assert query["device_keys"] == {"@p1:hs": []}
    assert claim["one_time_keys"] == {"@p1:hs": {"ONE": "signed_curve25519"}}


async def test_a_large_room_is_met_in_many_steps(bot: Device, server: Refusing) -> None:
    """Who waits for the cryptography waits for one of them, not for all."""
    people = [HostileDevice(UserId(f"@many{number}:hs")) for number in range(150)]
    server.people = {each.user: each for each in people}
    begun: list[int] = []

    async def noted(step: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        if step == bot.machine.begin:
            begun.append(len(args[1]))  # type: ignore[arg-type]  # the devices
        return step(*args, **kwargs)

    await KeyExchange(server.ask, noted).fetch_devices(bot.machine, tuple(server.people))

    assert begun == [100, 50]
    assert [len(parcel.devices) for parcel in bot.parcels(*server.people)] == [100, 50]


async def nothing_known(_: MatrixRequest) -> Content:
    """A homeserver that knows nobody, and takes everything."""
    return {}


async def test_a_duty_that_fails_does_not_keep_the_others_from_being_done(tmp_path: Path) -> None:
    """An error that nobody thought of ended the session."""
    clock = VirtualClock()
    incidents = Incidents(clock)
    encryption = Encryption(EncryptionContext(nothing_known, clock, tmp_path, 20, incidents))
    await encryption.begin(SigningAccount(BOT, DeviceId("ONE"), None))
    machine, bad = encryption._machine, HostileDevice(UserId("@eve:hs"))
    machine.learn_devices(bad.queried(), machine.to_query([bad.user]))
    [device] = machine.to_claim([bad.user])
    machine._mailbox.wedged["broken"] = None  # type: ignore[assignment]  # what no device is
    machine.begin({"one_time_keys": {}}, [device])

    wait = await encryption._run_maintenance()

    assert wait is not None
    assert [(each.kind, each.name) for each in incidents] == [("encryption.upkeep_failed", "replace_broken_sessions")]
    assert machine.notices().devices == ()  # the last duty was done
    await encryption.close()
