"""Makes every picture of the README and docs/ from what the bot itself posts: `make pictures`.

The bot runs between a sample Patchwork and rooms in memory, in virtual time, so a picture changes only if the bot or
the drawing does. Needs Chromium, and the fonts Inter, DejaVu and Noto Color Emoji.
"""

import asyncio
import base64
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog

from bot.errors import UserError
from client_pages import Look, room_page, terminal_page
from sample_rooms import CHAT, DIGEST, MIGRATION, Entry, Scene, play, titled
from small_png import small_png
from support.browser import Tab, tab

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SCALE = 1.5
WIDEST = 1000  # pixels of a page that could be any width
ELEMENT, FLAT = Look("element.css", unfolded="RFC v2 0/2"), Look("flat.css", folds=False)
CARDS = ("[v2 0/3]", "[RFC 0/2]", "migration/channel", "[RFC v2 0/2]", "[v2] migration/rdma")


def _cards(scene: Scene) -> list[Entry]:
    room = scene.rooms[MIGRATION]
    return sorted((titled(room, text) for text in CARDS), key=lambda entry: entry.at)


def _thread(scene: Scene) -> list[Entry]:
    return titled(scene.rooms[MIGRATION], CARDS[0]).replies


def _terminal(scene: Scene) -> str:
    card = titled(scene.rooms[MIGRATION], "migration/channel")
    start = next(number for number, post in enumerate(scene.sent) if post.event == card.event)
    return terminal_page([post for post in scene.sent[start:] if post.room == MIGRATION][:8])


PAGES: dict[str, Callable[[Scene], str]] = {
    "room.png": lambda scene: room_page(_cards(scene), ELEMENT, "QEMU migration"),
    "without-folding.png": lambda scene: room_page(_cards(scene), FLAT),
    "terminal.png": _terminal,
    "thread.png": lambda scene: room_page(_thread(scene), ELEMENT, "Thread"),
    "digest.png": lambda scene: room_page(scene.rooms[DIGEST][3:5], ELEMENT, "QEMU every day"),
    "chat.png": lambda scene: room_page(scene.rooms[CHAT], ELEMENT, "patchbot"),
    "status-page.png": lambda scene: scene.status,
}


async def main(folder: Path) -> None:
    """Write all pictures into *folder*.

    Raises:
        UserError: there is no Chromium.
    """
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    chromium = shutil.which("chromium")
    if chromium is None:
        raise UserError("make pictures needs Chromium: apt install chromium")
    with tempfile.TemporaryDirectory(prefix="patchbot-pictures-") as work_folder:
        work = Path(work_folder)
        scene = await play(work)
        async with tab(chromium, work / "profile") as browser:
            for name, draw in PAGES.items():
                picture = small_png(await _capture(browser, draw(scene)))
                await asyncio.to_thread((folder / name).write_bytes, picture)
                print(f"{name}: {len(picture) / 1000:.0f} kB")  # noqa: T201  # it takes a while


async def _capture(browser: Tab, page: str) -> bytes:
    """Return a PNG of the HTML *page*, as large as its content."""
    await browser.be(WIDEST, 400, SCALE)
    await browser.open("data:text/html;base64," + base64.b64encode(page.encode()).decode())
    box = "(document.querySelector('main') || document.body).getBoundingClientRect()"
    width, height = int(await browser.value(f"{box}.width")), int(await browser.value(f"{box}.bottom"))
    await browser.be(width, height, SCALE)
    return await browser.screenshot_png()


if __name__ == "__main__":
    asyncio.run(main(FOLDER))
