"""Draws a chart as PNG. Run as a program: reads the chart as JSON from standard input, writes the PNG to its output.

The only module that uses Matplotlib. The same chart makes the same bytes. Sizes are in the pixels of Element, which
shows pictures in 324 by 324 of them by default; they are drawn three times as fine, and no text is smaller than 11.
The background is the picture's own, because a chat may be light or dark, and a thumbnail may have no transparency. The
lines differ in colour (of the palette by Okabe and Ito, which colour-blind people can tell apart), markers and strokes.
"""

import io
import json
import sys
import warnings
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bot.notices.chart import Chart, chart_of
from bot.text import cut_to_columns, one_line, printable, visible, with_few_marks

WIDTH: Final = 324  # pixels in Element; width and height in the file are `SCALE` times as many
HEIGHT: Final = 324
SCALE: Final = 3
_PIXELS_PER_INCH: Final = 100
_FONTS: Final = Path(mpl.get_data_path(), "fonts", "ttf")
_PLAIN: Final = FontProperties(fname=str(_FONTS / "DejaVuSans.ttf"), size=11 * 72 / _PIXELS_PER_INCH)
_BOLD: Final = FontProperties(fname=str(_FONTS / "DejaVuSans-Bold.ttf"), size=12 * 72 / _PIXELS_PER_INCH)
_LINE_COLUMNS: Final = 44  # of text across the picture
_TICKS: Final = 4  # dates below the chart, at most
_PAPER, _INK, _FAINT, _GRID = "#ffffff", "#1b1d22", "#4d5661", "#d9dee4"
_OPEN, _NEW, _ACCEPTED = "#1b1d22", "#0072b2", "#d55e00"
_REPLACEMENT: Final = "\ufffd"


