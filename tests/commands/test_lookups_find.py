"""Matches of a query among what the bot has read."""

import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot import search as past
from bot.clock import VirtualClock
from bot.errors import UserError
from bot.ids import ProjectName, ServerName
from bot.patchwork.model import FileChange
from bot.poll import Poll, SeriesRead
from bot.query.maintainers.maintainers import Maintainers, read
from bot.query.parser import parse
from bot.sample_patchwork.patchwork import NewCheck
from bot.search import PatchSearch
from bot.store import rows
from bot.store.store import Store
from support.desk_rig import Desk, forms, short
from support.rig import PROJECT, Rig
from support.store_rig import OTHER_SERVER, SERVER, StoreRig, a_baseline, a_patch, a_series

MAINTAINERS = "Network\nM: Net Person <net@example.org>\nF: net/\n\nBlock\nF: block/\n"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path, subscribe={})
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def arrive(desk: Desk, *paths: str, name: str, patches: int = 1, version: int = 1) -> int:
    """A series that the bot reads; its id."""
    posted = desk.rig.post(*paths, name=name, patches=patches, version=version)
    await desk.rig.poll(desk.bot, times=2)
    return posted.series


async def test_the_newest_matches_with_their_states(desk: Desk) -> None:
    await arrive(desk, "hw/a.c", name="hw: Old <b>")
    await arrive(desk, "docs/a.rst", name="docs: Other")
    await arrive(desk, "hw/b.c", "docs/b.rst", name="hw: @room", patches=3, version=2)
    for patch in (3, 4):
        desk.rig.patchwork.set_state(patch, "accepted")
    desk.rig.patchwork.post_pull_request(PROJECT, "hw", "https://git.example.org/q.git tags/p")
    await desk.rig.poll(desk.bot, times=4)

    assert forms(await desk.reply("find path:hw/ OR is:pull")) == snapshot(
        (
            """\
3 matches for path:hw/ OR is:pull
• #1 [PULL 0/1] hw <PROJECT/patch/20260101000600.4-0-pull@example.org/> · Ada Sample · 📦 pull request · 2026-01-01 · New
• #2 hw: @\u2060room <PROJECT/list/?series=3&state=*&archive=both> · v2 · Ada Sample · 2026-01-01 · Accepted 2 · New 1
• #3 hw: Old <b> <PROJECT/list/?series=1&state=*&archive=both> · Ada Sample · 2026-01-01 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
""",  # noqa: E501  # as it is said
            """\
<p>3 matches for <code>path:hw/ OR is:pull</code></p>
<ul>
<li>#1 <a href="PROJECT/patch/20260101000600.4-0-pull@example.org/">
[PULL 0/1] hw</a> · Ada Sample · 📦 pull request · 2026-01-01 · New</li>
<li>#2 <a href="PROJECT/list/?series=3&amp;state=*&amp;archive=both">
hw: @\u2060room</a> · v2 · Ada Sample · 2026-01-01 · Accepted 2 · New 1</li>
<li>#3 <a href="PROJECT/list/?series=1&amp;state=*&amp;archive=both">
hw: Old &lt;b&gt;</a> · Ada Sample · 2026-01-01 · New</li></ul>
<p>Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.</p>\
""",
        )
    )


async def test_nothing_found_says_since_when_there_is_anything(desk: Desk) -> None:
    assert await desk.ask("find path:hw/") == snapshot("""\
Nothing matches path:hw/
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
""")


