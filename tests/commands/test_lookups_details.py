"""What hangs on a patch or a series: its diff, its checks, what people replied to it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.commands import patch_details as details
from bot.sample_patchwork.diffs import Hunk, git_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries
from bot.store.retention import delete_outdated
from support.desk_rig import Desk, forms, short
from support.rig import PROJECT, Rig, a_series

OURS = "https://patchwork.example.org/ci/7"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


def post_diff(desk: Desk, *added: str) -> int:
    """A patch that adds these lines to a file; its id."""
    body = " a line\n" + "".join(f"+{line}\n" for line in added)
    patch = NewPatch("hw: Add them", git_diff("hw/a.c", Hunk(1, body)))
    series = NewSeries(name="hw: Add them", patches=(patch,), cover=False)
    return desk.rig.patchwork.post_series(PROJECT, series).patches[0]


def series_url(posted: PostedSeries) -> str:
    return f"https://patchwork.example.org/project/{PROJECT}/list/?series={posted.series}"


# diff


async def test_a_diff_is_shown_whole_where_it_fits(desk: Desk) -> None:
    patch = post_diff(desk, "if (a < b && c)", "\treturn @room;")

    assert forms(await desk.reply(f"diff {patch}")) == snapshot(
        (
            """\
hw: Add them
PROJECT/patch/20260101000000.1-1-ada@example.org/
+2 −0 in 1 file
diff --git a/hw/a.c b/hw/a.c
index fe3e133791e5..b57e7f876032 100644
--- a/hw/a.c
+++ b/hw/a.c
@@ -1,1 +1,3 @@
 a line
+if (a < b && c)
+	return @\u2060room;\
""",
            """\
<p><strong><a href="PROJECT/patch/20260101000000.1-1-ada@example.org/">
hw: Add them</a></strong>
<br>+2 −0 in 1 file</p><pre><code>diff --git a/hw/a.c b/hw/a.c
index fe3e133791e5..b57e7f876032 100644
--- a/hw/a.c
+++ b/hw/a.c
@@ -1,1 +1,3 @@
 a line
+if (a &lt; b &amp;&amp; c)
+	return @\u2060room;</code></pre>\
""",
        )
    )


async def test_a_long_diff_ends_with_a_whole_line_and_says_where_the_rest_is(desk: Desk) -> None:
    patch = post_diff(desk, *(f"line {number} <&> of a long file" for number in range(400)))

    body, html = await desk.reply(f"diff {patch}")

    lines = body.split("\n")
    assert short(lines[-1]) == snapshot(
        "… 268 more lines: the patch <PROJECT/patch/20260101000000.1-1-ada@example.org/>"
    )
    assert lines[-2].endswith(" of a long file")
    shown = sum(line.startswith("+line") for line in lines)
    assert int(lines[-1].split()[1]) == 400 - shown
    assert 3_000 < len(body.encode()) <= 4_096 or 7_000 < len(html.encode()) <= 8_192
    assert html.count("<pre><code>") == html.count("</code></pre>") == 1
    assert "<&>" not in html


async def test_a_line_that_is_a_message_by_itself_is_cut(desk: Desk) -> None:
    patch = post_diff(desk, "x" * 20_000, "the next one")

    body, _ = await desk.reply(f"diff {patch}")

    assert "\n+" + "x" * 298 + "…\n+the next one" in body


async def test_the_diff_of_a_series_is_its_diffstat(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", "hw/b.c", name="hw: Two <b>", patches=2)

    assert forms(await desk.reply(f"diff {series_url(posted)}")) == snapshot(
        (
            """\
[0/2] hw: Two <b>
PROJECT/list/?series=1&state=*&archive=both
2 patches · +4 −4 in 2 files
• hw/a.c +2 −2
• hw/b.c +2 −2\
""",
            """\
