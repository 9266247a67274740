"""What hangs on patches and series, asked of a sample Patchwork."""

from dataclasses import dataclass

import pytest

from bot.clock import VirtualClock
from bot.ids import PatchId, SeriesId
from bot.patchwork.api import PatchworkApi
from bot.patchwork.client import PatchworkClient, RequestLimits
from bot.patchwork.model import Check, CheckState, latest
from bot.patchwork.responses import NotFound
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import URL, a_patchwork, an_api
from support.rig import PROJECT, a_series


@dataclass
class Asking:
    """A server and the questions."""

    clock: VirtualClock
    patchwork: SamplePatchwork
    api: PatchworkApi

    def paths(self) -> list[str]:
        """What was asked, page by page."""
        return [f"{path}?{query}" for _, path, query in self.patchwork.requests]


@pytest.fixture
async def asking() -> Asking:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    api = an_api(SampleTransport(patchwork))
    await api.discover()
    patchwork.requests.clear()
    return Asking(clock, patchwork, api)


async def test_more_checks_than_a_page_has_are_read_to_the_end(asking: Asking) -> None:
    patch = asking.patchwork.post_series(PROJECT, a_series("a.c")).patches[0]
    for number in range(251):
        asking.patchwork.add_check(patch, NewCheck("success", f"build-{number}"))

    checks = await asking.api.checks(PatchId(patch))

    assert [check.context for check in checks] == [f"build-{number}" for number in range(251)]
    assert asking.paths() == [
        f"/api/1.3/patches/{patch}/checks/?per_page=250",
        f"/api/1.3/patches/{patch}/checks/?per_page=250&page=2",
    ]


async def test_a_check_is_read_with_who_says_what_and_where(asking: Asking) -> None:
    patch = asking.patchwork.post_series(PROJECT, a_series("a.c")).patches[0]
    asking.patchwork.add_check(patch, NewCheck("warning", "style", "a long line", "https://ci.example.org/5", "ci"))

    [check] = await asking.api.checks(PatchId(patch))

    assert (check.state, check.context, check.user) == (CheckState.WARNING, "style", "ci")
    assert (check.description, check.url) == ("a long line", "https://ci.example.org/5")


async def test_comments_come_oldest_first_and_without_quotations(asking: Asking) -> None:
    posted = asking.patchwork.post_series(PROJECT, a_series("a.c", patches=2))
    asking.patchwork.add_comment(posted.patches[0], "> quoted\nFirst.\n", submitter="Bo Be <bo@example.org>")
    asking.clock.advance(60)
    asking.patchwork.add_comment(posted.patches[0], "Second.\n")
    asking.patchwork.add_cover_comment(posted.cover or 0, "All of it.\n")

    on_patch = await asking.api.patch_comments(PatchId(posted.patches[0]))
    on_cover = await asking.api.cover_comments(SeriesId(posted.series))

    assert [(comment.submitter.name, comment.text) for comment in on_patch] == [
        ("Bo Be", "First."),
        ("Rey Viewer", "Second."),
    ]
    assert [(comment.date, comment.text) for comment in on_cover] == [("2026-01-01T00:01:00", "All of it.")]


async def test_a_series_without_a_cover_letter_has_no_comments_on_it(asking: Asking) -> None:
    posted = asking.patchwork.post_series(PROJECT, a_series("a.c"))

    assert await asking.api.cover_comments(SeriesId(posted.series)) == ()


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
async def test_patches_of_a_series_are_its_own_by_number(version: str) -> None:
    patchwork = a_patchwork(VirtualClock())
    patchwork.api_versions = (version,)
    api = an_api(SampleTransport(patchwork))
    await api.discover()
    patchwork.post_series(PROJECT, a_series("a.c"))
    posted = patchwork.post_series(PROJECT, a_series("a.c", patches=3))
    patchwork.set_state(posted.patches[1], "accepted")

    patches = await api.patches_of(SeriesId(posted.series))

    assert [(patch.id, patch.state) for patch in patches] == [
        (posted.patches[0], "new"),
        (posted.patches[1], "accepted"),
        (posted.patches[2], "new"),
    ]


async def test_a_page_of_a_patch_has_its_diff_and_its_series(asking: Asking) -> None:
    posted = asking.patchwork.post_series(PROJECT, a_series("a.c", name="Both", patches=2))

    page = await asking.api.patch_page(posted.patches[0])

    assert page.diff == asking.patchwork.rows.patches[posted.patches[0]].diff
    assert page.series is not None
    assert (page.series.id, page.series.name) == (posted.series, "Both")


@pytest.mark.parametrize("giant", [40, 400])
async def test_series_that_are_too_many_or_too_large_for_one_page_hide_no_other(giant: int) -> None:
    """Somebody may mail a series of thousands of patches, all of which stand in the list of series."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    for patches in [4] * 20 + [giant] + [4] * 13:
        patchwork.post_series(PROJECT, a_series(patches=patches))
    limits = RequestLimits(max_bytes=80_000)
    api = PatchworkApi(PatchworkClient(URL, "", transport=SampleTransport(patchwork), limits=limits))
    await api.discover()

    first = await api.newest_series([PROJECT])
    pages = [await api.newest_series([PROJECT], 15, number) for number in (1, 2, 3)]

    small = [number for number in range(34, 0, -1) if number != 21 or giant == 40]
    assert [series.id for series in first.rows] == small
    assert [series.id for page in pages for series in page.rows] == small
    assert (first.lowest, pages[0].lowest, pages[2].lowest) == (1, 20, 1)
    assert [first.more, *(page.more for page in pages)] == [False, True, True, False]


async def test_a_cover_letter_leads_to_its_series(asking: Asking) -> None:
    posted = asking.patchwork.post_series(PROJECT, a_series("a.c", patches=2))

    assert (await asking.api.cover(posted.cover or 0)).series == posted.series
    with pytest.raises(NotFound):
        await asking.api.cover(99)


def test_the_latest_word_of_each_account_in_each_context_counts() -> None:
    old = Check(5, CheckState.FAIL, "build", "ci", date="2026-01-01T00:00:00")
    new = Check(3, CheckState.SUCCESS, "build", "ci", date="2026-01-02T00:00:00")
    other = Check(4, CheckState.WARNING, "build", "other", date="2026-01-01T00:00:00")
    again = Check(6, CheckState.PENDING, "boot", "ci", date="2026-01-02T00:00:00")

    assert latest([new, old, again, other]) == [other, again, new]
