"""What is typed, against the table of all commands."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.commands import grammar
from bot.commands.grammar import COMMANDS, VERBS, Command, InvalidCommand, ParsedCommand, addressed, parse
from bot.commands.parameters import ParameterKind
from bot.text import visible

NAMES = [name for command in COMMANDS for name in (command.verb, *command.aliases)]
ANY_TEXT = st.text(st.characters(), max_size=300)
A_REF = "https://h.example/patch/5/"


def usage_of(verb: str) -> str:
    command = grammar.find(verb)
    assert command is not None
    return grammar.usage(command, "!pw")


def understood(text: str) -> tuple[str, dict[str, str]]:
    call = parse(text, "!pw")
    assert isinstance(call, ParsedCommand), call
    return call.command.verb, dict(call.arguments)


@pytest.mark.parametrize(
    ("text", "verb", "arguments"),
    [
        ("show 5", "show", {"ref": "5"}),
        ("SHOW 5", "show", {"ref": "5"}),
        ("s 5", "show", {"ref": "5"}),
        ("show\t 5 \n", "show", {"ref": "5"}),
        ("show a\\_b\\*c@x", "show", {"ref": "a_b*c@x"}),
        ("show", "show", {}),
        ("show <5@h>", "show", {"ref": "<5@h>"}),
        ("help", "help", {}),
        ("?", "help", {}),
        ("", "help", {}),
        ("help SHOW", "help", {"verb": "SHOW"}),
        ("help me forget", "help", {"verb": "me forget"}),
        ("unsub 7", "unsub", {"id": "7"}),
        ("unsub #7", "unsub", {"id": "7"}),
        ("ls", "subs", {}),
        ("list", "subs", {}),
        ("mute", "mute", {}),
        ("mute 7", "mute", {"id": "7"}),
        ("mute 2H", "mute", {"duration": "2h"}),
        ("mute 7 2h", "mute", {"id": "7", "duration": "2h"}),
        ("mute 2h 7", "mute", {"id": "7", "duration": "2h"}),
        ("set Timezone Europe/Berlin", "set", {"key": "timezone", "value": "Europe/Berlin"}),
        ("set project ''", "set", {"key": "project", "value": ""}),
        ('set mode "a \\"b\\" c"', "set", {"key": "mode", "value": 'a "b" c'}),
        ("set mode “a b”", "set", {"key": "mode", "value": "a b"}),
        ("set mode ‘a b’", "set", {"key": "mode", "value": "a b"}),
        ("set mode don’t", "set", {"key": "mode", "value": "don't"}),
        ("me", "me", {}),
        ("me ada@example.org", "me", {"address": "ada@example.org"}),
        ("me <ada@example.org>", "me", {"address": "ada@example.org"}),
        ("ME  Forget ada@example.org", "me forget", {"address": "ada@example.org"}),
        ("leave #room:hs", "leave", {"room": "#room:hs"}),
        ("leave !v12", "leave", {"room": "!v12"}),
    ],
)
def test_what_is_a_command(text: str, verb: str, arguments: dict[str, str]) -> None:
    assert understood(text) == (verb, arguments)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("sub path:migration/  from:@x", {"query": "path:migration/  from:@x"}),
        ("sub path:a/\n  OR path:b/", {"query": "path:a/\n  OR path:b/"}),
        ('sub s:"a \\"b\\" c"', {"query": 's:"a \\"b\\" c"'}),
        ('sub s:"a\\\\*b"', {"query": 's:"a\\\\*b"'}),
        ("sub path:hw/\\*/trace\\_events", {"query": "path:hw/*/trace_events"}),
        ("sub s:/a\\.b/", {"query": "s:/a\\.b/"}),
        ("sub s:“dirty limit”", {"query": 's:"dirty limit"'}),
        ('sub s:"not closed', {"query": 's:"not closed'}),
        ("edit 7 path:b/ 7d", {"id": "7", "query": "path:b/ 7d"}),
        ("test path:a/", {"query": "path:a/"}),
        ("test path:a/ 7d", {"query": "path:a/", "duration": "7d"}),
        ("test path:a/\n2W", {"query": "path:a/", "duration": "2w"}),
        ('test s:"for 7d"', {"query": 's:"for 7d"'}),
        ('test "7d"', {"query": '"7d"'}),
        ("find 7 days", {"query": "7 days"}),
    ],
)
def test_a_query_is_the_rest_as_it_was_typed(text: str, arguments: dict[str, str]) -> None:
    assert understood(text)[1] == arguments


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shwo 5", "There is no command “shwo”. Did you mean “show”?"),
        ("HLEP", "There is no command “HLEP”. Did you mean “help”?"),
        ("subscirbe path:a/", "There is no command “subscirbe”. Did you mean “sub”?"),
        ("dance", "There is no command “dance”. Type “!pw help” for a list."),
        ("help queri", "There is no command “queri”. Type “!pw help” for a list."),
        ("help dance", "There is no command “dance”. Type “!pw help” for a list."),
        ("help shwo", "There is no command “shwo”. Did you mean “show”?"),
        ("help show me", "There is no command “show me”. Did you mean “show”?"),
        ("show 5 6", "“6” does not belong there. Usage: !pw show REF — for example: !pw show 2194095"),
        ("status now", "“now” does not belong there. Usage: !pw status"),
        ("sub", "QUERY is missing. Usage: !pw sub QUERY — for example: !pw sub path:migration/ -prefix:RFC"),
        ("test 7d", "QUERY is missing. Usage: !pw test QUERY [7d] — for example: !pw test path:migration/ 7d"),
        ("edit 7", "QUERY is missing. Usage: !pw edit ID QUERY — for example: !pw edit 7 path:migration/,hw/"),
        (
            "edit path:a/",
            "“path:a/” is not the number of a subscription. " + usage_of("edit"),
        ),
        (
            "unsub seven",
            "“seven” is not the number of a subscription. Usage: !pw unsub ID — for example: !pw unsub 7",
        ),
        ("mute soon", "“soon” does not belong there. Usage: !pw mute [ID] [2h] — for example: !pw mute 7 2h"),
        (
            "mute 7 soon",
            "“soon” is not a time such as 30m, 2h, 7d or 2w. Usage: !pw mute [ID] [2h] — for example: !pw mute 7 2h",
        ),
        (
            "set mode",
            "VALUE is missing. Usage: !pw set KEY VALUE — for example: !pw set timezone Europe/Berlin",
        ),
        (
            'set mode "a\nb',
            "The quote before “a b” is not closed before a space or the end. " + usage_of("set"),
        ),
        ('set mode "a"b', 'The quote before “a"b” is not closed before a space or the end. ' + usage_of("set")),
        ("me ada", "“ada” is not a mail address. Usage: !pw me [ADDRESS] — for example: !pw me ada@example.org"),
        (
            "me forget",
            "ADDRESS is missing. Usage: !pw me forget ADDRESS — for example: !pw me forget ada@example.org",
        ),
        ("5", "To look that up, type: !pw show 5"),
        (A_REF, f"To look that up, type: !pw show {A_REF}"),
    ],
)
def test_a_mistake_says_what_to_type(text: str, said: str) -> None:
    assert parse(text, "!pw") == InvalidCommand(said)


def test_in_a_direct_chat_the_prefix_is_not_told() -> None:
    assert parse("unsub", "") == InvalidCommand("ID is missing. Usage: unsub ID — for example: unsub 7")
    assert parse("dance", "") == InvalidCommand("There is no command “dance”. Type “help” for a list.")


def test_a_command_that_the_bot_does_not_answer_is_none() -> None:
    assert parse("find x", "!pw", {"help"}) == InvalidCommand("There is no command “find”. Type “!pw help” for a list.")
    assert parse("search x", "!pw", {"help"}) == InvalidCommand(
        "There is no command “search”. Type “!pw help” for a list."
    )
    assert parse("5", "!pw", {"help"}) == InvalidCommand("There is no command “5”. Type “!pw help” for a list.")


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


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("patchbot: help", "help"),
        ("Patchbot, help", "help"),
        ("patchbot : help", "help"),
        ("patchbot:", ""),
        ("@patchbot help", "help"),
        ("@patchbot: help", "help"),
        ("@patchbot:example.org help", "help"),
        ("@patchbot:example.org: help", "help"),
        ("@PATCHBOT:Example.org\u00a0help", "help"),
        ("\u200b@patchbot:example.org", ""),
        ("> quoted\n\n@patchbot:example.org why", "why"),
        ("!pw:help", "help"),
        ("!PW: help", "help"),
        # not the bot
        ("patchbot is down", None),
        ("patchbots: help", None),
        ("@patchbot:other.org help", None),
        ("@patchbot:example.organisation help", None),
        ("@patchbots help", None),
        ("ask patchbot: help", None),
        ("patchbot:help", None),
        ("@: help", None),
        ("!pwhelp", None),
    ],
)
def test_a_mention_of_the_bot_does_as_well_as_the_prefix(body: str, text: str | None) -> None:
    assert addressed(body, "!pw", "@patchbot:example.org", direct=False) == text


@pytest.mark.parametrize("prefix", ["!pw", "!pw:", "@"])
def test_where_the_bot_has_no_name_nothing_is_taken_for_it(prefix: str) -> None:
    assert addressed("@ help", prefix, "", direct=False) == ("help" if prefix == "@" else None)
    assert addressed(": help", prefix, "", direct=False) is None


@given(name=st.sampled_from(["", *NAMES]), rest=ANY_TEXT)
@example(name="set", rest='"')
@example(name="set", rest="'\x00\u202e\u2066Z\u0351\u036b\u0343\u0355")
@example(name="mute", rest="\u00b2 \u0662h")
@example(name="me", rest="forget\u2028")
def test_any_text_is_a_call_that_fits_the_table_or_a_mistake_of_one_line(name: str, rest: str) -> None:
    told = parse(f"{name} {rest}", "!pw")

    if isinstance(told, InvalidCommand):
        assert len(told.text.splitlines()) == 1
        assert len(told.text) < 1_200
    else:
        of_table = {parameter.name: parameter for parameter in told.command.parameters}
        required = {name for name, parameter in of_table.items() if not parameter.optional}
        assert required <= told.arguments.keys() <= of_table.keys()


@given(query=ANY_TEXT.map(visible).filter(lambda text: text.strip() and "\\" not in text))
def test_a_query_loses_nothing_but_the_form_of_its_quotes(query: str) -> None:
    _, arguments = understood(f"sub {query}")

    straight = str.maketrans("“”„‘’", '"""\'\'')
    assert arguments == {"query": query.strip().translate(straight)}