<p><strong><a href="PROJECT/list/?series=1&amp;state=*&amp;archive=both">
[0/2] hw: Two &lt;b&gt;</a></strong>
<br>2 patches · +4 −4 in 2 files</p>
<ul>
<li><code>hw/a.c</code> +2 −2</li>
<li><code>hw/b.c</code> +2 −2</li></ul>\
""",
        )
    )


async def test_in_an_outage_there_is_a_diffstat_but_no_diff(desk: Desk) -> None:
    posted = await desk.known(2)
    desk.break_down()

    assert await desk.ask(f"diff {posted.patches[0]}") == snapshot(
        "sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC), and the bot stores no diffs."
    )
    assert await desk.ask(f"diff {series_url(posted)}") == snapshot("""\
[0/2] hw: Fix it
https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both
2 patches · +2 −2 in 1 file
• hw/a.c +2 −2
sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC); this is the bot's copy, as of 2026-01-01 00:01 UTC.\
""")


async def test_a_pull_request_has_no_diff(desk: Desk) -> None:
    desk.rig.post("block/io.c", patches=2)
    pull = desk.rig.patchwork.post_pull_request(PROJECT, "Block patches", "https://git.example.org/q.git tags/p")

    assert await desk.ask(f"diff {pull}") == snapshot(
        "[PULL,0/1] Block patches has no diff: pull from https://git.example.org/q.git tags/p."
    )
    assert await desk.ask(f"series {pull}") == snapshot("[PULL,0/1] Block patches is in no series.")
    assert await desk.ask(f"show {pull}") == snapshot("""\
📦 [PULL 0/1] Block patches
New
Ada Sample · 📦 pull request · 2026-01-01
pull from https://git.example.org/q.git tags/p
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.2-0-pull@example.org/
b4 pr 20260101000000.2-0-pull@example.org\
""")


# series


async def test_the_series_of_a_patch(desk: Desk) -> None:
    desk.rig.patchwork.start_ids_at(50)
    posted = desk.rig.post("hw/a.c", name="hw: Two", patches=2)
    by_series = await desk.ask(f"series {series_url(posted)}")

    assert "hw: Two\n" in by_series
    assert await desk.ask(f"series {posted.patches[1]}") == by_series


async def test_a_bare_number_is_a_series_first_where_a_series_is_asked_for(desk: Desk) -> None:
    for name in ("hw: One", "hw: Two", "hw: Three"):
        desk.rig.post("hw/a.c", name=name, patches=2)

    assert "hw: Two\n" in (await desk.ask("series 2"))
    assert (await desk.ask("show 2")).startswith("🆕 [2/2] hw: One, part 2\n")


async def test_in_an_outage_the_series_of_a_patch_is_the_bots_own_copy(desk: Desk) -> None:
    desk.rig.patchwork.start_ids_at(50)
    posted = await desk.known(2)
    desk.break_down()

    shown = await desk.ask(f"series {posted.patches[0]}")

    assert "hw: Fix it\n" in shown
    assert shown.endswith("this is the bot's copy, as of 2026-01-01 00:01 UTC.")


async def test_patches_of_a_series_that_cannot_be_read_are_the_bots_own_copies(desk: Desk) -> None:
    """The server answers for the series itself, and then no more."""
    posted = await desk.known(2)
    for patch in posted.patches:
        desk.rig.patchwork.edit_patch(patch, archived=True)
    broken = desk.rig.patchwork.fault
    desk.break_down()
    down = desk.rig.patchwork.fault
    desk.rig.patchwork.fault = lambda path: broken(path) if "/api/1.3/series/" in path else down(path)

    assert await desk.ask(f"show {series_url(posted)}") == snapshot("""\
🆕 [0/2] hw: Fix it
New · no reviews yet
Ada Sample · 2 patches · +2 −2 in hw/
https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both
• 1/2 hw: Fix it, part 1
• 2/2 hw: Fix it, part 2
b4 shazam 20260101000000.1-0-ada@example.org
git-pw series apply 1
sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC); this is the bot's copy, as of 2026-01-01 00:01 UTC.\
""")


# checks


