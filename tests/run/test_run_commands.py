"""Commands in real rooms."""

from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage


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
            assert f"{prefix}sub path:drivers/net/" in answers[0]["body"]
            assert answers[1]["body"].startswith("🆕 migration: Fix it\n")
            assert answers[1]["org.patchbot"]["patch"] == posted.patches[0]

        await ann.say(room, "help")
        await ann.say(room, "!pw help help")
        answers = await stage.said(ann, room, "answer", 3)

    assert len(answers) == 3


async def test_an_answer_stays_in_the_thread_that_was_asked_in_and_else_is_a_reply(stage: Stage, ann: Person) -> None:
    room = await ann.create_room(stage.me)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running():
        posted = stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        await stage.cards(ann, room, 1)
        tagged = [(event["event_id"], event["content"].get("org.patchbot", {})) for event in await ann.timeline(room)]
        (card,) = (event for event, tag in tagged if tag.get("kind") == "card")
        thread = {"rel_type": "m.thread", "event_id": card}
        threaded = await ann.say(room, f"!pw show {posted.patches[0]}", **{"m.relates_to": thread})
        plain = await ann.say(room, "!pw version")
        answers = await stage.said(ann, room, "answer", 2)
        told = await ann.thread(room, card)

    assert answers[0]["m.relates_to"] == {**thread, "is_falling_back": True, "m.in_reply_to": {"event_id": threaded}}
    assert answers[1]["m.relates_to"] == {"m.in_reply_to": {"event_id": plain}}
    assert [event["content"]["body"] for event in told if event["sender"] == stage.me] == [answers[0]["body"]]


async def test_over_the_limit_one_reaction_appears_and_another_person_is_answered(
    stage: Stage, ann: Person, bob: Person
) -> None:
    room = await ann.create_room(stage.me, bob.user)
    await bob.join(room)
    stage.rooms[room] = ("path:migration/",)

    async with stage.running():
        asked = [await ann.say(room, "!pw version") for _ in range(25)]
        await ann.until(lambda: ann.reactions(room))
        await bob.say(room, "!pw version")
        answers = await stage.said(bob, room, "answer", 21)

    assert len(answers) == 21
    assert await ann.reactions(room) == [(asked[20], "⏳")]
