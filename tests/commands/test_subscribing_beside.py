"""Muting, settings, addresses, reasons, exports, and what admins ask."""

import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.config import RoomSettings
from support.people_rig import ANN, BOB, CHAT, OPS, People, a_rig, people
from support.rig import ROOM

pytestmark = pytest.mark.slow


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[People]:
    async with people(a_rig(tmp_path)) as here:
        yield here


# mute, unmute


async def test_a_muted_subscription_is_not_told_and_is_told_again_later(here: People) -> None:
    await here.say("sub path:migration/")
    await here.say("sub path:docs/")

    assert await here.say("mute 1 2h") == snapshot("""\
Subscription 1 is muted until today 02:00 (UTC).
What arrives until then is not posted, not even later.
Undo: !pw unmute 1\
""")
    assert here.html == snapshot("""\
<p>Subscription 1 is muted until today 02:00 (UTC).<br>What arrives until then is not posted, not even later.<br>\
Undo: <code>!pw unmute 1</code></p>\
""")
    await here.arrives("migration/a.c", name="Muted")
    await here.arrives("docs/a.rst", name="Not muted")
    here.rig.clock.advance(7_200)
    await here.arrives("migration/b.c", name="Later")
    assert here.titles() == ["Not muted", "Later"]


async def test_a_muted_room_is_silent_until_it_is_unmuted(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:hw/")) as here:
        await here.say("sub path:migration/")

        assert await here.say("mute") == snapshot("""\
Everything in this room is muted until it is unmuted.
What arrives until then is not posted, not even later.
Undo: !pw unmute\
""")
        await here.arrives("migration/a.c", name="Muted")
        await here.arrives("hw/a.c", name="Muted too")
        assert "is muted until it is unmuted" in await here.say("subs")
        assert await here.say("unmute") == snapshot("""\
Everything in this room is no longer muted; what arrives from now on is posted.
Undo: !pw mute\
""")
        await here.arrives("hw/b.c", name="Heard")
        assert here.titles() == ["Heard"]


async def test_the_undo_of_a_mute_is_what_held_before(here: People) -> None:
    await here.say("sub path:migration/")

    undos = [
        (await here.say(text)).rpartition("Undo: !pw ")[2]
        for text in ("mute 1 2h", "mute 1 3d", "mute 1", "unmute 1", "mute 1 90m", "unmute 1")
    ]

    assert undos == ["unmute 1", "mute 1 2h", "mute 1 3d", "mute 1", "unmute 1", "mute 1 90m"]
    assert await here.say("unmute 1") == "Subscription 1 is not muted; nothing was changed."


# set, settings


async def test_settings_are_listed_with_what_they_may_be(here: People) -> None:
    assert await here.say("settings", BOB) == snapshot("""\
• project is none — the project that queries without "project:" are about (the name of a project, or none)
• mode is card — how new series are shown (card, or compact (two lines))
• timezone is UTC — the zone of all times that I show or am told here (a name such as Europe/Berlin)
• flood is 10 — more new series than this at once become one message with a list (1 to 100000, or 0 for never)
• unfurl is on — whether I answer links to patches that people paste with a line about each (on or off)
Change one: !pw set timezone Europe/Berlin\
""")
    assert "notify is on — whether cards notify" in await here.chat("settings")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "project QEMU-devel",
            snapshot("""\
project is now qemu-devel (was none).
Undo: !pw set project none\
"""),
        ),
        (
            "mode compact",
            snapshot("""\
mode is now compact (was card).
Undo: !pw set mode card\
"""),
        ),
        (
            "timezone europe/berlin",
            snapshot("""\
timezone is now Europe/Berlin (was UTC).
Undo: !pw set timezone UTC\
"""),
        ),
        (
            "flood 0",
            snapshot("""\
flood is now 0 (was 10).
Undo: !pw set flood 10\
"""),
        ),
        ("project qemu-dev", snapshot("There is no watched project “qemu-dev”. Did you mean “qemu-devel”?")),
        ("mode loud", snapshot("mode is card or compact, not “loud”.")),
        ("timezone Europe/Berln", snapshot("There is no time zone “Europe/Berln”. Did you mean “Europe/Berlin”?")),
        ("flood many", snapshot("flood is a number from 0 to 100000, not “many”.")),
        ("flood 100001", snapshot("flood is a number from 0 to 100000, not “100001”.")),
        ("notify off", snapshot("notify only applies to direct chats; cards in rooms never notify.")),
        ("fold 5", snapshot("There is no setting “fold”. Did you mean “flood”?")),
    ],
)
async def test_a_setting_is_checked_and_its_undo_is_what_it_was(here: People, text: str, told: str) -> None:
    assert await here.say(f"set {text}") == told


async def test_a_setting_is_kept_and_goes_back_by_its_undo(here: People) -> None:
    await here.say("set flood 5")

    assert (await here.say("set flood 7")).endswith("Undo: !pw set flood 5")
    assert "flood is 7" in await here.say("settings")


