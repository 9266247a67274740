"""Whose turn a submission is: a table of situations, each with its section and its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import PatchId, SeriesId
from bot.notices.turn_reasons import reason_words, time_words
from bot.patchwork.model import CheckState, Patch, Person, Trailer, TrailerKind
from bot.patchwork.states import DEFAULTS, StateClass, state_classes
from bot.query.check_lanes import CheckLanes
from bot.query.values import Turn
from bot.submission import Submission
from bot.subscriptions.turns import (
    ReviewComment,
    TurnFacts,
    TurnReason,
    TurnVerdict,
    is_same_person,
    is_tool,
    mail_time,
    turn_of,
)
from support.card_rig import ADA, a_patch, numbered, of_series

NOW = datetime(2026, 12, 5, 1, 42, 47, tzinfo=UTC)  # 12 days after the patches of the rig
PETER = Person("Peter Xu", "peterx@redhat.com")
FABIANO = Person("Fabiano Rosas", "farosas@suse.de")
ROBOT = Person("kernel test robot", "lkp@intel.com")
R, A, T = TrailerKind.REVIEWED, TrailerKind.ACKED, TrailerKind.TESTED
FAIL, WARNING, PENDING, OK = CheckState.FAIL, CheckState.WARNING, CheckState.PENDING, CheckState.SUCCESS
LANES = CheckLanes({"AI": ("sashiko*",)})
CLASSES = state_classes({StateClass.WAITING: ["Needs Respin"]})
UNAPPLIED: Final = "unapplied"


def tag(kind: TrailerKind, person: Person = PETER) -> Trailer:
    return Trailer(kind, person.email or person.name, person.name)


def said(person: Person | None, days_ago: float, *kinds: TrailerKind, on: int | None = None) -> ReviewComment:
    return ReviewComment(
        person, NOW - timedelta(days=days_ago), frozenset(kinds), None if on is None else PatchId(100 + on)
    )


@dataclass(frozen=True)
class Situation:
    """A submission with its patches' states, trailers and checks by number, its comments, and what is expected."""

    name: str
    turn: Turn | None
    reason: str
    states: Sequence[str | None] = ("new",)
    tags: Mapping[int, Sequence[Trailer]] = field(default_factory=dict)  # 0: on the cover letter
    checks: Mapping[int, Sequence[tuple[str, CheckState]]] = field(default_factory=dict)
    comments: Sequence[ReviewComment] = ()
    knows_comments: bool = True
    archived: Sequence[int] = ()
    total: int = 0
    unapplied: Sequence[str] = ()
    worst: CheckState | None = None
    is_pull: bool = False
    is_lone: bool = False

    @property
    def facts(self) -> TurnFacts:
        """What the rule judges."""
        patches = [a_patch()] if self.is_lone else list(numbered(len(self.states), total=self.total))
        changed: list[Patch] = []
        for number, (patch, state) in enumerate(zip(patches, self.states, strict=True), 1):
            checked = replace(patch, state=state, check=self.worst, archived=number in self.archived)
            changed.append(replace(checked, trailers=frozenset(self.tags.get(number, ()))))
        total = self.total
        if self.is_pull:
            total = len(changed) - 1
            name = f"[PULL 0/{total}] migration queue" if total else "[GIT PULL] migration queue"
            changed[0] = replace(changed[0], name=name, pull_url="https://example.org/tree.git tags/pull")
            numbers = numbered(total)
            changed[1:] = [replace(each, name=one.name) for each, one in zip(changed[1:], numbers, strict=True)]
        series = replace(of_series(*changed, total=total), trailers=frozenset(self.tags.get(0, ())))
        checks = {PatchId(100 + number): tuple(some) for number, some in self.checks.items()}
        unapplied = frozenset((patch, context) for patch in checks for context in self.unapplied)
        submission = Submission(None if self.is_lone else series, tuple(changed), checks, unapplied)
        return TurnFacts(submission, self.comments, self.knows_comments)


