"""What changed between two versions of a series, in chat."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from bot.ids import EventId
from bot.sample_patchwork.diffs import Hunk, git_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import PostedSeries
from support.desk_rig import Desk, forms
from support.rig import PROJECT, Rig

HOW = (
    "Name both versions, in reply to a card or with the series, or two series by ids or links: "
    "!pw diff v5..v6 · !pw diff 2194095 v5..v6 · !pw diff 12..34"
)
NAME = "migration: Make it fast"


def patch(title: str, path: str, *lines: str, message: str = "Why.\n") -> NewPatch:
    """A patch that adds *lines* between others that are always the same."""
    body = "".join(f"+{path} {number}\n" for number in range(8)) + "".join(f"+{line}\n" for line in lines)
    return NewPatch(f"migration: {title}", git_diff(f"migration/{path}.c", Hunk(1, body)), message)


ADD, USE, TEST = patch("Add it", "ram"), patch("Use it", "tls"), patch("Test it", "test")


def version(number: int, *patches: NewPatch) -> NewSeries:
    return NewSeries(name=NAME, patches=patches, version=number)


@dataclass
class Versions:
    """Two versions that a room has cards of."""

    desk: Desk
    before: PostedSeries
    after: PostedSeries

    async def diff(self, text: str = "diff v5..v6") -> tuple[str, str]:
        """What is answered in reply to the later version's card."""
        return await self.desk.reply(text, to=self.cards[-1])

    @property
    def cards(self) -> list[EventId]:
        """The cards, without their edits."""
        return [each.event for each in self.desk.rig.chat.posted if each.message.edits is None and each.event]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    rig = Rig(tmp_path)
    async with rig.running() as bot:
        await bot.settle()
        yield Desk(rig, bot)


async def two(desk: Desk, before: NewSeries, after: NewSeries, days: float = 4) -> Versions:
    old = desk.rig.patchwork.post_series(PROJECT, before)
    await desk.rig.poll(desk.bot, times=2)
    await desk.rig.pass_quietly(desk.bot, days * 86_400)
    new = desk.rig.patchwork.post_series(PROJECT, after)
    await desk.rig.poll(desk.bot, times=2)
    return Versions(desk, old, new)


async def rerolled(desk: Desk) -> Versions:
    """One patch changed, one was dropped, one added, one moved, one got another message."""
    more = patch("Document it", "docs", message="For everyone.\n")
    amended = patch("Add that", "ram", "if (a < b)", "	return @room;")
    reworded = patch("Document it", "docs", message="For everyone who reads.\n")
    new = patch("Measure it", "bench")
    return await two(desk, version(5, ADD, USE, TEST, more), version(6, TEST, amended, new, reworded))


async def test_two_versions_are_compared_in_reply_to_a_card(desk: Desk) -> None:
    versions = await rerolled(desk)

    assert forms(await versions.diff()) == snapshot(
        (
            """\
[v6 0/4] migration: Make it fast
PROJECT/list/?series=2&state=*&archive=both
v5 → v6 (4 days): 1 of 4 changed, 1 new, 1 dropped, 1 moved, 1 reworded
• = 3 → 1 migration: Test it · moved
• ≠ 1 → 2 migration: Add that · changed +2 −0
• − 2 migration: Use it · dropped
• + 3 migration: Measure it · new
• ≈ 4 → 4 migration: Document it · message changed\
""",
            """\
<p><strong><a href="PROJECT/list/?series=2&amp;state=*&amp;archive=both">
[v6 0/4] migration: Make it fast</a></strong>
<br>v5 → v6 (4 days): 1 of 4 changed, 1 new, 1 dropped, 1 moved, 1 reworded</p>
<ul>
<li>= 3 → 1 migration: Test it · moved</li>
<li>≠ 1 → 2 migration: Add that · changed +2 −0</li>
<li>− 2 migration: Use it · dropped</li>
<li>+ 3 migration: Measure it · new</li>
<li>≈ 4 → 4 migration: Document it · message changed</li></ul>
<details>
<summary>1 → 2 migration: Add that</summary><blockquote><pre><code>@@ migration/ram.c
 +ram 5
 +ram 6
 +ram 7
++if (a &lt; b)
++	return @\u2060room;</code></pre></blockquote></details>
<details>
<summary>4 → 4 migration: Document it</summary><blockquote><pre><code>@@
  ## Commit message ##
-    For everyone.
+    For everyone who reads.
  ## migration/docs.c ##
 @@ migration/docs.c:
 +docs 0</code></pre></blockquote></details>\
""",
        )
    )


