"""What the words of a command that changes patches mean."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.act_words import ActWords, known_state, refs_and_state, refs_and_user, refs_only, unknown_state
from bot.errors import UserError
from bot.patchwork.states import States

STATES = States({"new": "New", "under-review": "Under Review", "needs_ack": "Needs ACK", "accepted": None})


@pytest.mark.parametrize(
    ("typed", "refs", "state"),
    [
        ("1 accepted", ("1",), "accepted"),
        ("#3 #5 changes-requested", ("#3", "#5"), "changes-requested"),
        ("#3, #5 and <7> to Changes Requested", ("#3,", "#5", "<7>"), "Changes Requested"),
        ("accepted", (), "accepted"),
        ("under review", (), "under review"),
        ("accepted 1 2", ("1", "2"), "accepted"),
        ("ozlabs:1 https://lore.kernel.org/r/a@b/ “RFC”", ("ozlabs:1", "https://lore.kernel.org/r/a@b/"), "RFC"),
    ],
)
def test_the_state_is_what_is_no_reference(typed: str, refs: tuple[str, ...], state: str) -> None:
    assert refs_and_state(typed) == ActWords(refs, state)


@pytest.mark.parametrize(
    ("typed", "refs", "user"),
    [
        ("1 bob", ("1",), "bob"),
        ("#3 #5 to me", ("#3", "#5"), "me"),
        ("nobody", (), "nobody"),
        ("1 bob@example.org", ("1",), "bob@example.org"),
        ("bob@example.org", (), "bob@example.org"),
        ("1 @bob", ("1",), "bob"),
    ],
)
def test_the_user_is_the_last_word(typed: str, refs: tuple[str, ...], user: str) -> None:
    assert refs_and_user(typed) == ActWords(refs, user)


@pytest.mark.parametrize("typed", ["1", "#3 #5", "to", ""])
def test_a_user_must_be_named(typed: str) -> None:
    with pytest.raises(UserError):
        refs_and_user(typed)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (refs_only, refs_and_state, refs_and_user):
        with suppress(UserError):
            assert read(text).refs is not None


@pytest.mark.parametrize(
    ("spelled", "slug"),
    [
        ("NEW", "new"),
        ("Under review", "under-review"),
        ("under_review", "under-review"),
        ("under", "under-review"),
        ("needs ack", "needs_ack"),
        ("Accepted", "accepted"),
        ("un", None),
        ("merged", None),
    ],
)
def test_a_state_is_known_by_slug_name_or_beginning(spelled: str, slug: str | None) -> None:
    assert known_state(spelled, STATES) == slug


def test_a_state_that_is_not_there_is_told_with_the_nearest_and_all() -> None:
    assert unknown_state("acepted", "ozlabs", STATES) == (
        "ozlabs has no state “acepted”. Did you mean Accepted?\nIts states: New, Under Review, Needs ACK, Accepted."
    )