async def test_a_bad_query_is_pointed_at(desk: Desk) -> None:
    assert forms(await desk.reply("find pth:hw/ x")) == snapshot(
        (
            """\
pth:hw/ x
^^^^
pth: is not a key. Did you mean path:?\
""",
            """\
<pre><code>pth:hw/ x
^^^^
pth: is not a key. Did you mean path:?</code></pre>\
""",
        )
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("text:foo", snapshot("text: cannot search past patches, whose text is not stored. Try subject: or path:.")),
        (
            "path:hw/ -text:foo",
            snapshot("text: cannot search past patches, whose text is not stored. Try subject: or path:."),
        ),
        (
            "state:new->accepted",
            snapshot(
                "state:new->accepted cannot search past patches: former states are not stored. Ask for the present one."
            ),
        ),
        (
            "check:fail/build*",
            snapshot("check:fail/build* cannot search past patches: only the worst check is stored. Try check:fail."),
        ),
        (
            "is:mine",
            snapshot("is:mine needs your addresses, which are not known here. Name them, e.g. from:jane@example.org"),
        ),
        (
            "maint:block",
            snapshot(
                "maint: needs a MAINTAINERS file, and the bot has none for qemu-devel; its operator names one as maintainers of the project in the configuration."  # noqa: E501  # as it is said
            ),
        ),
    ],
)
async def test_what_the_store_does_not_have_is_refused(desk: Desk, query: str, said: str) -> None:
    assert await desk.ask(f"find {query}") == said


async def test_what_nothing_happened_to_for_long_is_found(desk: Desk) -> None:
    moved, left_alone = desk.rig.post("hw/a.c", name="moved"), desk.rig.post("hw/a.c", name="left alone")
    await desk.rig.poll(desk.bot)
    desk.rig.clock.advance(10 * 24 * 3600)
    desk.rig.patchwork.set_state(moved.patches[0], "under-review")
    await desk.rig.poll(desk.bot)
    desk.rig.clock.advance(5 * 24 * 3600)

    answers = [short(await desk.ask(f"find {query}")).partition("\n")[2] for query in ("stale:14d", "-stale:14d moved")]

    assert [answer.split(" <")[0] for answer in answers] == ["• #1 left alone", "• #1 moved"]
    assert left_alone.series != moved.series


async def test_what_may_have_changed_since_it_was_read_is_told(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", name="hw: Fix it")
    desk.rig.patchwork.add_check(posted.patches[0], NewCheck("fail"))
    await desk.rig.poll(desk.bot, times=2)

    assert short(await desk.ask("find check:fail -is:reviewed")) == snapshot("""\
1 match for check:fail -is:reviewed
• #1 hw: Fix it <PROJECT/list/?series=1&state=*&archive=both> · Ada Sample · 2026-01-01 · New
check and is:reviewed: as last seen, which may be out of date.
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
""")


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("hw", True),
        ("subject:/^hw: /", True),
        ("from:ada@example.org", True),
        ("from:nobody@example.org", False),
        ("path:hw/a.c", True),
        ("path:hw/b.c", False),
        ("prefix:v2", True),
        ("version:>=2", True),
        ("version:1", False),
        ("patches:2", True),
        ("is:complete", True),
        ("is:pull", False),
        ("is:archived", False),
        ("state:new", True),
        ("state:accepted", False),
        (f"project:{PROJECT.upper()}", True),
        ("project:other hw", False),
        ("server:sample", True),
        ("server:other hw", False),
        ("check:pending", False),
        ("hw -path:hw/", False),
        ("hw on:state as:compact", True),
    ],
)
async def test_every_key_that_stored_facts_answer(desk: Desk, query: str, is_found: bool) -> None:
    await arrive(desk, "hw/a.c", name="hw: Fix it", patches=2, version=2)

    assert ("match for" in await desk.ask(f"find {query}")) is is_found


# The reading behind it, on each kind of database


async def save(store: Store, poll: Poll) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(poll)


