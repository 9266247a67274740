"""Messages as the content of events, and back."""

import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.errors import Permanent
from bot.ids import EventId, NoticeKey, PatchId, ProjectName, SeriesId, ServerName
from bot.matrix.content import (
    MAX_CONTENT_BYTES,
    MAX_SEALED_BYTES,
    encoded,
    encrypted_content,
    event_content,
    event_type,
    is_ours,
    key_of,
    size,
    tag_of,
)
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES
from bot.notices.notice import Message, NoticeKind, Tag

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=2_000)
KEY = NoticeKey("card/ozlabs/series/7/!room:hs")
FULL = Tag(NoticeKind.CARD, KEY, ServerName("ozlabs"), ProjectName("qemu-devel"), SeriesId(7), PatchId(70), version=2)


def test_a_message_is_a_notice_in_both_forms_that_mentions_nobody() -> None:
    assert event_content(Message("body", "<p>html</p>", FULL)) == {
        "msgtype": "m.notice",
        "body": "body",
        "format": "org.matrix.custom.html",
        "formatted_body": "<p>html</p>",
        "m.mentions": {},
        "com.beeper.linkpreviews": [],
        "org.patchbot": {
            "kind": "card",
            "key": KEY,
            "server": "ozlabs",
            "project": "qemu-devel",
            "series": 7,
            "patch": 70,
            "version": 2,
        },
    }


def test_what_does_not_apply_is_left_out() -> None:
    content = event_content(Message("body", "", Tag(NoticeKind.ANSWER, KEY)))

    assert content["org.patchbot"] == {"kind": "answer", "key": KEY}


def test_a_message_that_rings_is_a_text() -> None:
    assert event_content(Message("body", "", FULL, rings=True))["msgtype"] == "m.text"


def test_an_answer_is_a_reply_to_the_question() -> None:
    message = Message("body", "", Tag(NoticeKind.ANSWER, KEY), replies_to=EventId("$asked"))

    assert event_content(message)["m.relates_to"] == {"m.in_reply_to": {"event_id": "$asked"}}


def test_in_a_thread_only_clients_that_know_none_show_a_reply() -> None:
    message = Message("body", "", Tag(NoticeKind.ANSWER, KEY), thread=EventId("$root"), replies_to=EventId("$asked"))

    assert event_content(message)["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$asked"},
    }


def test_clients_without_edits_show_two_lines_of_one_again() -> None:
    body = "🆕 [v3 0/3] Fix it\nNew\nAda Sample\nsince v2\nhttps://patchwork.example.org/\nb4 shazam x@y"

    content = event_content(Message(body, "<p>all of it</p>", FULL, edits=EventId("$card")))

    assert content["body"] == "* 🆕 [v3 0/3] Fix it\nNew"
    assert "formatted_body" not in content
    assert content["m.new_content"] == event_content(Message(body, "<p>all of it</p>", FULL))


def test_an_edit_says_all_of_it_inside_and_pings_nobody() -> None:
    tag = replace(FULL, key=NoticeKey(f"edit/1/{KEY}"), patch=None)
    message = Message("Fix it\nAccepted 2", "<p>Fix it<br>Accepted 2</p>", tag, edits=EventId("$card"))

    assert event_content(message) == snapshot(
        {
            "msgtype": "m.notice",
            "body": """\
* Fix it
Accepted 2\
""",
            "m.mentions": {},
            "com.beeper.linkpreviews": [],
            "org.patchbot": {
                "kind": "card",
                "key": "edit/1/card/ozlabs/series/7/!room:hs",
                "server": "ozlabs",
                "project": "qemu-devel",
                "series": 7,
                "version": 2,
            },
            "m.new_content": {
                "msgtype": "m.notice",
                "body": """\
Fix it
Accepted 2\
""",
                "m.mentions": {},
                "com.beeper.linkpreviews": [],
                "org.patchbot": {
                    "kind": "card",
                    "key": "edit/1/card/ozlabs/series/7/!room:hs",
                    "server": "ozlabs",
                    "project": "qemu-devel",
                    "series": 7,
                    "version": 2,
                },
                "format": "org.matrix.custom.html",
                "formatted_body": "<p>Fix it<br>Accepted 2</p>",
            },
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$card"},
        }
    )


def test_an_edit_of_what_rang_is_a_text_as_that_was() -> None:
    content = event_content(Message("body", "", FULL, rings=True, edits=EventId("$card")))

    assert content["msgtype"] == "m.text"
    assert content["m.new_content"] == event_content(Message("body", "", FULL, rings=True))
    assert content["m.mentions"] == {}


