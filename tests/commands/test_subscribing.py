"""Subscribing in chat, from the words that are typed to the cards that come or do not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.sample_patchwork.request import Response
from support.people_rig import ANN, BOB, CHAT, People, a_rig, people
from support.rig import ROOM


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[People]:
    async with people(a_rig(tmp_path)) as here:
        yield here


async def test_a_subscription_is_echoed_with_its_undo_and_brings_what_arrives_from_then_on(here: People) -> None:
    await here.arrives("migration/a.c", name="Before")

    assert await here.say("sub dfn:/migration/ f:@example.org") == snapshot("""\
Subscribed, as 1: path:migration/ from:@example.org
I have not watched long enough to say how much this brings.
Undo: !pw unsub 1\
""")
    assert here.html.replace("<br>", "\n<br>") == snapshot("""\
<p>Subscribed, as 1: <code>path:migration/ from:@example.org</code>
<br>I have not watched long enough to say how much this brings.
<br>Undo: <code>!pw unsub 1</code></p>\
""")
    await here.arrives("migration/a.c", name="After")
    await here.arrives("docs/a.rst", name="Elsewhere")
    assert here.titles() == ["After"]


async def test_a_member_without_the_power_is_refused_and_nothing_is_changed(here: People) -> None:
    await here.say("sub path:migration/")

    refusals = [
        await here.say(text, BOB)
        for text in ("sub path:docs/", "unsub 1", "edit 1 path:docs/", "mute", "mute 1", "unmute", "set flood 5")
    ]

    assert refusals[0] == snapshot(
        """\
Only moderators may change what is posted here (power level 50; yours is 0).
Ask one of them, or subscribe for yourself: write to me in a direct chat.\
"""
    )
    assert set(refusals) == {refusals[0]}
    assert await here.say("subs", BOB) == snapshot("""\
This room has 1 subscription
• 1 · path:migration/ — nothing since today 00:00
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h\
""")
    assert "flood is 10" in await here.say("settings", BOB)


async def test_an_admin_of_the_bot_needs_no_power(here: People) -> None:
    here.rig.room_rights.admins = (BOB,)

    assert (await here.say("sub path:docs/", BOB)).startswith("Subscribed, as 1: path:docs/\n")


async def test_a_room_that_asks_for_less_is_obeyed(here: People) -> None:
    here.rig.room_rights.needed = 0

    assert (await here.say("sub path:docs/", BOB)).startswith("Subscribed, as 1: path:docs/\n")


async def test_an_ended_subscription_brings_nothing_more_and_its_undo_brings_it_back(here: People) -> None:
    await here.say('sub subject:"a, b" path:migration/')

    assert await here.say("unsub 1") == snapshot("""\
Subscription 1 has ended.
Undo: !pw sub subject:"a, b" path:migration/\
""")
    assert here.html.replace("<br>", "\n<br>") == snapshot("""\
<p>Subscription 1 has ended.
<br>Undo: <code>!pw sub subject:&quot;a, b&quot; path:migration/</code></p>\
""")
    await here.arrives("migration/a.c", name="[a, b] a, b: Unheard")
    assert here.titles() == []
    assert (await here.say('sub subject:"a, b" path:migration/')).startswith("Subscribed, as 2: ")
    await here.arrives("migration/a.c", name="a, b: Heard")
    assert here.titles() == ["a, b: Heard"]


async def test_an_edited_subscription_keeps_its_id_and_brings_what_it_says_now(here: People) -> None:
    await here.say("sub path:migration/")

    assert await here.say("edit 1 path:docs/") == snapshot("""\
Subscription 1 is now: path:docs/
I have not watched long enough to say how much this brings.
Undo: !pw edit 1 path:migration/\
""")
    await here.arrives("migration/a.c", name="Then")
    await here.arrives("docs/a.rst", name="Now")
    assert here.titles() == ["Now"]


async def test_a_mistake_in_a_query_is_pointed_at_and_nothing_is_changed(here: People) -> None:
    await here.say("sub path:migration/")

    assert await here.say("sub path:docs/ pth:hw/") == snapshot("""\
I cannot read this query, and nothing was changed:
path:docs/ pth:hw/
           ^^^^
pth: is not a key. Did you mean path:?\
""")
    assert here.html == snapshot("""\
<p>I cannot read this query, and nothing was changed:</p>
<pre><code>path:docs/ pth:hw/
           ^^^^
