"""Answers `rooms` and `leave`, the commands for the bot's admins."""

from collections import Counter
from collections.abc import Sequence

from bot.commands.answers.patch import said
from bot.commands.answers.subscriptions import page
from bot.commands.context import ChangeResult, CommandContext, changed, only_admins, typed
from bot.commands.request import Answer, CommandRequest
from bot.errors import TransportError, UserError
from bot.ids import RoomId
from bot.notices.markup import Bullets, Document, Line, Lines, words
from bot.store.store import Transaction
from bot.text import cut


class AdminCommands:
    """The commands that only the bot's admins may use."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def rooms(self, request: CommandRequest) -> Answer:
        """Answer `rooms` with each room, its subscription count and whether it is suspended.

        Direct chats appear only as a total.
        """
        only_admins(self._context, request)
        joined = await self._context.room_rights.rooms()
        async with self._context.store.transaction() as tx:
            counted = await tx.subscriptions.count_by_room()
            out = await tx.session.rooms_out()
        counts = Counter({room: len(self._context.from_file.queries_in(room)) for room in joined})
        own = [each for each in counted if each.person is not None]
        counts.update({each.room: each.count for each in counted if each.person is None})
        items = [
            _room(room, joined.get(room, ""), counts[room], is_out=room in out) for room in sorted({*joined, *counts})
        ]
        chats = _chats(len({each.person for each in own}), sum(each.count for each in own))
        return Answer(
            page(
                items,
                int(request.call.arguments.get("from", 1)),
                lambda shown, more: _listed(shown, (*more, chats)),
                lambda following: typed(request, "rooms", following),
            )
        )

    async def leave(self, request: CommandRequest) -> Answer:
        """Leave a room; its subscriptions are kept, and become active again when the bot returns."""
        only_admins(self._context, request)
        name = request.call.arguments["room"].strip()
        try:
            room = await self._context.room_rights.room_of(name)
            if room == request.message.room:
                raise UserError("I cannot answer here after leaving. Send this from another room or a direct chat.")
            if self._context.from_file.names(room):
                raise UserError(f"{name} is in the configuration file, so I would come back: remove it there first.")
            await self._context.room_rights.leave(room)
        except TransportError as error:
            raise UserError(f"I cannot leave {name[:100]}: {error}.") from error

        async def change(tx: Transaction) -> ChangeResult:
            kept = len(await tx.subscriptions.in_room(room))
            await tx.session.leave(room)
            return ChangeResult(_left(name, kept), lambda listeners: listeners.leave(room))

        return await changed(self._context, request, change)


def _room(room: RoomId, name: str, count: int, *, is_out: bool) -> Line:
    named = f"{cut(name, 100)} ({room})" if name else room
    out = ", suspended: I am not in this room, or may not post there" if is_out else ""
    return words(f"{named} — {_subscriptions(count)}{out}")


def _chats(persons: int, subscriptions: int) -> Line:
    people = f"{persons} {'person' if persons == 1 else 'people'} with {_subscriptions(subscriptions)}"
    return words(f"In direct chats: {people if persons else 'no subscriptions'}.")


def _listed(items: Sequence[Line], below: tuple[Line, ...]) -> Document:
    heading = "Rooms with their subscriptions:" if items else "There are no rooms."
    return (Lines((words(heading),)), Bullets(tuple(items)), Lines(below))


def _left(name: str, kept: int) -> Document:
    sentences = [f"Left {name[:300]}."]
    if kept:
        sentences.append(f"{_subscriptions(kept).capitalize()} there will go on when I am invited again.")
    return said(*sentences)


def _subscriptions(count: int) -> str:
    return f"{count} subscription{'' if count == 1 else 's'}"
