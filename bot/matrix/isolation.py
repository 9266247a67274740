"""Handles what a sync brought room by room, where all of it at once fails: a fault costs the room or message it is in.

A fault of the program or of what somebody sent (any exception) is found here by trying the parts one by one. What the
homeserver or the database cannot do now is no such fault, and is raised: all of it is asked for again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from bot.errors import BotError
from bot.ids import RoomId, UserId
from bot.incidents import Incidents
from bot.matrix.encryption import Encryption
from bot.matrix.hearing import since_we_came
from bot.matrix.memory import SessionMemory, Taken
from bot.matrix.model import Joined, SyncAnswer
from bot.matrix.taking import Known, Outcome, outcome


async def learned(
    encryption: Encryption, answer: SyncAnswer, incidents: Incidents, *, since: str | None, whole: bool
) -> None:
    """Let *encryption* know of *answer*, but for the parts that it cannot handle."""
    try:
        await encryption.hear(answer, since=since, whole=whole)
    except BotError:
        raise
    except Exception:  # noqa: BLE001  # it fails again below, where it is recorded
        for name, part in _parts(answer):
            try:
                await encryption.hear(part, since=since, whole=whole)
            except BotError:
                raise
            except Exception as error:  # noqa: BLE001  # it costs this part only
                incidents.record("sync.part_failed", name, error)


async def decrypted(
    encryption: Encryption, answer: SyncAnswer, known: Iterable[RoomId], incidents: Incidents, *, is_news: bool
) -> SyncAnswer:
    """Return *answer* decrypted, but for the rooms where that fails; these have what was not encrypted."""
    rooms = tuple(known)
    try:
        return await encryption.read(answer, rooms, is_news=is_news)
    except BotError:
        raise
    except Exception:  # noqa: BLE001  # it fails again below, where it is recorded
        joined: list[Joined] = []
        for each in answer.joined:
            try:
                await encryption.read(replace(answer, joined=(each,)), rooms, is_news=is_news)
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
        return await encryption.read(answer, rooms, is_news=is_news)
    except BotError:
        raise
    except Exception as error:  # noqa: BLE001  # nothing can be decrypted, but what is not encrypted can be handled
        incidents.record("sync.decryption_failed", "all rooms", error)
        return replace(answer, joined=tuple(map(_without_encrypted, answer.joined)))


async def taken(memory: SessionMemory, known: Known, answer: SyncAnswer, incidents: Incidents) -> Outcome:
    """Keep what follows from *answer*, but for the events of which it cannot be told or kept; the token moves on."""
    try:
        result = outcome(known, answer)
        await memory.take(result.taken)
    except BotError:
        raise
    except Exception:  # noqa: BLE001  # it fails again below, where it is recorded
        steps = _Steps(memory, known, incidents)
        for name, part in _parts(answer):
            await steps.take(name, part)
        await memory.take(Taken(since=answer.next_batch))
        return replace(steps.result, taken=replace(steps.result.taken, since=answer.next_batch))
    return result


class _Steps:
    """Keeps what follows from an answer in steps; *result* is what they make together."""

    def __init__(self, memory: SessionMemory, known: Known, incidents: Incidents) -> None:
        self.result = Outcome(known.rooms, Taken())
        self._memory = memory
        self._known = known
        self._incidents = incidents

    async def take(self, name: str, part: SyncAnswer) -> None:
        """Keep what follows from a part of the answer; where that fails, its events one by one."""
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
        """Keep what follows from *part*; the fault of the program that prevents that, None: it is kept."""
        done = self.result.taken
        known = replace(
            self._known, rooms=self.result.rooms, direct=(self._known.direct | set(done.direct)) - set(done.crowded)
        )
        try:
            step = outcome(known, part)
            await self._memory.take(replace(step.taken, since=None))
        except BotError:
            raise
        except Exception as error:  # noqa: BLE001  # the caller records it; it costs this part only
            return error
        self.result = Outcome(step.rooms, _both(done, step.taken), self.result.asked | step.asked)
        return None


def _events(part: SyncAnswer, me: UserId) -> Iterator[tuple[str, SyncAnswer]]:
    """The room of *part* without its timeline, then each event that counts of that, as answers with their names."""
    for joined in part.joined:
        if not joined.timeline:
            continue
        yield "", replace(part, joined=(replace(joined, timeline=()),))
        for event in since_we_came(joined.timeline, me):
            yield event.id, replace(part, joined=(replace(joined, state=(), timeline=(event,)),))


def _both(one: Taken, other: Taken) -> Taken:
    """What two steps took."""
    lists = {
        each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Taken) if each.name != "since"
    }
    return replace(one, **lists)


def _parts(answer: SyncAnswer) -> Iterator[tuple[str, SyncAnswer]]:
    """Each room and each to-device message of *answer*, with its name, as an answer; before them what has neither."""
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


def _without_encrypted(joined: Joined) -> Joined:
    return replace(joined, timeline=tuple(event for event in joined.timeline if event.type != "m.room.encrypted"))
