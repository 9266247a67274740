"""Draws charts in a process that lives only for one picture, so that the bot holds neither the library nor its memory.

What is drawn are figures and a line of text, which a command bounds. The process does not get the bot's environment,
which may hold secrets; it has a folder of its own, for the font cache that Matplotlib insists on.
"""

import asyncio
import importlib.util
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bot.notices.chart import Chart

EXTRA: Final = "patchwork-matrix-bot[chart]"
DRAW_SECONDS: Final = 15.0
MAX_PICTURE_BYTES: Final = 1024 * 1024
_PACKAGES: Final = Path(__file__).parents[2]


class NotDrawn(Exception):
    """A picture could not be drawn; the text is for the log."""


def is_installed() -> bool:
    """Return whether what draws the pictures is installed; it is not loaded."""
    return importlib.util.find_spec("matplotlib") is not None


class ChartDrawer:
    """Draws one chart at a time; *program* is the module that does."""

    def __init__(self, program: str = "bot.pictures.chart_png", seconds: float = DRAW_SECONDS) -> None:
        self._program = program
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def draw(self, chart: Chart) -> bytes:
        """Return the picture of a chart as PNG.

        Raises:
            NotDrawn: the process failed, or took too long.
        """
        async with self._turn:
            with tempfile.TemporaryDirectory(prefix="patchbot-chart-") as folder:
                return await self._run(json.dumps(asdict(chart)).encode(), folder)

    async def _run(self, figures: bytes, folder: str) -> bytes:
        environment = {"MPLCONFIGDIR": folder, "PYTHONPATH": str(_PACKAGES), "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C"}
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._program, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment
            )
        except OSError as error:
            raise NotDrawn(f"no process can be started: {error}") from error
        try:
            async with asyncio.timeout(self._seconds):
                picture, trace = await process.communicate(figures)
        except TimeoutError as error:
            raise NotDrawn(f"it took longer than {self._seconds:g} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            last_line = (trace.decode("utf-8", "replace").strip().splitlines() or ["no reason given"])[-1]
            raise NotDrawn(f"the process ended with {process.returncode}: {last_line[:200]}")
        if len(picture) > MAX_PICTURE_BYTES:
            raise NotDrawn(f"the picture has {len(picture)} bytes")
        return picture
