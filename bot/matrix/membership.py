"""Joins and leaves rooms: invitations, configured rooms, replaced rooms, rooms without other members.

The tasks follow from the stored state, so a crash loses none: an invitation is stored until it is settled, and the bot
stays in a replaced room until the move to its successor is stored. Each errand (one join or leave) has its own task and
its own delays, so that a room that cannot be joined delays no other.

A room that the bot was invited to, or joined as another's replacement, is pending until it is known who invited the
bot, and whether the room is what it claims to be. Its messages do not count until then (`invitations`, `sync_outcome`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from bot.backoff import Backoff, next_attempt
from bot.clock import Clock
from bot.errors import Forbidden, Permanent, Temporary, TransportError
from bot.ids import RoomId, UserId
from bot.matrix.client import MatrixClient
from bot.matrix.invitations import InvitePolicy, ProvenInvitation, admission, why_not_entered, why_not_followed
from bot.matrix.invite_rules import InviteRules
from bot.matrix.model import Invitation
from bot.matrix.rooms import Room
from bot.matrix.session_memory import SessionMemory, StoredSession
from bot.matrix.session_update import (
    ConfiguredRoomJoined,
    InvitationReceived,
    InvitationSettled,
    MembershipState,
    RoomBecameDirect,
    RoomMoved,
    RoomResumed,
    SessionEvent,
    SessionUpdate,
    WelcomeDue,
)

AT_ONCE = 4  # of each kind
AFTER_REFUSAL = timedelta(minutes=15)
JOIN_DEADLINES = Backoff(timedelta(seconds=15), timedelta(seconds=15 * 1024))  # of attempts to accept an invitation
JOINS_A_MINUTE = 30  # caused by invitations
MAX_REFUSED = 1_000  # refused rooms that are remembered
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Errand:
    name: str
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Wait:
    """The retry of an errand: its time *until* in monotonic seconds, and the reason."""

    attempts: int
    until: float
    reason: str
    refused: bool


class Membership:
    """The rooms that the bot is in, was invited to, or should be in, and the errands that follow."""

    def __init__(self, client: MatrixClient, memory: SessionMemory, clock: Clock, rules: InviteRules) -> None:
        self.rooms: dict[RoomId, Room] = {}
        self.state = MembershipState()
        self._client = client
        self._memory = memory
        self._clock = clock
        self._rules = rules
        self._resolved: dict[str, RoomId] = {}
        self._decided: dict[
            RoomId, tuple[RoomId | None, UserId | None]
        ] = {}  # the replacement and its sender on which `_follow` decided
        self._scouted: dict[
            RoomId, tuple[RoomId, float]
        ] = {}  # the last replacement joined, and until when no other is
        self._entered: set[RoomId] = set()  # joined, but not in a sync yet
        self._refused: dict[RoomId, float] = {}  # refused rooms, and until when invitations to them are declined
        self._joins: deque[float] = deque(maxlen=JOINS_A_MINUTE)  # times of the last joins caused by invitations
        self._waits: dict[str, _Wait] = {}
        self._looked_at = clock.monotonic()
        self._running: dict[str, str] = {}  # running errands with their kinds
        self._wake = asyncio.Event()

    @property
    def policy(self) -> InvitePolicy:
        """The rules by which the bot may stay in a room."""
        return InvitePolicy(self._rules, self._resolved)

    @property
    def pending(self) -> frozenset[RoomId]:
        """The rooms of invitations that are not settled; the bot may be in them already."""
        return frozenset(self.state.invitations)

    def restore(self, stored: StoredSession) -> None:
        """Restore the stored state, but keep the configured rooms that this process joined."""
        self.state = replace(stored.membership, named=self.state.named)

    def apply(self, update: SessionUpdate, rooms: Mapping[RoomId, Room] | None = None) -> None:
        """Apply a stored update with the *rooms* after a sync, and start the errands that follow from it."""
        if rooms is not None:
            self.rooms = dict(rooms)
            self._entered -= rooms.keys()
        self.state.apply(update)
        self._entered -= {settled.room for settled in update.of(InvitationSettled)}
        received = update.of(InvitationReceived)
        for each in received:
            self._forget_waits(each.invitation.room)
        if received:  # an alias may stand for one of these rooms now
            for name in [name for name in self._rules.configured if name not in self._resolved]:
                self._waits.pop(name, None)
        self._wake.set()

    async def run(self) -> None:
        """Run the errands until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                self._start(group)
                await self._sleep()

    def _start(self, group: asyncio.TaskGroup) -> None:
        """Start the errands that are due, a few of each kind at once, those with the fewest attempts first."""
        errands = {"entry": self._entries(), "answer": self._answers(), "other": self._others()}
        self._looked_at = self._clock.monotonic()
        left: set[str] = set()
        for kind, listed in errands.items():
            all_ = list(listed)
            left |= {errand.name for errand in all_}
            free = AT_ONCE - list(self._running.values()).count(kind)
            for errand in self._due(all_)[:free]:
                self._running[errand.name] = kind
                group.create_task(self._try(errand))
        self._waits = {name: wait for name, wait in self._waits.items() if name in left}

    def status(self) -> Iterator[str]:
        """Return a sentence for each configured room and each replacement that the bot is not in."""
        for name in self._rules.configured:
            if name not in self.state.named:
                wait = self._waits.get(name)
                if wait and wait.refused and name.startswith("#") and name not in self._resolved:
                    yield f"{name}: there is no such room yet ({wait.reason})."
                else:
                    yield f"{name}: {_why(wait) if wait else 'not joined yet'}."
        for room in self._replaced():
            if (wait := self._waits.get(f"move {room.id}")) is not None:
                yield f"{room.canonical_alias or room.id} was replaced by {room.replacement}: {_why(wait)}."

    # Errands that are due

    def _entries(self) -> Iterator[_Errand]:
        for name in self._rules.configured:
            if name not in self.state.named and self._resolved.get(name) not in self.state.invitations:
                yield _Errand(name, partial(self._enter, name))

    def _answers(self) -> Iterator[_Errand]:
        """Return the invitations, newest first, except those to replacements of rooms, which are up to `_follow`."""
        elsewhere = {*(room.replacement for room in self._replaced()), *self._entered}
        is_unclear = self._is_unresolved()  # only once, because there may be thousands of invitations
        for invitation in reversed(self.state.invitations.values()):
            room = invitation.room
            if room not in elsewhere and not (is_unclear and not self.policy.allows(invitation.inviter)):
                yield _Errand(f"invitation {room}", partial(self._answer, invitation))

    def _is_unresolved(self) -> bool:
        """Return whether a configured alias is not resolved yet, so that any invitation may be to that room."""
        return any(
            name not in self._resolved and name not in self._waits and name not in self.state.named
            for name in self._rules.configured
        )

    def _others(self) -> Iterator[_Errand]:
        for room in self._replaced():
            if room.replacement not in self._entered:
                yield _Errand(f"move {room.id}", partial(self._follow, room))
        for room in self.rooms.values():
            if room.is_lonely and room.replacement is None and room.id not in self.state.named.values():
                yield _Errand(f"leave {room.id}", partial(self._leave, room.id))

    def _replaced(self) -> Iterator[Room]:
        rooms = (room for room in self.rooms.values() if room.replacement)
        return (room for room in rooms if self._decided.get(room.id) != (room.replacement, room.replaced_by))

    def _due(self, errands: Iterable[_Errand]) -> list[_Errand]:
        waits = [(errand, self._waits.get(errand.name)) for errand in errands if errand.name not in self._running]
        due = [(errand, wait) for errand, wait in waits if wait is None or wait.until <= self._looked_at]
        return [errand for errand, _ in sorted(due, key=lambda each: each[1].attempts if each[1] else 0)]

    # Errands

    async def _try(self, errand: _Errand) -> None:
        try:
            await errand.run()
        except TransportError as error:
            self._put_off(errand, error)
        else:
            self._waits.pop(errand.name, None)
        finally:
            self._running.pop(errand.name, None)
            self._wake.set()

    def _put_off(self, errand: _Errand, error: TransportError) -> None:
        before, now = self._waits.get(errand.name), self._clock.now()
        attempts = before.attempts + 1 if before else 1
        wish = error.retry_after if isinstance(error, Temporary) else AFTER_REFUSAL
        again_at = next_attempt(attempts, now, wish)
        until = self._clock.monotonic() + (again_at - now).total_seconds()
        self._waits[errand.name] = _Wait(attempts, until, str(error), isinstance(error, Permanent))
        if before is None or before.reason != str(error):
            _log.warning("room.change_delayed", errand=errand.name, reason=str(error), again_at=again_at.isoformat())

    async def _enter(self, name: str) -> None:
        """Join a configured room; one that removed the bot is joined only by a new invitation."""
        room = await self._client.resolve(name) if name.startswith("#") else RoomId(name)
        self._resolved[name] = room
        if room in self.state.invitations:
            return  # `_answer` handles it
        if room in self.state.suspended and room not in self.rooms:
            raise Forbidden("the bot was removed from it")
        if room not in self.rooms:
            room = await self._client.join(name, () if name.startswith("#") else (self._rules.server,))
        await self._save(ConfiguredRoomJoined(name, room), RoomResumed(room))

    async def _answer(self, invitation: Invitation) -> None:
        """Decline an invitation whose claimed sender may not invite the bot; else join, which proves the sender."""
        room, inviter = invitation.room, invitation.inviter
        if room in self.rooms:
            await self._decide(invitation)
            return
        is_allowed = self.policy.allows(inviter) and self._refused.get(room, self._looked_at) <= self._looked_at
        if not self.policy.is_configured(room) and not is_allowed:
            _log.info("invitation.declined", room=room, inviter=inviter)
            await self._client.leave(room)
            await self._save(InvitationSettled(room))
            return
        self._count_join()
        wait = self._waits.get(f"invitation {room}")
        seconds = JOIN_DEADLINES.seconds((wait.attempts if wait else 0) + 1)
        try:
            await self._client.join(room, (_host(inviter) or self._rules.server,), seconds)
        except Permanent as error:
            _log.warning("invitation.failed", room=room, inviter=inviter, reason=str(error))
            await self._save(InvitationSettled(room))
            return
        if room in self.state.invitations and room not in self.rooms:
            self._entered.add(room)

    def _count_join(self) -> None:
        """Count a join that an invitation causes; raise `Temporary` above the limit per minute."""
        now = self._clock.monotonic()
        if len(self._joins) == JOINS_A_MINUTE and now - self._joins[0] < 60:
            raise Temporary("too many invitations at once", timedelta(seconds=60 - (now - self._joins[0])))
        self._joins.append(now)

    async def _decide(self, invitation: Invitation) -> None:
        """Stay in a room or leave it, depending on the invitation that the bot's membership event proves."""
        room = invitation.room
        proof = await self._client.invited_by(room)
        if room not in self.state.invitations or room not in self.rooms:
            return  # a sync has decided it meanwhile, or the bot is out of the room
        events = admission(self.rooms[room], proof, self.policy)
        if events is not None:
            await self._save(*events)
            return
        self._refuse(invitation, proof)
        await self._leave(room)
        await self._save(InvitationSettled(room))

    def _refuse(self, invitation: Invitation, proof: ProvenInvitation | None) -> None:
        """Remember a refused room, so that a repeated invitation causes no join for a while."""
        self._refused.pop(invitation.room, None)
        self._refused[invitation.room] = self._clock.monotonic() + AFTER_REFUSAL.total_seconds()
        while len(self._refused) > MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        inviter = proof.inviter if proof else None
        _log.warning("invitation.refused", room=invitation.room, claimed=invitation.inviter, inviter=inviter)
        reason = f"{invitation.room} claimed to be an invitation of {invitation.inviter}, and was of {inviter}"
        self._client.incidents.record("invitation.refused", "an invitation that was not what it claimed to be", reason)

    async def _follow(self, room: Room) -> None:
        """Move to the replacement of *room*, if both rooms and the users who replaced it permit that."""
        assert room.replacement is not None  # noqa: S101  # `_replaced` saw to it
        new = room.replacement
        is_there = new in self.rooms
        if (reason := why_not_followed(room, self.rooms[new]) if is_there else why_not_entered(room)) is not None:
            _log.warning("room.replacement_ignored", room=room.id, replacement=new, reason=reason)
            self._decided[room.id] = (
                new,
                room.replaced_by,
            )  # if pending, it is left, or kept because of another invitation
            return
        if not is_there:
            await self._scout(room, new)
            return
        names = [ConfiguredRoomJoined(name, new) for name, known in self.state.named.items() if known == room.id]
        direct = [RoomBecameDirect(new)] if room.is_direct else []
        welcome = WelcomeDue(new, room.replaced_by)
        await self._save(RoomMoved(room.id, new), *direct, RoomResumed(new), *names, InvitationSettled(new), welcome)
        self._decided[room.id] = new, room.replaced_by
        if room.id not in self._rules.configured:
            await self._leave(room.id)

    async def _scout(self, old: Room, new: RoomId) -> None:
        """Join the alleged replacement of *old*, which is pending, also after a crash.

        Raises:
            Temporary: another replacement was joined just now, so that repeated replacements are not followed.
        """
        now = self._clock.monotonic()
        last, until = self._scouted.get(old.id, (new, now))
        if last != new and now < until:
            raise Temporary("another replacement of the room was joined just now", timedelta(seconds=until - now))
        self._scouted[old.id] = new, now + AFTER_REFUSAL.total_seconds()
        by = old.replaced_by or UserId("")
        if new not in self.state.invitations:
            await self._save(InvitationReceived(Invitation(new, by, direct=False)))
        servers = (self._rules.server, _host(by)) if by else (self._rules.server,)
        await self._client.join(new, tuple(dict.fromkeys(servers)))
        if new not in self.rooms:
            self._entered.add(new)

    async def _leave(self, room: RoomId) -> None:
        await self._client.leave(room)
        self.rooms.pop(room, None)

    async def _save(self, *events: SessionEvent) -> None:
        update = SessionUpdate(events=events)
        await self._memory.save(update)
        self.apply(update)

    def _forget_waits(self, room: RoomId) -> None:
        """Repeat at once the errands that wait for this room."""
        for name in (name for name, known in self._resolved.items() if known == room):
            self._waits.pop(name, None)
        for old in (known.id for known in self.rooms.values() if known.replacement == room):
            self._waits.pop(f"move {old}", None)

    async def _sleep(self) -> None:
        """Sleep until an update or an errand is done, or the next retry is due."""
        waits = [wait.until for name, wait in self._waits.items() if name not in self._running]
        ahead = [until for until in waits if until > self._looked_at]
        if not ahead:
            await self._wake.wait()
            return
        due = min(ahead) - self._clock.monotonic()
        sleep = asyncio.ensure_future(self._clock.sleep(max(due, 0.05)))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()


def _host(user: UserId) -> str:
    return user.partition(":")[2]


def _why(wait: _Wait) -> str:
    return f"needs an invitation ({wait.reason})" if wait.refused else f"cannot be joined yet ({wait.reason})"
