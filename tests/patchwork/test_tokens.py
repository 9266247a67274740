"""What is taken for an API token in a message, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.tokens import MASK, ApiToken, masked

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # noqa: S105  # nobody's
HALF = TOKEN[:20]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"token ozlabs {TOKEN}", "token ozlabs [token]"),
        (f"!pw token {TOKEN} ozlabs", "!pw token [token] ozlabs"),
        (f"tokn ozlabs {TOKEN}", "tokn ozlabs [token]"),
        (f"token ozlabs `{TOKEN.upper()}`.", "token ozlabs `[token]`."),
        (f"token ozlabs:{TOKEN}", "token ozlabs:[token]"),
        (f"Authorization: Token {TOKEN}", "Authorization: Token [token]"),
        (TOKEN, "[token]"),
        (f"token ozlabs {HALF} {HALF}", "token ozlabs [token] [token]"),
        (f"token ozlabs {TOKEN[:39]}", "token ozlabs [token]"),
        (f"token ozlabs {HALF}\u200b{HALF}", "token ozlabs [token]"),
        (f"my\ntoken: {TOKEN}\nbye", "my\ntoken: [token]\nbye"),
    ],
)
def test_a_token_is_taken_out_however_it_is_typed(said: str, kept: str) -> None:
    found = masked(said)

    assert found.text == kept
    assert found.token is not None


@pytest.mark.parametrize(
    "said",
    [
        f"find text:{TOKEN}",
        f"show https://git.example.org/c/?id={TOKEN}",
        f"show https://lore.example.org/{TOKEN}/",
        f"show {TOKEN}@example.org",
        "find token from:user1234567890abc@example.org path:net/sched/sch_tbf_20240123456789.c",
        "token patchwork.kernel.org",
        "token forget patchwork-of-the-kernel",
        "show 2194095",
        "sub subject:token",
    ],
)
def test_what_people_look_up_stays_as_it_is(said: str) -> None:
    assert masked(said).text == said
    assert masked(said).token is None


@given(st.text(), st.text())
def test_no_token_is_left_whatever_stands_around_it(before: str, after: str) -> None:
    assert TOKEN not in masked(f"{before} token {TOKEN} {after}").text


@given(st.text(alphabet="0123456789abcdefABCDEF -_:=/@.token\n\u200b", max_size=300))
def test_what_was_masked_has_nothing_more_to_mask(text: str) -> None:
    once = masked(text).text

    assert masked(once).text == once


def test_a_token_does_not_show_itself() -> None:
    assert TOKEN not in repr(ApiToken(TOKEN))
    assert TOKEN not in repr(masked(TOKEN))
    assert masked(TOKEN).text == MASK


@pytest.mark.parametrize("text", ["a b", "", "ü", "a\n", "x" * 201, "a:b"])
def test_what_cannot_stand_in_a_header_is_no_sound_token(text: str) -> None:
    assert not ApiToken(text).is_sound
    assert ApiToken(TOKEN).is_sound
