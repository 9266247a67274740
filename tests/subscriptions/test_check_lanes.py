"""Which checks belong together."""

import pytest

from bot.query.check_lanes import NO_LANES, CheckLanes

LANES = CheckLanes({"AI": ("sashiko*", "ai-*"), "Docs": ("*/kernel-doc", "ai-docs")})


@pytest.mark.parametrize(
    ("context", "lane"),
    [
        ("sashiko", "AI"),
        ("Sashiko/bugs", "AI"),
        ("netdev/kernel-doc", "Docs"),
        ("ai-docs", "AI"),
        ("netdev/build_32bit", "CI"),
        ("", "CI"),
    ],
)
def test_the_first_lane_that_matches_has_a_check(context: str, lane: str) -> None:
    assert LANES.of(context) == lane


def test_without_lanes_all_checks_are_ci() -> None:
    assert NO_LANES.of("sashiko") == "CI"