def chart_png(chart: Chart) -> bytes:
    """Return the picture of a chart."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams["text.parse_math"] = False  # a query may have dollar signs
        warnings.simplefilter("ignore")  # on standard error, of glyphs and layouts; the picture is what counts
        figure = Figure((WIDTH / _PIXELS_PER_INCH, HEIGHT / _PIXELS_PER_INCH), facecolor=_PAPER)
        figure.set_dpi(_PIXELS_PER_INCH * SCALE)
        FigureCanvasAgg(figure)
        _write_headings(figure, chart)
        top = figure.add_axes((0.13, 0.545, 0.71, 0.235))
        bottom = figure.add_axes((0.13, 0.155, 0.71, 0.27))
        _draw_open(top, chart)
        _draw_flow(bottom, chart)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=figure.dpi, facecolor=_PAPER, metadata={"Software": None})
    return picture.getvalue()


def _write_headings(figure: Figure, chart: Chart) -> None:
    lines = [(chart.heading, _BOLD, _INK, 0.925)]
    if chart.query:
        lines.append((chart.query, _PLAIN, _FAINT, 0.87))
    for text, font, colour, height in lines:
        figure.text(0.03, height, drawable(text), fontproperties=font, color=colour)
    if (days := chart.weeks[0].days) < 7:
        note = f"Shaded: {days} {'day' if days == 1 else 'days'} only"
        figure.text(0.13, 0.025, note, fontproperties=_PLAIN, color=_FAINT)


def drawable(text: str) -> str:
    """Return *text* as one short line of characters that the font has; a "\ufffd" stands for some that it lacks."""
    words = (printable(word, "") for word in with_few_marks(visible(one_line(text))).split())
    line = " ".join(filter(None, words))
    known = FT2Font(str(_FONTS / "DejaVuSans.ttf")).get_charmap()
    drawn = ""
    for char in cut_to_columns(line, _LINE_COLUMNS * 2):
        if ord(char) in known:
            drawn += char
        elif not drawn.endswith(_REPLACEMENT):
            drawn += _REPLACEMENT
    return cut_to_columns(drawn, _LINE_COLUMNS)


def _draw_open(axes: Axes, chart: Chart) -> None:
    counts = [week.open for week in chart.weeks]
    _furnish(axes, counts, "Open at the end of each week", chart)
    places = range(len(counts))
    axes.fill_between(places, counts, color=_OPEN, alpha=0.08, linewidth=0)
    axes.plot(places, counts, color=_OPEN, marker="D", markersize=3.5, linewidth=1.6, clip_on=False)
    _label_ends(axes, [(counts[-1], _OPEN)])
    axes.set_xticklabels([])


def _draw_flow(axes: Axes, chart: Chart) -> None:
    new, accepted = [week.came for week in chart.weeks], [week.accepted for week in chart.weeks]
    _furnish(axes, [*new, *accepted], "", chart)
    places = range(len(new))
    axes.plot(places, new, color=_NEW, marker="o", markersize=4, linewidth=1.6, label="New each week", clip_on=False)
    axes.plot(
        places,
        accepted,
        color=_ACCEPTED,
        marker="^",
        markersize=4.5,
        linewidth=1.6,
        linestyle=(0, (3, 1.2)),
        label="Accepted",
        clip_on=False,
    )
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.03, 0.99),
        ncols=2,
        prop=_PLAIN,
        frameon=False,
        borderpad=0,
        handlelength=2.6,
        handletextpad=0.5,
        columnspacing=1.2,
        labelcolor=_INK,
    )
    legend.set_zorder(3)
    _label_ends(axes, [(new[-1], _NEW), (accepted[-1], _ACCEPTED)])
    starts = [date.fromisoformat(week.start) for week in chart.weeks]
    axes.set_xticklabels([f"{starts[place].day} {starts[place]:%b}" for place in _tick_places(len(starts))])


def _furnish(axes: Axes, counts: Sequence[int], title: str, chart: Chart) -> None:
    """Set up the axes for *counts* from zero, one place a week; the first week is shaded if it has fewer days."""
    last = len(chart.weeks) - 1
    axes.set_xlim(-0.3, last + 0.3)
    axes.set_ylim(0, max(*counts, 1) * 1.08)
    axes.set_facecolor(_PAPER)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: _short(int(count), 4)))
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_xticks(_tick_places(len(chart.weeks)))
    axes.tick_params(length=0, pad=4, colors=_FAINT)
    axes.tick_params(axis="x", pad=6)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(_PLAIN)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_FAINT)
    if chart.weeks[0].days < 7:
        axes.axvspan(-0.3, 0.5, color=_GRID, alpha=0.55, linewidth=0)
    if title:
        axes.set_title(title, fontproperties=_PLAIN, color=_INK, loc="left", x=-0.01, pad=5)


def _tick_places(weeks: int) -> list[int]:
    """Return the weeks that have a date, the last one among them, at equal distances."""
    step = -(-weeks // _TICKS)
    return sorted(range(weeks - 1, -1, -step))


def _label_ends(axes: Axes, ends: Sequence[tuple[int, str]]) -> None:
    """Write the last figure of each line beside it, in its colour; figures that would overlap are moved apart."""
    low, high = axes.get_ylim()
    least = (high - low) * 13 / (axes.get_position().height * HEIGHT)  # the height of a line of text
    right = axes.get_xlim()[1]
    height = low - least
    for count, colour in sorted(ends):
        height = max(count, height + least)
        axes.text(right, height, f" {_short(count, 5)}", fontproperties=_BOLD, color=colour, va="center")


def _short(count: int, most: int) -> str:
    """Return a figure in *most* characters, in thousands if it has more: "1,234", "12k"."""
    text = f"{count:,}"
    return text if len(text) <= most else f"{count / 1000:.4g}k"


def main() -> None:
    """Draw the chart that is read."""
    sys.stdout.buffer.write(chart_png(chart_of(json.load(sys.stdin.buffer))))


if __name__ == "__main__":
    main()
