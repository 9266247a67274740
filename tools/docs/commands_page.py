"""The page on all commands, written from their table: `make reference`."""

import sys
from collections.abc import Iterator

from bot.commands.command_table import COMMANDS, Command, CommandGroup, Permission
from bot.commands.help import NOTES

_PREFIX = "!pw"
_HEAD = f"""\
# Commands

This page is written by `make reference` from the table in `bot/commands/command_table.py`.

In a room, a command begins with the prefix `{_PREFIX}`, which `[commands] prefix` changes, or with a mention of the
bot, such as `patchbot:`; in a direct chat with the bot the prefix may be left out. Verbs are read in any case. What
stands in brackets may be left out. Everyone may use a command unless it says otherwise. A QUERY is the rest of the
message, see [queries](queries.md).

What is clear is understood in other words, too: `mute for an hour`, `set tz to Berlin`, `show patch 300`, a whole
`b4 am` line, a link alone. A plain question such as `how do I unsubscribe?` is answered with the help on it, thanks
with a 👍.

The answer comes where the question was asked, in a thread if that was in one; a long one opens a thread while others
are talking in the room. Whoever types more commands in a minute than `[commands]` allows gets one ⏳, and then nothing
until the minute is over. Answers that are still to be sent count, too.
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
