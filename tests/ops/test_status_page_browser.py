"""The status page as a browser shows it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ids import RoomId
from bot.notices.status import RoomStatus
from support.browser import tab
from support.programs import program
from support.status_rig import BOT, MORE, Being, pages

HOSTILE = RoomStatus(RoomId("!x:hs"), '"><img src=/stolen onerror="document.title=1">\u202e<script>a()</script>', 1, 1)
DARK_PAGE, LIGHT_PAGE = "rgb(20, 24, 29)", "rgb(255, 255, 255)"


@pytest.fixture
def chromium() -> str:
    return program("chromium", "chromium")


async def test_a_browser_shows_the_page_dark_and_light_and_asks_for_nothing_else(chromium: str, tmp_path: Path) -> None:
    seen = Being(BOT, replace(MORE, rooms=(*MORE.rooms, HOSTILE)))

    async with asyncio.timeout(240), pages(seen) as client, tab(chromium, tmp_path / "profile") as page:
        await page.be(1000, 900)
        await page.open(f"{client.base_url}")
        colours = {}
        for scheme in ("light", "dark"):
            await page.prefer(scheme)
            colours[scheme] = await page.value("getComputedStyle(document.body).backgroundColor")
            await page.screenshot(tmp_path / f"{scheme}.png")
        await page.be(360, 740)
        sticks_out = await page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        elements = await page.value("document.querySelectorAll('script, img, link, iframe').length")
        title = await page.value("document.title")
        shown = await page.value("document.body.innerText")

    assert colours == {"light": LIGHT_PAGE, "dark": DARK_PAGE}
    assert sticks_out == 0, "a narrow window scrolls tables, not the page"
    assert page.asked == [f"{client.base_url}/"]
    assert page.complaints == []
    assert (elements, title) == (0, "patchwork-matrix-bot")
    assert "#migration:hs" in shown
    assert "<script>a()</script>" in shown
