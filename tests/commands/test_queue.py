# ruff: noqa: E501  # the answers as they are said
"""`queue` in rooms and direct chats: what is open, whose turn it is, and why; by the whole pipeline."""

import re
from collections.abc import Sequence
from pathlib import Path

from inline_snapshot import snapshot

from bot.ids import ServerName
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries
from bot.store.token_book import StoredToken
from support.people_rig import BOB, CHAT, People, a_rig, people

DAY = 24 * 3600
REVIEW = "Looks good.\n\nReviewed-by: Rey Viewer <rey@example.com>\n"
SERVER = ServerName("sample")


def short(text: str) -> str:
    """*text* with short addresses."""
    series = re.sub(r"https://\S+?/list/\?series=(\d+)[^\s\">]*", r"SERIES/\1", text)
    return re.sub(r"https://\S+?/patch/[^\s\">]+", "PATCH", series)


def post(talk: People, path: str, name: str, *, patches: int = 1, version: int = 1) -> PostedSeries:
    return talk.rig.post(path, name=name, patches=patches, version=version)


async def days(talk: People, number: float) -> None:
    await talk.rig.poll(talk.bot, times=2)
    await talk.rig.pass_quietly(talk.bot, number * DAY)
    await talk.rig.poll(talk.bot)


async def the_usual(talk: People) -> dict[str, PostedSeries]:
    """A series in each section, of different ages, and some that are in none; comments are read for the queue."""
    await talk.say("queue")
    posted = {name: post(talk, "migration/ram.c", name, patches=2) for name in ("silent", "failing", "asked")}
    await days(talk, 1)
    posted |= {name: post(talk, "migration/ram.c", name) for name in ("ready", "answered", "waiting", "closed")}
    posted["old"] = post(talk, "migration/dirty.c", "migration: Track dirty pages in a bitmap")
    posted["elsewhere"] = post(talk, "docs/index.rst", "elsewhere")
    await days(talk, 1)
    posted["new"] = post(talk, "migration/dirty.c", "migration: Track dirty pages in a bitmap", version=2)
    server = talk.rig.patchwork
    server.add_check(posted["failing"].patches[1], NewCheck("fail", "ci/build_32bit"))
    server.add_comment(posted["asked"].patches[0], "Why?\n", submitter="Peter Xu <peterx@example.com>")
    server.add_comment(posted["ready"].patches[0], REVIEW)
    server.add_comment(posted["answered"].patches[0], "Why?\n", submitter="Peter Xu <peterx@example.com>")
    server.set_state(posted["waiting"].patches[0], "changes-requested")
    server.set_state(posted["closed"].patches[0], "accepted")
    await days(talk, 1)
    server.add_comment(posted["answered"].patches[0], "Because.\n", submitter="Ada Sample <ada@example.org>")
    await days(talk, 2)
    await talk.rig.poll(talk.bot, times=3)
    talk.rig.patchwork.requests.clear()
    return posted


