"""`export`: the subscriptions of a room as lines of the configuration file."""

import json
from collections.abc import Sequence

from bot.commands.answer import Answer
from bot.commands.answers.subscriptions import exported
from bot.commands.context import Means, Owner, typed
from bot.commands.request import Asked
from bot.notices.floods import DEFAULT_LIMIT
from bot.notices.markup import Document, Line, words
from bot.notices.paging import page
from bot.subscriptions.subscription import listening


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
        start = int(asked.call.arguments.get("from", 1))
        flood = [f"flood = {limit}"] if limit != DEFAULT_LIMIT else []
        head = ["[[room]]", f"room = {_quoted(owner.room)}", "subscribe = ["]

        def document(shown: Sequence[Line], more: tuple[Line, ...]) -> Document:
            texts = ["".join(inline.text for inline in each) for each in shown]
            ends = [] if more else ["]", *flood]
            return exported("\n".join([*(head if start == 1 else []), *texts, *ends]), more)

        return Answer(
            page([words(line) for line in lines], start, document, lambda next_: typed(asked, "export", next_))
        )


def _quoted(text: str) -> str:
    """*text* as a basic string of TOML, which is one of JSON but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
