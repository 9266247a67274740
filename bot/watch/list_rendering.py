"""Composes lists of many submissions; one that cannot be rendered is listed by its number."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.incidents import Incidents
from bot.notices.floods import Gathered
from bot.notices.notice import Notice


def composed(
    gathered: Sequence[Gathered], compose: Callable[[Sequence[Gathered]], list[Notice]], incidents: Incidents
) -> list[Notice]:
    """Return what *compose* makes of the *gathered* submissions; one on which it fails is reduced to its number."""
    try:
        return compose(gathered)
    except Exception:  # noqa: BLE001  # a fault of ours in one of them, which is found and recorded here
        return compose([_shown(each, compose, incidents) for each in gathered])


def _shown(gathered: Gathered, compose: Callable[[Sequence[Gathered]], list[Notice]], incidents: Incidents) -> Gathered:
    try:
        compose([gathered])
    except Exception as error:  # noqa: BLE001  # the same
        incidents.record("list.item_not_shown", f"series {gathered.number} of {gathered.server}", error)
        return replace(gathered, what=None)
    return gathered
