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
from bot.commands.request import Answer, CommandRequest
from bot.errors import UserError
from bot.notices.markup import Document
from bot.query.durations import EXAMPLES, read_duration, spelled_duration
from bot.store.store import Transaction
from bot.subscriptions.digest_schedule import zone_named
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
            sentence = f"{_what(request)} muted {await self._until(tx, request, until)}."
            lost = "What arrives until then is not posted, not even later."
            return await _mute(tx, request, until, answers.done([sentence, lost], self._undo(request, before)))

        return await changed(self._context, request, change)

    async def unmute(self, request: CommandRequest) -> Answer:
        """End a mute."""
        await may_change(self._context, request)

        async def change(tx: Transaction) -> ChangeResult:
            before = await _muted_until(tx, request)
            if before is None or before <= self._context.clock.now():
                raise UserError(await self._not_muted(tx, request))
            sentences = [f"{_what(request)} no longer muted; what arrives from now on is posted."]
            here = await tx.subscriptions.muted_until(request.message.room)
            if "id" in request.call.arguments and here is not None and here > self._context.clock.now():
                still = await self._until(tx, request, here)
                sentences = [f"{_what(request)} no longer muted by itself, but everything here is, {still}."]
            return await _mute(tx, request, None, answers.done(sentences, self._undo(request, before)))

        return await changed(self._context, request, change)

    def _end(self, duration: str | None) -> datetime:
        """Return the end of a mute (UTC) from the typed duration."""
        if duration is None:
            return FOR_GOOD
        time = read_duration(duration)
        if time is None:
            raise UserError(f"“{duration[:20]}” is not a duration; try {EXAMPLES}.")
        now = self._context.clock.now()
        return now + time if time < FOR_GOOD - now else FOR_GOOD

    async def _until(self, tx: Transaction, request: CommandRequest, end: datetime) -> str:
        """Return the *end* of a mute in words, in the room's time zone."""
        zone = zone_named(await tx.subscriptions.timezone(request.message.room))
        return answers.until(end, self._context.clock.now(), zone)

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
        return typed(request, "mute", id_, "" if before >= FOR_GOOD else spelled_duration(timedelta(minutes=minutes)))


def _what(request: CommandRequest) -> str:
    """Return the subject of the command with its verb."""
    if (number := request.call.arguments.get("id")) is not None:
        return f"Subscription {int(number)} is"
    return "Everything in this chat is" if request.direct else "Everything in this room is"


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
