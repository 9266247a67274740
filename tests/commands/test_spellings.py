"""What clients and people wrap around commands and their arguments."""

import re
from collections.abc import Sequence

import pytest

from bot.commands import grammar
from bot.commands.answers.subscriptions import page
from bot.commands.grammar import ParsedCommand
from bot.commands.settings import _zone
from bot.errors import UserError
from bot.notices.markup import Allowed, Bullets, Document, Line, Lines, plain, words


@pytest.mark.parametrize(
    "body",
    [
        "\u200b!pw help",
        "\ufeff!pw help",
        "!pw\u200b help",
        "!pw\ufeff help",
        "\u200b !pw help",
        "!PW help",
        "!pw: help",
    ],
)
def test_a_prefix_among_invisible_characters_is_found(body: str) -> None:
    assert grammar.addressed(body, "!pw", direct=False) == "help"


@pytest.mark.parametrize("body", ["!pwx help", "say !pw help", "!p\u200bw", "!pw\u200bhelp", "\u200b", ""])
def test_what_does_not_begin_with_the_prefix_is_for_others(body: str) -> None:
    assert grammar.addressed(body, "!pw", direct=False) in {None, ""}
    assert grammar.addressed(body, "!pw", direct=False) != "help"


@pytest.mark.parametrize(
    ("typed", "argument"),
    [
        ("me mailto:bob@example.org", "bob@example.org"),
        ("me <mailto:bob@example.org>", "bob@example.org"),
        ("me MAILTO:bob@example.org", "bob@example.org"),
        ("me [bob@example.org](mailto:bob@example.org)", "bob@example.org"),
        ("me bob@example.org.", "bob@example.org"),
        ("me mailto:bob@example.org?subject=Hello%20Bob", "bob@example.org"),
        ("me `bob@example.org`", "bob@example.org"),
        ("me (bob@example.org).", "bob@example.org"),
        ("me Bob Muster <bob@example.org>", "bob@example.org"),
        ('me forget "Muster, Bob" <bob@example.org>', "bob@example.org"),
        ("show patch 300", "patch 300"),
        ("show see https://lore.kernel.org/r/a@b.c please", "https://lore.kernel.org/r/a@b.c"),
        ("comments b4 am <a@b.c>", "b4 am <a@b.c>"),
        ("show [PATCH [v2] x](https://lore.kernel.org/r/a@b.c)", "https://lore.kernel.org/r/a@b.c"),
        ("subs 31", "31"),
        ("rooms #31", "31"),
        ("export 2", "2"),
    ],
)
def test_an_argument_is_read_in_what_clients_make_of_it(typed: str, argument: str) -> None:
    call = grammar.parse(typed, "!pw")

    assert isinstance(call, ParsedCommand)
    assert list(call.arguments.values()) == [argument]


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("CEST", "Europe/Berlin"),
        ("cet", "Europe/Berlin"),
        ("PST", "America/Los_Angeles"),
        ("PST8PDT", "America/Los_Angeles"),
        ("EST", "America/New_York"),
        ("XYZ", "Europe/Berlin or America/Los_Angeles"),
        ("GMT+2", "Europe/Berlin or America/Los_Angeles"),
        ("+02:00", "Europe/Berlin or America/Los_Angeles"),
        ("Etc/GMT+5", "Europe/Berlin or America/Los_Angeles"),
        ("Europe/Berln", "Europe/Berlin"),
        ("localtime", "Europe/Berlin"),
        ("Factory", "Europe/Berlin"),
    ],
)
async def test_a_time_zone_that_would_be_the_wrong_one_is_refused_with_the_right_one(typed: str, instead: str) -> None:
    with pytest.raises(UserError, match=instead):
        await _zone(typed)


@pytest.mark.parametrize(
    ("typed", "zone"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("America/new york", "America/New_York"),
        ("utc", "UTC"),
        ("GMT", "UTC"),
        ("berlin", "Europe/Berlin"),
    ],
)
async def test_a_time_zone_is_found_in_any_case(typed: str, zone: str) -> None:
    assert await _zone(typed) == zone


def listed(shown: Sequence[Line], more: tuple[Line, ...]) -> Document:
    return (Lines((words("All of them:"),)), Bullets(tuple(shown)), Lines(more))


@pytest.mark.parametrize(("count", "width"), [(0, 1), (1, 1), (30, 1), (31, 1), (100, 20), (100, 280), (38, 900)])
def test_every_line_of_a_long_list_is_reached_by_what_the_one_before_it_says(count: int, width: int) -> None:
    items = [words(f"<{number}> {'x' * width}") for number in range(1, count + 1)]
    seen: list[str] = []
    start = 1

    while start:
        text = plain(page(items, start, listed, "subs {}".format), Allowed(()))
        seen += [line.split()[1] for line in text.split("\n") if line.startswith("• <")]
        found = re.search(r"subs (\d+)", text)
        start = int(found[1]) if found else 0

    assert seen == [f"<{number}>" for number in range(1, count + 1)]


def test_a_list_is_not_begun_behind_its_end() -> None:
    with pytest.raises(UserError, match=r"The list ends with 2. .*subs 1"):
        page([words("a"), words("b")], 3, listed, "subs {}".format)
