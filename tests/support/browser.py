"""A headless Chromium, spoken to by the Chrome DevTools Protocol."""

import asyncio
import base64
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

_LISTENS = re.compile(rb"DevTools listening on ws://([^/]+)/")


@dataclass
class Tab:
    """A tab; *asked* are the addresses it asked the network for, *complaints* what the console says."""

    _socket: aiohttp.ClientWebSocketResponse
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _number: int = 0
    _loaded: bool = False

    async def open(self, url: str) -> None:
        """Go to *url*, and return when the page is loaded."""
        for domain in ("Network", "Log", "Runtime", "Page"):
            await self.call(f"{domain}.enable")
        self._loaded = False
        await self.call("Page.navigate", url=url)
        while not self._loaded:
            self._heed(await self._socket.receive_json())

    async def prefer(self, scheme: str) -> None:
        """Ask pages for a "dark" or a "light" look."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def be(self, width: int, height: int, scale: float = 1) -> None:
        """Have a window of this size, with *scale* pixels of the screen for each of its own."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression says in the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"]["value"]

    async def screenshot_png(self) -> bytes:
        """What the whole page looks like, as PNG."""
        answer = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    async def screenshot(self, file: Path) -> None:
        """Write what the whole page looks like, as PNG."""
        await asyncio.to_thread(file.write_bytes, await self.screenshot_png())

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """The answer to a call of the protocol."""
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            told = await self._socket.receive_json()
            if told.get("id") == number:
                assert "result" in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._heed(told)

    def _heed(self, told: dict[str, Any]) -> None:
        match told:
            case {"method": "Network.requestWillBeSent", "params": {"request": {"url": url}}}:
                self.asked.append(url)
            case {"method": "Log.entryAdded", "params": {"entry": {"text": text}}}:
                self.complaints.append(text)
            case {"method": "Page.loadEventFired"}:
                self._loaded = True
            case _:
                pass


@asynccontextmanager
async def tab(chromium: str, folder: Path) -> AsyncIterator[Tab]:
    """A tab of a browser that knows nothing and nobody."""
    arguments = ["--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0", "--no-proxy-server"]
    arguments += [f"--user-data-dir={folder}", "--disable-background-networking", "--disable-component-update"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = await asyncio.create_subprocess_exec(
        chromium,
        *arguments,
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={"HOME": str(folder), "PATH": os.environ["PATH"]},
    )
    assert browser.stderr is not None
    try:
        while not (found := _LISTENS.search(line := await browser.stderr.readline())):
            assert line, "the browser ended"
        drain = asyncio.create_task(browser.stderr.read())
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{found[1].decode()}/json/list") as answer:
                (page,) = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        if browser.returncode is None:
            browser.terminate()
        await browser.wait()
    await drain
