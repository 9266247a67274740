"""What states mean, on servers that are known and on others."""

from dataclasses import replace

import pytest

from bot.patchwork.states import (
    DEFAULT_CLASSES,
    StateClass,
    is_accepted,
    is_new,
    is_superseded,
    state_classes,
)
from support.card_rig import a_patch

KERNEL_ORG = "new under-review accepted rejected rfc not-applicable changes-requested awaiting-upstream superseded"
KERNEL_ORG += " deferred mainlined queued needs_ack handled-elsewhere"
SOURCEWARE = "new under-review accepted rejected rfc not-applicable changes-requested awaiting-upstream superseded"
SOURCEWARE += " deferred committed dropped"


@pytest.mark.parametrize("slug", f"{KERNEL_ORG} {SOURCEWARE}".split())
def test_the_states_of_well_known_servers_have_a_class(slug: str) -> None:
    assert DEFAULT_CLASSES.of(slug) is not StateClass.UNKNOWN


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("new", StateClass.OPEN),
        ("needs_ack", StateClass.OPEN),
        ("Changes Requested", StateClass.WAITING),
        ("handled-elsewhere", StateClass.CLOSED),
        ("committed", StateClass.CLOSED),
        ("on-the-moon", StateClass.UNKNOWN),
        (None, StateClass.UNKNOWN),
    ],
)
def test_a_state_is_known_in_any_spelling(slug: str | None, kind: StateClass) -> None:
    assert DEFAULT_CLASSES.of(slug) is kind


def test_what_the_operator_says_counts_before_the_defaults() -> None:
    classes = state_classes({StateClass.WAITING: ["RFC"], StateClass.CLOSED: ["on-the-moon"]})

    assert classes.is_waiting("rfc")
    assert classes.is_closed("On The Moon")
    assert classes.of("new") is StateClass.OPEN
    assert "on-the-moon" in classes.closed
    assert "rfc" not in classes.closed


def test_states_without_a_class_are_named_once() -> None:
    assert DEFAULT_CLASSES.unknown(["new", "odd", "accepted", "odd", "odder"]) == ["odd", "odder"]


def test_patches_in_unknown_states_are_open() -> None:
    odd, done = replace(a_patch(), state="odd"), replace(a_patch(), state="accepted")

    assert DEFAULT_CLASSES.is_open([odd, done])
    assert not DEFAULT_CLASSES.is_open([done, replace(odd, archived=True)])


def test_the_states_that_a_card_tells_apart() -> None:
    assert is_accepted("mainlined")
    assert is_superseded("Superseded")
    assert is_new("new")
    assert not any(says(None) for says in (is_accepted, is_superseded, is_new))
