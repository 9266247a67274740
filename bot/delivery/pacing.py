"""Decides how fast the bot sends, and which message is next. Pure.

The homeserver's limit is a token bucket per bot user, learned from its refusals. While it does not suffice for all
messages, they take turns.

Theory of operation. The candidates are the oldest notice of each room and lane; among the answers, of each person in a
room. They are chosen one by one, by three rules, each of which considers only what was sent last:

1. People. A person who got one of the last three messages lets all others go first. One person's commands, in any
   number of rooms, therefore take at most a quarter of the budget while anything else waits.
2. Lanes. The first lane is next, unless it was next `MOST_IN_A_ROW` times since a lower one was, and a lower one waits.
   Answers therefore take at most half of the budget while anything else waits; cards take three quarters of what the
   answers leave while replies or edits wait; these two share the rest.
3. Rooms. Within the lane, the room that was served longest ago is next; within the room, its oldest notice. A new room
   ranks just before the one that was served last, so new rooms cannot keep the others waiting.

A room takes one message at a time, so a candidate may miss its turn because its room is busy with another. A candidate
that was passed over `PATIENCE` times for each candidate goes first; the shares above alone never lead to that.

If only one room, person or lane has notices, it is never delayed; and none accumulates credit while it is idle. The
history is kept in memory only. After a restart all rooms are new, and are served in the order in which their oldest
notices were written.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from bot.ids import NoticeId, RoomId, UserId
from bot.notices.notice import Lane, SendCandidate

MOST_IN_A_ROW: Final = {Lane.ANSWER: 1, Lane.CARD: 3, Lane.REPLY: 1}
MESSAGES_BETWEEN: Final = 3  # messages to others between two answers to one person
PATIENCE: Final = 16  # gives edits a sixteenth of the budget if all lanes have notices
MAX_REMEMBERED: Final = 10_000  # rooms, and notices; beyond it, those without waiting notices are forgotten


@dataclass(slots=True)
class Pace:
    """A token bucket with *burst* tokens that fills at *per_second*; times are monotonic seconds."""

    per_second: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, per_second: float, burst: float, now: float) -> "Pace":
        """Return a full bucket."""
        return cls(per_second, burst, burst, now)

    def available(self, now: float) -> int:
        """Return the number of messages that may be sent now."""
        self._fill(now)
        return int(self.tokens + 1e-9)

    def take(self, count: int, now: float) -> None:
        """Remove tokens for *count* messages."""
        self._fill(now)
        self.tokens -= count

    def refused(self, retry_after: float, now: float) -> None:
        """Apply a refusal by the homeserver: no message for *retry_after* seconds, then one."""
        self._fill(now)
        self.tokens = min(self.tokens, 1.0 - retry_after * self.per_second)

    def wait(self, now: float) -> float:
        """Return the seconds until the next message may be sent."""
        self._fill(now)
        return max(0.0, (1.0 - self.tokens) / self.per_second)

    def _fill(self, now: float) -> None:
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = max(self.at, now)


class SendOrder:
    """The order of sending, and the history that it depends on, counted in messages."""

    def __init__(self) -> None:
        self._sent = 0
        self._people: deque[UserId | None] = deque(maxlen=MESSAGES_BETWEEN)
        self._in_a_row = dict.fromkeys(Lane, 0)  # since a lower lane was served, while one waited
        self._served: dict[tuple[Lane, RoomId], int] = {}
        self._seen: dict[NoticeId, int] = {}

    def choose(self, candidates: Sequence[SendCandidate], limit: int) -> list[SendCandidate]:
        """Return up to *limit* candidates, one per room, in the order of sending; they count as sent from now on."""
        self._line_up(candidates)
        overdue = self._sent - PATIENCE * len(candidates)
        chosen: list[SendCandidate] = []
        waiting = candidates
        while waiting and len(chosen) < limit:
            late = [each for each in waiting if self._seen[each.id] < overdue]
            chosen.append(min(late, key=self._age) if late else self._next(waiting))
            self._note(chosen[-1], waiting)
            waiting = [each for each in waiting if each.room != chosen[-1].room]
        return chosen

    def _line_up(self, candidates: Sequence[SendCandidate]) -> None:
        """Assign ranks to new rooms and notices."""
        in_use = {(each.lane, each.room) for each in candidates}
        ids = {each.id for each in candidates}
        if len(self._served) > MAX_REMEMBERED:
            self._served = {place: number for place, number in self._served.items() if place in in_use}
        if len(self._seen) > MAX_REMEMBERED:
            self._seen = {id_: number for id_, number in self._seen.items() if id_ in ids}
        for place in in_use:
            self._served.setdefault(place, self._sent - 1)
        for id_ in ids:
            self._seen.setdefault(id_, self._sent)

    def _next(self, waiting: Sequence[SendCandidate]) -> SendCandidate:
        polite = self._after_others(waiting)
        lane = self._lane({each.lane for each in polite})
        return min((each for each in polite if each.lane == lane), key=self._place)

    def _after_others(self, waiting: Sequence[SendCandidate]) -> Sequence[SendCandidate]:
        """Return the candidates of people not served just now; if there are none, of the one served longest ago."""
        lately = {person: served for served, person in enumerate(self._people, start=1) if person is not None}
        if not lately:
            return waiting
        last_served = [lately.get(each.asked_by, 0) if each.asked_by is not None else 0 for each in waiting]
        first = min(last_served)
        return [each for each, served in zip(waiting, last_served, strict=True) if served == first]

    def _lane(self, waiting: Collection[Lane]) -> Lane:
        lane, *lower = sorted(waiting)
        while lower and self._in_a_row[lane] >= MOST_IN_A_ROW[lane]:
            lane, *lower = lower
        return lane

    def _place(self, candidate: SendCandidate) -> tuple[int, int]:
        return self._served[candidate.lane, candidate.room], candidate.id

    def _age(self, candidate: SendCandidate) -> tuple[int, int]:
        return self._seen[candidate.id], candidate.id

    def _note(self, chosen: SendCandidate, waiting: Sequence[SendCandidate]) -> None:
        self._sent += 1
        self._served[chosen.lane, chosen.room] = self._sent
        self._seen.pop(chosen.id)
        self._people.append(chosen.asked_by)
        self._in_a_row[chosen.lane] += any(each.lane > chosen.lane for each in waiting)
        for lane in Lane:
            if lane < chosen.lane:
                self._in_a_row[lane] = 0
