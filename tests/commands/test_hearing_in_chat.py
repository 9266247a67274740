"""People who hear of changes: their own patches, what is muted, and why a card came."""

from pathlib import Path

from inline_snapshot import snapshot

from bot.delivery.chat import PostedMessage
from support.people_rig import BOB, CHAT, People, a_rig, people
from support.rig import PROJECT, ROOM, a_series


def replies(here: People) -> list[PostedMessage]:
    return [post for post in here.rig.chat.posted if post.message.tag.kind == "reply"]


async def a_patch(here: People, submitter: str = "Bob <bob@example.org>") -> int:
    """A lone patch of somebody arrives; its id."""
    await here.arrives("migration/ram.c", name="migration: Fix it", submitter=submitter)
    return max(here.rig.patchwork.rows.patches)


async def test_of_ones_own_patches_the_first_change_brings_the_card_and_the_reply(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as here:
        await here.chat("me bob@example.org")
        patch = await a_patch(here)
        assert here.titles(CHAT) == []

        here.rig.patchwork.set_state(patch, "accepted")
        here.rig.patchwork.add_comment(patch, "Applied, thanks!")
        await here.rig.poll(here.bot, times=3)

        [reply] = replies(here)
        assert here.titles(CHAT) == ["migration: Fix it"]
        assert reply.message.body == "✅ Accepted (was New)\n💬 Rey Viewer\n> Applied, thanks!"
        assert reply.message.rings


async def test_a_quiet_chat_rings_for_no_reply(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as here:
        await here.chat("me bob@example.org")
        await here.chat("set notify off")
        here.rig.patchwork.set_state(await a_patch(here), "accepted")
        await here.rig.poll(here.bot, times=3)

        assert [post.message.rings for post in replies(here)] == [False]


async def test_who_is_muted_hears_of_no_change_nor_later_what_was(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as here:
        await here.say("sub path:migration/ on:new,state")
        await here.chat("sub path:migration/ on:new,state")
        patch = await a_patch(here)
        await here.say("mute 1")
        await here.chat("mute 2h")
        here.rig.patchwork.set_state(patch, "accepted")
        await here.rig.poll(here.bot, times=3)
        await here.say("unmute 1")
        await here.chat("unmute")
        await here.rig.poll(here.bot, times=3)
        assert replies(here) == []

        here.rig.patchwork.set_state(patch, "rejected")
        await here.rig.poll(here.bot, times=3)

        assert [(post.room, post.message.body) for post in replies(here)] == [
            (CHAT, "❌ Rejected (was Accepted)"),
            (ROOM, "❌ Rejected (was Accepted)"),
        ]


async def test_why_a_card_came_by_a_change_says_what_came_true(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as here:
        await here.say("sub state:new->accepted")
        here.rig.patchwork.set_state(await a_patch(here), "accepted")
        await here.rig.poll(here.bot, times=2)
        [card] = here.cards()

        assert await here.say("why", BOB, reply_to=card.event) == snapshot("""\
This card came because of:
• 1: state:new->accepted, added by @ann:hs on 2026-01-01 — state:new->accepted matches new->accepted\
""")


async def test_a_reply_is_about_what_its_card_is_about(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as here:
        await here.say("sub path:migration/ on:new,state")
        posted = here.rig.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="Fix", patches=2))
        await here.rig.poll(here.bot)
        here.rig.patchwork.set_state(posted.patches[0], "accepted")
        await here.rig.poll(here.bot, times=2)
        [reply] = replies(here)

        assert "Fix\n" in (await here.say("show", BOB, reply_to=reply.event))