async def fill(store: Store, count: int, *, series_of: int = 1, project: ProjectName | None = None) -> None:
    """*count* patches, the even ones on even/, in series of so many."""
    patches = []
    for number in range(1, count + 1):
        patch = a_patch(number, series=(number - 1) // series_of + 1)
        files = (FileChange("even/a.c" if number % 2 == 0 else "odd/a.c", None, 1, 0),)
        patches.append(replace(patch, files=files, project=project or patch.project))
    await save(store, Poll(SERVER, None, baselines=(a_baseline(),), patches=tuple(patches)))


def a_past(store: Store) -> PatchSearch:
    return PatchSearch(store, {SERVER: ("QEMU-devel",)}, lambda *_: None, VirtualClock())


async def test_a_series_is_found_once_by_its_newest_patch(store: Store) -> None:
    await fill(store, 12, series_of=4)

    matches = await a_past(store).matches(parse("path:even/"), None, 10)

    assert [match.patch.id for match in matches.found] == [12, 8, 4]
    assert (matches.looked_at, matches.back_to) == (12, None)


async def test_all_chunks_are_looked_at_until_enough_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "CHUNK", 3)
    await fill(store, 20)

    matches = await a_past(store).matches(parse("path:even/"), None, 5)
    everything = await a_past(store).matches(parse("path:odd/"), None, 100)

    assert [match.patch.id for match in matches.found] == [20, 18, 16, 14, 12]
    assert matches.looked_at == 20  # the patches that the database left out count, too
    assert [match.patch.id for match in everything.found] == list(range(19, 0, -2))
    assert everything.looked_at == 20


async def test_a_search_that_ends_early_says_how_far_back_it_looked(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "CHUNK", 2)
    monkeypatch.setattr(past, "MOST_PATCHES", 4)
    await fill(store, 10)

    matches = await a_past(store).matches(parse("nowhere"), None, 5)

    assert (matches.found, matches.looked_at, matches.back_to) == ((), 4, rig.now)


async def test_only_what_was_read_since_a_moment_is_looked_at(store: Store, rig: StoreRig) -> None:
    await fill(store, 4)
    rig.advance(days=3)
    moment = rig.now
    await save(store, Poll(SERVER, None, patches=(a_patch(5),)))

    matches = await a_past(store).matches(parse("Patch"), moment, 10)

    assert [match.patch.id for match in matches.found] == [5]
    assert matches.looked_at == 1


async def test_a_project_is_known_no_longer_than_patches_are_kept(store: Store, rig: StoreRig) -> None:
    began = rig.now
    await fill(store, 1)
    first = await a_past(store).matches(parse("Patch"), None, 10)
    rig.advance(days=400)
    later = await a_past(store).matches(parse("Patch"), None, 10)

    assert [known.since for known in first.known_since] == [began]
    assert [known.since for known in later.known_since] == [rig.now - timedelta(days=180)]


async def test_the_matches_of_all_servers_come_by_the_time_they_were_read(store: Store, rig: StoreRig) -> None:
    both = PatchSearch(store, {SERVER: (PROJECT,), OTHER_SERVER: (PROJECT,)}, lambda *_: None, VirtualClock())
    for number, server in ((900, OTHER_SERVER), (1, SERVER), (901, OTHER_SERVER)):
        rig.advance(days=1)
        await save(store, Poll(server, None, baselines=(a_baseline(),), patches=(a_patch(number),)))

    everywhere = await both.matches(parse("Patch"), None, 10)
    newest = await both.matches(parse("Patch"), None, 2)
    one = await both.matches(parse(f"server:{SERVER}"), None, 10)

    assert [match.patch.id for match in everywhere.found] == [901, 1, 900]
    assert [match.patch.id for match in newest.found] == [901, 1]
    assert [match.patch.id for match in one.found] == [1]
    assert [known.server for known in one.known_since] == [SERVER]


async def test_a_project_that_is_watched_no_longer_is_not_found(store: Store) -> None:
    await fill(store, 2, project=ProjectName("gone"))

    assert (await a_past(store).matches(parse("Patch"), None, 10)).found == ()


