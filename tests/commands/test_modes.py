"""`set mode`: what new series look like in a room."""

from pathlib import Path

from support.people_rig import CHAT, a_rig, people
from support.rig import ROOM


async def test_the_mode_of_a_room_is_the_form_where_a_query_says_none(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as said:
        await said.say("sub path:migration/")
        await said.chat("sub path:migration/")

        await said.chat("set mode compact")
        await said.arrives("migration/ram.c")
        await said.chat("set mode card")
        await said.arrives("migration/ram.c")

        lines = [len(post.message.body.splitlines()) for post in said.cards(CHAT)]
        assert lines[0] == 2
        assert lines[1] > 2
        assert all("b4 shazam" in post.message.body for post in said.cards(ROOM))


async def test_the_mode_of_a_room_outlasts_a_restart(tmp_path: Path) -> None:
    rig = a_rig(tmp_path)
    async with people(rig) as said:
        await said.chat("sub path:migration/")
        await said.chat("set mode compact")
    async with people(rig) as said:
        await said.arrives("migration/ram.c")

        assert [len(post.message.body.splitlines()) for post in said.cards(CHAT)] == [2]