pth: is not a key. Did you mean path:?</code></pre>\
""")
    assert "I cannot read this query, and nothing was changed" in await here.say("edit 1 -path:docs/")
    assert "I cannot read this query, and nothing was changed" in await here.say("sub is:mine")
    assert (await here.say("subs")).count("•") == 1


async def test_what_may_be_meant_otherwise_is_told(here: People) -> None:
    assert await here.say("sub path:ram.c") == snapshot("""\
Subscribed, as 1: path:ram.c
I have not watched long enough to say how much this brings.
Note: path:ram.c is a file at the top of the tree; for any depth, use path:**/ram.c.
Undo: !pw unsub 1\
""")


async def test_a_project_or_a_server_that_is_not_watched_is_told(here: People) -> None:
    assert await here.say("sub project:qemu path:hw/") == snapshot("""\
Subscribed, as 1: project:qemu path:hw/
Note: project:qemu is not watched; did you mean project:qemu-devel?
Undo: !pw unsub 1\
""")
    assert "Note: server:ozlab is not watched; watched: sample." in await here.say("sub server:ozlab path:hw/")
    assert "is not watched" not in await here.say("sub project:QEMU-devel path:hw/")


async def test_a_star_by_itself_is_told_to_be_a_star(here: People) -> None:
    assert "Note: subject:* looks for a star" in await here.say("sub *")


async def test_the_same_query_twice_is_one_subscription(here: People) -> None:
    await here.say("sub path:migration/")
    await here.say("sub path:docs/")

    assert await here.say("sub dfn:/migration/") == snapshot("That is already subscription 1; nothing was changed.")
    assert await here.say("edit 2 path:migration/") == "That is already subscription 1; nothing was changed."


async def test_an_id_that_is_not_there_is_refused(here: People) -> None:
    assert await here.say("unsub 9") == snapshot("This room has no subscription 9.")


async def test_a_room_may_have_so_many_subscriptions_and_a_person_so_many(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:file/", per_person=1, per_room=2)) as here:
        for query in ("path:a/", "path:b/"):
            await here.say(f"sub {query}")
        await here.chat("sub path:a/")

        assert await here.say("sub path:c/") == snapshot(
            "The limit is 2, and this room has that many. To see them, type: !pw subs"
        )
        assert await here.chat("sub path:c/") == snapshot(
            "The limit is 1, and you have that many. To see them, type: subs"
        )
        await here.say("unsub 1")
        assert (await here.say("sub path:c/")).startswith("Subscribed")


async def test_the_list_tells_of_each_subscription_and_of_those_of_the_file(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "project:qemu-devel path:hw/")) as here:
        await here.say("sub path:migration/")
        await here.say("sub path:docs/")
        await here.say("mute 2 2h")

        assert await here.say("subs", BOB) == snapshot("""\
This room has 3 subscriptions
• 1 · path:migration/ — nothing since today 00:00
• config · project:qemu-devel path:hw/
⏸️ Muted:
• 2 · path:docs/ until today 02:00 (UTC)
Change: !pw edit 1 QUERY · !pw unsub 1 · !pw mute 1 2h
Those marked config are in the bot's configuration file, and are changed there.\
""")
        assert here.html == snapshot("""\
<p><strong>This room has 3 subscriptions</strong></p>
<ul>
<li><strong>1</strong> · <code>path:migration/</code> — nothing since today 00:00</li>
<li><strong>config</strong> · <code>project:qemu-devel path:hw/</code></li></ul>
<p>⏸️ Muted:</p>
<ul>
<li><strong>2</strong> · <code>path:docs/</code> until today 02:00 (UTC)</li></ul>
<p>Change: <code>!pw edit 1 QUERY</code> · <code>!pw unsub 1</code> · <code>!pw mute 1 2h</code><br>Those marked config are in the bot&#x27;s configuration file, and are changed there.</p>\
""")  # noqa: E501  # as it is said


async def test_an_empty_list_says_how_to_begin(here: People) -> None:
    assert await here.say("subs") == snapshot(
        "This room has no subscriptions. To begin, type for example: !pw sub path:drivers/net/"
    )
    assert await here.chat("subs") == snapshot(
        "You have no subscriptions. To begin, type for example: sub path:drivers/net/"
    )