@given(words=st.lists(st.text(st.characters(exclude_characters="\\*_“”„‘’")), min_size=2, max_size=2))
def test_quotes_keep_a_word_together_whatever_is_in_it(words: list[str]) -> None:
    words = [visible(word) for word in words]
    key, value = ('"' + word.replace('"', '\\"') + '"' for word in words)

    _, arguments = understood(f"set {key} {value}")

    assert arguments == {"key": words[0].lower(), "value": words[1]}


@pytest.mark.parametrize("verb", sorted(VERBS))
@pytest.mark.parametrize(
    "rest",
    [
        "a" * 10_000,
        '"' * 10_000,
        "'" * 9_999,
        "\\" * 10_000,
        '"' + "\\" * 9_999,
        " " * 10_000,
        "a " * 5_000,
        "<" * 5_000 + "@" * 5_000,
        "1" * 10_000,
        "1d" * 5_000,
        "Z\u0351" * 5_000,
        "\u202e\u2066" * 5_000,
        "\x00" * 10_000,
        " OR ".join(f"path:a{number}/" for number in range(1_000)),
    ],
    ids=lambda text: text[:6].encode("unicode_escape").decode(),
)
def test_a_long_text_is_read_at_once(verb: str, rest: str) -> None:
    begun = time.process_time()

    parse(f"{verb} {rest}", "!pw")
    parse(f"{rest} {verb}", "!pw")

    assert time.process_time() - begun < 0.5


def test_every_command_is_found_by_each_of_its_names() -> None:
    assert len(NAMES) == len(set(NAMES))
    for command in COMMANDS:
        for name in (command.verb, *command.aliases):
            assert grammar.find(name.upper()) is command


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.verb)
def test_every_example_is_a_command_of_its_own(command: Command) -> None:
    """Whoever types it again is understood; where there is something to type, there is an example of it."""
    verb, arguments = understood(command.typical(""))

    assert verb == command.verb
    assert bool(arguments) is bool(command.parameters)


def test_the_names_of_arguments_are_those_of_their_kinds() -> None:
    names = {parameter.name for command in COMMANDS for parameter in command.parameters}

    assert names == {kind.value.lower() for kind in ParameterKind}
