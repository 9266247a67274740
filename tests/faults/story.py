"""What happens on a list, by the dice, and what rooms must show of it in the end: the reference of the soak.

It knows nothing of the bot but its promise. Nothing happens twice to the same thing, and a patch has one state after
"New" at most, so that whatever is told together or apart, the sum of it is the same.
"""

import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork
from support.rig import PROJECT, a_series

FLOODED = "import"  # where many series arrive at once
PLACES = ("migration", "net", "docs", "elsewhere", FLOODED)
FLOOD = (14, 17)  # series at once
HAPPENINGS = (*("series", "version", "state", "check", "remark") * 2, *("series", "state") * 2, "flood")
STATES = ("accepted", "rejected", "deferred")
CHECKS = ("success", "warning", "fail")  # the worst last
_SIGNS = {"fail": "❌", "warning": "⚠️", "pending": "pending", "success": "✅"}
LAST_VERSION = 3


@dataclass
class Work:
    """A version of a series, and all that happened to it; *patches* are their ids, in order."""

    lineage: int
    place: str
    version: int
    number: int
    patches: tuple[int, ...]
    states: dict[int, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    reviewers: int = 0
    superseded_by: int | None = None

    @property
    def name(self) -> str:
        """What all its versions are called."""
        return f"{self.place}: Fix number {self.lineage}"


@dataclass
class Story:
    """A list on which things happen; *works* in the order of their arrival."""

    patchwork: SamplePatchwork
    dice: random.Random
    works: list[Work] = field(default_factory=list)
    floods: int = 0
    _said: int = 0

    def begin(self) -> None:
        """Post a series for each room, so that even a short story has something for all of them."""
        for place in PLACES:
            self._arrive(Work(len(self.works) + 1, place, 1, 0, ()))

    def happen(self, read: Collection[int], *, may_flood: bool = True) -> None:
        """One thing more; what changes is one of the series that were *read*: what was before is no change.

        Unless it *may_flood*, nothing happens where floods are, so that one that goes on there comes to its end.
        """
        places = PLACES if may_flood else tuple(place for place in PLACES if place != FLOODED)
        open_ = [work for work in self.works if work.number in read and work.place in places]
        what = self.dice.choice(HAPPENINGS)
        if what == "flood" and may_flood:
            for _ in range(self.dice.randint(*FLOOD)):
                self._arrive(Work(len(self.works) + 1, FLOODED, 1, 0, ()))
            self.floods += 1
            return
        if what == "series" or not open_:
            self._arrive(Work(len(self.works) + 1, self.dice.choice(places), 1, 0, ()))
            return
        place = self.dice.choice(sorted({work.place for work in open_}))  # most of all came in floods
        work = self.dice.choice([work for work in open_ if work.place == place])
        match what:
            case "version" if work.superseded_by is None and work.version < LAST_VERSION:
                work.superseded_by = work.version + 1
                self._arrive(Work(work.lineage, work.place, work.version + 1, 0, ()))
            case "check":
                self._check(work)
            case "remark":
                self._remark(work)
            case _:
                self._set_state(work)

    def _arrive(self, work: Work) -> None:
        path = f"{work.place}/fix{work.lineage}.c"
        series = a_series(path, name=work.name, patches=self.dice.randint(1, 3), version=work.version)
        submitter = f"Author {work.lineage} <author{work.lineage}@example.org>"
        posted = self.patchwork.post_series(PROJECT, replace(series, submitter=submitter))
        work.number, work.patches = posted.series, posted.patches
        self.works.append(work)

    def _set_state(self, work: Work) -> None:
        unset = [patch for patch in work.patches if patch not in work.states]
        if unset:
            patch, state = self.dice.choice(unset), self.dice.choice(STATES)
            work.states[patch] = state
            self.patchwork.set_state(patch, state)

    def _check(self, work: Work) -> None:
        self._said += 1
        context, state = f"ci-{self._said}", self.dice.choice(CHECKS)
        work.checks[context] = state
        self.patchwork.add_check(self.dice.choice(work.patches), NewCheck(state, context))

    def _remark(self, work: Work) -> None:
        self._said += 1
        person = f"Viewer {self._said} <viewer{self._said}@example.com>"
        remark, review = f"Remark {self._said}.", self.dice.random() < 0.5  # half of them
        work.remarks.append(remark)
        work.reviewers += review
        text = f"{remark}\n\nReviewed-by: {person}\n" if review else f"{remark}\n"
        self.patchwork.add_comment(self.dice.choice(work.patches), text, submitter=person)


def facts_of(work: Work) -> Iterator[str]:
    """What the final card of *work* says, each a part of its text."""
    yield work.name
    counts = Counter({"New": len(work.patches) - len(work.states)}) + Counter(map(str.title, work.states.values()))
    yield from counts if len(counts) == 1 else (f"{state} {count}" for state, count in counts.items())
    if work.reviewers:
        yield "reviewed"
    if work.superseded_by:
        yield f"→ v{work.superseded_by}"
    elif work.checks:
        yield _SIGNS[max(work.checks.values(), key=CHECKS.index)]


def told_of(work: Work) -> Counter[str]:
    """What is told below the card of *work* where a room hears of everything: each thing, and how often."""
    told = Counter(f"→ {state.title()}" for state in work.states.values())
    return told + Counter(work.checks.keys()) + Counter(work.remarks)
