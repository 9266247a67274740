"""Pictures of charts, and the process that draws them."""

import asyncio
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.notices.chart import Chart, Week, chart_of
from bot.pictures import drawing
from bot.pictures.chart_png import HEIGHT, SCALE, WIDTH, chart_png, drawable
from bot.pictures.drawing import ChartDrawer, NotDrawn
from bot.text import columns

FIGURES = ((4, 1, 20), (7, 5, 22), (0, 3, 19), (9, 9, 19))


def a_chart(figures: Sequence[tuple[int, int, int]] = FIGURES, query: str = "path:hw/", first: int = 6) -> Chart:
    start = date(2026, 9, 1)
    weeks = (
        Week((start + timedelta(days=7 * number)).isoformat(), 7 if number else first, *row)
        for number, row in enumerate(figures)
    )
    return Chart("90 days", query, tuple(weeks))


def opened(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture)).convert("RGB")


def colours(picture: bytes) -> set[tuple[int, ...]]:
    image = opened(picture)
    return {image.getpixel((x, y)) for x in range(0, image.width, 2) for y in range(0, image.height, 2)}  # type: ignore[misc] # of RGB


def test_a_picture_has_the_size_that_element_shows_and_each_line_in_its_colour() -> None:
    picture = chart_png(a_chart())

    assert opened(picture).size == (WIDTH * SCALE, HEIGHT * SCALE)
    assert {(255, 255, 255), (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x1B, 0x1D, 0x22)} <= colours(picture)
    assert len(picture) < 200_000


def test_the_same_figures_make_the_same_bytes_and_others_make_others() -> None:
    assert chart_png(a_chart()) == chart_png(a_chart())
    assert chart_png(a_chart()) != chart_png(a_chart(((4, 1, 20), (7, 5, 22), (0, 3, 19), (9, 8, 19))))


@pytest.mark.parametrize("figures", [((3, 1, 5),), ((0, 0, 0),) * 5, ((900, 10_000, 10_000),) * 27])
def test_one_week_nothing_and_very_much_can_be_drawn(figures: Sequence[tuple[int, int, int]]) -> None:
    assert len(colours(chart_png(a_chart(figures)))) > 10


def test_a_query_is_drawn_as_it_is_whatever_the_library_would_read_in_it() -> None:
    """A dollar sign begins a formula in Matplotlib."""
    hostile = "subject:/$\\frac{1}{0}$|^x$/ _a_ \\n %s \u202egnp\u202c \x00\x1b[31m" + "z\u0300" * 500

    assert chart_png(a_chart(query=hostile)) == chart_png(a_chart(query=drawable(hostile)))


def test_what_the_font_lacks_is_one_sign_and_what_nobody_sees_is_gone() -> None:
    assert drawable("from:Пётр 漢字 x\u202ey\u2066z\n\u00a0! \uf400\u200d") == "from:Пётр \ufffd xyz !"


@given(st.text(max_size=500))
@settings(max_examples=50, deadline=None)
def test_a_drawn_line_is_short_and_visible(text: str) -> None:
    line = drawable(text)

    assert columns(line) <= 44
    assert line.isprintable()


def test_a_chart_survives_storage() -> None:
    chart = a_chart()

    stored = asdict(chart)
    assert chart_of({**stored, "weeks": list(stored["weeks"])}) == chart


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"heading": "h", "query": "", "weeks": []},
        {"heading": "h", "query": "", "weeks": [{"start": "soon", "days": 7, "came": 0, "accepted": 0, "open": 0}]},
        {
            "heading": "h",
            "query": "",
            "weeks": [{"start": "2026-09-01", "days": 7, "came": -1, "accepted": 0, "open": 0}],
        },
        {"heading": "h", "query": "", "weeks": [{"start": "2026-09-01"}]},
        {"heading": "h", "query": "", "weeks": [{}] * 28},
    ],
)
def test_what_is_no_chart_is_refused(stored: object) -> None:
    with pytest.raises(ValueError, match=r"stored chart|isoformat"):
        chart_of(stored)


async def test_the_process_draws_the_same_picture_and_the_library_stays_outside(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys, bot.app\n"
        "from bot.pictures.drawing import ChartDrawer\nfrom test_chart_png_input import chart\n"
        "sys.stdout.buffer.write(asyncio.run(ChartDrawer().draw(chart))); assert 'matplotlib' not in sys.modules"
    )
    (tmp_path / "test_chart_png_input.py").write_text(
        f"from bot.notices.chart import Chart, Week\nchart = {a_chart()!r}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment
    )
    picture, _ = await process.communicate()

    assert process.returncode == 0
    assert picture == chart_png(a_chart())


async def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(NotDrawn, match=r"No module named bot.pictures.nothing"):
        await ChartDrawer("bot.pictures.nothing").draw(a_chart())


async def test_the_process_gets_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bot's holds secrets."""
    (tmp_path / "tell.py").write_text("import os; print(*sorted(os.environ))")
    monkeypatch.setattr(drawing, "_PACKAGES", tmp_path)
    monkeypatch.setenv("PATCHBOT_MATRIX__PASSWORD", "secret")

    assert await ChartDrawer("tell").draw(a_chart()) == b"LC_ALL MPLCONFIGDIR OPENBLAS_NUM_THREADS PYTHONPATH\n"


async def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(NotDrawn, match=r"longer than 0.1 s"):
        await ChartDrawer(seconds=0.1).draw(a_chart())