async def test_the_same_versions_are_meant_by_other_words(desk: Desk) -> None:
    versions = await rerolled(desk)
    answer = await versions.diff()

    for text in ("diff v6", "diff v5...v6", "compare v5 to v6", "diff v5 v6", "range-diff v5..v6"):
        assert await versions.diff(text) == answer, text
    series = "https://patchwork.example.org/project/qemu-devel/list/?series="
    for text in (
        f"diff {versions.before.series}..{versions.after.series}",
        f"diff sample:{versions.before.series}..sample:{versions.after.series}",
        f"diff {series}{versions.before.series}..{series}{versions.after.series}",
        f"diff {versions.after.series} v5..v6",
        f"diff v5..v6 of {series}{versions.before.series}",
    ):
        assert await desk.reply(text) == answer, text


async def test_the_other_way_round_is_the_other_way_round(desk: Desk) -> None:
    versions = await rerolled(desk)

    assert "v6 → v5: 1 of 4 changed, 1 new, 1 dropped, 1 moved, 1 reworded" in (await versions.diff("diff v6..v5"))[0]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "diff ..",
            HOW,
        ),
        (
            "diff v5..",
            HOW,
        ),
        (
            "diff v4..v6",
            "Of this series I know v5, v6, but not v4. Name both by id or link instead: !pw diff SERIES..SERIES",
        ),
        ("diff v5", "I know of no version before v5. Name both by id or link instead: !pw diff SERIES..SERIES"),
        ("diff v6..v6", "Both are the same series, v6."),
        ("diff 1..99", "There is no patch or series 99 on sample."),
    ],
)
async def test_a_mistake_is_answered_with_a_way_out(desk: Desk, text: str, answer: str) -> None:
    versions = await rerolled(desk)

    assert (await versions.diff(text))[0] == answer


async def test_without_a_card_the_series_is_asked_for(desk: Desk) -> None:
    assert (await desk.reply("diff v5..v6"))[0].startswith("Which one? Name it, or type this in reply to a card.")


async def test_each_version_costs_one_request(desk: Desk) -> None:
    versions = await rerolled(desk)
    before = len(desk.rig.patchwork.requests)

    await versions.diff()

    asked = [path for _, path, _ in desk.rig.patchwork.requests[before:]]
    assert [path for path in asked if "mbox" in path] == ["/series/1/mbox/", "/series/2/mbox/"]
    assert len(asked) <= 3, "the series of the card, too"


async def test_an_outage_leaves_what_is_stored(desk: Desk) -> None:
    versions = await rerolled(desk)
    desk.break_down()

    body, html = await versions.diff()

    assert "v5 → v6 (4 days): 1 of 4 changed, 1 new, 1 dropped, 1 moved" in body
    assert "compared by what the bot has stored, without the changed lines" in body
    assert "<details>" not in html


async def test_a_lone_patch_is_compared_by_its_page(desk: Desk) -> None:
    versions = await two(desk, version(1, ADD), version(2, patch("Add it", "ram", "more")))

    body, html = await versions.diff("diff v1..v2")

    assert "v1 → v2 (4 days): changed\n• ≠ 1 → 1 migration: Add it · changed +1 −0" in body
    assert "++more" in html


async def test_characters_that_nobody_sees_are_spelled_out(desk: Desk) -> None:
    hidden = patch("Add it", "ram", "if (admin\u202e) \u2066// check\u2069", "bell \x07")
    versions = await two(desk, version(1, ADD, USE), version(2, hidden, USE))

    _, html = await versions.diff("diff v1..v2")

    assert "if (admin⟨U+202E⟩) ⟨U+2066⟩// check⟨U+2069⟩" in html
    assert "bell ⟨U+0007⟩" in html


async def test_long_diffs_of_diffs_are_cut_and_fit(desk: Desk) -> None:
    many = [patch(f"Step {number}", f"file{number}") for number in range(40)]
    amended = [
        patch(f"Step {number}", f"file{number}", *(f"line {line} <&> of many" for line in range(7)))
        for number in range(40)
    ]
    versions = await two(desk, version(1, *many), version(2, *amended))

    body, html = await versions.diff("diff v1..v2")

    assert "all 40 changed" in body
    assert "… and 15 more patches" in body
    assert len(body.encode()) <= 4_096
    assert len(html.encode()) <= 8_192
    assert html.count("<details>") == html.count("</details>") > 0