async def test_queries_without_a_project_are_about_the_rooms(tmp_path: Path) -> None:
    rig = a_rig(tmp_path)
    rig.projects = ("qemu-devel", "linux")
    rig.patchwork.add_project("linux")
    async with people(rig) as here:
        await here.say("sub path:a/")
        await here.say("sub path:b/ project:linux")

        await here.say("set project qemu-devel")
        for project, path in (("qemu-devel", "a/1.c"), ("linux", "a/1.c"), ("linux", "b/1.c")):
            await here.arrives(path, name=f"{project} {path}", project=project)
        assert here.titles() == ["qemu-devel a/1.c", "linux b/1.c"]
        assert await here.say("sub path:c/") == snapshot("""\
Subscribed, as 3: path:c/
In qemu-devel, the project that is set here.
I have not watched long enough to say how much this brings.
Undo: !pw unsub 3\
""")
        assert "path:a/" in await here.say("subs")

        await here.say("set project none")
        await here.arrives("a/2.c", name="linux a/2.c", project="linux")
        assert here.titles()[2:] == ["linux a/2.c"]


async def test_a_direct_chat_can_be_quiet(here: People) -> None:
    await here.chat("sub path:migration/")

    assert await here.chat("set notify off") == snapshot("""\
notify is now off (was on).
Undo: set notify on\
""")
    await here.arrives("migration/a.c", name="Quiet")
    await here.chat("set notify on")
    await here.arrives("migration/b.c", name="Loud")

    assert [card.message.rings for card in here.cards(CHAT)] == [False, True]


# me


async def test_mine_is_what_comes_from_the_addresses_that_are_told(here: People) -> None:
    assert await here.chat("me") == snapshot("You have no addresses. To add one, type for example: me jane@example.org")
    assert await here.chat("me Bob@Example.org") == snapshot("""\
bob@example.org is now one of your addresses: is:mine matches patches from it.
Subscribed, as 1: is:mine on:state,check,comment
Note: this posts no new series, only such changes, with a card where there is none yet.
Undo: me forget bob@example.org\
""")
    assert await here.chat("me bob@home.example") == snapshot("""\
bob@home.example is now one of your addresses: is:mine matches patches from it.
Undo: me forget bob@home.example\
""")
    assert await here.chat("me") == snapshot("""\
is:mine matches patches from:
• bob@example.org
• bob@home.example\
""")
    await here.chat("edit 1 is:mine")  # which hears of what arrives, too
    for name, submitter in (("One", "bob@example.org"), ("Two", "bob@home.example"), ("Other", "eve@example.org")):
        await here.arrives("a.c", name=name, submitter=f"Bob <{submitter}>")
    assert here.titles(CHAT) == ["One", "Two"]

    assert await here.chat("me forget bob@example.org") == snapshot("""\
bob@example.org is no longer one of your addresses.
Undo: me bob@example.org\
""")
    await here.arrives("a.c", name="Three", submitter="Bob <bob@example.org>")
    await here.arrives("a.c", name="Four", submitter="Bob <bob@home.example>")
    assert here.titles(CHAT) == ["One", "Two", "Four"]

    assert await here.chat("me forget bob@home.example") == snapshot("""\
bob@home.example is no longer one of your addresses.
You have no addresses left, so is:mine matches nothing.
Undo: me bob@home.example\
""")
    await here.arrives("a.c", name="Five", submitter="Bob <bob@home.example>")
    assert here.titles(CHAT) == ["One", "Two", "Four"]


async def test_addresses_are_told_in_a_direct_chat_only(here: People) -> None:
    assert await here.say("me ann@example.org") == snapshot(
        "Your addresses are between you and me: type that in a direct chat."
    )
    assert (
        await here.chat("me forget eve@example.org")
        == "eve@example.org is not one of your addresses; nothing was changed."
    )
    await here.chat("me bob@example.org")
    assert (await here.chat("me BOB@example.org")).endswith("is one of your addresses already; nothing was changed.")


# why


