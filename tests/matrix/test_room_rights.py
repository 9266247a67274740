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
    def room_rights(self) -> RoomRights:
        """Whom to ask."""

    async def set_level(self, user: UserId, level: int) -> None:
        """Give *user* another power level."""

    async def set_needed(self, level: int) -> None:
        """Ask for another power level."""


@dataclass
class MemoryStage:
    """In memory."""

    room_rights: MemoryRoomRights
    room: RoomId = ROOM
    moderator: UserId = ANN
    member: UserId = BOB
    admin: UserId = OPS

    async def set_level(self, user: UserId, level: int) -> None:
        """Give *user* another power level."""
        self.room_rights.levels[self.room, user] = level

    async def set_needed(self, level: int) -> None:
        """Ask for another power level."""
        self.room_rights.needed = level


@dataclass
class MatrixStage:
    """At a homeserver."""

    room_rights: MatrixRoomRights
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
    """The rights in the room of a bot that is in a room of *owner*'s."""
    memory = InMemorySession()
    async with listening(account, memory) as bot:
        id_ = await owner.create_room(account.user, version=version, alias=alias)
        await bot.until(lambda: id_ in bot.session.rooms)
        room_rights = MatrixRoomRights([OPS])
        room_rights.open(bot.client, bot.session)
        yield room_rights, id_, bot


@pytest.fixture(params=["memory", "matrix"])
async def stage(request: pytest.FixtureRequest, account: Account, ann: Person) -> AsyncIterator[Stage]:
    if request.param == "memory":
        room_rights = MemoryRoomRights(admins=(OPS,))
        room_rights.levels[ROOM, ANN] = 50
        yield MemoryStage(room_rights)
        return
    async with in_a_room(account, ann, version="11") as (matrix_house, room, _):
        stage = MatrixStage(matrix_house, room, ann, UserId("@moderator:hs.test"), UserId("@member:hs.test"), OPS)
        await stage.set_level(stage.moderator, 50)
        yield stage


async def test_a_moderator_may_and_a_member_may_not(stage: Stage) -> None:
    assert await stage.room_rights.may_change(stage.room, stage.moderator) == RightsDecision(50, 50)
    refused = await stage.room_rights.may_change(stage.room, stage.member)

    assert refused == RightsDecision(50, 0)
    assert not refused.allowed


async def test_a_promotion_counts_at_once(stage: Stage) -> None:
    await stage.set_level(stage.member, 50)

    assert (await stage.room_rights.may_change(stage.room, stage.member)).allowed


async def test_a_room_may_ask_for_another_level(stage: Stage) -> None:
    await stage.set_needed(75)
    refused = await stage.room_rights.may_change(stage.room, stage.moderator)
    await stage.set_needed(0)
    allowed = await stage.room_rights.may_change(stage.room, stage.member)

    assert (refused.needed, refused.allowed) == (75, False)
    assert allowed.allowed


async def test_an_admin_of_the_bot_may_whatever_the_levels(stage: Stage) -> None:
    assert stage.room_rights.is_admin(stage.admin)
    assert not stage.room_rights.is_admin(stage.moderator)
    assert (await stage.room_rights.may_change(stage.room, stage.admin)).allowed


async def test_the_creator_of_a_room_of_version_12_stands_above_all_levels(account: Account, ann: Person) -> None:
    async with in_a_room(account, ann, version="12") as (room_rights, room, _):
        assert (await room_rights.may_change(room, ann.user)).allowed
        assert not (await room_rights.may_change(room, BOB)).allowed


async def test_the_levels_last_seen_count_where_the_homeserver_does_not_answer(
    account: Account, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Temporary("no answer")

    async with in_a_room(account, ann, version="11") as (room_rights, room, bot):
        monkeypatch.setattr(bot.client, "state", away)

        assert (await room_rights.may_change(room, ann.user)).allowed
        assert not (await room_rights.may_change(room, BOB)).allowed


async def test_a_room_is_found_by_its_alias_and_left(account: Account, ann: Person) -> None:
    async with in_a_room(account, ann, alias=f"left-{ann.name}") as (room_rights, room, bot):
        alias = f"#left-{ann.name}:hs.test"

        assert await room_rights.room_of(alias) == room == await room_rights.room_of(room)
        assert await room_rights.rooms() == {room: alias}
        await room_rights.leave(room)
        await bot.until(lambda: room not in bot.session.rooms)
        assert account.user not in await ann.members(room)