async def test_a_room_sees_what_its_subscriptions_match_by_whose_turn_it_is(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/", "subject:ready")) as talk:
        await the_usual(talk)

        answer = short(await talk.say("queue"))

        assert answer == snapshot("""\
Queue: 1 failing, 2 waiting for the author, 1 ready, 3 to be reviewed
Failing
• #1 [0/2] failing <SERIES/2> · Ada Sample · 5 days old · CI: build_32bit
Waiting for the author
• #2 waiting <SERIES/6> · Ada Sample · 4 days old · Changes Requested
• #3 [0/2] asked <SERIES/3> · Ada Sample · 5 days old · Peter Xu replied 3 days ago
Ready
• #4 ready <SERIES/4> · Ada Sample · 4 days old · reviewed
Needs review
• #5 [0/2] silent <SERIES/1> · Ada Sample · 5 days old · no reply for 5 days
• #6 [v2] migration: Track dirty pages in a bitmap <SERIES/10> · Ada Sample · 3 days old · no reply for 3 days
• #7 answered <SERIES/5> · Ada Sample · 4 days old · author answered 2 days ago\
""")
        assert short(talk.html) == snapshot("""\
<p><strong>Queue: 1 failing, 2 waiting for the author, 1 ready, 3 to be reviewed</strong><br><strong>Failing</strong></p>
<ul>
<li>#1 <a href="SERIES/2">[0/2] failing</a> · Ada Sample · 5 days old · <strong>CI: build_32bit</strong></li></ul>
<p><strong>Waiting for the author</strong></p>
<ul>
<li>#2 <a href="SERIES/6">waiting</a> · Ada Sample · 4 days old · <strong>Changes Requested</strong></li>
<li>#3 <a href="SERIES/3">[0/2] asked</a> · Ada Sample · 5 days old · <strong>Peter Xu replied 3 days ago</strong></li></ul>
<p><strong>Ready</strong></p>
<ul>
<li>#4 <a href="SERIES/4">ready</a> · Ada Sample · 4 days old · <strong>reviewed</strong></li></ul>
<p><strong>Needs review</strong></p>
<ul>
<li>#5 <a href="SERIES/1">[0/2] silent</a> · Ada Sample · 5 days old · <strong>no reply for 5 days</strong></li>
<li>#6 <a href="SERIES/10">[v2] migration: Track dirty pages in a bitmap</a> · Ada Sample · 3 days old · <strong>no reply for 3 days</strong></li>
<li>#7 <a href="SERIES/5">answered</a> · Ada Sample · 4 days old · <strong>author answered 2 days ago</strong></li></ul>\
""")
        assert {path for _, path, _ in talk.rig.patchwork.requests} == {"/api/1.3/events/"}  # of the polls


NARROWED: Sequence[tuple[str, Sequence[str]]] = [
    ("failing", ["failing"]),
    ("needs review", ["silent", "migration: Track dirty pages in a bitmap", "answered"]),
    ("turn:author", ["waiting", "asked"]),
    ("turn:author asked", ["asked"]),
    ("-turn:review subject:/^[a-r]/", ["failing", "asked", "ready"]),
    ("turn:ready OR subject:silent", ["ready", "silent"]),
    ("path:docs/", []),
    ("state:changes-requested", ["waiting"]),
    ("failing 1", ["failing"]),
    (
        "page 1",
        ["failing", "waiting", "asked", "ready", "silent", "migration: Track dirty pages in a bitmap", "answered"],
    ),
]


async def test_a_query_narrows_the_queue_of_a_room(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/", "subject:ready")) as talk:
        await the_usual(talk)

        for typed, rows in NARROWED:
            assert titles(await talk.say(f"queue {typed}")) == rows, typed
        assert await talk.say("queue path:docs/") == snapshot("""\
Nothing is open here that matches that.
In all projects: !pw find path:docs/ turn:failing,author,ready,review\
""")
        assert await talk.say("queue turn:maybe") == snapshot("""\
I cannot read this query, and nothing was changed:
turn:maybe
     ^^^^^
turn: takes failing, author, ready or review.\
""")
        assert await talk.say("queue 2") == snapshot("That is page 2 of a shorter queue. From its beginning: !pw queue")
        assert await talk.say("queue mine") == snapshot("For your own patches, ask me in a direct chat.")


async def test_a_room_without_subscriptions_has_no_queue_but_may_look_once(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as talk:
        await talk.arrives("docs/index.rst", name="docs: Fix it")

        assert await talk.say("queue") == snapshot("""\
This room has no subscriptions, so its queue is empty.
To begin: !pw sub path:drivers/net/
To look once: !pw queue path:drivers/net/\
""")
        assert titles(await talk.say("queue path:docs/")) == ["docs: Fix it"]


async def test_what_is_muted_is_still_in_the_queue(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as talk:
        await talk.say("sub path:docs/")
        await talk.say("mute")
        await talk.arrives("docs/index.rst", name="docs: Fix it")

        assert titles(await talk.say("queue")) == ["docs: Fix it"]


async def test_a_person_sees_what_they_sent_and_what_is_delegated_to_them(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path)) as talk:
        assert await talk.chat("queue") == snapshot("""\
I do not know which patches are yours.
Tell me your addresses: me ada@example.org
What is delegated to you is in your queue once you gave me a token of yours: help token\
""")
        await talk.chat("me bob@example.org")
        await talk.arrives("docs/a.rst", name="docs: Mine", submitter="Bob Muster <bob@example.org>")
        await talk.arrives("docs/b.rst", name="docs: Delegated")
        await talk.arrives("docs/c.rst", name="docs: Somebody else's")
        talk.rig.patchwork.set_delegate(2, "bruno")
        await talk.rig.poll(talk.bot)
        own = titles(await talk.chat("queue"))
        async with talk.bot.store.transaction() as tx:
            await tx.tokens.put(StoredToken(BOB, SERVER, "sealed", CHAT, tx.now, "bruno", 7))

        assert own == ["docs: Mine"]
        assert titles(await talk.chat("what's mine")) == ["docs: Mine", "docs: Delegated"]
        assert titles(await talk.chat("queue mine")) == ["docs: Mine", "docs: Delegated"]
        assert titles(await talk.chat("queue is:mine")) == ["docs: Mine"]
        assert titles(await talk.chat("queue failing")) == []


async def test_a_long_queue_comes_in_pages_whose_rows_keep_their_numbers(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:docs/")) as talk:
        for number in range(1, 41):
            post(talk, "docs/index.rst", f"docs: Change number {number} of a long series of changes to them")
        await talk.rig.poll(talk.bot)

        first = await talk.say("queue")
        rows, last = titles(first), re.findall(r"• #(\d+) ", first)[-1]
        page, numbers = 2, [*re.findall(r"• #(\d+) ", first)]
        while "more: " in (answer := await talk.say(f"queue path:docs/ {page}")):
            rows += titles(answer)
            numbers += re.findall(r"• #(\d+) ", answer)
            page += 1
        rows += titles(answer)
        numbers += re.findall(r"• #(\d+) ", answer)

        assert first.endswith(f"… and {40 - int(last)} more: !pw queue 2")
        assert numbers == [str(number) for number in range(1, 41)]
        assert len(set(rows)) == 40
        assert (
            await talk.say(f"queue {page + 1}")
            == f"That is page {page + 1} of a shorter queue. From its beginning: !pw queue"
        )
        assert rows[30] in (await talk.say("show #31"))
        assert await talk.say("queue 101") == (
            "Pages go up to 100. Ask for a part of the queue, for example: !pw queue path:drivers/net/"
        )


async def test_a_row_works_wherever_a_reference_does(tmp_path: Path) -> None:
    rig = a_rig(tmp_path, "path:migration/", "subject:ready")
    async with people(rig) as talk:
        await the_usual(talk)
        await talk.say("queue")

        assert "[0/2] failing" in first(await talk.say("show #1"))
        assert "ready" in first(await talk.say("series #4"))
        assert "Peter Xu" in await talk.say("comments #3")
        assert "build_32bit" in await talk.say("checks #1.")
        assert "ready" in first(await talk.say("diff #4"))
        assert "no token" in await talk.say("state #3 #5 accepted") or "encrypted" in talk.answers[-1].message.body
    async with people(rig) as talk:
        assert "ready" in first(await talk.say("show #4"))
        assert "#1 silent" in await talk.say("find subject:silent")
        assert "[0/2] silent" in first(await talk.say("show #1"))


async def test_a_number_that_is_no_row_is_an_id(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/")) as talk:
        posted = await the_usual(talk)
        await talk.say("queue failing")

        assert "ready" in first(await talk.say(f"show #{posted['ready'].patches[0]}"))
        assert await talk.say("show #300") == snapshot("""\
There is no patch or series 300 on sample.
The last list here has no row 300, either.\
""")
        assert "row" not in await talk.say("show 300")
        assert "[1/2] silent" in first(await talk.chat(f"show #{posted['silent'].patches[0]}"))  # another chat


async def test_an_answer_without_rows_leaves_the_numbers_as_they_are(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/")) as talk:
        await the_usual(talk)
        await talk.say("queue")
        for other in ("status", "subs", "show 1", "nonsense", "queue turn:maybe", "queue path:docs/", "find nothing"):
            await talk.say(other)

        assert "[0/2] failing" in first(await talk.say("show #1"))


async def test_a_find_by_turn_lists_what_is_open(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/")) as talk:
        await the_usual(talk)

        assert short(await talk.say("find turn:author,failing path:migration/")) == snapshot("""\
Open: 1 failing, 2 waiting for the author
Failing
• #1 [0/2] failing <SERIES/2> · Ada Sample · 5 days old · CI: build_32bit
Waiting for the author
• #2 waiting <SERIES/6> · Ada Sample · 4 days old · Changes Requested
• #3 [0/2] asked <SERIES/3> · Ada Sample · 5 days old · Peter Xu replied 3 days ago\
""")
        assert await talk.say("test turn:author") == snapshot(
            "turn:author is about what is open now, not about what came. Look with queue or find."
        )
        assert await talk.say("sub turn:author") == snapshot("""\
I cannot read this query, and nothing was changed:
turn:author
^^^^^^^^^^^
Nothing arrives when it becomes somebody's turn: add a digest, or look with queue or find; e.g. turn:author digest:"Mon-Fri 09:00"\
""")


def first(answer: str) -> str:
    """The first line of an answer."""
    return answer.partition("\n")[0]


def titles(answer: str) -> list[str]:
    """The titles in the rows of a queue."""
    return re.findall(r"• #\d+ (?:\[\S+\] )?(.*?) <", answer)


async def test_what_is_snoozed_is_in_no_queue_of_that_chat_until_it_is_back(tmp_path: Path) -> None:
    async with people(a_rig(tmp_path, "path:migration/")) as talk:
        posted = post(talk, "migration/ram.c", "only")
        await days(talk, 1)
        await talk.say(f"snooze {posted.series} 2d")

        assert await talk.say("queue") == snapshot("""\
Nothing is open here.
What is snoozed here: !pw snooze\
""")
        await days(talk, 3)
        assert "only" in await talk.say("queue")


async def test_the_queue_of_a_person_has_the_newest_version_of_what_they_follow(tmp_path: Path) -> None:
    name = "migration: Follow a series over all of its versions"
    async with people(a_rig(tmp_path, "path:migration/")) as talk:
        post(talk, "migration/dirty.c", "another")
        posted = post(talk, "migration/ram.c", name)
        await days(talk, 1)
        await talk.chat(f"follow {posted.series}")
        assert short(await talk.chat("queue")) == snapshot("""\
Queue: 1 to be reviewed
Needs review
• #1 migration: Follow a series over all of its versions <SERIES/2> · Ada Sample · 1 day old · no reply for 1 day\
""")
        post(talk, "migration/ram.c", name, version=2)
        await days(talk, 1)

        assert short(await talk.chat("queue")) == snapshot("""\
Queue: 1 to be reviewed
Needs review
• #1 [v2] migration: Follow a series over all of its versions <SERIES/3> · Ada Sample · 1 day old · no reply for 1 day\
""")
        assert short(await talk.chat("queue path:docs/")) == snapshot("""\
Nothing is open here that matches that.
In all projects: find path:docs/ turn:failing,author,ready,review\
""")