REVIEWED_FOUR = {number: (tag(R),) for number in range(1, 5)}
SITUATIONS = [
    # States
    Situation("new", Turn.REVIEW, "no reply for 12 days"),
    Situation("under review", Turn.REVIEW, "no reply for 12 days", states=["under-review"]),
    Situation("a state that is not known", Turn.REVIEW, "no reply for 12 days", states=[None]),
    Situation("a state of no known class", Turn.REVIEW, "Tentative, no reply for 12 days", states=["tentative"]),
    Situation("an RFC", Turn.REVIEW, "Rfc, no reply for 12 days", states=["rfc"]),
    Situation(
        "with another tree", Turn.REVIEW, "Awaiting Upstream, no reply for 12 days", states=["awaiting-upstream"]
    ),
    Situation("accepted", None, "", states=["accepted"]),
    Situation("rejected", None, "", states=["rejected", "rejected"]),
    Situation("superseded", None, "", states=["superseded"]),
    Situation("closed in different ways", None, "", states=["accepted", "rejected", "not-applicable"]),
    Situation("archived", None, "", states=["new"], archived=[1]),
    Situation("partly archived, otherwise accepted", None, "", states=["new", "accepted"], archived=[1]),
    Situation("changes requested", Turn.AUTHOR, "Changes Requested", states=["changes-requested"]),
    Situation(
        "changes requested on one",
        Turn.AUTHOR,
        "Changes Requested on 1 of 3",
        states=["new", "changes-requested", "new"],
    ),
    Situation("a state that the operator put there", Turn.AUTHOR, "Needs Respin", states=["needs-respin"]),
    Situation(
        "changes requested, though all reviewed",
        Turn.AUTHOR,
        "Changes Requested",
        states=["changes-requested"],
        tags={1: [tag(R)]},
    ),
    Situation(
        "changes requested, and the author answered",
        Turn.AUTHOR,
        "Changes Requested",
        states=["changes-requested"],
        comments=[said(PETER, 3), said(ADA, 1)],
    ),
    # Checks
    Situation("a check fails", Turn.FAILING, "CI: build_32bit", checks={1: [("ci/build_32bit", FAIL)]}, worst=FAIL),
    Situation(
        "a check fails, though changes are requested",
        Turn.FAILING,
        "Changes Requested, CI: build",
        states=["changes-requested"],
        checks={1: [("build", FAIL)]},
    ),
    Situation(
        "a check fails, though all is reviewed",
        Turn.FAILING,
        "CI: build",
        tags={1: [tag(R)]},
        checks={1: [("build", FAIL)]},
    ),
    Situation(
        "checks of two lanes fail",
        Turn.FAILING,
        "CI: build, docs and 1 more; AI: sashiko",
        checks={1: [("build", FAIL), ("docs", FAIL), ("lint", FAIL), ("sashiko", FAIL), ("ok", OK)]},
    ),
    Situation("a check fails of which only the state is known", Turn.FAILING, "checks fail", worst=FAIL),
    Situation(
        "a check of an accepted patch failed",
        Turn.REVIEW,
        "no reply for 12 days",
        states=["accepted", "new"],
        checks={1: [("build", FAIL)]},
    ),
    Situation("a check warns", Turn.REVIEW, "no reply for 12 days", checks={1: [("checkpatch", WARNING)]}),
    Situation(
        "could not be applied",
        Turn.REVIEW,
        "no reply for 12 days",
        checks={1: [("ci", FAIL)]},
        unapplied=["ci"],
        worst=FAIL,
    ),
    # Reviews
    Situation(
        "all reviewed, checks ok",
        Turn.READY,
        "all 4 reviewed, CI ok",
        states=["new"] * 4,
        tags=REVIEWED_FOUR,
        checks={1: [("build", OK)]},
    ),
    Situation("all reviewed, no checks", Turn.READY, "all 4 reviewed", states=["new"] * 4, tags=REVIEWED_FOUR),
    Situation(
        "all reviewed, a check warns",
        Turn.READY,
        "reviewed, CI warns: checkpatch",
        tags={1: [tag(R)]},
        checks={1: [("checkpatch", WARNING)]},
    ),
    Situation(
        "all reviewed, a check is pending",
        Turn.READY,
        "acked, CI pending",
        tags={1: [tag(A)]},
        checks={1: [("ci", PENDING)]},
    ),
    Situation(
        "all reviewed, could not be applied",
        Turn.READY,
        "reviewed, could not apply",
        tags={1: [tag(R)]},
        checks={1: [("ci", FAIL)]},
        unapplied=["ci"],
    ),
    Situation("all acked", Turn.READY, "all 2 acked", states=["new"] * 2, tags={1: [tag(A)], 2: [tag(A)]}),
    Situation(
        "some reviewed, the rest acked",
        Turn.READY,
        "all 2 reviewed or acked",
        states=["new"] * 2,
        tags={1: [tag(R)], 2: [tag(A)]},
    ),
    Situation("reviewed on the cover letter", Turn.READY, "all 3 reviewed", states=["new"] * 3, tags={0: [tag(R)]}),
    Situation(
        "acked on the cover letter, one reviewed",
        Turn.READY,
        "all 2 acked",
        states=["new"] * 2,
        tags={0: [tag(A)], 1: [tag(R, FABIANO)]},
    ),
    Situation("a lone patch, reviewed", Turn.READY, "reviewed", tags={1: [tag(R)]}, is_lone=True),
    Situation(
        "some reviewed",
        Turn.REVIEW,
        "2 of 5 reviewed",
        states=["new"] * 5,
        tags={1: [tag(R)], 4: [tag(R)]},
        comments=[said(PETER, 4, R, on=1), said(PETER, 4, R, on=4)],
    ),
    Situation(
        "all that came are reviewed", Turn.REVIEW, "2 of 5 reviewed", states=["new"] * 2, total=5, tags={0: [tag(R)]}
    ),
    Situation("reviewed by the submitter", Turn.REVIEW, "no reply for 12 days", tags={1: [tag(A, ADA)]}),
    Situation(
        "reviewed by the submitter from another address",
        Turn.REVIEW,
        "no reply for 12 days",
        tags={1: [tag(R, Person("Ada Sample", "ada@home.example"))]},
    ),
    Situation("reviewed by a tool", Turn.REVIEW, "no reply for 12 days", tags={1: [tag(R, ROBOT)]}),
    Situation("only tested", Turn.REVIEW, "tested, not reviewed", tags={1: [tag(T)]}, comments=[said(PETER, 2, T)]),
    Situation(
        "reviewed, while the rest is accepted",
        Turn.READY,
        "all 2 open patches reviewed",
        states=["accepted", "new", "new"],
        tags={2: [tag(R)], 3: [tag(R)]},
    ),
    Situation(
        "reviewed in a comment, before the trailers were read",
        Turn.READY,
        "reviewed",
        comments=[said(PETER, 1, R, on=1)],
    ),
    # Comments
    Situation("somebody replied", Turn.AUTHOR, "Peter Xu replied 3 days ago", comments=[said(PETER, 3)]),
    Situation("somebody replied just now", Turn.AUTHOR, "Peter Xu replied just now", comments=[said(PETER, 0.01)]),
    Situation("somebody replied hours ago", Turn.AUTHOR, "Peter Xu replied 6 hours ago", comments=[said(PETER, 0.25)]),
    Situation(
        "two replied",
        Turn.AUTHOR,
        "Fabiano Rosas and Peter Xu replied, the last 1 day ago",
        comments=[said(PETER, 3), said(FABIANO, 1)],
    ),
    Situation(
        "somebody replied, though all is reviewed",
        Turn.AUTHOR,
        "Fabiano Rosas replied 1 day ago",
        tags={1: [tag(R)]},
        comments=[said(PETER, 3, R), said(FABIANO, 1)],
    ),
    Situation(
        "a reply, then a review by the same person",
        Turn.READY,
        "reviewed",
        tags={1: [tag(R)]},
        comments=[said(PETER, 3), said(PETER, 1, R)],
    ),
    Situation(
        "a review, then a question by the same person",
        Turn.AUTHOR,
        "Peter Xu replied 1 day ago",
        tags={1: [tag(R)]},
        comments=[said(PETER, 3, R), said(PETER, 1)],
    ),
    Situation(
        "the author answered", Turn.REVIEW, "author answered 2 days ago", comments=[said(PETER, 3), said(ADA, 2)]
    ),
    Situation(
        "the author answered, some are reviewed",
        Turn.REVIEW,
        "author answered 2 days ago, 1 of 2 reviewed",
        states=["new"] * 2,
        tags={1: [tag(R)]},
        comments=[said(PETER, 3), said(ADA, 2)],
    ),
    Situation(
        "the author answered, and all are reviewed",
        Turn.READY,
        "reviewed",
        tags={1: [tag(R)]},
        comments=[said(PETER, 3), said(ADA, 2)],
    ),
    Situation(
        "the author answered, and got a reply",
        Turn.AUTHOR,
        "Peter Xu replied 1 day ago",
        comments=[said(PETER, 3), said(ADA, 2), said(PETER, 1)],
    ),
    Situation("the author asks for a review", Turn.REVIEW, "no reply for 12 days", comments=[said(ADA, 2)]),
    Situation("a tool replied", Turn.REVIEW, "no reply for 12 days", comments=[said(ROBOT, 3)]),
    Situation(
        "a tool replied after the author's answer",
        Turn.REVIEW,
        "author answered 2 days ago",
        comments=[said(PETER, 3), said(ADA, 2), said(ROBOT, 1)],
    ),
    Situation(
        "the author answered a tool", Turn.REVIEW, "no reply for 12 days", comments=[said(ROBOT, 3), said(ADA, 2)]
    ),
    Situation(
        "a comment of which the author is not known", Turn.REVIEW, "no review seen in 12 days", comments=[said(None, 3)]
    ),
    Situation("comments are not known", Turn.REVIEW, "no review seen in 12 days", knows_comments=False),
    Situation(
        "a reply is known among others",
        Turn.AUTHOR,
        "Peter Xu replied 3 days ago",
        comments=[said(None, 5), said(PETER, 3)],
    ),
    Situation(
        "some are reviewed, comments are not known",
        Turn.REVIEW,
        "1 of 2 reviewed",
        states=["new"] * 2,
        tags={2: [tag(R)]},
        knows_comments=False,
    ),
    # Pull requests
    Situation("a pull request", Turn.REVIEW, "📦 pull request, no reply for 12 days", is_pull=True, is_lone=True),
    Situation(
        "a pull request with reviewed patches",
        Turn.READY,
        "📦 pull request, all 2 reviewed",
        states=["new"] * 3,
        tags={2: [tag(R)], 3: [tag(R)]},
        is_pull=True,
    ),
    Situation(
        "a pull request that was questioned",
        Turn.AUTHOR,
        "📦 pull request, Peter Xu replied 3 days ago",
        is_pull=True,
        is_lone=True,
        comments=[said(PETER, 3)],
    ),
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_each_situation_has_its_section_and_reason(situation: Situation) -> None:
    verdict = turn_of(situation.facts, CLASSES)

    assert (verdict.turn if verdict else None) is situation.turn
    assert (reason_words(verdict, NOW, lanes=LANES) if verdict else "") == situation.reason


def test_the_table_covers_each_section_and_each_reason() -> None:
    verdicts = [verdict for each in SITUATIONS if (verdict := turn_of(each.facts, CLASSES))]

    assert {verdict.turn for verdict in verdicts} == set(Turn)
    assert {verdict.reason for verdict in verdicts} == set(TurnReason)
    assert len(SITUATIONS) >= 40


def test_the_longest_waiting_is_known_by_the_last_mail_that_somebody_must_answer() -> None:
    replied = turn_of(Situation("", None, "", comments=[said(PETER, 3)]).facts)
    answered = turn_of(Situation("", None, "", comments=[said(PETER, 3), said(ADA, 2)]).facts)
    silent = turn_of(Situation("", None, "").facts)

    assert [each.since for each in (replied, answered, silent) if each] == [
        NOW - timedelta(days=3),
        NOW - timedelta(days=2),
        NOW - timedelta(days=12),
    ]


@pytest.mark.parametrize(
    "person",
    [
        ROBOT,
        Person("", "syzbot+4f9@syzkaller.appspotmail.com"),
        Person("", "patchwork-bot+netdevbpf@kernel.org"),
        Person("Patchwork", "patchwork@emeril.freedesktop.org"),
        Person("Linaro TCWG CI", "ci_notify@linaro.org"),
        Person("no-reply", "no-reply@patchew.org"),
        Person("Sashiko", "sashiko-bot@kernel.org"),
        Person("", "bluez.test.bot@gmail.com"),
    ],
    ids=str,
)
def test_tools_are_known_by_name_or_address(person: Person) -> None:
    assert is_tool(person)


@pytest.mark.parametrize(
    "person",
    [
        PETER,
        Person("Bruno Abbott", "abbott@example.org"),
        Person("Ci Xin", "xin.ci@"),
        Person("Nilay Talbot", "talbot@example.org"),
        Person("Ada via B4 Relay", "devnull+ada.example.org@kernel.org"),
        Person("", ""),
    ],
    ids=str,
)
def test_people_are_no_tools(person: Person) -> None:
    assert not is_tool(replace(person, email=person.email.removeprefix("xin.ci@")))


def test_a_submitter_is_known_through_a_list_that_rewrites_addresses() -> None:
    rewritten = Person("Ada Sample via qemu development", "qemu-devel@nongnu.org")

    assert is_same_person(rewritten, ADA)
    assert not is_same_person(rewritten, PETER)
    assert not is_same_person(Person("", ""), Person("", ""))


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(days=1), "1 day"),
        (timedelta(days=1_200), "1,200 days"),
        (timedelta(minutes=59), ""),
        (timedelta(minutes=61), "1 hour"),
        (-timedelta(days=3), ""),
    ],
)
def test_times_are_told_in_days_or_hours(time: timedelta, said: str) -> None:
    assert time_words(time) == said


