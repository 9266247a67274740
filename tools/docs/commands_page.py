"""The page on all commands, written from their table: `make reference`."""

import sys
from collections.abc import Iterator

from bot.commands.grammar import COMMANDS, Command, CommandGroup, Permission
from bot.commands.help import NOTES

_PREFIX = "!pw"
_HEAD = f"""\
# Commands

This page is written by `make reference` from the table in `bot/commands/grammar.py`.

In a room, a command begins with the prefix `{_PREFIX}`, which `[commands] prefix` changes, or with a mention of the
bot, such as `patchbot:`; in a direct chat with the bot the prefix may be left out. Verbs are read in any case. What
stands in brackets may be left out. Where nothing else is said, everyone may. A QUERY is the rest of the message, as
[queries](queries.md) tells; elsewhere, quotes keep together what has spaces in it.

The answer comes where the question was asked, in a thread if that was in one. Whoever types more commands in a minute
than `[commands]` allows gets one ⏳, and then nothing until the minute is over. Answers that are still to be sent
count, too.
"""


def page() -> str:
    """The page, in Markdown."""
    notes = [f"- {note}" for note in NOTES.values()]
    return "\n".join([_HEAD, *notes, "", *(line for group in CommandGroup for line in _group(group))])


def _group(group: CommandGroup) -> Iterator[str]:
    yield f"## {group.value}\n"
    for command in COMMANDS:
        if command.group is group:
            yield from _command(command)


def _command(command: Command) -> Iterator[str]:
    yield f"### `{command.usage('')}`\n"
    who = "" if command.who is Permission.EVERYONE else command.who.value
    yield " ".join(filter(None, [f"{command.summary[0].upper()}{command.summary[1:]}.", command.more, who]))
    if command.example:
        yield f"\nExample: `{command.typical(_PREFIX)}`"
    if command.aliases:
        yield f"\nOther names: {', '.join(f'`{alias}`' for alias in command.aliases)}"
    yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
