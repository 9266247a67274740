"""What all benches share: taking turns, and one table of figures beside their goals.

Only ratios of CPU times taken in turns, within one process, mean anything on a machine that others use, too. A bench
is a module with a function `rows` that yields a `Row` for each figure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

WIDTH = 96  # at least, or lines of the table would break

Work = Callable[[int], int]
"""Does a part of the work of one round, by the round's number, and says how many pieces that were."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and what it should at least or at most be."""

    what: str
    against: str
    figure: float
    unit: str  # as it follows the figure
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str:
        """The goal in words; nothing where there is none."""
        if self.at_least is not None:
            return f"≥ {self.at_least:,g}"
        return f"≤ {self.at_most:,g}" if self.at_most is not None else ""

    @property
    def met(self) -> str:
        """Whether the goal is met, in colour."""
        if not self.goal:
            return ""
        too_low = self.at_least is not None and self.figure < self.at_least
        too_high = self.at_most is not None and self.figure > self.at_most
        return "[red]no[/]" if too_low or too_high else "[green]yes[/]"


@dataclass(frozen=True, slots=True)
class Turns:
    """The CPU seconds for one piece of work, by the way it is done, round by round."""

    seconds: Mapping[str, Sequence[float]]

    def faster(self, ours: str, theirs: str) -> float:
        """How many times the time of *ours* the other way takes."""
        return self.times(theirs, ours)

    def times(self, ours: str, theirs: str) -> float:
        """How many times the time of the other way *ours* takes; the median of the rounds."""
        return median(a / b for a, b in zip(self.seconds[ours], self.seconds[theirs], strict=True))


def in_turns(ways: Mapping[str, Work], rounds: int) -> Turns:
    """Have each way do its part of each round, one after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, work in ways.items():
            start = process_time()
            pieces = work(number)
            seconds[name].append((process_time() - start) / pieces)
    return Turns(seconds)


def progress(what: str) -> None:
    """Tell whoever waits what is being measured."""
    Console(stderr=True, highlight=False).print(f"[dim]{what} ...[/]")


def show(measured: Mapping[str, Sequence[Row]]) -> None:
    """Print one table with a part for each bench."""
    console = Console()
    console.width = max(console.width, WIDTH)
    table = Table("what", "against", title="Medians of what was measured in turns", box=SIMPLE)
    table.add_column("figure", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("met?")
    for title, rows in measured.items():
        table.add_section()
        table.add_row(f"[bold]{title}[/]")
        before = ""
        for row in rows:
            what = "" if row.what == before else row.what
            table.add_row(what, row.against, _rounded(row.figure) + row.unit, row.goal, row.met)
            before = row.what
    console.print(table)


def _rounded(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
