"""The figures of a chart, which a notice holds until they are posted as a picture. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

MAX_WEEKS: Final = 27  # of 180 days, with the first one cut short
_MAX_HEADING: Final = 200  # characters
_FIGURES: Final = ("days", "came", "accepted", "open")


@dataclass(frozen=True, slots=True)
class Week:
    """The figures of a week: what came and was accepted in it, and what was open at its end.

    *start* is its first day (UTC, ISO 8601); it has 7 *days*, but the first week may have fewer.
    """

    start: str
    days: int
    came: int
    accepted: int
    open: int


@dataclass(frozen=True, slots=True)
class Chart:
    """The figures of some weeks, oldest first, below a *heading*, and the *query* that they are about."""

    heading: str
    query: str
    weeks: tuple[Week, ...]


def chart_of(stored: object) -> Chart:
    """Return the chart that was stored as JSON.

    Raises:
        ValueError: it is not the JSON of a chart.
    """
    match stored:
        case {"heading": str(heading), "query": str(query), "weeks": [_, *_] as weeks} if len(weeks) <= MAX_WEEKS:
            return Chart(heading[:_MAX_HEADING], query[:_MAX_HEADING], tuple(map(_week, weeks)))
    raise ValueError("a stored chart has another shape than this program writes")


def _week(stored: object) -> Week:
    match stored:
        case {"start": str(start), **figures} if figures.keys() == set(_FIGURES):
            date.fromisoformat(start)
            return Week(start, *(_count(figures, name) for name in _FIGURES))
    raise ValueError("a week of a stored chart has another shape than this program writes")


def _count(figures: Mapping[object, object], name: str) -> int:
    count = figures[name]
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ValueError(f"the figure {name} of a stored chart is no count")
    return count
