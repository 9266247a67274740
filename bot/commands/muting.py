"""Answers `mute` and `unmute`, which pause one subscription or a whole room."""

import math
from datetime import datetime, timedelta

from bot.commands.answers import subscriptions as answers
from bot.commands.context import (
    ChangeResult,
    CommandContext,
    SubscriptionOwner,
    changed,
    hearing,
    may_change,
    owned,
    typed,
)
from bot.commands.parameters import read_duration
from bot.commands.request import Answer, CommandRequest
from bot.errors import UserError
from bot.notices.markup import Document
from bot.store.store import Transaction
from bot.subscriptions.subscription import FOR_GOOD


class MuteCommands:
    """The commands that mute and unmute."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def mute(self, request: CommandRequest) -> Answer:
        """Mute one subscription or all, for a duration or until `unmute`."""
        await may_change(self._context, request)
        until = self._end(request.call.arguments.get("duration"))

        async def change(tx: Transaction) -> ChangeResult:
            before = await _muted_until(tx, request)
            sentence = f"{_what(request)} muted {answers.until(until)}: what arrives is not told, and not later either."
            undo = self._undo(request, before)
            return await _mute(tx, request, until, answers.done([sentence], undo))

        return await changed(self._context, request, change)

    async def unmute(self, request: CommandRequest) -> Answer:
        """End a mute."""
        await may_change(self._context, request)

        async def change(tx: Transaction) -> ChangeResult:
            before = await _muted_until(tx, request)
            if before is None or before <= self._context.clock.now():
                raise UserError(await self._not_muted(tx, request))
            sentences = [f"{_what(request)} told again, from what arrives now on."]
            here = await tx.subscriptions.muted_until(request.message.room)
            if "id" in request.call.arguments and here is not None and here > self._context.clock.now():
                sentences = [f"{_what(request)} no longer muted by itself; all here is, {answers.until(here)}."]
            return await _mute(tx, request, None, answers.done(sentences, self._undo(request, before)))

        return await changed(self._context, request, change)

    def _end(self, duration: str | None) -> datetime:
        """Return the end of a mute (UTC) from the typed duration."""
        if duration is None:
            return FOR_GOOD
        time = read_duration(duration)
        if time is None:
            raise UserError(f"“{duration[:20]}” is no time; type for example 30m, 2h or 7d.")
        return min(self._context.clock.now() + time, FOR_GOOD)

    async def _not_muted(self, tx: Transaction, request: CommandRequest) -> str:
        """Return the error for an unmute without effect; it names subscriptions that are muted individually."""
        owner, now = SubscriptionOwner.of(request), self._context.clock.now()
        here = await tx.subscriptions.of_owner(owner.room, owner.person) if "id" not in request.call.arguments else []
        muted = [each.id for each in here if each.muted_until is not None and each.muted_until > now]
        if not muted:
            return f"{_what(request)} not muted; nothing was changed."
        which = ", ".join(map(str, muted))
        are = f"subscription {which} is" if len(muted) == 1 else f"subscriptions {which} are"
        return f"Nothing was changed: {are} muted. To end that, type: {typed(request, 'unmute', muted[0])}"

    def _undo(self, request: CommandRequest, before: datetime | None) -> str:
        """Return the command that restores the mute from *before*, to the minute."""
        id_ = request.call.arguments.get("id", "")
        now = self._context.clock.now()
        if before is None or before <= now:
            return typed(request, "unmute", id_)
        minutes = math.ceil((before - now) / timedelta(minutes=1))
        return typed(request, "mute", id_, "" if before >= FOR_GOOD else _spelled(minutes))


def _what(request: CommandRequest) -> str:
    """Return the subject of the command with its verb."""
    if (number := request.call.arguments.get("id")) is not None:
        return f"Subscription {int(number)} is"
    return "Everything in this chat is" if request.direct else "Everything in this room is"


def _spelled(minutes: int) -> str:
    """Return a duration as it may be typed, in the largest unit that gives a whole number."""
    for unit, size in (("w", 10_080), ("d", 1_440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m" if minutes < 100_000 else f"{math.ceil(minutes / 60)}h"


async def _muted_until(tx: Transaction, request: CommandRequest) -> datetime | None:
    """Return the end of the current mute (UTC) of the command's subject, or None."""
    if "id" in request.call.arguments:
        return (await owned(tx, request)).muted_until
    return await tx.subscriptions.muted_until(request.message.room)


async def _mute(tx: Transaction, request: CommandRequest, until: datetime | None, document: Document) -> ChangeResult:
    room = request.message.room
    if "id" not in request.call.arguments:
        await tx.subscriptions.mute_room(room, until)
        return ChangeResult(document, lambda listeners: listeners.mute_room(room, until))
    id_ = (await owned(tx, request)).id
    await tx.subscriptions.mute(id_, until)
    subscription = await tx.subscriptions.get(id_)
    return ChangeResult(document, await hearing(tx, [subscription] if subscription else []))
