# ruff: noqa: E501  # the answers as they are said
"""People who follow a submission, by a command or by a reaction to its card."""

import itertools
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.delivery.chat import PostedMessage
from bot.ids import EventId, RoomId, UserId
from bot.matrix.messages import EYES
from bot.matrix.session_memory import DatabaseSession
from bot.matrix.session_update import (
    DirectChatOpened,
    EventRedacted,
    MessageReceived,
    RoomBecameDirect,
    RoomLeft,
    RoomNoLongerDirect,
    SessionUpdate,
)
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries
from bot.store.inbox_book import InboxMessage
from bot.store.retention import delete_outdated
from support.people_rig import BOB, CHAT, People, a_rig, people
from support.rig import ROOM, Rig
from support.titles import title_of

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """The people's rig over each kind of database."""
    rig = a_rig(tmp_path)
    if request.param == "postgresql":
        rig.url = str(request.getfixturevalue("migrated_postgres_url"))
    return rig


async def arrived(here: People, version: int = 1, patches: int = 2) -> PostedSeries:
    """A version of a series arrives."""
    posted = here.rig.post("migration/ram.c", name="migration: Fix it", patches=patches, version=version)
    await here.rig.poll(here.bot)
    return posted


def in_chat(here: People, room: RoomId = CHAT) -> list[PostedMessage]:
    return [post for post in here.rig.chat.posted if post.room == room and post.message.edits is None]


def bodies(here: People, room: RoomId = CHAT) -> list[str]:
    return [post.message.body for post in in_chat(here, room)]


async def react(here: People, to: EventId, who: UserId = BOB, room: RoomId = ROOM) -> EventId:
    """Somebody reacts to a card with 👀; the event of the reaction."""
    event = EventId(f"$eyes{next(_numbers)}")
    await here.bot.receive(InboxMessage(room, event, who, "", here.rig.clock.now(), replies_to=to, reaction=EYES))
    await here.bot.settle()
    return event


async def test_what_somebody_follows_comes_to_their_chat_with_its_later_versions(rig: Rig) -> None:
    async with people(rig) as here:
        first = await arrived(here)
        answer = await here.chat(f"follow {first.series}")
        here.rig.patchwork.set_state(first.patches[0], "under-review")
        here.rig.patchwork.add_comment(first.patches[1], "Why not?")
        await here.rig.poll(here.bot, times=3)
        said = bodies(here)
        await arrived(here, version=2)

    assert answer == snapshot("""\
👀 You follow [0/2] migration: Fix it
Its state, checks that get worse, reviews, comments and later versions come here.
Undo: unfollow 1\
""")
    assert said[1:] == snapshot(
        [
            """\
👀 [0/2] migration: Fix it
New 1 of 2, Under Review 1 · no reviews yet
Ada Sample · 2 patches · +2 −2 in migration/
https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both
b4 shazam 20260101000000.1-0-ada@example.org\
""",
            """\
👀 Under Review, 1 of 2 patches (was New: 1/2)
💬 Rey Viewer on 2/2
> Why not?\
""",
        ]
    )
    assert bodies(here)[3:] == snapshot(
        [
            """\
🆕 [v2 0/2] migration: Fix it
New · no reviews yet
Ada Sample · 2 patches · +2 −2 in migration/
since v1 (less than a day): no patch changed
https://patchwork.example.org/project/qemu-devel/list/?series=2&state=*&archive=both
b4 shazam 20260101000400.3-0-ada@example.org\
"""
        ]
    )


def rig_without_chat(rig: Rig) -> Rig:
    """The same, but that nobody has a direct chat."""
    rig.direct = frozenset()
    return rig


async def withdraw(here: People, reaction: EventId, room: RoomId = ROOM) -> None:
    """Somebody takes a reaction back, as a sync writes it."""
    await DatabaseSession(here.bot.store, UserId("@bot:hs.example.org")).save(
        SessionUpdate("s1", (EventRedacted(room, reaction),))
    )
    await here.bot.settle()


async def change(here: People, posted: PostedSeries, state: str) -> None:
    """The state of a series changes, and who follows hears of it."""
    here.rig.patchwork.set_state(posted.patches[0], state)
    await here.rig.poll(here.bot, times=3)


