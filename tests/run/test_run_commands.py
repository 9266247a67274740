"""Commands in real rooms."""

from person import Person
from rig import PROJECT, a_series
from run_rig import Stage


async def test_commands_are_answered_in_a_room_with_the_prefix_and_in_a_direct_chat_without(
    stage: Stage, ann: Person
) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:docs/",)

    async with stage.running():
        chat = await ann.create_room(stage.me, direct=True)
        await ann.hears(chat, stage.me)  # the welcome
        posted = stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        for where, prefix in ((room, "!pw "), (chat, "")):
            await ann.say(where, f"{prefix}help")
            await ann.say(where, f"{prefix}show {posted.patches[0]}")
            answers = await stage.said(ann, where, "answer", 2)

            assert [answer["msgtype"] for answer in answers] == ["m.notice", "m.notice"]
            assert f"{prefix}show REF" in answers[0]["body"]
            assert answers[1]["body"].startswith("migration: Fix it")
            assert answers[1]["org.patchbot"]["patch"] == posted.patches[0]

        await ann.say(room, "help")
        await ann.say(room, "!pw help help")
        answers = await stage.said(ann, room, "answer", 3)

    assert len(answers) == 3