@pytest.mark.parametrize("limit", [MAX_CONTENT_BYTES, MAX_SEALED_BYTES])
@given(character=st.characters(exclude_categories=()))
def test_an_edit_of_the_largest_size_fits_whole_or_is_cut(limit: int, character: str) -> None:
    """It says everything twice."""
    each = len(character.encode("utf-8", "replace"))
    body, html = character * (MAX_BODY_BYTES // each), character * (MAX_HTML_BYTES // each)

    content = event_content(Message(body, html, FULL, edits=EventId("$card")), limit)

    assert size(content) <= limit
    assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$card"}


def test_what_hangs_on_nothing_has_no_relation() -> None:
    assert "m.relates_to" not in event_content(Message("body", "", FULL))
    assert event_type(Message("body", "", FULL)) == "m.room.message"


def test_a_reaction_is_an_annotation_with_our_key() -> None:
    message = Message("⏳", "", Tag(NoticeKind.ANSWER, KEY), reaction=EventId("$asked"))

    assert event_type(message) == "m.reaction"
    assert event_content(message) == {
        "m.relates_to": {"rel_type": "m.annotation", "event_id": "$asked", "key": "⏳"},
        "org.patchbot": {"kind": "answer", "key": KEY},
    }


@given(body=ANY_TEXT, html=ANY_TEXT, rings=st.booleans())
def test_any_text_makes_a_content_that_homeservers_take(body: str, html: str, rings: bool) -> None:
    content = event_content(Message(body, html, FULL, rings))

    text = encoded(content).decode()  # valid Unicode
    again = json.loads(text, parse_float=lambda number: pytest.fail(f"a float: {number}"))
    assert again == content
    assert "\\u0000" not in text
    assert key_of(content) == KEY


@given(character=st.characters(exclude_categories=()), rings=st.booleans())
def test_a_message_of_the_largest_size_fits_whole(character: str, rings: bool) -> None:
    """Whatever character it is made of: JSON escapes some, and UTF-8 needs several bytes for others."""
    each = len(character.encode("utf-8", "replace"))
    body, html = character * (MAX_BODY_BYTES // each), character * (MAX_HTML_BYTES // each)

    content = event_content(Message(body, html, FULL, rings))

    assert "formatted_body" in content
    assert size(content) <= MAX_CONTENT_BYTES


@pytest.mark.parametrize("edits", [None, EventId("$card")])
@pytest.mark.parametrize("limit", [MAX_CONTENT_BYTES, MAX_SEALED_BYTES])
@given(character=st.characters(exclude_categories=()), length=st.integers(10_000, 100_000))
def test_a_message_beyond_all_bounds_is_cut_to_its_body(
    edits: EventId | None, limit: int, character: str, length: int
) -> None:
    content = event_content(Message(character * length, character * length, FULL, edits=edits), limit)

    assert size(content) <= limit
    assert isinstance(content["body"], str)


def test_a_key_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(Permanent, match="too large"):
        event_content(Message("body", "", Tag(NoticeKind.CARD, NoticeKey("k" * MAX_CONTENT_BYTES))))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["org.patchbot", "key", "kind"]), inner),
    )
)
def test_what_others_send_has_a_key_or_none(value: object) -> None:
    key = key_of({"org.patchbot": value})

    assert key is None or isinstance(key, str)


def test_a_tag_is_the_same_for_the_same_key_and_tells_nothing_without_the_secret() -> None:
    """HMAC-SHA256 of the key, 16 hex digits."""
    secret = bytes(32)

    assert tag_of(secret, KEY) == hmac.new(secret, KEY.encode(), "sha256").hexdigest()[:16]
    assert tag_of(secret, KEY) == tag_of(secret, KEY) != tag_of(bytes(31) + b"1", KEY)
    assert tag_of(secret, NoticeKey(KEY + "1")) != tag_of(secret, KEY)


def test_of_an_encrypted_message_only_its_relation_and_its_tag_are_outside() -> None:
    message = Message("body", "", Tag(NoticeKind.ANSWER, KEY), replies_to=EventId("$asked"))

    assert encrypted_content(event_content(message), {"ciphertext": "x"}, "abc") == {
        "ciphertext": "x",
        "m.relates_to": {"m.in_reply_to": {"event_id": "$asked"}},
        "org.patchbot.tag": "abc",
    }


def test_a_message_is_ours_by_its_key_or_by_its_tag() -> None:
    content = event_content(Message("body", "", FULL))

    assert is_ours(content, KEY, "abc")
    assert is_ours(encrypted_content(content, {}, "abc"), KEY, "abc")
    edit = event_content(Message("body", "", replace(FULL, key=NoticeKey(f"edit/1/{KEY}")), edits=EventId("$card")))
    assert is_ours(edit, NoticeKey(f"edit/1/{KEY}"), "def")
    assert not is_ours(edit, KEY, "abc")
    assert not is_ours(encrypted_content(content, {}, "abd"), KEY, "abc")
    assert not is_ours({}, KEY, "abc")