async def carded(here: People, **more: int) -> tuple[PostedSeries, EventId]:
    """A series arrives that has a card in the room, and that card."""
    await here.say("sub path:migration/")
    posted = await arrived(here, **more)
    return posted, here.cards()[-1].event


async def test_a_reaction_means_follow_and_taking_it_back_unfollow(rig: Rig) -> None:
    async with people(rig) as here:
        posted, card = await carded(here)
        await here.chat("version")
        before = len(in_chat(here, ROOM))
        reaction = await react(here, card)
        confirmation = bodies(here)[-1]
        await change(here, posted, "under-review")
        heard = bodies(here)[-1]
        await withdraw(here, reaction)
        await change(here, posted, "accepted")

        assert bodies(here)[-1] == heard
        assert len(in_chat(here, ROOM)) == before
        assert await here.chat("follows") == snapshot("""\
You follow nothing yet. To begin, type for example: follow 2194095
Or react to a card with 👀. What happens to it then comes to your direct chat with me.\
""")
    assert confirmation == snapshot("""\
👀 You follow [0/2] migration: Fix it
Its state, checks that get worse, reviews, comments and later versions come here.
To end it: unfollow 1, or take your 👀 back.\
""")
    assert heard == snapshot("👀 Under Review, 1 of 2 patches (was New: 1/2)")


async def test_of_two_reactions_the_last_one_counts(rig: Rig) -> None:
    async with people(rig) as here:
        posted, card = await carded(here)
        await here.chat("version")
        first, second = await react(here, card), await react(here, card)
        said = len(in_chat(here))
        await withdraw(here, first)
        await change(here, posted, "under-review")
        assert len(in_chat(here)) == said + 2  # the card and its reply

        await withdraw(here, second)
        await change(here, posted, "accepted")

        assert len(in_chat(here)) == said + 2


async def test_a_reaction_that_is_taken_back_before_it_is_answered_does_nothing(rig: Rig) -> None:
    async with people(rig) as here:
        posted, card = await carded(here)
        await here.chat("version")
        said = len(in_chat(here))
        reaction = MessageReceived(ROOM, EventId("$r"), BOB, "", rig.clock.now(), replies_to=card, reaction=EYES)
        memory = DatabaseSession(here.bot.store, UserId("@bot:hs.example.org"))
        await memory.save(SessionUpdate("s1", (reaction, EventRedacted(ROOM, reaction.event))))
        await change(here, posted, "accepted")

        assert len(in_chat(here)) == said


async def test_a_reaction_to_what_is_not_the_bots_asks_for_nothing(rig: Rig) -> None:
    async with people(rig) as here:
        await here.chat("version")
        said = len(here.rig.chat.posted)
        reaction = MessageReceived(
            ROOM, EventId("$r"), BOB, "", rig.clock.now(), replies_to=EventId("$other"), reaction=EYES
        )
        await DatabaseSession(here.bot.store, UserId("@bot:hs.example.org")).save(SessionUpdate("s1", (reaction,)))
        await here.bot.settle()

        async with here.bot.store.reading() as tx:
            assert await tx.inbox.unanswered() == []
        assert len(here.rig.chat.posted) == said


async def test_who_has_no_chat_is_told_once_in_the_thread_and_follows_from_the_chat_on(rig: Rig) -> None:
    async with people(rig_without_chat(rig)) as here:
        posted, card = await carded(here)
        other = (await carded_again(here))[1]
        await react(here, card)
        await react(here, other)
        await react(here, card, UserId("@eve:hs"))
        hints = [post for post in here.rig.chat.posted if "👀" in post.message.body and post.message.thread]
        here.bot.rooms.direct.add(CHAT)
        await here.chat("version")
        await change(here, posted, "accepted")

    assert [hint.message.thread for hint in hints] == [card]
    assert hints[0].message.body == snapshot(
        "👀 means that you follow this. Its state, checks that get worse, reviews, comments and later versions come to your direct chat with me; if you have none, start one."
    )
    assert bodies(here)[-1] == "✅ Accepted, 1 of 2 patches (was New: 1/2)"


async def test_below_what_is_no_card_the_answer_begins_no_thread(rig: Rig) -> None:
    async with people(rig_without_chat(rig)) as here:
        posted = await arrived(here)
        await here.say(f"show {posted.series}")
        shown = here.answers[-1].event
        await react(here, shown)
        hint = in_chat(here, ROOM)[-1].message

    assert (hint.thread, hint.replies_to) == (None, shown)