async def test_in_a_direct_chat_subscriptions_are_a_persons_own_and_ring(here: People) -> None:
    assert await here.chat("sub path:migration/") == snapshot("""\
Subscribed, as 1: path:migration/
I have not watched long enough to say how much this brings.
Undo: unsub 1\
""")
    assert "no subscription 1" in await here.say("unsub 1")
    assert "no subscriptions" in await here.say("subs")
    await here.arrives("migration/a.c", name="For Bob")

    [card] = here.cards(CHAT)
    assert card.message.rings
    assert here.titles(ROOM) == []


async def test_another_person_cannot_touch_them_even_in_the_same_chat(here: People) -> None:
    await here.chat("sub path:migration/")

    assert await here.chat("unsub 1", ANN) == "You have no subscription 1."


async def test_the_expected_volume_is_what_came_lately(here: People) -> None:
    for number in range(6):
        await here.arrives("migration/a.c", name=f"Series {number}")
    here.rig.clock.advance(7 * 86_400)

    told = await here.say("sub path:migration/")

    assert told == snapshot("""\
Subscribed, as 1: path:migration/
About 6 series a week, counted since 2026-01-01.
Undo: !pw unsub 1\
""")
    assert "Nothing has matched since" in await here.say("sub path:docs/")


async def test_a_dry_run_counts_by_day_and_changes_nothing(here: People) -> None:
    for number in range(5):
        await here.arrives("migration/a.c", name=f"Series {number}")
        if number == 2:
            here.rig.clock.advance(86_400)

    assert await here.say("test path:migration/ 7d", BOB) == snapshot("""\
5 series in 7 days for path:migration/
By day: 2026-01-02: 2 · 2026-01-01: 3
• Series 4 <https://patchwork.example.org/project/qemu-devel/list/?series=5&state=*&archive=both> · Ada Sample · 2026-01-02 · qemu-devel
• Series 3 <https://patchwork.example.org/project/qemu-devel/list/?series=4&state=*&archive=both> · Ada Sample · 2026-01-02 · qemu-devel
• Series 2 <https://patchwork.example.org/project/qemu-devel/list/?series=3&state=*&archive=both> · Ada Sample · 2026-01-01 · qemu-devel
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.
Subscribe: !pw sub path:migration/\
""")  # noqa: E501  # as it is said
    assert here.html == snapshot("""\
<p><strong>5 series</strong> in 7 days for <code>path:migration/</code><br>By day: 2026-01-02: 2 · 2026-01-01: 3</p>
<ul>
<li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=5&amp;state=*&amp;archive=both">Series 4</a> · Ada Sample · 2026-01-02 · qemu-devel</li>
<li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=4&amp;state=*&amp;archive=both">Series 3</a> · Ada Sample · 2026-01-02 · qemu-devel</li>
<li><a href="https://patchwork.example.org/project/qemu-devel/list/?series=3&amp;state=*&amp;archive=both">Series 2</a> · Ada Sample · 2026-01-01 · qemu-devel</li></ul>
<p>Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.</p>
<p>Subscribe: <code>!pw sub path:migration/</code></p>\
""")  # noqa: E501  # as it is said
    assert "Nothing in 7 days for path:docs/" in await here.say("test path:docs/")
    assert "2 series in 12 hours" in await here.say("test path:migration/ 12h")
    assert "I cannot read this query" in await here.say("test pth:migration/")
    assert "180 days at most" in await here.say("test path:migration/ 900d")
    assert "no subscriptions" in await here.say("subs")
    await here.arrives("migration/a.c", name="Later")
    assert here.titles() == []


async def test_a_restart_keeps_what_was_subscribed_to(tmp_path: Path) -> None:
    rig = a_rig(tmp_path, "path:hw/")
    async with people(rig) as here:
        await here.say("sub path:migration/")
        await here.say("sub path:docs/")
        await here.say("mute 2")
    async with people(rig) as again:
        for path in ("migration/a.c", "docs/a.rst", "hw/a.c"):
            await again.arrives(path, name=path)

        assert again.titles() == ["migration/a.c", "hw/a.c"]


@pytest.mark.parametrize("command", ["sub maint:Block", "sub path:a -maint:Block", "edit 1 maint:ada@example.org"])
async def test_sections_are_not_asked_for_where_the_configuration_names_no_file(here: People, command: str) -> None:
    await here.say("sub path:docs/")

    assert await here.say(command) == snapshot("""\
maint: needs a MAINTAINERS file, and the bot's configuration has none for qemu-devel.
Its operator can add one: projects = [{name = "qemu-devel", maintainers = "path or URL"}]
Until then, name directories: path:drivers/net/\
""")
    assert "maint" not in await here.say("subs")