@pytest.mark.parametrize("date", ["", "yesterday", "2026-13-01T00:00:00"])
def test_a_date_that_cannot_be_read_is_no_time(date: str) -> None:
    assert mail_time(date) is None
    facts = Situation("", None, "").facts
    series = facts.submission.series
    assert series is not None
    undated = replace(
        facts.submission,
        series=replace(series, date=date),
        patches=tuple(replace(patch, date=date) for patch in facts.submission.patches),
    )

    verdict = turn_of(replace(facts, submission=undated))

    assert verdict is not None
    assert (verdict.sent, reason_words(verdict, NOW)) == (None, "no reply yet")


PEOPLE = st.sampled_from([ADA, PETER, FABIANO, ROBOT, Person("", ""), Person("Ada Sample", "other@example.org")])
STATES = st.sampled_from([*DEFAULTS, None, "tentative", "Changes Requested"])
TAGS = st.frozensets(st.builds(tag, st.sampled_from(TrailerKind), PEOPLE), max_size=3)
CHECKS = st.lists(st.tuples(st.sampled_from(["build", "ci/docs", "sashiko"]), st.sampled_from(CheckState)), max_size=3)
COMMENTS = st.lists(
    st.builds(
        said, st.none() | PEOPLE, st.floats(-5, 400), st.sampled_from(TrailerKind), on=st.none() | st.integers(1, 5)
    )
    | st.builds(said, st.none() | PEOPLE, st.floats(-5, 400)),
    max_size=5,
)


