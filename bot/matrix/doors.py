"""Goes in and out of rooms: invitations, configured rooms, replaced rooms, rooms where nobody is left.

What is to be done follows from what is known, so nothing is lost by a crash: an invitation stands in the memory until
it is settled, a replaced room is still ours until its successor was taken. Each errand has its own waits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.clock import Clock
from bot.errors import Forbidden, Permanent, Temporary, TransportError
from bot.ids import RoomId, UserId
from bot.matrix.client import MatrixClient
from bot.matrix.greetings import welcome
from bot.matrix.inviters import accepts
from bot.matrix.memory import Remembered, SessionMemory, Taken
from bot.matrix.model import Invitation
from bot.matrix.rooms import Room, predecessor
from bot.notices.outbox import next_attempt

AT_ONCE = 4
AFTER_REFUSAL = timedelta(minutes=15)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HouseRules:
    """Who may ask us in, which rooms we go to by ourselves (aliases or ids), and how we are spoken to."""

    me: UserId
    invite_from: tuple[str, ...]
    configured: tuple[str, ...] = ()
    prefix: str = "!pw"

    @property
    def server(self) -> str:
        """Our homeserver's name."""
        return self.me.partition(":")[2]


@dataclass(frozen=True, slots=True)
class _Errand:
    name: str
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Wait:
    attempts: int
    until: datetime
    reason: str
    refused: bool


