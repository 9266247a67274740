"""Who may change what a room hears: the same questions to the rooms in memory and to those of a homeserver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import pytest

from bot.commands.rights import STATE_TYPE, MemoryRoomRights, RightsDecision, RoomRights
from bot.errors import Temporary
from bot.ids import RoomId, UserId
from bot.matrix.room_rights import MatrixRoomRights
from bot.matrix.session_memory import InMemorySession
from support.matrix_rig import Account, Listener, listening
from support.person import Person
from support.rig import ROOM

ANN, BOB, OPS = UserId("@ann:hs"), UserId("@bob:hs"), UserId("@ops:hs")


class Stage(Protocol):
    """A room with a moderator (50), a member and a bot's admin in it."""

    room: RoomId
    moderator: UserId
    member: UserId
    admin: UserId

    @property
    def house(self) -> RoomRights:
        """Whom to ask."""

    async def set_level(self, user: UserId, level: int) -> None:
        """Give *user* another power level."""

    async def set_needed(self, level: int) -> None:
        """Ask for another power level."""


@dataclass
class MemoryStage:
    """In memory."""

    house: MemoryRoomRights
    room: RoomId = ROOM
    moderator: UserId = ANN
    member: UserId = BOB
    admin: UserId = OPS

    async def set_level(self, user: UserId, level: int) -> None:
        """Give *user* another power level."""
        self.house.levels[self.room, user] = level

    async def set_needed(self, level: int) -> None:
        """Ask for another power level."""
        self.house.needed = level


@dataclass
class MatrixStage:
    """At a homeserver."""

    house: MatrixRoomRights
    room: RoomId
    owner: Person
    moderator: UserId
    member: UserId
    admin: UserId

    async def set_level(self, user: UserId, level: int) -> None:
        """Give *user* another power level."""
        users = (await self.owner.state(self.room, "m.room.power_levels"))["users"]
        await self.owner.set_levels(self.room, users=users | {user: level})

    async def set_needed(self, level: int) -> None:
        """Ask for another power level."""
        events = (await self.owner.state(self.room, "m.room.power_levels"))["events"]
        await self.owner.set_levels(self.room, events=events | {STATE_TYPE: level})


@asynccontextmanager
async def in_a_room(
    account: Account, owner: Person, *, version: str = "12", alias: str | None = None
) -> AsyncIterator[tuple[MatrixRoomRights, RoomId, Listener]]:
    """The house of a bot that is in a room of *owner*'s."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        id_ = await owner.create_room(account.user, version=version, alias=alias)
        await bot.until(lambda: id_ in bot.session.rooms)
        house = MatrixRoomRights([OPS])
        house.open(bot.client, bot.session)
        yield house, id_, bot


@pytest.fixture(params=["memory", "matrix"])
async def stage(request: pytest.FixtureRequest, account: Account, ann: Person) -> AsyncIterator[Stage]:
    if request.param == "memory":
        house = MemoryRoomRights(admins=(OPS,))
        house.levels[ROOM, ANN] = 50
        yield MemoryStage(house)
        return
    async with in_a_room(account, ann, version="11") as (matrix_house, room, _):
        stage = MatrixStage(matrix_house, room, ann, UserId("@moderator:hs.test"), UserId("@member:hs.test"), OPS)
        await stage.set_level(stage.moderator, 50)
        yield stage


async def test_a_moderator_may_and_a_member_may_not(stage: Stage) -> None:
    assert await stage.house.may_change(stage.room, stage.moderator) == RightsDecision(50, 50)
    refused = await stage.house.may_change(stage.room, stage.member)

    assert refused == RightsDecision(50, 0)
    assert not refused.allowed


async def test_a_promotion_counts_at_once(stage: Stage) -> None:
    await stage.set_level(stage.member, 50)

    assert (await stage.house.may_change(stage.room, stage.member)).allowed


async def test_a_room_may_ask_for_another_level(stage: Stage) -> None:
    await stage.set_needed(75)
    refused = await stage.house.may_change(stage.room, stage.moderator)
    await stage.set_needed(0)
    allowed = await stage.house.may_change(stage.room, stage.member)

    assert (refused.needed, refused.allowed) == (75, False)
    assert allowed.allowed


async def test_an_admin_of_the_bot_may_whatever_the_levels(stage: Stage) -> None:
    assert stage.house.is_admin(stage.admin)
    assert not stage.house.is_admin(stage.moderator)
    assert (await stage.house.may_change(stage.room, stage.admin)).allowed


async def test_the_creator_of_a_room_of_version_12_stands_above_all_levels(account: Account, ann: Person) -> None:
    async with in_a_room(account, ann, version="12") as (house, room, _):
        assert (await house.may_change(room, ann.user)).allowed
        assert not (await house.may_change(room, BOB)).allowed


async def test_the_levels_last_seen_count_where_the_homeserver_does_not_answer(
    account: Account, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Temporary("no answer")

    async with in_a_room(account, ann, version="11") as (house, room, bot):
        monkeypatch.setattr(bot.client, "state", away)

        assert (await house.may_change(room, ann.user)).allowed
        assert not (await house.may_change(room, BOB)).allowed


async def test_a_room_is_found_by_its_alias_and_left(account: Account, ann: Person) -> None:
    async with in_a_room(account, ann, alias=f"left-{ann.name}") as (house, room, bot):
        alias = f"#left-{ann.name}:hs.test"

        assert await house.room_of(alias) == room == await house.room_of(room)
        assert await house.rooms() == {room: alias}
        await house.leave(room)
        await bot.until(lambda: room not in bot.session.rooms)
        assert account.user not in await ann.members(room)
