"""Who may read what is said in an encrypted room."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bot.errors import Forbidden, Temporary
from bot.ids import RoomId, UserId
from bot.matrix.model import Content, JoinedRoom, LeftRoom, SyncAnswer
from bot.matrix.requests import MatrixRequest
from bot.matrix.rosters import Rosters
from support.matrix_rig import an_event

ROOM = RoomId("!room:hs")
ANN, BOB, EVE = UserId("@ann:hs"), UserId("@bob:hs"), UserId("@eve:hs")


@dataclass
class Server:
    """What a homeserver says of a room; *meanwhile* happens while it answers for its members."""

    members: dict[UserId, str]
    visibility: str | None = "shared"
    encryption: Content | None = None
    asked: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def ask(self, request: MatrixRequest) -> Content:
        """One answer."""
        path = request.path.partition("?")[0].removesuffix("/").rpartition("/")[2]
        self.asked.append(path)
        if path == "members":
            members = [{"state_key": user, "content": {"membership": told}} for user, told in self.members.items()]
            self.meanwhile()
            return {"chunk": members}
        told = {"history_visibility": self.visibility} if path == "m.room.history_visibility" else self.encryption
        if told is None or None in told.values():
            raise Forbidden("HTTP 404 M_NOT_FOUND Event not found.")
        return told


def a_sync(*members: tuple[UserId, str], limited: bool = False, encrypted: bool = False) -> SyncAnswer:
    """A sync that tells of members of the room."""
    events = [an_event("m.room.member", state_key=user, content={"membership": told}) for user, told in members]
    if encrypted:
        events.append(an_event("m.room.encryption", state_key="", content={"algorithm": "m.megolm.v1.aes-sha2"}))
    joined = JoinedRoom(ROOM, tuple(events), (), limited, None, None, None)
    return SyncAnswer("s1", joined=(joined,))


def hear(rosters: Rosters, answer: SyncAnswer, *, whole: bool = False) -> None:
    rosters.update(answer, whole=whole)


@pytest.mark.parametrize(
    ("visibility", "readers"),
    [("joined", (ANN,)), ("invited", (ANN, BOB)), ("shared", (ANN, BOB)), (None, (ANN, BOB))],
)
async def test_who_is_asked_in_reads_along_where_the_room_lets_them(
    visibility: str | None, readers: tuple[UserId, ...]
) -> None:
    server = Server({ANN: "join", BOB: "invite", EVE: "ban"}, visibility)

    assert await Rosters(server.ask).readers(ROOM) == readers


async def test_members_are_asked_for_once_and_then_kept_by_what_syncs_tell() -> None:
    server = Server({ANN: "join"})
    rosters = Rosters(server.ask)
    assert await rosters.readers(ROOM) == (ANN,)

    hear(rosters, a_sync((BOB, "join")))
    assert await rosters.readers(ROOM) == (ANN, BOB)
    hear(rosters, a_sync((ANN, "leave")))
    assert await rosters.readers(ROOM) == (BOB,)
    assert server.asked.count("members") == 1


async def test_members_are_asked_for_again_after_a_gap() -> None:
    server = Server({ANN: "join"})
    rosters = Rosters(server.ask)
    await rosters.readers(ROOM)
    server.members = {BOB: "join"}

    hear(rosters, a_sync(limited=True))

    assert await rosters.readers(ROOM) == (BOB,)


async def test_members_are_asked_for_again_after_we_were_away() -> None:
    server = Server({ANN: "join"})
    rosters = Rosters(server.ask)
    await rosters.readers(ROOM)
    server.members = {BOB: "join"}

    hear(rosters, SyncAnswer("s1", left=(LeftRoom(ROOM, None),)))

    assert await rosters.readers(ROOM) == (BOB,)


async def test_who_left_while_the_list_was_asked_for_does_not_read_along() -> None:
    """Or somebody who left just then could read on for ever."""
    server = Server({ANN: "join", EVE: "join"})
    rosters = Rosters(server.ask)
    server.meanwhile = lambda: hear(rosters, a_sync((EVE, "leave"), (BOB, "join")))

    assert await rosters.readers(ROOM) == (ANN, BOB)
    assert await rosters.readers(ROOM) == (ANN, BOB)
    assert server.asked.count("members") == 1


@pytest.mark.parametrize(
    "answer", [a_sync((EVE, "leave"), limited=True), SyncAnswer("s1", left=(LeftRoom(ROOM, None),))]
)
async def test_a_list_is_not_used_where_a_sync_left_events_out_while_it_was_asked_for(answer: SyncAnswer) -> None:
    server = Server({ANN: "join", EVE: "join"})
    rosters = Rosters(server.ask)
    server.meanwhile = lambda: hear(rosters, answer)

    with pytest.raises(Temporary):
        await rosters.readers(ROOM)

    server.meanwhile = lambda: None
    server.members[EVE] = "leave"
    assert await rosters.readers(ROOM) == (ANN,)


async def test_a_list_that_could_not_be_had_does_not_keep_old_news_of_members() -> None:
    server = Server({ANN: "join"})
    rosters = Rosters(server.ask)

    def fail() -> None:
        hear(rosters, a_sync((ANN, "leave")))
        raise Temporary("no answer")

    server.meanwhile = fail
    with pytest.raises(Temporary):
        await rosters.readers(ROOM)

    server.meanwhile = lambda: None
    assert await rosters.readers(ROOM) == (ANN,)


async def test_a_room_that_is_encrypted_while_it_is_asked_for_is_not_taken_for_a_clear_one() -> None:
    server = Server({})
    rosters = Rosters(server.ask)
    hear(rosters, a_sync(encrypted=True))

    assert await rosters.rules(ROOM) is None  # an answer from before
    assert not rosters.is_clear(ROOM)


async def test_a_room_without_encryption_is_asked_for_once() -> None:
    server = Server({})
    rosters = Rosters(server.ask)
    assert not rosters.is_clear(ROOM)

    assert await rosters.rules(ROOM) is None

    assert rosters.is_clear(ROOM)


def test_the_first_sync_tells_which_rooms_are_not_encrypted() -> None:
    rosters = Rosters(Server({}).ask)

    hear(rosters, a_sync(), whole=True)
    assert rosters.is_clear(ROOM)
    hear(rosters, a_sync(encrypted=True), whole=True)
    assert not rosters.is_clear(ROOM)


@pytest.mark.parametrize(
    ("visibility", "shares"),
    [
        ("shared", True),
        ("world_readable", True),
        ("invited", False),
        ("joined", False),
        (None, True),
        ("SHARED", False),
    ],
)
async def test_history_is_shared_with_people_who_come_later_as_the_room_says(
    visibility: str | None, shares: bool
) -> None:
    rosters = Rosters(Server({ANN: "join"}, visibility=visibility).ask)
    assert not rosters.shares_history(ROOM)

    await rosters.readers(ROOM)

    assert rosters.shares_history(ROOM) is shares
