"""The mutations are what they say, and leave the rest alone."""

import json
from typing import Any

import pytest
import vodozemac
from hypothesis import given
from hypothesis import strategies as st

from crypto_inputs import FAMILIES
from mails import BODIES, mutated_mail
from mutations import KINDS, REPLACEMENTS, Mutation, at, encoded, kinds_for, mutated, paths, shape
from olm_forgery import Recipient, Secrets, first_message
from run import Plan
from sync_inputs import ANSWERS

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8"), max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
ANSWER: dict[str, Any] = {"rooms": {"!a:b": [{"type": "m.x", "event_id": "$one"}, {"event_id": "$two"}]}, "n": 1}


@given(VALUES)
def test_each_field_has_a_path_and_is_found_by_it(value: object) -> None:
    found = list(paths(value))

    assert len(set(found)) == len(found)
    assert len(found) == _fields(value)


@given(VALUES, st.data())
def test_a_mutation_changes_nothing_but_its_field(value: object, data: st.DataObject) -> None:
    before = json.dumps(value)
    places = list(paths(value))
    if not places:
        return
    path = data.draw(st.sampled_from(places))
    kind = data.draw(st.sampled_from(kinds_for(value, path)))

    wrong = mutated(value, Mutation(path, kind))

    assert json.dumps(value) == before
    for other in places:
        if other[: len(path)] != path and path[: len(other)] != other and kind in REPLACEMENTS:
            assert at(wrong, other) == at(value, other)
    assert encoded(wrong)


def test_values_are_dropped_doubled_and_contradicted() -> None:
    first = ("rooms", "!a:b", 0)

    assert mutated(ANSWER, Mutation(first, "drop"))["rooms"]["!a:b"] == [{"event_id": "$two"}]  # type: ignore[index]  # a dict
    assert encoded(mutated({"n": 1, "m": 2}, Mutation(("n",), "contradicted"))) == b'{"n": 1, "n": null, "m": 2}'
    assert encoded(mutated({"n": [1]}, Mutation(("n", 0), "duplicate"))) == b'{"n": [1, 1]}'


def test_what_no_parser_gives_back_stands_in_the_text() -> None:
    deep = encoded(mutated(ANSWER, Mutation(("n",), "nested list")))

    assert b"[" * 1_000 in deep
    assert b'"n": NaN' in encoded(mutated(ANSWER, Mutation(("n",), "NaN")))
    assert b'"\\ud800"' in encoded(mutated(ANSWER, Mutation(("n",), "lone surrogate")))


def test_another_id_is_one_of_the_same_kind() -> None:
    path = ("rooms", "!a:b", 0, "event_id")

    assert at(mutated(ANSWER, Mutation(path, "another id")), path) == "$two"
    assert "another id" not in kinds_for(ANSWER, ("n",))


def test_the_same_field_of_different_events_has_one_shape() -> None:
    assert shape(ANSWER, ("rooms", "!a:b", 0, "event_id")) == "rooms.*.*.<m.x>.event_id"


@pytest.mark.parametrize("kind", BODIES)
def test_a_mail_is_mutated_into_something_else(kind: str) -> None:
    mail = (
        'From patchwork Thu Jan  1 00:00:00 2026\nContent-Type: text/plain; charset="utf-8"\n'
        "Content-Transfer-Encoding: 8bit\nX-Patchwork-Id: 7\nFrom: Ada <ada@example.org>\nTo: list@example.org\n"
        "Subject: [PATCH] x\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n\nWhy.\n---\nnotes\n"
        "diff --git a/migration/ram.c b/migration/ram.c\n--- a/migration/ram.c\n+++ b/migration/ram.c\n"
        "@@ -1 +1 @@\n-a\n+b\n"
    )

    assert mutated_mail(mail, kind) != mail


def test_a_plan_is_the_same_each_time_and_begins_in_every_area() -> None:
    names = Plan(inputs=40, seed=3).names()

    assert names == Plan(inputs=40, seed=3).names()
    assert names != Plan(inputs=40, seed=4).names()
    families = {name.family for name in names}
    assert "sync" in families
    assert families & set(ANSWERS)
    assert set(FAMILIES) <= families
    assert {"series", "patch"} <= families


def test_a_plan_takes_each_field_once_before_any_twice() -> None:
    fields = [(name.family, name.field) for name in Plan(inputs=0).names() if name.family == "series"]

    assert len(set(fields[: len(set(fields))])) == len(set(fields))


def test_every_kind_of_mutation_is_among_all_inputs() -> None:
    kinds = {name.mutation.kind for name in Plan(inputs=0).names()}

    assert set(KINDS) <= kinds


def test_a_message_that_is_forged_with_an_honest_key_is_opened_like_any_other() -> None:
    """Or what is wrong with the others would not be what they are made for."""
    bot, ratchet = vodozemac.Account(), vodozemac.Account()
    bot.generate_one_time_keys(1)
    one_time = next(iter(bot.one_time_keys.values()))
    forger = Secrets(bytes(range(32)), bytes(range(1, 33)))
    to = Recipient(bot.curve25519_key.to_bytes(), one_time.to_bytes())

    body = first_message(forger, to, b"hello", ratchet.curve25519_key.to_bytes())

    message = vodozemac.AnyOlmMessage.from_parts(0, body).to_pre_key()
    assert message is not None
    sender = vodozemac.Curve25519PublicKey.from_bytes(forger.public)
    _, opened = bot.create_inbound_session(sender, message)
    assert opened == b"hello"


def _fields(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(1 + _fields(each) for each in inner)
