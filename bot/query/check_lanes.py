"""Lanes of checks: which contexts belong together, such as those of build machines and those of AI reviewers. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.query.index.globs import glob_matches

OTHERS = "CI"  # the lane of all contexts that no other lane names


@dataclass(frozen=True, slots=True)
class CheckLanes:
    """The lanes that an operator set: globs of contexts by name, whose `*` crosses slashes. The first match wins."""

    globs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, context: str) -> str:
        """Return the lane of a context, in any case."""
        name = context.casefold()
        return next((lane for lane, globs in self.globs.items() if _matches(globs, name)), OTHERS)


NO_LANES = CheckLanes()


def _matches(globs: Iterable[str], name: str) -> bool:
    return any(glob_matches(glob.casefold(), name) for glob in globs)