async def test_a_card_tells_why_it_came(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/ram.c")) as here:
        await here.say("sub path:migration/ from:ada")
        await here.say("sub path:docs/")
        await here.say("sub subject:Fix")
        await here.arrives("migration/ram.c", "docs/ram.rst", name="Fix it")
        [card] = here.cards()

        assert await here.say("why", BOB, reply_to=card.event) == snapshot("""\
This card came because of:
• 1: path:migration/ from:ada, added by @ann:hs on 2026-01-01 — path:migration/ matches migration/ram.c; from:ada matches Ada Sample
• 2: path:docs/, added by @ann:hs on 2026-01-01 — path:docs/ matches docs/ram.rst
• 3: subject:Fix, added by @ann:hs on 2026-01-01 — subject:Fix matches Fix it
• config: path:migration/ram.c, from the configuration file — path:migration/ram.c matches migration/ram.c\
""")  # noqa: E501  # as it is said
        assert here.html == snapshot("""\
<p>This card came because of:</p>
<ul>
<li>1: <code>path:migration/ from:ada</code>, added by @ann:hs on 2026-01-01 — path:migration/ matches migration/ram.c; from:ada matches Ada Sample</li>
<li>2: <code>path:docs/</code>, added by @ann:hs on 2026-01-01 — path:docs/ matches docs/ram.rst</li>
<li>3: <code>subject:Fix</code>, added by @ann:hs on 2026-01-01 — subject:Fix matches Fix it</li>
<li>config: <code>path:migration/ram.c</code>, from the configuration file — path:migration/ram.c matches migration/ram.c</li></ul>\
""")  # noqa: E501  # as it is said
        await here.say("unsub 2")
        assert "• subscription 2, which has ended — path:docs/" in await here.say("why", BOB, thread=card.event)


async def test_why_needs_a_card(here: People) -> None:
    assert await here.say("why") == snapshot(
        "Reply to a card with that, or type it in its thread: then I can say which subscription brought it."
    )


# export


async def test_an_export_is_what_the_configuration_file_takes(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:hw/")) as here:
        await here.say('sub subject:"say \\"hi\\"" path:migration/')
        await here.say("set project qemu-devel")
        await here.say("set flood 5")
        await here.chat("me bob@example.org")

        exported = await here.say("export", BOB)
        assert exported == snapshot("""\
[[room]]
room = "!room:hs"
subscribe = [
    "path:hw/",
    "project:qemu-devel subject:\\"say \\\\\\"hi\\\\\\"\\" path:migration/",
]
flood = 5\
""")
        [room] = tomllib.loads(exported)["room"]
        assert RoomSettings(**room).flood == 5
        assert await here.chat("export") == snapshot("""\
[[room]]
room = "!chat:hs"
subscribe = [
    "from:bob@example.org on:state,check,comment",
]\
""")


async def test_a_long_export_ends_with_what_brings_the_rest(here: People) -> None:
    for number in range(80):
        await here.say(f"sub path:{'directory' * 4}{number}/")

    parts, command = [], "export"
    while command:
        exported = await here.say(command)
        more = re.search(r"\n… and \d+ more: .*(export \d+)", exported)
        parts.append(exported[: more.start()] if more else exported)
        command = more[1] if more else ""

    assert len(parts) > 1
    assert len(tomllib.loads("\n".join(parts))["room"][0]["subscribe"]) == 80


# rooms, leave


async def test_admins_see_the_rooms_and_nobody_else_does(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:hw/")) as here:
        await here.say("sub path:a/")
        await here.chat("sub path:a/")
        await here.chat("sub path:b/")

        assert await here.say("rooms", ANN) == "That is only for the bot's admins."
        assert await here.say("leave #room:hs", ANN) == "That is only for the bot's admins."
        assert await here.say("rooms", OPS) == snapshot("""\
Rooms with their subscriptions:
• #room:hs (!room:hs) — 2 subscriptions
In direct chats: 1 person with 2 subscriptions.\
""")


async def test_a_room_that_is_left_keeps_its_subscriptions_and_is_told_nothing(here: People) -> None:
    await here.say("sub path:migration/")

    assert await here.chat("leave #room:hs", OPS) == snapshot(
        """\
Left #room:hs.
1 subscription there will go on when I am invited again.\
"""
    )
    await here.arrives("migration/a.c", name="Unheard")

    assert here.titles() == []
    assert here.rig.room_rights.joined == {}
    assert await here.chat("rooms", OPS) == snapshot("""\
Rooms with their subscriptions:
• !room:hs — 1 subscription, suspended: I am not in this room, or may not post there
In direct chats: no subscriptions.\
""")


async def test_a_room_of_the_configuration_file_is_not_left(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:hw/")) as here:
        assert await here.chat("leave #room:hs", OPS) == snapshot(
            "#room:hs is in the configuration file, so I would come back: remove it there first."
        )
        assert ROOM in here.rig.room_rights.joined


async def test_one_that_is_told_again_in_a_muted_room_is_said_to_wait_for_the_room(here: People) -> None:
    await here.say("sub path:migration/")
    await here.say("mute 1")
    await here.say("mute 2h")

    told = await here.say("unmute 1")

    assert told.startswith("Subscription 1 is no longer muted by itself, but everything here is, until ")


async def test_the_undo_of_a_very_long_mute_can_be_typed(here: People) -> None:
    await here.say("sub path:migration/")
    await here.say("mute 1 20w")
    here.rig.clock.advance(300)

    undo = (await here.say("mute 1 2h")).partition("Undo: !pw ")[2]

    assert undo.endswith("h")
    assert "is muted until" in await here.say(undo)
