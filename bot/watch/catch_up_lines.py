"""Submissions missed in an absence: held while they are read, then posted after a line that explains it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from bot.ids import NoticeKey, RoomId
from bot.incidents import Incidents
from bot.notices.catch_up import Absence, catch_up_key, catch_up_keys, catch_up_notice, catch_up_notices
from bot.notices.floods import FloodDecision, ListContext, flood_decision
from bot.poll import Poll
from bot.store.flood_book import HeldSubmission
from bot.store.store import Transaction
from bot.watch.announce import AnnouncedCard, Announcer, CardRequest
from bot.watch.item_isolation import composed, isolated

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line to post in a room, with the number of submissions held for it."""

    room: RoomId
    key: NoticeKey
    count: int


class CatchUp:
    """Posts what was missed in the absences from one server; *room* returns the form of a room's messages."""

    def __init__(self, announcer: Announcer, room: Callable[[RoomId], ListContext], incidents: Incidents) -> None:
        self._announcer = announcer
        self._room = room
        self._incidents = incidents

    async def count(self, tx: Transaction, absence: Absence, poll: Poll) -> Absence:
        """Add the submissions of a *poll* after an *absence* to its counts."""
        complete = [read for read in poll.series if len(read.news) == len(read.series.patches)]
        old = sum(read.too_old for read in complete) + len(poll.too_old)
        came = absence.came + len(complete) + len(poll.patches)
        absence = replace(absence, came=came, old=absence.old + old)
        await tx.catch_ups.put(absence)
        return absence

    async def hold(self, tx: Transaction, absence: Absence, wanted: Sequence[CardRequest]) -> list[CardRequest]:
        """Hold the *wanted* cards until the catch-up after the *absence* is posted, and return all of them."""
        by_room: dict[RoomId, list[HeldSubmission]] = {}
        for each in wanted:
            by_room.setdefault(each.room, []).append(each.held)
        for room, held in by_room.items():
            await tx.floods.gather(room, catch_up_key(absence, room), held)
        return list(wanted)

    async def post(
        self,
        tx: Transaction,
        absence: Absence,
        now: datetime,
        put_off: Callable[[CardRequest, Exception], Awaitable[None]],
    ) -> list[AnnouncedCard]:
        """Post the held submissions, in each of their rooms: a line, and then the cards or a thread.

        Those that cannot be posted are *put_off*, and posted without the line.
        """

        async def post_lines(lines: Sequence[_Line]) -> list[AnnouncedCard]:
            return [card for line in lines for card in await self._post(tx, absence, line, put_off)]

        async def release(line: _Line, error: Exception) -> None:
            for each in await self._release(tx, absence, line):
                await put_off(each, error)

        lines = [_Line(*each) for each in await tx.floods.keys(catch_up_keys(absence))]
        announced = await isolated(tx, lines, post_lines, release)
        await tx.catch_ups.put(replace(absence, ended=now))
        return announced

    async def _post(
        self,
        tx: Transaction,
        absence: Absence,
        line: _Line,
        put_off: Callable[[CardRequest, Exception], Awaitable[None]],
    ) -> list[AnnouncedCard]:
        room, key, count = line.room, line.key, line.count
        announced: list[AnnouncedCard] = []
        if flood_decision(await tx.floods.limit(room), count, 0, None) is FloodDecision.CARDS:
            wanted = await self._release(tx, absence, line)
            await tx.outbox.add([catch_up_notice(absence, key, count, self._room(room))])
            announced = await isolated(tx, wanted, lambda some: self._announcer.post(tx, some), put_off)
        else:
            gathered = await tx.floods.gathered(key)
            compose = partial(catch_up_notices, absence, key, room=self._room(room))
            await tx.outbox.add(await asyncio.to_thread(composed, gathered, compose, self._incidents))
        _log.info("catch_up.posted", server=absence.server, room=room, series=count, came=absence.came)
        return announced

    async def _release(self, tx: Transaction, absence: Absence, line: _Line) -> list[CardRequest]:
        """Return the submissions held for a line, as they are now, and hold them no longer."""
        held = await tx.floods.held(line.key, await tx.watch.rebuilds(absence.server))
        await tx.floods.release(line.key)
        known = [(each, await tx.watch.load_submission(each.about)) for each in held]
        return [CardRequest.of_held(line.room, each, submission) for each, submission in known if submission]
