"""What is asked of a homeserver, as the metrics name it."""

import pytest

from bot.ids import RoomId, TxnId
from bot.matrix import requests
from bot.matrix.requests import MatrixRequest

ROOM = RoomId("!room:hs")


@pytest.mark.parametrize(
    ("asked", "endpoint"),
    [
        (requests.send(ROOM, "m.room.message", TxnId("1"), {}), "send"),
        (requests.sync(None, 0, full_state=False), "sync"),
        (requests.join("#room:hs", ("hs",), 1), "join"),
        (requests.leave(ROOM), "leave"),
        (requests.resolve("#room:hs"), "directory"),
        (requests.state(ROOM, "m.room.create"), "state"),
        (requests.messages(ROOM, {}, None), "messages"),
        (requests.who_am_i(), "account"),
        (MatrixRequest("GET", "/_matrix/client/versions"), "other"),
        (MatrixRequest("GET", "/_matrix/client/v3/rooms"), "other"),
    ],
)
def test_an_endpoint_is_one_of_a_few_words(asked: MatrixRequest, endpoint: str) -> None:
    assert asked.endpoint == endpoint
