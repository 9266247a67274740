"""Handles a sync room by room if handling all of it at once fails: a fault affects only the room or message it is in.

A fault of the program or in the input (any exception) is located by trying the parts one by one. Failures of the
homeserver or the database are not such faults; they are raised, and the whole sync is requested again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bot.errors import BotError
from bot.ids import RoomId, UserId
from bot.incidents import Incidents
from bot.matrix.encryption import Encryption
from bot.matrix.messages import since_we_came
from bot.matrix.model import JoinedRoom, SyncAnswer
from bot.matrix.session_memory import SessionMemory
from bot.matrix.session_update import InvitationSettled, MembershipState, SessionUpdate
from bot.matrix.sync_outcome import SyncContext, SyncOutcome, outcome


async def update_keys(
    encryption: Encryption, answer: SyncAnswer, incidents: Incidents, *, since: str | None, whole: bool
) -> None:
    """Pass *answer* to *encryption*, except for the parts that it cannot handle."""
    try:
        await encryption.update(answer, since=since, whole=whole)
    except BotError:
        raise
    except Exception:  # noqa: BLE001  # it fails again below, where it is recorded
        for name, part in _parts(answer):
            try:
                await encryption.update(part, since=since, whole=whole)
            except BotError:
                raise
            except Exception as error:  # noqa: BLE001  # it costs this part only
                incidents.record("sync.part_failed", name, error)


async def decrypt(
    encryption: Encryption, answer: SyncAnswer, known: Iterable[RoomId], incidents: Incidents, *, is_news: bool
) -> SyncAnswer:
    """Return *answer* decrypted; rooms where that fails keep their unencrypted events only."""
    rooms = tuple(known)
    try:
        return await encryption.decrypt(answer, rooms, is_news=is_news)
    except BotError:
        raise
    except Exception:  # noqa: BLE001  # it fails again below, where it is recorded
        joined: list[JoinedRoom] = []
        for each in answer.joined:
            try:
                await encryption.decrypt(replace(answer, joined=(each,)), rooms, is_news=is_news)
            except BotError:
                raise
            except Exception as error:  # noqa: BLE001  # it costs this room's messages only
                incidents.record("sync.room_failed", each.room, error)
                joined.append(_without_encrypted(each))
            else:
                joined.append(each)
        return await _read_rest(encryption, replace(answer, joined=tuple(joined)), rooms, incidents, is_news=is_news)


async def _read_rest(
    encryption: Encryption, answer: SyncAnswer, rooms: Iterable[RoomId], incidents: Incidents, *, is_news: bool
) -> SyncAnswer:
    try:
        return await encryption.decrypt(answer, rooms, is_news=is_news)
    except BotError:
        raise
    except Exception as error:  # noqa: BLE001  # nothing can be decrypted, but what is not encrypted can be handled
        incidents.record("sync.decryption_failed", "all rooms", error)
        return replace(answer, joined=tuple(map(_without_encrypted, answer.joined)))


async def save_outcome(
    memory: SessionMemory, known: SyncContext, answer: SyncAnswer, incidents: Incidents
) -> SyncOutcome:
    """Store the outcome of *answer*, except for events for which that fails; the sync token advances in any case."""
    try:
        result = outcome(known, answer)
        await memory.save(result.update)
    except BotError:
        raise
    except Exception:  # noqa: BLE001  # it fails again below, where it is recorded
        steps = _Steps(memory, known, incidents)
        for name, part in _parts(answer):
            await steps.save(name, part)
        await memory.save(SessionUpdate(since=answer.next_batch))
        return replace(steps.result, update=replace(steps.result.update, since=answer.next_batch))
    return result


class _Steps:
    """Stores the outcome of an answer in steps; *result* is their joint outcome."""

    def __init__(self, memory: SessionMemory, known: SyncContext, incidents: Incidents) -> None:
        self.result = SyncOutcome(known.rooms, SessionUpdate())
        self._memory = memory
        self._known = known
        self._incidents = incidents

    async def save(self, name: str, part: SyncAnswer) -> None:
        """Store the outcome of a part of the answer; if that fails, of its events one by one."""
        error = await self._fault_of(part)
        if error is None:
            return
        events = list(_events(part, self._known.me))
        if not events:
            self._incidents.record("sync.room_failed", name, error)
        for place, (event, piece) in enumerate(events):
            if (error := await self._fault_of(piece)) is not None:
                self._incidents.record(
                    "sync.event_failed" if place else "sync.room_failed", f"{name} {event}".rstrip(), error
                )

    async def _fault_of(self, part: SyncAnswer) -> Exception | None:
        """Store the outcome of *part*; return the fault that prevented this, None if there was none."""
        state = MembershipState(direct=set(self._known.direct))
        state.apply(self.result.update)
        settled = {each.room for each in self.result.update.of(InvitationSettled)}
        known = replace(
            self._known,
            rooms=self.result.rooms,
            direct=frozenset(state.direct),
            pending=self._known.pending - settled,
        )
        try:
            step = outcome(known, part)
            await self._memory.save(replace(step.update, since=None))
        except BotError:
            raise
        except Exception as error:  # noqa: BLE001  # the caller records it; it costs this part only
            return error
        update = self.result.update.with_events(step.update.events)
        self.result = SyncOutcome(step.rooms, update, self.result.resend_requests | step.resend_requests)
        return None


def _events(part: SyncAnswer, me: UserId) -> Iterator[tuple[str, SyncAnswer]]:
    """Return the room of *part* without its timeline, then each relevant event of it, as answers with their names."""
    for joined in part.joined:
        if not joined.timeline:
            continue
        yield "", replace(part, joined=(replace(joined, timeline=()),))
        for event in since_we_came(joined.timeline, me):
            yield event.id, replace(part, joined=(replace(joined, state=(), timeline=(event,)),))


def _parts(answer: SyncAnswer) -> Iterator[tuple[str, SyncAnswer]]:
    """Return *answer* in parts with their names: first everything else, then each room and each to-device message."""
    rest = replace(answer, joined=(), invited=(), left=(), keys=replace(answer.keys, to_device=()))
    quiet = replace(rest, keys=replace(rest.keys, changed=(), left=()))
    yield "users", rest
    for joined in answer.joined:
        yield joined.room, replace(quiet, joined=(joined,))
    for invitation in answer.invited:
        yield invitation.room, replace(quiet, invited=(invitation,))
    for left in answer.left:
        yield left.room, replace(quiet, left=(left,))
    for message in answer.keys.to_device:
        yield f"to-device message of {message.sender}", replace(quiet, keys=replace(quiet.keys, to_device=(message,)))


def _without_encrypted(joined: JoinedRoom) -> JoinedRoom:
    return replace(joined, timeline=tuple(event for event in joined.timeline if event.type != "m.room.encrypted"))
