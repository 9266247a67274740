"""What is said of checks."""

from collections.abc import Mapping

import pytest

from bot.ids import PatchId
from bot.notices.check_summary import Detail, findings, summary
from bot.patchwork.model import CheckState
from bot.query.check_lanes import NO_LANES, CheckLanes
from bot.submission import Submission
from support.card_rig import a_patch, numbered, of_series

LANES = CheckLanes({"AI": ("sashiko*", "ai-*")})
OF_NETDEV = ("build_32bit", "build_clang", "kdoc", *(f"test-{number}" for number in range(12)))
STATES = {"f": CheckState.FAIL, "w": CheckState.WARNING, "p": CheckState.PENDING, "s": CheckState.SUCCESS}


def a_series(checks: Mapping[str, str], *, unapplied: str | None = None) -> Submission:
    """A series whose *checks* have a letter for each patch, "-" for none: {"build": "s-f"}."""
    of = numbered(3)
    known = {
        patch.id: tuple((context, STATES[states[n]]) for context, states in sorted(checks.items()) if states[n] != "-")
        for n, patch in enumerate(of)
    }
    did_not_apply = {
        (patch.id, unapplied) for patch in of for context, state in known[patch.id] if context == unapplied and state
    }
    return Submission(of_series(*of), of, known, did_not_apply)


def netdev(**bad: str) -> dict[str, str]:
    return {f"netdev/{name}": bad.get(name, "sss") for name in OF_NETDEV}


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ({}, ""),
        ({"checkpatch": "ssw"}, "⚠️ checkpatch 3/3"),
        ({"checkpatch": "www"}, "⚠️ checkpatch"),
        ({"checkpatch": "wsw"}, "⚠️ checkpatch 1/3 and 3/3"),
        ({"checkpatch": "sss"}, "✅ checkpatch"),
        ({"checkpatch": "sps"}, "⏳ checks pending"),
        ({"build": "ppp", "boot": "ppp"}, "⏳ checks pending"),
        ({"build": "sss", "boot": "spp"}, "⏳ CI 1 of 2 ok, 1 pending"),
        (netdev(), "✅ CI all 15 ok"),
        (netdev(build_32bit="fff"), "CI 14 of 15 ok, ❌ build_32bit"),
        (netdev(build_32bit="sfs", kdoc="wss"), "CI 13 of 15 ok, ❌ build_32bit 2/3, ⚠️ kdoc 1/3"),
        (netdev(build_32bit="sfs", build_clang="ppp"), "CI 13 of 15 ok, ❌ build_32bit 2/3, 1 pending"),
        (
            netdev(**dict.fromkeys(OF_NETDEV[:5], "fss")),
            "CI 10 of 15 ok, ❌ build_32bit, build_clang, kdoc and 2 more",
        ),
        (netdev(build_32bit="fff") | {"sashiko": "wws"}, "CI 14 of 15 ok, ❌ build_32bit · AI ⚠️ 2"),
        (netdev() | {"sashiko": "wws"}, "AI ⚠️ 2 · ✅ CI all 15 ok"),
        ({"sashiko": "sss"}, "✅ AI"),
        ({"sashiko": "ppp"}, "⏳ AI pending"),
        ({"sashiko": "sfs"}, "AI ❌ sashiko 2/3"),
        ({"sashiko": "sws", "ai-style": "sss", "x/check": "sss"}, "AI 1 of 2 ok, ⚠️ sashiko 2/3 · ✅ check"),
        ({"a/build": "fff", "b/build": "fff", "c/boot": "fff"}, "CI 0 of 3 ok, ❌ a/build, b/build, boot"),
        ({"": "fff"}, "❌ check"),
    ],
)
def test_each_lane_is_a_phrase_and_the_worst_comes_first(checks: Mapping[str, str], expected: str) -> None:
    assert summary(a_series(checks), LANES) == expected


@pytest.mark.parametrize(
    ("checks", "unapplied", "expected"),
    [
        ({"netdev/apply": "fff"}, "netdev/apply", "CI could not apply"),
        ({"netdev/apply": "ssf"}, "netdev/apply", "CI could not apply 3/3"),
        ({"sashiko": "www"}, "sashiko", "AI could not apply"),
        (
            netdev(build_32bit="fff", kdoc="wss"),
            "netdev/kdoc",
            "CI 13 of 15 ok, ❌ build_32bit, could not apply 1/3",
        ),
    ],
)
def test_what_could_not_be_applied_is_no_finding(checks: Mapping[str, str], unapplied: str, expected: str) -> None:
    submission = a_series(checks)
    did_not_apply = {
        (patch, context)
        for patch, known in submission.checks.items()
        for context, state in known
        if context == unapplied and state in {CheckState.FAIL, CheckState.WARNING}
    }

    told = summary(Submission(submission.series, submission.patches, submission.checks, did_not_apply), LANES)

    assert told == expected


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (Detail.FULL, "CI 12 of 15 ok, ❌ build_32bit, build_clang, ⚠️ kdoc 1/3"),
        (Detail.FEWER, "CI 12 of 15 ok, ❌ build_32bit and 1 more, ⚠️ kdoc 1/3"),
        (Detail.WITHOUT_PATCHES, "CI 12 of 15 ok, ❌ build_32bit and 1 more, ⚠️ kdoc"),
        (Detail.FAILURES, "CI 12 of 15 ok, ❌ build_32bit and 1 more"),
    ],
)
def test_a_failing_check_is_named_however_little_is_told(detail: Detail, expected: str) -> None:
    checks = netdev(build_32bit="sfs", build_clang="sfs", kdoc="wss")

    assert summary(a_series(checks), NO_LANES, detail) == expected


def test_of_a_lone_patch_no_numbers_are_told() -> None:
    patch = a_patch()
    checks = {patch.id: (("checkpatch", CheckState.WARNING),)}

    assert summary(Submission(None, (patch,), checks), NO_LANES) == "⚠️ checkpatch"


def test_the_findings_of_one_patch() -> None:
    checks = {"netdev/a": "fff", "netdev/b": "fff", "netdev/c": "fff", "kdoc": "www", "apply": "fff", "boot": "sss"}
    submission = a_series(checks, unapplied="apply")

    told = findings(submission, submission.patches[0])

    assert told == "❌ a, b and 1 more, ⚠️ kdoc, could not apply"
    assert submission.patches[0].id == PatchId(101)
