# ruff: noqa: E501  # the answers as they are said
"""The first message in a room, and what the bot proposes there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.commands.proposal import KnownTree, fitting_query
from bot.commands.rights import RoomText
from bot.ids import ProjectName, RoomId, ServerName, UserId
from bot.store.inbox_book import ARRIVAL, InboxMessage
from support.conversation import CHAT, MEMBER, MODERATOR, Conversation, conversation
from support.rig import ROOM

NEW_ROOM = RoomId("!new:hs")
TREE = KnownTree(
    ServerName("sample"),
    ProjectName("qemu-devel"),
    ("Migration", "VirtIO", "virtio sound", "The REST"),
    frozenset({"migration", "hw", "hw/virtio", "hw/net", "docs"}),
)


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Conversation]:
    async with conversation(tmp_path) as talk:
        yield talk


async def welcomed(talk: Conversation, room: RoomId, inviter: UserId) -> str:
    """What the bot says when it has come into a room."""
    before = len(talk.rig.chat.posted)
    await talk.bot.receive(InboxMessage(room, ARRIVAL, inviter, "", talk.rig.clock.now()))
    await talk.bot.settle()
    [post] = talk.rig.chat.posted[before:]
    assert (post.message.tag.kind, post.message.tag.key) == ("welcome", f"welcome/{room}")
    assert post.message.replies_to is None
    return post.message.body


async def test_a_room_is_told_how_to_begin_with_what_its_name_suggests(talk: Conversation) -> None:
    talk.rig.room_rights.joined[NEW_ROOM] = "#qemu-migration:hs"

    assert await welcomed(talk, NEW_ROOM, MODERATOR) == snapshot("""\
👋 Hello, I post patches from Patchwork here (qemu-devel).
1. Choose: !pw sub maint:Migration — or try it first: !pw test maint:Migration 7d
2. Each new series is one message; what happens to it goes into its thread.
3. Look one up: !pw show with a lore or Patchwork link.
!pw sub maint:Migration is about 5 series a week (this room's name fits the section “Migration” of MAINTAINERS)
Moderators may change what is posted · !pw help for more · write to me directly for your own patches\
""")
    assert talk.rig.chat.posted[-1].message.html == snapshot(
        '<p>👋 <strong>Hello, I post patches from Patchwork here</strong> (<a href="https://patchwork.example.org/project/qemu-devel/list/?state=*&amp;archive=both">qemu-devel</a>).</p><ol><li>Choose: <code>!pw sub maint:Migration</code> — or try it first: <code>!pw test maint:Migration 7d</code></li><li>Each new series is one message; what happens to it goes into its thread.</li><li>Look one up: <code>!pw show</code> with a lore or Patchwork link.</li></ol><p><code>!pw sub maint:Migration</code> is about 5 series a week (this room&#x27;s name fits the section “Migration” of MAINTAINERS)<br>Moderators may change what is posted · <code>!pw help</code> for more · write to me directly for your own patches</p>'
    )


async def test_a_room_whose_name_says_nothing_gets_an_example_and_no_guess(talk: Conversation) -> None:
    talk.rig.room_rights.joined[NEW_ROOM] = "#lounge:hs"

    assert await welcomed(talk, NEW_ROOM, MODERATOR) == snapshot("""\
👋 Hello, I post patches from Patchwork here (qemu-devel).
1. Choose: !pw sub path:drivers/net/ — or try it first: !pw test path:drivers/net/ 7d
2. Each new series is one message; what happens to it goes into its thread.
3. Look one up: !pw show with a lore or Patchwork link.
Moderators may change what is posted · !pw help for more · write to me directly for your own patches\
""")


async def test_a_direct_chat_is_welcomed_without_the_prefix(talk: Conversation) -> None:
    assert await welcomed(talk, CHAT, MEMBER) == snapshot("""\
👋 Hello, I tell you about patches from Patchwork (qemu-devel).
1. Your own patches: me ada@example.org — you hear what happens to them.
2. Choose: sub path:drivers/net/ — or try it first: test path:drivers/net/ 7d
3. Look one up: paste a lore or Patchwork link.
What you choose here is yours alone · help for more\
""")
    assert talk.rig.chat.posted[-1].message.rings


async def test_where_there_are_subscriptions_already_the_bot_is_back(talk: Conversation) -> None:
    await talk.ask("!pw sub path:migration/", MODERATOR, ROOM)
    await talk.ask("!pw sub path:hw/", MODERATOR, ROOM)
    await talk.ask("sub path:docs/", MEMBER, CHAT)

    assert await welcomed(talk, ROOM, MODERATOR) == snapshot(
        "👋 I am back, with your 2 subscriptions. !pw subs lists what comes here."
    )
    assert await welcomed(talk, CHAT, MEMBER) == snapshot(
        "👋 I am back, with your subscription. subs lists what comes here."
    )


async def test_a_room_without_subscriptions_is_told_the_proposal_again_by_subs(talk: Conversation) -> None:
    assert await talk.ask("!pw subs", MODERATOR, ROOM) == snapshot("""\
This room has no subscriptions. A proposal:
!pw sub maint:Migration is about 5 series a week (this room's name fits the section “Migration” of MAINTAINERS)\
""")


@pytest.mark.parametrize(
    ("name", "topic", "query"),
    [
        ("QEMU Migration", "", "maint:Migration"),
        ("#qemu-migration:example.org", "", "maint:Migration"),
        ("qemu", "All about migration.", "maint:Migration"),
        ("virtio sound", "", 'maint:"virtio sound"'),
        ("virtio", "", "maint:VirtIO"),
        ("docs of qemu", "", "path:docs/"),
        ("hw net", "", "path:hw/net/"),
        ("Net people", "", "path:hw/net/"),
        ("The rest", "", None),
        ("migration and virtio", "", None),
        ("lounge", "", None),
        ("", "", None),
    ],
)
def test_what_a_name_or_a_topic_suggests(name: str, topic: str, query: str | None) -> None:
    fit = fitting_query(RoomText(name, topic), [TREE])

    assert (str(fit[0]) if fit else None) == query


def test_with_several_projects_the_proposal_names_one() -> None:
    other = KnownTree(ServerName("sample"), ProjectName("linux"), ("Networking",), frozenset({"net"}))

    fit = fitting_query(RoomText("migration"), [TREE, other])

    assert fit is not None
    assert str(fit[0]) == "project:qemu-devel maint:Migration"
