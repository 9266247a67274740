"""What tools say of patches."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.notices import fact_lines as facts
from bot.notices.card import Site, patch_name, patch_title, series_title
from bot.notices.markup import Allowed, Bullets, Document, Inline, Line, Link, Text, cut, lines, words
from bot.patchwork.model import WORST_FIRST, Check, CheckState, Patch, Series, latest

_NONE = "No tool has said anything of it yet."


@dataclass(frozen=True, slots=True)
class Checked:
    """A patch of a series with its checks; those are None where only the worst, the patch's own, was asked for."""

    patch: Patch
    checks: tuple[Check, ...] | None = None


def checks_shown(patch: Patch, checks: Sequence[Check], site: Site) -> Document:
    """The latest checks of a patch, the worst first."""
    last = latest(checks)
    told = words(_counted(check.state for check in last) or _NONE)
    return (patch_title(patch, site), lines([told]), Bullets(tuple(_check(check, site.allowed) for check in last)))


def series_checks_shown(series: Series, checked: Sequence[Checked], site: Site) -> Document:
    """How each patch of a series is checked, the worst first; those without checks are only counted."""
    found = [(each, each.patch.check) for each in checked if each.patch.check is not None]
    if not found:
        return (series_title(series, site), lines([words("No tool has said anything of its patches yet.")]))
    unchecked = len(checked) - len(found)
    counted = _counted(state for _, state in found)
    told = facts.joined([counted, f"{unchecked} without checks" if unchecked else ""])
    items = [_patch(each, state, site) for each, state in sorted(found, key=lambda pair: WORST_FIRST.index(pair[1]))]
    return (series_title(series, site), lines([words(f"Patches: {told}")]), Bullets(tuple(items)))


def _counted(states: Iterable[CheckState]) -> str:
    counts = Counter(states)
    return facts.joined(f"{facts.check_word(state)} {counts[state]}" for state in WORST_FIRST if counts[state])


def _check(check: Check, allowed: Allowed) -> Line:
    context = facts.named(check.context, "check")
    linked = check.url is not None and allowed.link(check.url)
    pieces: list[str | Inline] = [f"{facts.check_word(check.state)} "]
    pieces += [Link(context, check.url) if linked and check.url else Text(context)]
    pieces += [f" — {cut(check.description, 200)}"] if check.description else []
    pieces += [f" ({cut(check.user, 60)})"] if check.user else []
    pieces += [f" {cut(check.url, 200)}"] if check.url and not linked else []
    return words(*pieces)


def _patch(each: Checked, worst: CheckState, site: Site) -> Line:
    bad = [check.context for check in latest(each.checks or ()) if check.state is worst]
    contexts = f": {cut(', '.join(dict.fromkeys(bad)), 200)}" if bad else ""
    return words(
        Link(patch_name(each.patch), site.patch(each.patch), spelled=False),
        f" · {facts.check_word(worst)}{contexts}",
    )