class Doors:
    """What is open to us."""

    def __init__(self, client: MatrixClient, memory: SessionMemory, clock: Clock, rules: HouseRules) -> None:
        self.rooms: dict[RoomId, Room] = {}
        self.direct: frozenset[RoomId] = frozenset()
        self.named: dict[str, RoomId] = {}
        self._client = client
        self._memory = memory
        self._clock = clock
        self._rules = rules
        self._invitations: dict[RoomId, Invitation] = {}
        self._suspended: frozenset[RoomId] = frozenset()
        self._resolved: dict[str, RoomId] = {}
        self._followed: set[RoomId] = set()
        self._scouted: set[RoomId] = set()  # joined only to see whether they are what they are said to be
        self._waits: dict[str, _Wait] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)

    def restore(self, remembered: Remembered) -> None:
        """Go on where the last session ended."""
        self.direct = remembered.direct
        self._suspended = remembered.suspended
        self._invitations = {invitation.room: invitation for invitation in remembered.invitations}

    def took(self, taken: Taken, rooms: Mapping[RoomId, Room] | None = None) -> None:
        """Know what was kept, and look whether something is to be done."""
        if rooms is not None:
            self.rooms = dict(rooms)
        self.direct = (self.direct | set(taken.direct)) - set(taken.crowded)
        self._suspended = (self._suspended | set(taken.suspended)) - set(taken.resumed)
        self._invitations |= {invitation.room: invitation for invitation in taken.invited}
        for room in taken.settled:
            self._invitations.pop(room, None)
        for name in [name for name, room in self.named.items() if room in {*taken.suspended, *taken.left}]:
            del self.named[name]
        self.named |= dict(taken.named)
        for invitation in taken.invited:
            self._forget_waits(invitation.room)
        if taken.invited:  # it may be one of these that an alias stands for now
            for name in [name for name in self._rules.configured if name not in self._resolved]:
                self._waits.pop(name, None)
        self._wake.set()

    async def run(self) -> None:
        """Do what is to be done until cancelled."""
        while True:
            self._wake.clear()
            await self.settle()
            await self._sleep()

    async def settle(self) -> None:
        """Do what may be done now; the configured rooms first, for they tell which invitations are wanted."""
        kinds = (self._entries, self._answers, self._others)
        for errands in kinds:
            async with asyncio.TaskGroup() as group:
                for errand in self._due(errands()):
                    group.create_task(self._try(errand))
        left = {errand.name for errands in kinds for errand in errands()}
        self._waits = {name: wait for name, wait in self._waits.items() if name in left}

    def status(self) -> Iterator[str]:
        """A sentence for each configured room that we are not in, and each replaced room that we could not follow."""
        for name in self._rules.configured:
            if name not in self.named:
                wait = self._waits.get(name)
                if wait and wait.refused and name.startswith("#") and name not in self._resolved:
                    yield f"{name}: there is no such room yet ({wait.reason})."
                else:
                    yield f"{name}: {_why(wait) if wait else 'not joined yet'}."
        for room in self._replaced():
            if (wait := self._waits.get(f"move {room.id}")) is not None:
                yield f"{room.canonical_alias or room.id} was replaced by {room.replacement}: {_why(wait)}."

    # What is to be done

    def _entries(self) -> Iterator[_Errand]:
        for name in self._rules.configured:
            if name not in self.named:
                yield _Errand(name, partial(self._enter, name))

    def _answers(self) -> Iterator[_Errand]:
        for invitation in self._invitations.values():
            yield _Errand(f"invitation {invitation.room}", partial(self._answer, invitation))

    def _others(self) -> Iterator[_Errand]:
        for room in self._replaced():
            yield _Errand(f"move {room.id}", partial(self._follow, room))
        for room in self.rooms.values():
            if room.is_lonely and room.replacement is None and room.id not in self.named.values():
                yield _Errand(f"leave {room.id}", partial(self._leave, room.id))

    def _replaced(self) -> Iterator[Room]:
        return (room for room in self.rooms.values() if room.replacement and room.id not in self._followed)

    def _due(self, errands: Iterator[_Errand]) -> list[_Errand]:
        now = self._clock.now()
        waits = ((errand, self._waits.get(errand.name)) for errand in errands)
        return [errand for errand, wait in waits if wait is None or wait.until <= now]

    # Doing it

    async def _try(self, errand: _Errand) -> None:
        async with self._slots:
            try:
                await errand.run()
            except TransportError as error:
                self._put_off(errand, error)
            else:
                self._waits.pop(errand.name, None)

    def _put_off(self, errand: _Errand, error: TransportError) -> None:
        before, now = self._waits.get(errand.name), self._clock.now()
        attempts = before.attempts + 1 if before else 1
        wish = error.retry_after if isinstance(error, Temporary) else AFTER_REFUSAL
        until = next_attempt(attempts, now, wish)
        self._waits[errand.name] = _Wait(attempts, until, str(error), isinstance(error, Permanent))
        if before is None or before.reason != str(error):
            _log.warning("a room is not open yet", errand=errand.name, reason=str(error), again_at=until.isoformat())

    async def _enter(self, name: str) -> None:
        """Come into a configured room; one that threw us out is not entered again without being asked."""
        room = await self._client.resolve(name) if name.startswith("#") else RoomId(name)
        self._resolved[name] = room
        if room in self._invitations:
            return  # the answer to it does the rest
        if room in self._suspended and room not in self.rooms:
            raise Forbidden("the bot was removed from it")
        if room not in self.rooms:
            room = await self._client.join(name, () if name.startswith("#") else (self._rules.server,))
        await self._take(Taken(named=((name, room),), resumed=(room,)))

    async def _answer(self, invitation: Invitation) -> None:
        """Accept an invitation, or decline it; one that does not stand any more is forgotten."""
        room, inviter = invitation.room, invitation.inviter
        if not (room in self._wanted() or accepts(self._rules.invite_from, inviter)):
            _log.info("declines an invitation", room=room, inviter=inviter)
            await self._client.leave(room)
            await self._take(Taken(settled=(room,)))
            return
        try:
            await self._client.join(room, (inviter.partition(":")[2],))
        except Permanent as error:
            _log.warning("cannot accept an invitation", room=room, inviter=inviter, reason=str(error))
            await self._take(Taken(settled=(room,)))
            return
        taken = Taken(
            settled=(room,),
            resumed=(room,),
            direct=(room,) if invitation.direct else (),
            named=tuple((name, known) for name, known in self._resolved.items() if known == room),
            notices=(welcome(room, self._rules.prefix, inviter, direct=invitation.direct),),
        )
        await self._take(taken)

    async def _follow(self, room: Room) -> None:
        """Go on in the room that replaces *room*; only if that one says so, too, or anybody could send us anywhere."""
        assert room.replacement is not None  # noqa: S101  # `_replaced` saw to it
        new = room.replacement
        if new not in self.rooms:
            await self._client.join(new, (self._rules.server,))
            self._scouted.add(new)
        if predecessor(await self._client.state(new, "m.room.create")) != room.id:
            _log.warning("a room's replacement does not know it", room=room.id, replacement=new)
            if new in self._scouted:
                await self._client.leave(new)
            self._followed.add(room.id)
            return
        names = tuple((name, new) for name, known in self.named.items() if known == room.id)
        direct = (new,) if room.is_direct else ()
        await self._take(Taken(moved=((room.id, new),), resumed=(new,), named=names, direct=direct, settled=(new,)))
        self._followed.add(room.id)
        if room.id not in self._rules.configured:
            await self._leave(room.id)

    async def _leave(self, room: RoomId) -> None:
        await self._client.leave(room)
        self.rooms.pop(room, None)

    async def _take(self, taken: Taken) -> None:
        await self._memory.take(taken)
        self.took(taken)

    def _wanted(self) -> set[RoomId]:
        """The rooms that we go to whoever asks us."""
        return {*self._resolved.values(), *(room.replacement for room in self.rooms.values() if room.replacement)}

    def _forget_waits(self, room: RoomId) -> None:
        """Look again at once at what waited for this room."""
        for name in (name for name, known in self._resolved.items() if known == room):
            self._waits.pop(name, None)
        for old in (known.id for known in self.rooms.values() if known.replacement == room):
            self._waits.pop(f"move {old}", None)

    async def _sleep(self) -> None:
        """Until something was taken, or until the first wait ends."""
        if not self._waits:
            await self._wake.wait()
            return
        due = min(wait.until for wait in self._waits.values()) - self._clock.now()
        sleep = asyncio.ensure_future(self._clock.sleep(max(due.total_seconds(), 0.05)))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()


def _why(wait: _Wait) -> str:
    return f"needs an invitation ({wait.reason})" if wait.refused else f"cannot be joined yet ({wait.reason})"