async def test_sections_of_maintainers_are_those_of_the_newest_file(store: Store) -> None:
    net = replace(a_patch(1), files=(FileChange("net/a.c", None, 1, 0),))
    await save(store, Poll(SERVER, None, baselines=(a_baseline(),), patches=(net, a_patch(2))))
    files: dict[tuple[ServerName, str], Maintainers] = {}
    looks = PatchSearch(store, {SERVER: (PROJECT,)}, lambda *where: files.get(where), VirtualClock())

    async def found(query: str) -> list[int]:
        return [match.patch.id for match in (await looks.matches(parse(query), None, 10)).found]

    with pytest.raises(UserError, match="maint: needs a MAINTAINERS file, and the bot has none for qemu-devel"):
        await found("maint:network")
    files[SERVER, a_baseline().project] = read(MAINTAINERS)
    assert await found("maint:network") == [1]
    assert await found("maint:net@example.org") == [1]
    files[SERVER, a_baseline().project] = read(MAINTAINERS.replace("F: net/", "F: migration/"))
    assert await found("maint:network") == [2]


async def test_files_that_were_never_read_are_none(store: Store) -> None:
    unread = replace(a_patch(1), files=None)
    await save(store, Poll(SERVER, None, baselines=(a_baseline(),), patches=(unread,)))

    matches = await a_past(store).matches(parse("Patch"), None, 10)

    assert [match.patch for match in matches.found] == [unread]


async def test_the_series_of_a_match_comes_with_it(store: Store) -> None:
    series = a_series(7, patches=(1, 2))
    read = SeriesRead(series, (a_patch(1, series=7), a_patch(2, series=7)))
    await save(store, Poll(SERVER, None, baselines=(a_baseline(),), series=(read,)))

    matches = await a_past(store).matches(parse("subject:series"), None, 10)

    assert [match.series for match in matches.found] == [series]


async def test_patches_are_read_and_decided_off_the_event_loop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    for module, name in ((rows, "to_patch"), (past._PastJudge, "chunk")):
        monkeypatch.setattr(module, name, noting(threads, getattr(module, name)))
    await fill(store, 3)

    matches = await a_past(store).matches(parse("path:odd/"), None, 10)

    assert len(matches.found) == 2
    assert threads
    assert threading.get_ident() not in threads


def noting(threads: set[int], work: Callable[..., object]) -> Callable[..., object]:
    """*work*, noting in which thread it is done."""

    def noted(*arguments: object) -> object:
        threads.add(threading.get_ident())
        return work(*arguments)

    return noted


async def test_idle_is_what_matches_only_for_that(store: Store, rig: StoreRig) -> None:
    await fill(store, 4)
    looks = PatchSearch(store, {SERVER: (PROJECT,)}, lambda *_: None, rig.clock)
    rig.advance(days=14)

    found = [
        [match.patch.id for match in (await looks.idle(parse(f'{query} digest:"Mon 09:00"'), 10)).found]
        for query in ("stale:14d", "stale:15d", "path:even/ OR stale:14d", "path:even/ -stale:30d")
    ]

    assert found == [[4, 3, 2, 1], [], [3, 1], []]


async def test_a_pull_request_with_a_series_of_its_own_is_found_and_shown_as_one(desk: Desk) -> None:
    pull = desk.rig.patchwork.post_pull_request(PROJECT, "hw", "https://git.example.org/q.git", has_series=True)
    await desk.rig.poll(desk.bot, times=4)

    assert short(await desk.ask("find is:pull")) == snapshot("""\
1 match for is:pull
• #1 [GIT,PULL] hw <PROJECT/list/?series=1&state=*&archive=both> · Ada Sample · 📦 pull request · 2026-01-01 · New
Watched: qemu-devel (sample) since 2026-01-01 00:00 UTC.\
""")
    assert short(await desk.ask(f"show {pull}")) == snapshot("""\
📦 [GIT PULL] hw
New
Ada Sample · 📦 pull request · 2026-01-01
in [GIT PULL] hw <PROJECT/list/?series=1&state=*&archive=both>
pull from https://git.example.org/q.git
PROJECT/patch/20260101000000.1-0-pull@example.org/
b4 pr 20260101000000.1-0-pull@example.org\
""")
    assert await desk.ask(f"series {pull}") == snapshot("""\
📦 [GIT PULL] hw
New
Ada Sample · pull request
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-0-pull@example.org/
b4 pr 20260101000000.1-0-pull@example.org\
""")
