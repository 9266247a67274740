"""Which events are words for the bot, and whose invitations it accepts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import EventId, RoomId, UserId
from bot.matrix.invite_rules import accepts, covers
from bot.matrix.mentions import BotInRoom
from bot.matrix.messages import is_arrival, messages_in, reaches_back, redactions, since_we_came, without_quote
from bot.matrix.model import Event
from bot.matrix.session_update import EventRedacted
from support.matrix_rig import a_text, an_event

ROOM, ME = RoomId("!room:hs"), UserId("@bot:hs")
SENT = an_event().sent_at


def bodies(*events: Event, age: timedelta = timedelta(), name: str = "") -> list[str]:
    return [word.body for word in messages_in(ROOM, events, BotInRoom(ME, name), SENT + age)]


def arrival(**previous: object) -> Event:
    return an_event("m.room.member", sender=ME, state_key=ME, content={"membership": "join"}, previous=previous)


def test_words_older_than_ten_minutes_are_not_heard() -> None:
    assert bodies(a_text("!pw help"), age=timedelta(minutes=10)) == ["!pw help"]
    assert bodies(a_text("!pw help"), age=timedelta(minutes=10, seconds=1)) == []


@pytest.mark.parametrize(
    "content",
    [
        {"msgtype": "m.notice", "body": "x"},
        {"msgtype": "m.image", "body": "x"},
        {"msgtype": "m.text", "body": " \n"},
        {"msgtype": "m.text", "body": 7},
        {"msgtype": "m.text"},
        {"msgtype": "m.text", "body": "* x", "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}},
        {},
    ],
)
def test_what_is_no_new_text_is_not_heard(content: object) -> None:
    assert bodies(an_event(content=content)) == []


def test_our_own_words_are_not_heard() -> None:
    assert bodies(a_text("!pw help", sender=ME)) == []


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("> <@bot:hs> card\n\n!pw why", "\n!pw why"),
        ("> one\n> two\n!pw why", "!pw why"),
        ("!pw why", "!pw why"),
        ("!pw why\n> not a quote", "!pw why\n> not a quote"),
        ("> nothing else", ""),
    ],
)
def test_the_quote_of_a_reply_is_dropped(body: str, own: str) -> None:
    assert without_quote(body) == own


def test_a_quote_that_is_no_reply_stays() -> None:
    assert bodies(a_text("> quoted\nwords")) == ["> quoted\nwords"]


def related(event: object, **relation: object) -> list[tuple[str | None, str | None]]:
    """The thread and the answered event that are heard of a message with this relation to *event*."""
    content = {"msgtype": "m.text", "body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": event}, **relation}}
    return [
        (word.thread, word.replies_to) for word in messages_in(ROOM, [an_event(content=content)], BotInRoom(ME), SENT)
    ]


def test_a_message_tells_what_it_replies_to_and_its_thread() -> None:
    thread = {"rel_type": "m.thread", "event_id": "$root"}

    assert related("$card") == [(None, "$card")]
    assert related("$card", **thread) == [("$root", "$card")]
    assert related("$last", **thread, is_falling_back=True) == [("$root", None)]


@pytest.mark.parametrize("event", ["", "card", "$\x00", "$\ud800", "$ ", "$" + "a" * 255, "$" + "é" * 128, 7, None, {}])
def test_what_cannot_be_an_event_is_nothing_to_reply_to(event: object) -> None:
    """The homeserver would refuse an answer that names it."""
    assert related(event) == [(None, None)]
    assert related(event, rel_type="m.thread", event_id=event) == [(None, None)]


def reacted(key: object, age: timedelta = timedelta(), **fields: object) -> list[tuple[str, str | None]]:
    """The reactions that are heard in a reaction with this *key*, each with its target."""
    relation = {"rel_type": "m.annotation", "event_id": "$card", "key": key}
    event = an_event("m.reaction", content={"m.relates_to": relation}, **fields)
    return [(each.reaction, each.replies_to) for each in messages_in(ROOM, [event], BotInRoom(ME), SENT + age)]


@pytest.mark.parametrize("key", ["👀", "👀\ufe0f", "👀\ufe0e"])
def test_eyes_are_heard_however_a_client_spells_them(key: str) -> None:
    assert reacted(key) == [("👀", "$card")]
    assert reacted(key, age=timedelta(minutes=10)) == [("👀", "$card")]


@pytest.mark.parametrize("key", ["👍", "👁️", "👀👀", "👀" + "x" * 300, "", "eyes", 7, None])
def test_other_reactions_are_not_heard(key: object) -> None:
    assert reacted(key) == []


def test_our_own_reactions_and_old_ones_are_not_heard() -> None:
    assert reacted("👀", sender=ME) == []
    assert reacted("👀", age=timedelta(minutes=10, seconds=1)) == []


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": "card", "key": "👀"}},
        {"m.relates_to": {"rel_type": "m.thread", "event_id": "$card", "key": "👀"}},
        {"m.relates_to": "👀"},
    ],
)
def test_what_is_no_whole_reaction_is_not_heard(content: object) -> None:
    assert bodies(an_event("m.reaction", content=content)) == []


def test_what_was_said_before_we_came_is_passed_over() -> None:
    events = [a_text("before"), arrival(membership="invite"), a_text("after")]

    assert bodies(*since_we_came(events, ME)) == ["after"]
    assert reaches_back(events, ME, SENT)


def test_a_new_name_of_ours_is_no_arrival() -> None:
    renamed = arrival(membership="join")

    assert not is_arrival(renamed, ME)
    assert bodies(*since_we_came([a_text("before"), renamed], ME)) == ["before"]


def test_events_that_are_all_too_old_reach_back_far_enough() -> None:
    late = SENT + timedelta(minutes=11)

    assert reaches_back([a_text("old")], ME, late)
    assert not reaches_back([a_text("old"), a_text("new", sent_at=late)], ME, late)


@pytest.mark.parametrize(
    ("pattern", "user", "is_accepted"),
    [
        ("*:example.org", "@ann:example.org", True),
        ("*:example.org", "@ann:evil.example.org", False),
        ("*:example.org", "@ann:example.org:8448", False),
        ("*:example.org", "@*:example.org.evil", False),
        ("*:Example.org", "@ann:example.ORG", True),
        ("*:*.example.org", "@ann:hs.example.org", True),
        ("*:*.example.org", "@ann:example.org", False),
        ("@ann:example.org", "@ann:example.org", True),
        ("@ann:example.org", "@annette:example.org", False),
        ("@ann*:example.org", "@annette:example.org", True),
        ("*:*", "@anybody:anywhere", True),
        ("@bob:*", "@ann:bob", False),
    ],
)
def test_an_inviter_is_accepted_by_pattern(pattern: str, user: str, is_accepted: bool) -> None:
    assert accepts([pattern], UserId(user)) is is_accepted


def test_without_patterns_nobody_is_accepted() -> None:
    assert not accepts([], UserId("@ann:example.org"))


@given(st.lists(st.tuples(st.text("ab", max_size=4), st.text("ab", max_size=4)), min_size=1, max_size=6))
def test_a_star_covers_anything(pairs: list[tuple[str, str]]) -> None:
    pattern = "".join(f"{part}*" for part, _ in pairs)

    assert covers(pattern, "".join(part + filling for part, filling in pairs))


@pytest.mark.parametrize("event", ["", "$", "card", "$\x00", "$" + "x" * 255])
def test_what_can_be_no_event_was_not_redacted(event: str) -> None:
    events = [an_event("m.room.redaction", redacts=EventId(each)) for each in (event, "$card")]

    assert list(redactions(ROOM, events)) == [EventRedacted(ROOM, EventId("$card"))]


def pill(user: str = "@bot:hs", name: str = "Patch Bot", before: str = "") -> str:
    return f'{before}<a href="https://matrix.to/#/{user}">{name}</a>'


@pytest.mark.parametrize(
    ("body", "formatted", "heard"),
    [
        ("Patch Bot: help", f"{pill()}: help", "@bot:hs: help"),
        ("Patch Bot help", f"{pill(before='<p>')} help</p>", "@bot:hs help"),
        ("@bot:hs help", f"{pill(name='@bot:hs')} help", "@bot:hs help"),
        ("@Patch Bot help", f"{pill()} help", "@bot:hs help"),
        ("patch bot: help", f"{pill(user='%40bot%3Ahs?via=hs')}: help", "@bot:hs: help"),
        ("B&B: help", f"{pill(name='B&amp;B')}: help", "@bot:hs: help"),
        ("Bot: help", "<a class='u' href='matrix:u/bot:hs'>Bot</a>: help", "@bot:hs: help"),
        ("[Bot](https://matrix.to/#/@bot:hs) help", "", "@bot:hs help"),
        ("Patch Bot: help", f"<mx-reply>{pill(user='@x:hs')}</mx-reply>{pill()}: help", "@bot:hs: help"),
        # not the bot, or not at the beginning
        ("Ann: help", f"{pill(user='@ann:hs', name='Ann')}: help", "Ann: help"),
        ("ask Patch Bot: help", f"ask {pill()}: help", "ask Patch Bot: help"),
        ("something else", f"{pill()} help", "something else"),
        ("[Bot](https://example.org/@bot:hs) help", "", "[Bot](https://example.org/@bot:hs) help"),
    ],
)
def test_a_pill_at_the_beginning_is_heard_as_the_user_id(body: str, formatted: str, heard: str) -> None:
    html = {"format": "org.matrix.custom.html", "formatted_body": formatted} if formatted else {}

    assert bodies(an_event(content={"msgtype": "m.text", "body": body, **html})) == [heard]


@pytest.mark.parametrize(
    ("body", "more", "heard"),
    [
        ("Patch Bot: help", {"m.mentions": {"user_ids": [ME]}}, "@bot:hs: help"),
        ("Patch Bot, help", {"m.mentions": {"user_ids": [ME]}}, "@bot:hs, help"),
        ("see: this", {"m.mentions": {"user_ids": [ME, "@ann:hs"]}}, "see: this"),
        ("see: this", {"m.mentions": {}}, "see: this"),
        ("see: this", {"m.mentions": 7, "formatted_body": 7}, "see: this"),
        (
            "see: this",
            {"m.mentions": {"user_ids": [ME]}, "m.relates_to": {"m.in_reply_to": {"event_id": "$card"}}},
            "see: this",
        ),
    ],
)
def test_a_name_before_a_colon_is_the_bot_where_the_message_says_so(
    body: str, more: dict[str, object], heard: str
) -> None:
    assert bodies(an_event(content={"msgtype": "m.text", "body": body, **more})) == [heard]


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        ("Patch Bot: help", "@bot:hs: help"),
        ("patch bot, help", "@bot:hs, help"),
        ("@Patch Bot help", "@bot:hs help"),
        ("@patch bot", "@bot:hs"),
        ("@Patch Bot: help", "@bot:hs: help"),
        ("Patch Bot help", "Patch Bot help"),  # somebody speaks of it
        ("Patch Bottle: help", "Patch Bottle: help"),
        ("@Patch Bottle help", "@Patch Bottle help"),
        ("see Patch Bot: help", "see Patch Bot: help"),
    ],
)
def test_the_display_name_as_it_is_typed_is_heard_as_the_user_id(body: str, heard: str) -> None:
    assert bodies(an_event(content={"msgtype": "m.text", "body": body}), name="Patch Bot") == [heard]


@given(st.text(), st.text(alphabet="<>a\"' href=matrix.to/#@bot:hs", max_size=200))
def test_whatever_is_formatted_the_words_are_heard(body: str, formatted: str) -> None:
    content = {"msgtype": "m.text", "body": f"x{body}", "formatted_body": formatted}

    assert len(bodies(an_event(content=content))) == 1
