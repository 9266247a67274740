import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import grammar
from bot.commands.grammar import FIND, HELP, SHOW, Call, Mistake, addressed, parse


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("show 5", Call(SHOW, {"ref": "5"})),
        ("SHOW 5", Call(SHOW, {"ref": "5"})),
        ("s 5", Call(SHOW, {"ref": "5"})),
        ("show\t 5 \n", Call(SHOW, {"ref": "5"})),
        ("show a\\_b\\*c@x", Call(SHOW, {"ref": "a_b*c@x"})),
        ("help", Call(HELP, {})),
        ("?", Call(HELP, {})),
        ("", Call(HELP, {})),
        ("find path:hw/  -from:@x", Call(FIND, {"query": "path:hw/  -from:@x"})),
        ("help SHOW", Call(HELP, {"verb": "SHOW"})),
    ],
)
def test_what_is_a_command(text: str, call: Call) -> None:
    assert parse(text, "!pw") == call


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shwo 5", "There is no command “shwo”. Did you mean “show”?"),
        ("HLEP", "There is no command “HLEP”. Did you mean “help”?"),
        ("dance", "There is no command “dance”. Type “!pw help” for what there is."),
        ("help dance", "There is no command “dance”. Type “!pw help” for what there is."),
        ("help shwo", "There is no command “shwo”. Did you mean “show”?"),
        ("find", "Usage: !pw find QUERY"),
        ("show 5 6", "Usage: !pw show REF"),
        ("help show me", "Usage: !pw help [verb]"),
        ("5", "To look that up, type: !pw show 5"),
        ("https://h.example/patch/5/", "To look that up, type: !pw show https://h.example/patch/5/"),
    ],
)
def test_a_mistake_says_what_to_type(text: str, said: str) -> None:
    assert parse(text, "!pw") == Mistake(said)


def test_in_a_direct_chat_the_prefix_is_not_told() -> None:
    assert parse("find", "") == Mistake("Usage: find QUERY")
    assert parse("dance", "") == Mistake("There is no command “dance”. Type “help” for what there is.")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("!pw show 5", "show 5"),
        ("  !PW\tshow 5 ", "show 5"),
        ("!pw\nshow 5", "show 5"),
        ("!pw", ""),
        ("> <@ada:hs> !pw help\n> and more\n\n!pw show 5", "show 5"),
        ("!pwx show 5", None),
        ("show 5", None),
        ("I like !pw show 5", None),
        ("> !pw show 5", None),
        ("", None),
    ],
)
def test_in_a_room_only_the_prefix_speaks_to_the_bot(body: str, text: str | None) -> None:
    assert addressed(body, "!pw", direct=False) == text


@pytest.mark.parametrize(
    ("body", "text"), [("show 5", "show 5"), ("!pw show 5", "show 5"), ("!pwx", "!pwx"), ("!pw", ""), (" ", None)]
)
def test_in_a_direct_chat_the_prefix_may_be_left_out(body: str, text: str | None) -> None:
    assert addressed(body, "!pw", direct=True) == text


@given(st.text(st.characters()))
def test_no_message_breaks_the_grammar(body: str) -> None:
    text = addressed(body, "!pw", direct=True)

    if text is not None:
        assert isinstance(parse(text, "!pw"), Call | Mistake)


def test_every_command_is_found_by_each_of_its_names() -> None:
    names = [name for command in grammar.COMMANDS for name in (command.verb, *command.aliases)]

    assert len(names) == len(set(names))
    assert all(grammar.find(name.upper()) in grammar.COMMANDS for name in names)
