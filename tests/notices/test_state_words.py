"""The sign and the words for a state."""

from collections import Counter
from dataclasses import replace

import pytest

from bot.notices.fact_lines import counted_words, sign, state_words_before
from bot.notices.markup import Line
from bot.patchwork.states import DEFAULT_CLASSES, NO_STATES, States
from bot.submission import Submission
from support.card_rig import a_patch, numbered, of_series


def in_states(*states: str) -> Submission:
    patches = tuple(replace(patch, state=state) for patch, state in zip(numbered(len(states)), states, strict=True))
    return Submission(of_series(*patches), patches)


def text(line: Line) -> str:
    return "".join(each.text for each in line)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["new", "new"], "🆕"),
        (["new", "under-review"], "👀"),
        (["under-review", "accepted"], "👀"),
        (["new", "accepted"], "👀"),
        (["odd"], "👀"),
        (["changes-requested"], "🔁"),
        (["changes-requested", "accepted"], "🔁"),
        (["changes-requested", "new"], "👀"),
        (["accepted", "accepted"], "✅"),
        (["mainlined"], "✅"),
        (["accepted", "rejected"], "✅"),
        (["accepted", "rejected", "rejected"], "❌"),
        (["not-applicable"], "❌"),
        (["superseded", "superseded"], "♻️"),
        (["superseded", "superseded", "accepted"], "♻️"),
    ],
)
def test_the_sign_of_a_series_says_what_is_to_be_done(states: list[str], expected: str) -> None:
    assert sign(in_states(*states), DEFAULT_CLASSES) == expected


def test_an_open_pull_request_has_a_sign_of_its_own() -> None:
    pull = replace(a_patch(1, "[GIT,PULL] Fixes"), pull_url="https://git.example.org/qemu tags/x")

    assert sign(Submission(None, (pull,)), DEFAULT_CLASSES) == "📦"
    assert sign(Submission(None, (replace(pull, state="accepted"),)), DEFAULT_CLASSES) == "✅"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, ""),
        ({"accepted": 3}, "Accepted"),
        ({"new": 1, "accepted": 2}, "Accepted 2 of 3, New 1"),
        ({"new": 1, "accepted": 1}, "Accepted 1 of 2, New 1"),
        ({"rfc": 2, "new": 2, "under-review": 3}, "Under Review 3 of 7, New 2, RFC 2"),
    ],
)
def test_a_state_in_words(counts: dict[str, int], expected: str) -> None:
    assert text(counted_words(Counter(counts), States({"rfc": "RFC"}))) == expected


def test_what_was_superseded_is_told_by_the_state_before() -> None:
    patches = [replace(a_patch(n), state="superseded", former_state="under-review") for n in (1, 2)]

    assert text(state_words_before(patches, NO_STATES)) == "Under Review"
    assert text(state_words_before([replace(a_patch(), state="superseded")], NO_STATES)) == ""
    assert text(state_words_before([a_patch()], NO_STATES)) == "New"