@st.composite
def situations(draw: st.DrawFn) -> TurnFacts:
    """A submission in any state, with one to five patches."""
    patches = draw(st.integers(1, 5))
    numbers = range(1, patches + 1)
    return Situation(
        "",
        None,
        "",
        states=draw(st.lists(STATES, min_size=patches, max_size=patches)),
        tags={number: sorted(draw(TAGS), key=str) for number in range(patches + 1)},
        checks={number: draw(CHECKS) for number in numbers},
        comments=draw(COMMENTS),
        knows_comments=draw(st.booleans()),
        archived=draw(st.lists(st.sampled_from(numbers))),
        total=draw(st.sampled_from([0, patches, patches + 2])),
        is_pull=draw(st.booleans()),
        worst=draw(st.none() | st.sampled_from(CheckState)),
    ).facts


@given(situations())
def test_every_open_submission_has_one_turn_and_no_other_has_any(facts: TurnFacts) -> None:
    open_patches = [
        patch for patch in facts.submission.patches if not patch.archived and not CLASSES.is_closed(patch.state)
    ]

    verdict = turn_of(facts, CLASSES)

    assert (verdict is not None) == bool(open_patches)
    if verdict is not None:
        assert reason_words(verdict, NOW, lanes=LANES)
        assert_true(verdict, facts)


