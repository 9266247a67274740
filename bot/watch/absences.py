"""What was missed in an absence: held while it is read, then told behind a line that says so."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.ids import NoticeKey, RoomId, ServerName
from bot.notices.floods import Fate, Room, fate
from bot.notices.gaps import Absence, gap_key, gap_keys, gap_notice, gap_notices, is_absence, who_was_away
from bot.patchwork.poller import Past, Poll
from bot.store.floods import Held
from bot.store.store import Transaction
from bot.subscriptions.matching import Judged
from bot.watch.announce import Announced, Announcer, Wanted

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Polled:
    """A server, and how often it is polled."""

    server: ServerName
    interval: timedelta


async def absence_now(
    tx: Transaction, polled: Polled, now: datetime, failing_since: datetime | None = None
) -> Absence | None:
    """The absence that a poll ends, or that is still read up; None: there is none.

    *failing_since* (UTC) is since when the server fails; None: it does not.
    """
    last, polled_at = await tx.absences.last(polled.server), await tx.absences.polled_at(polled.server)
    goes_on = last if last is not None and last.ended is None else None
    if polled_at is None or not is_absence(polled_at, now, polled.interval):
        return goes_on
    if goes_on is not None:
        return replace(goes_on, until=now)
    return Absence(polled.server, polled_at, now, who_was_away(polled_at, now, failing_since))


async def past(tx: Transaction, polled: Polled, now: datetime) -> Past | None:
    """What a poll need not read whole, because after an absence it is too old to be told."""
    absence = await absence_now(tx, polled, now) or await tx.absences.last(polled.server)
    if absence is None or absence.bound is None:
        return None
    return Past(absence.bound, absence.ended or now)


class CatchUp:
    """Tells what was missed in the absences from one server; *room* says how that is said where."""

    def __init__(self, announcer: Announcer, room: Callable[[RoomId], Room]) -> None:
        self._announcer = announcer
        self._room = room

    async def hold(self, tx: Transaction, absence: Absence, poll: Poll, wanted: Sequence[Wanted]) -> Absence:
        """Hold what a *poll* after an *absence* brought."""
        complete = [read for read in poll.series if len(read.news) == len(read.series.patches)]
        old = sum(read.past for read in complete) + len(poll.past)
        came = absence.came + len(complete) + len(poll.patches)
        absence = replace(absence, came=came, old=absence.old + old)
        await tx.absences.put(absence)
        by_room: dict[RoomId, list[Held]] = {}
        for each in wanted:
            by_room.setdefault(each.room, []).append(each.held)
        for room, held in by_room.items():
            await tx.floods.gather(room, gap_key(absence, room), held)
        return absence

    async def tell(self, tx: Transaction, absence: Absence, now: datetime) -> list[Announced]:
        """Tell what is held, in each room that it concerns: a line, and then the cards or a thread."""
        announced: list[Announced] = []
        for room, key, count in await tx.floods.keys(gap_keys(absence)):
            if fate(await tx.floods.limit(room), count, 0, None) is Fate.CARDS:
                announced += await self._cards(tx, absence, room, key)
            else:
                gathered = await tx.floods.gathered(key)
                said = await asyncio.to_thread(gap_notices, absence, key, gathered, self._room(room))
                await tx.outbox.add(said)
            _log.info("told after an absence", server=absence.server, room=room, series=count, came=absence.came)
        await tx.absences.put(replace(absence, ended=now))
        return announced

    async def _cards(self, tx: Transaction, absence: Absence, room: RoomId, key: NoticeKey) -> list[Announced]:
        held = await tx.floods.held(key, await tx.watch.rebuilds(absence.server))
        await tx.floods.release(key)
        await tx.outbox.add([gap_notice(absence, key, len(held), self._room(room))])
        known = [(each, await _judged(tx, each)) for each in held]
        wanted = [Wanted.of_held(room, each, judged) for each, judged in known if judged is not None]
        return await self._announcer.post(tx, wanted)


async def _judged(tx: Transaction, held: Held) -> Judged | None:
    """What is held, as the store has it; None where that has nothing of it any more."""
    about = held.about
    if about.kind == "patch":
        patch = await tx.watch.patch(about.server, about.number)
        return Judged(about.server, None, (patch,)) if patch else None
    series = await tx.watch.series(about.server, about.number)
    patches = await tx.watch.patches_of(about.server, series.id) if series else []
    return Judged(about.server, series, tuple(patches)) if patches else None