async def test_a_chat_that_gets_a_third_member_or_that_the_bot_leaves_gets_no_news(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.chat(f"follow {posted.series}")
        memory = DatabaseSession(here.bot.store, UserId("@bot:hs.example.org"), here.bot.rooms.apply)
        await memory.save(SessionUpdate("s1", (RoomNoLongerDirect(CHAT),)))
        said = len(in_chat(here))
        await change(here, posted, "under-review")
        assert len(in_chat(here)) == said

        new = RoomId("!new:hs")
        await memory.save(SessionUpdate("s2", (DirectChatOpened(new, BOB), RoomBecameDirect(new))))
        await change(here, posted, "accepted")
        assert title_of(bodies(here, new)[0]) == "migration: Fix it"
        await memory.save(SessionUpdate("s3", (RoomLeft(new),)))
        await change(here, posted, "rejected")

        assert len(bodies(here, new)) == 2
        async with here.bot.store.reading() as tx:
            assert await tx.follows.chat_of(BOB) is None


async def test_housekeeping_forgets_what_is_no_longer_stored(rig: Rig) -> None:
    async with people(rig) as here:
        _, card = await carded(here)
        await here.chat("version")
        await react(here, card)
        await here.say("snooze 1 300d")
        await rig.pass_quietly(here.bot, 200 * 24 * 3600)
        await delete_outdated(here.bot.store)
        await delete_outdated(here.bot.store)

        async with here.bot.store.reading() as tx:
            assert await tx.follows.of(BOB) == []
            assert await tx.snoozes.of(ROOM) == []
            assert not await tx.follows.take_back(ROOM, card)


async def carded_again(here: People) -> tuple[PostedSeries, EventId]:
    """Another series arrives in the room."""
    posted = here.rig.post("migration/savevm.c", name="migration: Another")
    await here.rig.poll(here.bot)
    return posted, here.cards()[-1].event


async def test_follow_in_a_room_says_where_the_news_comes(rig: Rig) -> None:
    async with people(rig_without_chat(rig)) as here:
        posted, card = await carded(here)
        without = await here.say("follow", BOB, reply_to=card)
        twice = await here.say(f"follow {posted.series}", BOB)
        ended = await here.say("unfollow", BOB, thread=card)
        again = await here.say("unfollow", BOB, thread=card)
        here.bot.rooms.direct.add(CHAT)
        await here.chat("version")
        with_chat = await here.say("follow", BOB, reply_to=card)

    assert without == snapshot("""\
👀 You follow [0/2] migration: Fix it
Its state, checks that get worse, reviews, comments and later versions come to a direct chat with me. You have none: start one, and they come there from then on.
Undo: !pw unfollow 1\
""")
    assert twice == snapshot("You follow that already; nothing was changed.")
    assert ended == snapshot("""\
You no longer follow [0/2] migration: Fix it
Undo: !pw follow 1\
""")
    assert again == snapshot("You do not follow that. What you follow: !pw follows")
    assert with_chat == snapshot("""\
👀 You follow [0/2] migration: Fix it
Its state, checks that get worse, reviews, comments and later versions come to your direct chat with me.
Undo: !pw unfollow 1\
""")


async def test_what_gets_no_worse_is_not_told(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here, patches=1)
        await here.chat(f"follow {posted.series}")
        said = len(in_chat(here))
        for state in ("pending", "success"):
            here.rig.patchwork.add_check(posted.patches[0], NewCheck(state))
            await here.rig.poll(here.bot, times=3)
        assert len(in_chat(here)) == said

        here.rig.patchwork.add_check(posted.patches[0], NewCheck("fail"))
        await here.rig.poll(here.bot, times=3)

        assert bodies(here)[-1] == snapshot("❌ build: failed")


async def test_a_muted_chat_hears_nothing_of_what_is_followed(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.chat(f"follow {posted.series}")
        await here.chat("mute 2h")
        said = len(in_chat(here))
        await change(here, posted, "accepted")
        await arrived(here, version=2)
        assert len(in_chat(here)) == said

        rig.clock.advance(2 * 3600)
        await change(here, posted, "rejected")
        await arrived(here, version=3)

    assert [title_of(body) for body in bodies(here)[said:]] == ["[v3] migration: Fix it"]


async def test_a_card_that_a_subscription_brought_hears_of_what_is_followed_and_why_names_both(rig: Rig) -> None:
    async with people(rig) as here:
        await here.chat("sub path:migration/")
        posted = await arrived(here)
        [card] = here.cards(CHAT)
        await here.say("follow", BOB, CHAT, reply_to=card.event)
        await change(here, posted, "accepted")
        heard = bodies(here)[-1]
        await arrived(here, version=2)
        new = [card for card in here.cards(CHAT) if card.message.edits is None][-1]

        assert heard == "✅ Accepted, 1 of 2 patches (was New: 1/2)"
        assert len([card for card in here.cards(CHAT) if card.message.edits is None]) == 2
        assert await here.say("why", BOB, CHAT, reply_to=new.event) == snapshot("""\
This card came because of:
• you follow it
• 1: path:migration/, added by @bob:hs on 2026-01-01 — path:migration/ matches migration/ram.c\
""")


async def test_the_number_of_a_row_is_no_id_of_what_is_followed(rig: Rig) -> None:
    async with people(rig) as here:
        first, second = [here.rig.post("docs/index.rst", name=f"docs: Part {number}") for number in (1, 2)]
        await here.rig.poll(here.bot)
        await here.chat(f"follow {first.series}")
        listed = await here.chat("find subject:Part")

        assert [first.series, second.series] == [1, 2]
        assert listed.index("#1 ") < listed.index("docs: Part 2") < listed.index("#2 ")  # the newest first
        assert (await here.chat("unfollow #1")).startswith("You do not follow that.")
        assert (await here.chat("unfollow #2")).startswith("You no longer follow docs: Part 1")


async def test_the_list_shows_the_newest_version_and_goes_on_where_it_ends(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.chat(f"follow {posted.series}")
        await arrived(here, version=2)
        listed = await here.chat("follows")
        html = here.html
        for number in range(31):
            series = here.rig.post("docs/index.rst", name=f"docs: Part {number}")
            await here.rig.poll(here.bot)
            await here.chat(f"follow {series.series}")

        assert (await here.chat("follows")).splitlines()[-3:] == snapshot(
            ["… and 2 more: follows 31", "Changes and later versions come here.", "End one: unfollow 2"]
        )
        assert "docs: Part 30" in await here.chat("follows 31")
        assert (await here.chat("unfollow 2")).startswith("You no longer follow [v2 0/2] migration: Fix it")
    assert listed == snapshot("""\
You follow 1 submission
• 2 · [v2 0/2] migration: Fix it · New
Changes and later versions come here.
End one: unfollow 2\
""")
    assert html == snapshot("""\
<p><strong>You follow 1 submission</strong></p>
<ul>
<li><strong>2</strong> · <a href="https://patchwork.example.org/project/qemu-devel/list/?series=2&amp;state=*&amp;archive=both">[v2 0/2] migration: Fix it</a> · New</li></ul>
<p>Changes and later versions come here.<br>End one: <code>unfollow 2</code></p>\
""")


async def test_a_restart_keeps_what_is_followed_and_a_rebuilt_server_does_not(rig: Rig) -> None:
    async with people(rig) as here:
        posted = await arrived(here)
        await here.chat(f"follow {posted.series}")
    async with people(rig) as here:
        await change(here, posted, "accepted")
        assert bodies(here)[-1] == "✅ Accepted, 1 of 2 patches (was New: 1/2)"
        rig.rebuild_patchwork()
        await rig.poll(here.bot, times=3)

        assert await here.chat("follows") != ""
        async with here.bot.store.reading() as tx:
            assert await tx.follows.of(BOB) == []


async def test_a_query_is_no_submission_and_what_is_not_stored_is_not_followed(rig: Rig) -> None:
    rig.post("docs/index.rst", name="docs: Old")
    async with people(rig) as here:
        answers = [await here.chat(line) for line in ("follow path:docs/", "follow", "follow 1", "unfollow 7")]

    assert answers == snapshot(
        [
            "follow is about one patch or series. To post each new series that matches, type: sub path:docs/",
            """\
Which one? Name it, or type this in reply to a card.
Example: follow 2194095\
""",
            "docs: Old came before I began to watch qemu-devel, or just now: I would not see what happens to it.",
            "There is no patch or series 7 on sample.",
        ]
    )
