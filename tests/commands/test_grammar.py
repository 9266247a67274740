"""What is typed, against the table of all commands."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.commands import command_table, grammar
from bot.commands.command_table import COMMANDS, VERBS, Command
from bot.commands.grammar import InvalidCommand, ParsedCommand, addressed, parse
from bot.commands.parameters import ParameterKind
from bot.commands.phrases import Courtesy
from bot.text import visible

NAMES = [name for command in COMMANDS for name in (command.verb, *command.aliases)]
ANY_TEXT = st.text(st.characters(), max_size=300)
A_REF = "https://h.example/patch/5/"


def usage_of(verb: str) -> str:
    command = command_table.find(verb)
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
        ("help SHOW", "help", {"topic": "SHOW"}),
        ("help me forget", "help", {"topic": "me forget"}),
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
        ("shwo 5", "I do not know the command “shwo”. Did you mean “show”?"),
        ("HLEP", "I do not know the command “HLEP”. Did you mean “help”?"),
        ("subscirbe path:a/", "I do not know the command “subscirbe”. Did you mean “sub”?"),
        ("dance", "I do not know the command “dance”. For what I understand, type: !pw help"),
        ("sub", f"QUERY is missing. Say what should match. {usage_of('sub')}"),
        ("test 7d", f"QUERY is missing. Say what should match. {usage_of('test')}"),
        ("edit path:a/", f"“path:a/” is not the number of a subscription. {usage_of('edit')}"),
        (
            "mute soon",
            f"“soon” is not the number of a subscription or a duration; try 30m, 2h or 7d. {usage_of('mute')}",
        ),
        ("mute 7 soon", f"“soon” is not a duration; try 30m, 2h or 7d. {usage_of('mute')}"),
        ("me ada", f"“ada” is not a mail address. {usage_of('me')}"),
        ("me forget", f"ADDRESS is missing. {usage_of('me forget')}"),
        ("subs 3 4", f"“4” is one word too many. {usage_of('subs')}"),
        ("leave", "That is only for the bot's admins."),
        ("rooms x", "That is only for the bot's admins."),
    ],
)
def test_a_mistake_says_what_to_type(text: str, said: str) -> None:
    assert parse(text, "!pw") == InvalidCommand(said)


def test_in_a_direct_chat_the_prefix_is_not_told() -> None:
    assert parse("me forget", "") == InvalidCommand(
        "ADDRESS is missing. Usage: me forget ADDRESS — for example: me forget ada@example.org"
    )
    assert parse("dance", "") == InvalidCommand("I do not know the command “dance”. For what I understand, type: help")


@pytest.mark.parametrize(
    ("text", "verb", "arguments"),
    [
        ("5", "show", {"ref": "5"}),
        (A_REF, "show", {"ref": A_REF}),
        ("<20260101.1@h>", "show", {"ref": "<20260101.1@h>"}),
        ("Message-Id: <20260101.1@h>", "show", {"ref": "Message-Id: <20260101.1@h>"}),
        ("b4 am 20260101.1@h", "show", {"ref": "b4 am 20260101.1@h"}),
        ("show patch 300", "show", {"ref": "patch 300"}),
        ("show me the series https://h.example/series/5/", "show", {"ref": "https://h.example/series/5/"}),
        ("show this", "show", {}),
        ("comments on 5, please", "comments", {"ref": "5"}),
        ("unsub path:a/", "unsub", {"query": "path:a/"}),
        ("unsubscribe from #7.", "unsub", {"id": "7"}),
        ("unsub", "unsub", {}),
        ("mute for an hour", "mute", {"duration": "for an hour"}),
        ("mute all 2 hours", "mute", {"duration": "2 hours"}),
        ("mute 7 for 2 days!", "mute", {"id": "7", "duration": "for 2 days"}),
        ("test path:a/ last week", "test", {"query": "path:a/", "duration": "last week"}),
        ("set tz to Europe/Berlin.", "set", {"key": "timezone", "value": "Europe/Berlin"}),
        ("flood=20", "set", {"key": "flood", "value": "20"}),
        ("set timezone", "help", {"topic": "timezone"}),
        ("set", "settings", {}),
        ("show my subscriptions", "subs", {}),
        ("can you list the rooms?", "rooms", {}),
        ("Hi there", "help", {}),
        ("how do I unsubscribe?", "help", {"topic": "how do I unsubscribe?"}),
        ("why so many messages?", "help", {"topic": "why so many messages?"}),
        ("are you alive?", "status", {}),
        ("status now please", "status", {}),
        ("/sub path:a/", "sub", {"query": "path:a/"}),
        ("Sub: path:a/ 🙏", "sub", {"query": "path:a/"}),
        ("find patches from ada", "find", {"query": "from:ada"}),
        ("my email is ada@example.org", "me", {"address": "ada@example.org"}),
    ],
)
def test_what_is_clear_is_understood(text: str, verb: str, arguments: dict[str, str]) -> None:
    assert understood(text) == (verb, arguments)


@pytest.mark.parametrize(
    "text", ["thanks", "Thank you!", "thx 🙏", "ok, great", "👍", "Cheers, bot!", "many thanks for your help"]
)
def test_thanks_are_answered_with_a_reaction(text: str) -> None:
    assert parse(text, "!pw") == Courtesy("👍")


def test_a_command_that_the_bot_does_not_answer_is_none() -> None:
    unknown = "I do not know the command “{}”. For what I understand, type: !pw help"

    assert parse("find x", "!pw", {"help"}) == InvalidCommand(unknown.format("find"))
    assert parse("search x", "!pw", {"help"}) == InvalidCommand(unknown.format("find"))
    assert parse("5", "!pw", {"help"}) == InvalidCommand(unknown.format("show"))


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

    if isinstance(told, Courtesy):
        return
    if isinstance(told, InvalidCommand):
        assert len(told.text.splitlines()) == 1
        assert len(told.text) < 1_200
    else:
        of_table = {parameter.name: parameter for parameter in told.command.parameters}
        required = {name for name, parameter in of_table.items() if not (parameter.optional or parameter.asked)}
        others = {"which": {"id", "query"}, "range": {"ref"}, "listed": {"ref", "from"}}
        possible = of_table.keys() | {name for kind in of_table for name in others.get(kind, ())}
        assert required <= told.arguments.keys() <= possible


@given(query=ANY_TEXT.map(visible).filter(lambda text: text.strip() and "\\" not in text))
def test_a_query_loses_nothing_inside_but_the_form_of_its_quotes(query: str) -> None:
    _, arguments = understood(f"sub path:a/ {query} path:b/")

    straight = str.maketrans("“”„‘’", '"""\'\'')
    assert arguments == {"query": f"path:a/ {query.translate(straight)} path:b/"}


@given(word=st.text(st.characters(exclude_characters="\\*_“”„‘’")))
def test_quotes_keep_a_value_together_whatever_is_in_it(word: str) -> None:
    word = visible(word)
    value = '"' + word.replace('"', '\\"') + '"'

    _, arguments = understood(f"set project {value}")

    assert arguments == {"key": "project", "value": word}


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
            assert command_table.find(name.upper()) is command


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.verb)
def test_every_example_is_a_command_of_its_own(command: Command) -> None:
    """Whoever types it again is understood; where there is something to type, there is an example of it."""
    verb, arguments = understood(command.typical(""))

    assert verb == command.verb
    assert bool(arguments) is bool(command.parameters)


def test_the_names_of_arguments_are_those_of_their_kinds() -> None:
    names = {parameter.name for command in COMMANDS for parameter in command.parameters}

    assert names == {kind.name.lower() for kind in ParameterKind}