async def test_what_nobody_knows_and_that_no_card_is_to_be_expected_is_said(here: People) -> None:
    await here.arrives("migration/a.c", name="Before")

    assert await here.say("sub path:migraton/ on:state") == snapshot("""\
Subscribed, as 1: path:migraton/ on:state
Note: path:migraton/ matches no file that was seen so far; did you mean path:migration?
Note: this posts no new series, only such changes, with a card where there is none yet.
Undo: !pw unsub 1\
""")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("a" * 10_000, "A query of 10,000 characters; at most 2,000."),
        ("s:" + "z\u0301" * 500, "This term has 1000 characters; at most 256 are allowed."),
        (" OR ".join(f"path:a{number}/" for number in range(1_000)), "characters; at most 2,000."),
        (
            " ".join(f"-path:a{number:020}/" for number in range(60)) + " path:x",
            "too long for a chat: 1,200 bytes at most.",
        ),
        ("\u202epath:abc\u202c(", "Parentheses go around whole terms."),
        ('"never closed', "This quote is not closed."),
        ("path:a\x00", "Subscribed, as 1: path:a\ufffd"),
    ],
)
async def test_hostile_queries_get_a_clear_word_and_change_nothing(here: People, query: str, said: str) -> None:
    answer = await here.say(f"sub {query}")

    assert said in answer
    assert len(answer) < 1_500
    assert not set("\u202e\u202c\x00") & set(answer)


async def test_what_nobody_sees_is_not_part_of_a_query_and_an_undo_can_be_typed_back(here: People) -> None:
    echoed = await here.say("sub path:foo\u200bbar/ from:ada@roomkey.example")
    await here.say("unsub 1")
    again = await here.say(f"sub {echoed.partition('as 1: ')[2].partition(chr(10))[0]}")

    assert "path:foobar/ from:ada@\u2060roomkey.example" in echoed
    assert again.replace("as 2", "as 1").split("\n")[0] == echoed.split("\n")[0]
    assert [str(each.query) for each in here.bot.rooms.index.subscriptions] == ["path:foobar/ from:ada@roomkey.example"]


async def test_a_search_knows_whose_patches_are_mine(here: People) -> None:
    await here.arrives("migration/a.c", name="Found")

    assert "is:mine" in await here.chat("find is:mine")
    await here.chat("me ada@example.org")
    assert "Found" in await here.chat("find is:mine")


@pytest.mark.parametrize("newest", ["1.1", "1.2"])
async def test_comments_may_be_asked_for_of_a_server_without_comment_events(tmp_path: Path, newest: str) -> None:
    rig = a_rig(tmp_path)
    rig.patchwork.api_versions = tuple(version for version in ("1.0", "1.1", "1.2") if version <= newest)

    async with people(rig) as here:
        answer = await here.say("sub path:migration/ on:comment")
        edited = await here.say("edit 1 path:docs/ on:new,comment")

    assert answer.replace(newest, "1.2") == snapshot("""\
Subscribed, as 1: path:migration/ on:comment
Note: sample (API 1.2) does not announce comments. The bot looks for them 1, 2, 4, 8 and 16 hours after a change, then daily for 30 days, so they arrive late.
Note: this posts no new series, only such changes, with a card where there is none yet.
Undo: !pw unsub 1\
""")  # noqa: E501  # as it is said
    assert "path:docs/ on:new,comment" in edited
    assert f"sample (API {newest}) does not announce comments." in edited


async def test_comments_may_be_asked_for_of_a_server_that_is_not_known_yet(tmp_path: Path) -> None:
    rig = a_rig(tmp_path)
    rig.patchwork.fault = lambda _: Response(502, {"content-type": "text/html"}, b"")

    async with people(rig) as here:
        answer = await here.say("sub path:migration/ on:comment")

    assert answer.startswith("Subscribed, as 1:")


async def test_a_state_that_the_server_has_not_is_told_with_those_that_it_has(here: People) -> None:
    here.rig.patchwork.add_state("Mainlined")
    await here.rig.poll(here.bot, times=2)

    assert "Note: sample has no state acepted; did you mean state:accepted? Known: accepted, " in await here.say(
        "sub state:acepted"
    )
    assert "has no state" not in await here.say("sub state:accepted")
