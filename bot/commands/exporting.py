"""`export`: the subscriptions of a room as lines of the configuration file."""

import json

from bot.commands.answers import Answer
from bot.commands.asked import Asked
from bot.commands.changes import Means, Owner
from bot.notices.floods import DEFAULT_LIMIT
from bot.notices.subscribed import exported
from bot.subscriptions.subscribed import listening

_MOST_BYTES = 3_000  # of a message, which holds 4 kB


class Exporting:
    """Answers with lines for the configuration file."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def export(self, asked: Asked) -> Answer:
        """The subscriptions here, with the project that is set here and the addresses that `is:mine` stands for."""
        owner = Owner.of(asked)
        async with self._means.store.transaction() as tx:
            chat = await tx.subscriptions.of_owner(owner.room, owner.person)
            limit = await tx.floods.limit(owner.room)
            heard = [listening(each, await tx.subscriptions.standing(each)) for each in chat]
        queries = [*self._means.from_file.told_in(owner.room), *(each.query for each in heard if each is not None)]
        lines = [f"    {_quoted(str(query))}," for query in dict.fromkeys(queries)]
        shown = _fitting(lines)
        head = ["[[room]]", f"room = {_quoted(owner.room)}", "subscribe = ["]
        flood = [f"flood = {limit}"] if limit != DEFAULT_LIMIT else []
        missing = len(lines) - len(shown)
        remarks = [f"{missing} more do not fit into one message."] if missing else []
        return Answer(exported("\n".join([*head, *shown, "]", *flood]), remarks))


def _fitting(lines: list[str]) -> list[str]:
    """As many of *lines* as fit into a message, from the first on."""
    size = 0
    for place, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > _MOST_BYTES:
            return lines[:place]
    return lines


def _quoted(text: str) -> str:
    """*text* as a basic string of TOML, which is one of JSON but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