async def test_the_latest_checks_the_worst_first(desk: Desk) -> None:
    patch = desk.rig.post("hw/a.c").patches[0]
    for check in (
        NewCheck("fail", "build", "an old failure"),
        NewCheck("success", "build", "it builds", OURS),
        NewCheck("success", "checkpatch", "fine", None),
        NewCheck("pending", "runtime", "", None),
        NewCheck("warning", "build", "<b>slow</b>", "https://ci.example.net/1", user="other-bot"),
        NewCheck("fail", "style @room", "3 lines\nare too long", "javascript:alert(1)"),
    ):
        desk.rig.patchwork.add_check(patch, check)

    assert forms(await desk.reply(f"checks {patch}")) == snapshot(
        (
            """\
A series
PROJECT/patch/20260101000000.1-1-ada@example.org/
❌ fail 1 · ⚠️ warning 1 · ⏳ pending 1 · ✅ success 2
• ❌ fail style @\u2060room — 3 lines are too long (ci-bot) javascript:alert(1)
• ⚠️ warning build — <b>slow</b> (other-bot) https://ci.example.net/1
• ⏳ pending runtime (ci-bot)
• ✅ success build <https://patchwork.example.org/ci/7> — it builds (ci-bot)
• ✅ success checkpatch — fine (ci-bot)\
""",
            """\
<p><strong><a href="PROJECT/patch/20260101000000.1-1-ada@example.org/">
A series</a></strong>
<br>❌ fail 1 · ⚠️ warning 1 · ⏳ pending 1 · ✅ success 2</p>
<ul>
<li>❌ fail style @\u2060room — 3 lines are too long (ci-bot) javascript:alert(1)</li>
<li>⚠️ warning build — &lt;b&gt;slow&lt;/b&gt; (other-bot) https://ci.example.net/1</li>
<li>⏳ pending runtime (ci-bot)</li>
<li>✅ success <a href="https://patchwork.example.org/ci/7">build</a> — it builds (ci-bot)</li>
<li>✅ success checkpatch — fine (ci-bot)</li></ul>\
""",
        )
    )


