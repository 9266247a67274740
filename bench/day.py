"""One day of a large list, made up: what people and their tools do to a Patchwork server, minute by minute.

The sizes are those of a working day of the Linux kernel's lists: 500 series with 2,000 patches in 80 projects, 20
checks for each patch, review in bursts, states set by whole series. The same seed gives the same day.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.patterns import a_patch, a_word
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, PostedSeries, SamplePatchwork

MINUTES = 24 * 60
PROJECTS = tuple(f"list-{number:02}" for number in range(80))
SERIES = 500
PATCHES = 2_000
CONTEXTS = tuple(f"build/{kind}-{number}" for kind in ("gcc", "clang", "boot", "lint") for number in range(5))
_PEOPLE = 200
_BOTS = ("ci-bot", "netdev-bot", "kernel-robot")
_VERDICTS = ("accepted", "changes-requested", "rejected", "under-review")
_TRAILERS = ("Reviewed-by", "Acked-by", "Tested-by")

Step = Callable[[SamplePatchwork], object]


@dataclass
class Day:
    """What happens in which minute."""

    steps: dict[int, list[Step]] = field(default_factory=dict)

    def at(self, minute: float, step: Step) -> None:
        """Let *step* happen, if the day is not over by then."""
        if minute < MINUTES:
            self.steps.setdefault(int(minute), []).append(step)


@dataclass
class _Work:
    """A series that is sent version by version; *posted* once it is there."""

    project: str
    name: str
    submitter: str
    diffs: list[str]
    version: int = 1
    posted: PostedSeries | None = None

    def series(self) -> NewSeries:
        """The version that is to be sent."""
        count = len(self.diffs)
        titles = [self.name] if count == 1 else [f"{self.name}: step {number}" for number in range(1, count + 1)]
        patches = tuple(NewPatch(title, diff) for title, diff in zip(titles, self.diffs, strict=True))
        return NewSeries(
            name=self.name, patches=patches, version=self.version, cover=count > 1, submitter=self.submitter
        )

    def send(self, server: SamplePatchwork) -> None:
        """Let this version arrive; the one before is superseded."""
        before = self.posted
        self.posted = server.post_series(self.project, self.series())
        for patch in before.patches if before else ():
            server.set_state(patch, "superseded", self.submitter.partition(" ")[0].lower())

    @property
    def patches(self) -> Sequence[int]:
        """The patches of the version that was sent last."""
        if self.posted is None:
            raise AssertionError("nothing happens to a series before it is sent")
        return self.posted.patches


def a_day(rng: random.Random, files: Sequence[str]) -> Day:
    """A day whose patches touch *files*."""
    day = Day()
    people = [f"{a_word(rng).title()} {a_word(rng).title()} <{a_word(rng)}@example.org>" for _ in range(_PEOPLE)]
    for size in _sizes(rng):
        work = _Work(
            project=PROJECTS[int(len(PROJECTS) * rng.random() ** 2)],
            name=f"{a_word(rng)}: {a_word(rng)} {a_word(rng)} {a_word(rng)}",
            submitter=rng.choice(people),
            diffs=[sample_diff(*a_patch(rng, files)) for _ in range(size)],
        )
        _live(day, rng, work, people)
    return day


def _sizes(rng: random.Random) -> list[int]:
    """How many patches each series has: a third has one, a few have dozens, and all have 2,000 together."""
    weights = [1.0 if rng.random() < 0.35 else rng.paretovariate(1.2) for _ in range(SERIES)]
    spare = PATCHES - SERIES
    many = [weight - 1 for weight in weights]
    sizes = [1 + int(spare * weight / sum(many)) for weight in many]
    for number in rng.sample(range(SERIES), PATCHES - sum(sizes)):
        sizes[number] += 1
    return sizes


def _live(day: Day, rng: random.Random, work: _Work, people: Sequence[str]) -> None:
    """The life of one piece of work: sent, checked, reviewed, sent again perhaps, and judged."""
    minute = rng.triangular(0, MINUTES, 14 * 60)
    day.at(minute, work.send)
    _check(day, rng, work, minute)
    _review(day, rng, work, minute, people)
    if rng.random() < 0.15:
        minute += rng.uniform(120, 480)
        day.at(minute, _reworked(rng, work))
        _check(day, rng, work, minute)
        _review(day, rng, work, minute, people)
    if rng.random() < 0.7:
        verdict = rng.choices(_VERDICTS, weights=(6, 2, 1, 1))[0]
        day.at(minute + rng.uniform(60, 600), lambda server: _judge(server, work, verdict))


def _reworked(rng: random.Random, work: _Work) -> Step:
    """The next version: a patch in three is changed."""
    changed = [rng.random() < 0.33 for _ in work.diffs]

    def step(server: SamplePatchwork) -> None:
        work.version += 1
        diffs = zip(work.diffs, changed, strict=True)
        work.diffs = [f"{diff}+// changed in v{work.version}\n" if again else diff for diff, again in diffs]
        work.send(server)

    return step


def _check(day: Day, rng: random.Random, work: _Work, sent: float) -> None:
    """Each tool speaks once of each patch; one in fifty fails first, and half of those succeed later."""
    for context in CONTEXTS:
        user = rng.choice(_BOTS)
        done = sent + rng.uniform(5, 90)
        for index in range(len(work.diffs)):
            fails = rng.random() < 0.02
            check = NewCheck("fail" if fails else "success", context, user=user)
            day.at(done + index * 0.2, _checking(work, index, check))
            if fails and rng.random() < 0.5:
                day.at(done + rng.uniform(30, 120), _checking(work, index, NewCheck("success", context, user=user)))


def _checking(work: _Work, index: int, check: NewCheck) -> Step:
    return lambda server: server.add_check(work.patches[index], check)


def _review(day: Day, rng: random.Random, work: _Work, sent: float, people: Sequence[str]) -> None:
    """One to three readers, each with a burst of replies."""
    for _ in range(rng.randint(0, 3)):
        reader, minute = rng.choice(people), sent + rng.uniform(10, 400)
        for index in sorted(rng.sample(range(len(work.diffs)), min(len(work.diffs), rng.randint(1, 4)))):
            trailer = f"{rng.choice(_TRAILERS)}: {reader}\n" if rng.random() < 0.5 else "Why is that?\n"
            day.at(minute, _replying(work, index, f"> quoted\n\n{trailer}", reader))
            minute += rng.uniform(1, 8)


def _replying(work: _Work, index: int, text: str, reader: str) -> Step:
    return lambda server: server.add_comment(work.patches[index], text, submitter=reader)


def _judge(server: SamplePatchwork, work: _Work, verdict: str) -> None:
    """The maintainer gives all patches a state, within a moment."""
    for patch in work.patches:
        server.set_delegate(patch, "maintainer", "maintainer")
        server.set_state(patch, verdict, "maintainer")