def assert_true(verdict: TurnVerdict, facts: TurnFacts) -> None:
    """Check by other means what the reason claims."""
    open_ones = [each for each in facts.submission.patches if not each.archived and not CLASSES.is_closed(each.state)]
    humans = [each for each in facts.comments if each.person and not is_tool(each.person)]
    others = [each for each in humans if each.person and not is_same_person(each.person, ADA)]
    fails = any(
        CheckState.FAIL in [state for _, state in facts.submission.checks.get(patch.id, ())]
        or (patch.check is CheckState.FAIL and not facts.submission.checks.get(patch.id))
        for patch in open_ones
    )
    assert (verdict.turn is Turn.FAILING) == fails
    if verdict.reason is TurnReason.NO_REPLY:
        assert not others
        assert facts.knows_comments
    if verdict.reason is TurnReason.REPLIED:
        assert any(not each.trailers for each in others)
    if verdict.turn is Turn.READY:
        assert verdict.count == verdict.total
        assert facts.submission.arrived >= facts.submission.total
    if verdict.turn is Turn.AUTHOR:
        assert verdict.reason in {TurnReason.STATE, TurnReason.REPLIED}


def test_a_submission_without_a_patch_is_in_no_section() -> None:
    assert turn_of(TurnFacts(replace(Situation("", None, "").facts.submission, patches=()))) is None


def test_series_ids_do_not_matter() -> None:
    facts = Situation("", None, "").facts
    series = facts.submission.series
    assert series is not None
    other = replace(facts, submission=replace(facts.submission, series=replace(series, id=SeriesId(7))))

    assert turn_of(facts) == turn_of(other)