async def test_of_a_series_each_patch_has_its_worst_check_and_the_contexts_that_are_bad(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", name="hw: Five", patches=5)
    first, second, third, fourth, _ = posted.patches
    for patch, check in (
        (first, NewCheck("success", "build")),
        (second, NewCheck("warning", "style")),
        (third, NewCheck("fail", "build")),
        (third, NewCheck("fail", "boot")),
        (third, NewCheck("warning", "style")),
        (fourth, NewCheck("success", "build")),
    ):
        desk.rig.patchwork.add_check(patch, check)

    assert forms(await desk.reply(f"checks {series_url(posted)}")) == snapshot(
        (
            """\
[0/5] hw: Five
PROJECT/list/?series=1&state=*&archive=both
Patches: ❌ fail 1 · ⚠️ warning 1 · ✅ success 2 · 1 without checks
• [3/5] hw: Five, part 3 · ❌ fail: boot, build
• [2/5] hw: Five, part 2 · ⚠️ warning: style
• [1/5] hw: Five, part 1 · ✅ success
• [4/5] hw: Five, part 4 · ✅ success\
""",
            """\
<p><strong><a href="PROJECT/list/?series=1&amp;state=*&amp;archive=both">
[0/5] hw: Five</a></strong>
<br>Patches: ❌ fail 1 · ⚠️ warning 1 · ✅ success 2 · 1 without checks</p>
<ul>
<li><a href="PROJECT/patch/20260101000000.1-3-ada@example.org/">
[3/5] hw: Five, part 3</a> · ❌ fail: boot, build</li>
<li><a href="PROJECT/patch/20260101000000.1-2-ada@example.org/">
[2/5] hw: Five, part 2</a> · ⚠️ warning: style</li>
<li><a href="PROJECT/patch/20260101000000.1-1-ada@example.org/">
[1/5] hw: Five, part 1</a> · ✅ success</li>
<li><a href="PROJECT/patch/20260101000000.1-4-ada@example.org/">
[4/5] hw: Five, part 4</a> · ✅ success</li></ul>\
""",
        )
    )


async def test_checks_where_there_are_none_says_so(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", patches=2)

    assert await desk.ask(f"checks {posted.patches[0]}") == snapshot("""\
[1/2] A series, part 1
https://patchwork.example.org/project/qemu-devel/patch/20260101000000.1-1-ada@example.org/
No checks yet.\
""")
    assert await desk.ask(f"checks {series_url(posted)}") == snapshot("""\
[0/2] A series
https://patchwork.example.org/project/qemu-devel/list/?series=1&state=*&archive=both
No checks yet.\
""")


async def test_a_pending_check_is_told_and_patches_without_checks_are_not_pending(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", name="hw: Three", patches=3)
    desk.rig.patchwork.add_check(posted.patches[0], NewCheck("success", "build"))
    desk.rig.patchwork.add_check(posted.patches[1], NewCheck("pending", "boot"))
    await desk.rig.poll(desk.bot, times=2)

    series = series_url(posted)
    assert short(await desk.ask(f"checks {series}")) == snapshot("""\
[0/3] hw: Three
PROJECT/list/?series=1&state=*&archive=both
Patches: ⏳ pending 1 · ✅ success 1 · 1 without checks
• [2/3] hw: Three, part 2 · ⏳ pending
• [1/3] hw: Three, part 1 · ✅ success\
""")
    shown = [await desk.ask(f"show {number}") for number in (series, *posted.patches)]
    desk.rig.patchwork.requests.clear()
    found = [await desk.ask(f"find check:{state}") for state in ("pending", "success")]

    assert [re.findall("checks [^·\n]*[^·\n ]", each) for each in shown] == [
        ["checks pending"],
        ["checks ok"],
        ["checks pending"],
        [],
    ]
    assert [each.split("\n")[0] for each in found] == snapshot(
        ["1 match for check:pending", "1 match for check:success"]
    )


@pytest.mark.parametrize(("state", "shown", "asked"), [("pending", ["checks pending"], 1), (None, [], 1)])
async def test_of_a_patch_that_is_not_watched_the_server_is_asked_what_its_pending_means(
    desk: Desk, state: str | None, shown: list[str], asked: int
) -> None:
    desk.rig.patchwork.add_project("other")
    patch = desk.rig.patchwork.post_series("other", a_series("a.c")).patches[0]
    if state:
        desk.rig.patchwork.add_check(patch, NewCheck(state, "boot"))

    answer = await desk.ask(f"show {patch}")

    assert re.findall("checks [^·\n]*[^· \n]", answer) == shown
    assert [path for _, path, _ in desk.rig.patchwork.requests].count(f"/api/1.3/patches/{patch}/checks/") == asked


async def test_of_watched_patches_no_checks_are_asked_for(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", patches=3)
    await desk.rig.poll(desk.bot, times=2)
    desk.rig.patchwork.requests.clear()

    await desk.ask(f"show {series_url(posted)}")

    assert not [path for _, path, _ in desk.rig.patchwork.requests if "checks" in path]


async def test_in_an_outage_there_are_no_checks_and_no_comments(desk: Desk) -> None:
    posted = await desk.known()
    desk.break_down()

    assert await desk.ask(f"checks {posted.patches[0]}") == snapshot(
        "sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC), and the bot keeps no checks."
    )
    assert await desk.ask(f"comments {posted.patches[0]}") == snapshot(
        "sample does not respond (HTTP 502, since 2026-01-01 00:03 UTC), and the bot keeps no comments."
    )


@pytest.mark.parametrize("verb", ["checks", "comments"])
async def test_a_server_that_breaks_down_in_between_is_told(desk: Desk, verb: str) -> None:
    patch = desk.rig.post("hw/a.c").patches[0]
    well = desk.rig.patchwork.fault
    desk.break_down()
    down = desk.rig.patchwork.fault
    desk.rig.patchwork.fault = lambda path: down(path) if verb in path else well(path)

    assert await desk.ask(f"{verb} {patch}") == f"sample does not respond (HTTP 502), and the bot keeps no {verb}."


# comments


async def test_comments_say_who_when_and_what_without_quotations(desk: Desk) -> None:
    patch = desk.rig.post("hw/a.c").patches[0]
    reply = "On Thu, Ada Sample wrote:\n> The patch\n> goes on\n\nWhy <b>this</b>, @room?\n\nRegards\n-- \nRey\n"
    desk.rig.patchwork.add_comment(patch, reply)
    desk.rig.clock.advance(3_725)
    desk.rig.patchwork.add_comment(patch, "Reviewed-by: Bo Be <bo@example.org>\n", submitter="Bo Be <bo@example.org>")
    desk.rig.patchwork.add_comment(patch, "> only this\n")

    assert forms(await desk.reply(f"comments {patch}")) == snapshot(
        (
            """\
A series
PROJECT/patch/20260101000000.1-1-ada@example.org/
3 comments
Rey Viewer · 2026-01-01 00:00 UTC
Why <b>this</b>, @\u2060room?
Regards
Bo Be · 2026-01-01 01:02 UTC
Reviewed-by: Bo Be <bo@example.org>
Rey Viewer · 2026-01-01 01:02 UTC
(only quoted text)\
""",
            """\
<p><strong><a href="PROJECT/patch/20260101000000.1-1-ada@example.org/">
A series</a></strong>
<br>3 comments</p>
<p>Rey Viewer · 2026-01-01 00:00 UTC
<br>Why &lt;b&gt;this&lt;/b&gt;, @\u2060room?
<br>Regards</p>
<p>Bo Be · 2026-01-01 01:02 UTC
<br>Reviewed-by: Bo Be &lt;bo@example.org&gt;</p>
<p>Rey Viewer · 2026-01-01 01:02 UTC
<br>(only quoted text)</p>\
""",
        )
    )


async def test_the_comments_of_a_series_are_those_on_all_its_mails_by_time(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", name="hw: Two", patches=2)
    for parent, text in ((posted.patches[1], "First."), (None, "Second."), (posted.patches[0], "Third.")):
        desk.rig.clock.advance(60)
        if parent is None:
            desk.rig.patchwork.add_cover_comment(posted.cover or 0, text)
        else:
            desk.rig.patchwork.add_comment(parent, text)

    assert forms(await desk.reply(f"comments {series_url(posted)}")) == snapshot(
        (
            """\
[0/2] hw: Two
PROJECT/list/?series=1&state=*&archive=both
3 comments
Rey Viewer · 2026-01-01 00:01 UTC · on [2/2] hw: Two, part 2
First.
Rey Viewer · 2026-01-01 00:02 UTC
Second.
Rey Viewer · 2026-01-01 00:03 UTC · on [1/2] hw: Two, part 1
Third.\
""",
            """\
<p><strong><a href="PROJECT/list/?series=1&amp;state=*&amp;archive=both">
[0/2] hw: Two</a></strong>
<br>3 comments</p>
<p>Rey Viewer · 2026-01-01 00:01 UTC · on <a href="PROJECT/patch/20260101000000.1-2-ada@example.org/">
[2/2] hw: Two, part 2</a>
<br>First.</p>
<p>Rey Viewer · 2026-01-01 00:02 UTC
<br>Second.</p>
<p>Rey Viewer · 2026-01-01 00:03 UTC · on <a href="PROJECT/patch/20260101000000.1-1-ada@example.org/">
[1/2] hw: Two, part 1</a>
<br>Third.</p>\
""",
        )
    )


async def test_of_many_comments_the_newest_are_shown(desk: Desk) -> None:
    patch = desk.rig.post("hw/a.c").patches[0]
    for number in range(40):
        desk.rig.clock.advance(60)
        desk.rig.patchwork.add_comment(patch, f"Comment {number}.\n" + "It has something to say.\n" * 5)

    body, html = await desk.reply(f"comments {patch}")

    lines = body.split("\n")
    shown = [line for line in lines if line.startswith("Comment ")]
    assert shown == [f"Comment {number}." for number in range(40 - len(shown), 40)]
    assert len(shown) > 10
    assert lines[2] == f"40 comments, {40 - len(shown)} earlier not shown"
    assert len(body.encode()) <= 4_096
    assert len(html.encode()) <= 8_192


async def test_of_very_long_series_not_all_patches_are_asked_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(details, "MOST_COMMENTED", 2)
    monkeypatch.setattr(details, "MOST_CHECKED", 1)
    posted = desk.rig.post("hw/a.c", name="hw: Four", patches=4)
    for patch in posted.patches:
        desk.rig.patchwork.add_comment(patch, f"On {patch}.")
        desk.rig.patchwork.add_check(patch, NewCheck("warning", "style"))
    desk.rig.patchwork.add_check(posted.patches[3], NewCheck("fail", "build"))

    comments = await desk.ask(f"comments {series_url(posted)}")
    checks = await desk.ask(f"checks {series_url(posted)}")

    assert "\n2 comments\nOf 4 patches, the last 2 were not looked at.\n" in comments
    assert "• [4/4] hw: Four, part 4 · ❌ fail: build\n" in checks
    assert checks.endswith("• [3/4] hw: Four, part 3 · ⚠️ warning")


async def test_a_card_is_known_in_an_outage_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        rig.post("migration/ram.c", name="migration: One")
        await rig.poll(bot, times=3)
        desk = Desk(rig, bot)
        desk.break_down()
        rig.patchwork.requests.clear()

        body, _ = await desk.reply("show", to=rig.chat.posted[-1].event)

    assert len(rig.patchwork.requests) == 1
    assert "\n• migration/ram.c +1 −1\n" in body
    assert "this is the bot's copy" in body


async def test_no_comments_says_so(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", patches=2)

    assert (await desk.ask(f"comments {posted.patches[0]}")).endswith("\nNo comments yet.")
    assert (await desk.ask(f"comments {series_url(posted)}")).endswith("\nNo comments yet.")


@pytest.mark.parametrize("newest", ["1.1", "1.2"])
async def test_comments_are_read_on_a_server_without_comment_events(tmp_path: Path, newest: str) -> None:
    rig = Rig(tmp_path)
    rig.patchwork.api_versions = tuple(version for version in ("1.0", "1.1", "1.2") if version <= newest)
    rig.patchwork.old_events = newest == "1.1"
    async with rig.running() as bot:
        await bot.settle()
        desk = Desk(rig, bot)
        posted = await desk.known(patches=2)
        assert posted.cover is not None
        rig.patchwork.add_cover_comment(posted.cover, "Series:\nAcked-by: Ada Beispiel <ada@example.org>\n")
        rig.patchwork.add_comment(posted.patches[1], "Looks good.\n")

        of_the_patch = await desk.ask(f"comments {posted.patches[1]}")
        of_the_series = await desk.ask(f"comments {series_url(posted)}")

    assert "Looks good." in of_the_patch
    assert "Acked-by" not in of_the_patch
    assert "Looks good." in of_the_series
    assert "Acked-by: Ada Beispiel" in of_the_series
    assert {path for _, path, _ in rig.patchwork.requests if re.search(r"/comments/\d", path)} == set()


async def test_comments_of_patchwork_2_0_are_refused_by_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.patchwork.api_versions = ("1.0",)
    async with rig.running() as bot:
        desk = Desk(rig, bot)
        posted = rig.post("hw/a.c")

        said = await desk.ask(f"comments {posted.patches[0]}")

    assert said == snapshot(
        "sample does not respond (Patchwork 2.0 is too old: API 1.1 (Patchwork 2.1) or newer is needed, since 2026-01-01 00:00 UTC), and the bot has no copy of it."  # noqa: E501  # as it is said
    )


# what is asked for


async def test_in_reply_to_an_answer_the_same_patch_is_meant(desk: Desk) -> None:
    posted = desk.rig.post("hw/a.c", name="hw: Two", patches=2)
    await desk.ask(f"show {posted.patches[1]}")
    answer = desk.rig.chat.posted[-1].event

    body, _ = await desk.reply("checks", to=answer)

    assert body.startswith("[2/2] hw: Two, part 2\n")


async def test_a_reply_to_somebody_elses_message_names_nothing(desk: Desk) -> None:
    body, _ = await desk.reply("diff", to=None)

    assert body == snapshot("""\
Which one? Name it, or type this in reply to a card.
Example: !pw diff 2194095\
""")


async def test_a_reply_to_the_card_of_a_series_means_the_series_after_months(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        posted = rig.post("migration/ram.c", name="migration: Two", patches=2)
        await rig.poll(bot, times=3)
        card = rig.chat.posted[-1].event
        rig.clock.advance(60 * 24 * 3600)
        await delete_outdated(bot.store)
        desk = Desk(rig, bot)

        shown, _ = await desk.reply("show", thread=card)

    assert "migration: Two\n" in shown
    assert f"series={posted.series}&" in shown
