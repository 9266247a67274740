"""States in a query that no server has."""

import pytest

from bot.patchwork.states import States
from bot.query.parser import parse
from bot.subscriptions.lint import state_doubts

KNOWN = States(
    {"new": "New", "accepted": "Accepted", "mainlined": "Mainlined", "needs-ack": "Needs ACK", "queued": None}
)
SPELT_BY_NOBODY = States({"new": None})


@pytest.mark.parametrize("query", ["path:a.c", "state:new", "state:Mainlined", "state:needs_ack", "state:*->accepted"])
def test_states_that_there_are_are_no_reason_to_doubt(query: str) -> None:
    assert state_doubts(parse(query), {"sample": KNOWN}) == ()


@pytest.mark.parametrize(
    ("query", "guess"),
    [
        ("state:acepted", "; did you mean state:accepted?"),
        ("state:xyz", "."),
        ("state:*->mainline", "; did you mean state:mainlined?"),
    ],
)
def test_a_state_that_there_is_not_is_told_with_the_nearest(query: str, guess: str) -> None:
    slug = query.removeprefix("state:").removeprefix("*->")

    assert state_doubts(parse(query), {"sample": KNOWN}) == (
        f"sample has no state {slug}{guess} Known: accepted, mainlined, needs-ack, new, queued",
    )


def test_a_state_that_one_of_several_servers_has_is_no_reason_to_doubt() -> None:
    assert state_doubts(parse("state:queued"), {"sample": KNOWN, "other": States({"new": "New"})}) == ()


def test_where_not_all_states_are_known_those_of_each_patchwork_are_expected() -> None:
    servers = {"sample": SPELT_BY_NOBODY, "other": KNOWN}

    [doubt] = state_doubts(parse("state:merged,rfc"), servers)

    assert doubt.startswith(
        "sample and other are not known to have a state merged; did you mean state:accepted? Known: "
    )
    assert state_doubts(parse("state:merged"), {}) == ()
