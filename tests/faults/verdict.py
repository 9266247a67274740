"""Holds what a room shows against what the story says that it must."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from story import Work, facts_of, told_of

_STATES = re.compile(r"(\w+)(?:, (?:all (\d+)|\d+ of \d+) patch(?:es)?)? \(was New(?:: ([\d/, ]+))?\)")
_THINGS = re.compile(r"ci-\d+|Remark \d+\.")
_LISTED = re.compile(r"/list/\?series=(\d+)")
_ACCEPTED = "→ Accepted"


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as it stands after all edits; *series* is what it is about, *thread* where it hangs.

    *listed* are the series that it lists below the line of a flood.
    """

    event: str
    kind: str
    series: int | None
    thread: str | None
    text: str
    listed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a room, which may be *encrypted*, asked for: what touches *places*, and perhaps to hear of what changes.

    *accepted*: to hear of what is accepted, and of nothing else that changes. *flood* is the room's limit, 0: none.
    """

    name: str
    places: tuple[str, ...]
    hears: bool = False
    encrypted: bool = False
    accepted: bool = False
    flood: int = 0

    @property
    def queries(self) -> tuple[str, ...]:
        """The same as subscriptions."""
        more = " on:new,revision,state,check,comment" if self.hears else ""
        plain = tuple(f"path:{place}/{more}" for place in self.places)
        return (*plain, *(f"path:{place}/ state:accepted" for place in self.places if self.accepted))

    def told_of(self, work: Work) -> Counter[str]:
        """What is told below the card of *work*: each thing, and how often."""
        things = told_of(work) if self.hears or self.accepted else Counter[str]()
        return things if self.hears else Counter({thing: n for thing, n in things.items() if thing == _ACCEPTED})


@dataclass
class Verdict:
    """What is wrong in a room, in words; and how much there was to be right."""

    cards: int = 0  # or places in lists
    listed: int = 0  # of them
    things: int = 0  # told below cards
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All that is wrong."""
        kinds = {name: getattr(self, name) for name in ("lost", "twice", "unasked", "disordered", "untrue")}
        return [f"{name}: {each}" for name, found in kinds.items() for each in found]


def judge(wanted: Wanted, works: Sequence[Work], timeline: Sequence[Shown]) -> Verdict:
    """Whether a room's final *timeline* is what the *works* make of it."""
    due = [work for work in works if work.place in wanted.places]
    cards = [shown for shown in timeline if shown.kind == "card"]
    listed = [number for shown in timeline for number in shown.listed]
    found = Verdict(cards=len(due), listed=len(listed))
    _compare_places(found, due, Counter(card.series for card in cards), Counter(listed), works)
    _order(found, [work.number for work in due if work.number not in listed], [card.series for card in cards])
    by_series = {card.series: card for card in cards}
    for work in due:
        if (card := by_series.get(work.number)) is not None:
            missing = [fact for fact in facts_of(work) if fact not in card.text]
            found.untrue += [f"{_label(work)} does not say {fact!r}: {card.text!r}" for fact in missing]
    told = _told(timeline)
    for work in due if wanted.hears or wanted.accepted else ():
        things = wanted.told_of(work)
        is_ = told.pop(by_series[work.number].event, Counter()) if work.number in by_series else Counter[str]()
        if work.number in listed:
            things &= is_  # its card, if it got one by a change, may show that change from the first
        found.things += things.total()
        _compare(found, things, is_, f"below {_label(work)}")
    found.unasked += [f"{dict(things)} below {event}" for event, things in told.items()]
    return found


def read(events: Iterable[Mapping[str, Any]], sender: str) -> list[Shown]:
    """What *sender* shows in a room after all edits, in order; *events* are its whole timeline."""
    shown: dict[str, Shown] = {}
    for event in events:
        content = event.get("content", {})
        if event["type"] != "m.room.message" or event["sender"] != sender or "org.patchbot" not in content:
            continue
        relation = content.get("m.relates_to", {})
        edited = relation.get("event_id") if relation.get("rel_type") == "m.replace" else None
        said, place = (content["m.new_content"], edited) if edited else (content, event["event_id"])
        first = shown.get(place)
        tag = content["org.patchbot"]
        thread = relation.get("event_id") if relation.get("rel_type") == "m.thread" else None
        shown[place] = Shown(
            place,
            first.kind if first else tag["kind"],
            tag.get("series"),
            first.thread if first else thread,
            said["body"],
            _listed(said) if tag["key"].startswith("list/") else (),
        )
    return list(shown.values())


def _listed(said: Mapping[str, Any]) -> tuple[int, ...]:
    """The series that a reply below the line of a flood links, in order."""
    return tuple(int(number) for number in _LISTED.findall(said.get("formatted_body", "")))


def _compare(found: Verdict, due: Counter[str], is_: Counter[str], what: str) -> None:
    found.lost += [f"{what}: {thing}" for thing in (due - is_).elements()]
    for thing in (is_ - due).elements():
        (found.twice if thing in due else found.unasked).append(f"{what}: {thing}")


def _compare_places(
    found: Verdict, due: Sequence[Work], cards: Counter[int | None], listed: Counter[int], works: Sequence[Work]
) -> None:
    """A card or a place in a list for each; one in a list that is accepted later may be told of again."""
    for work in due:
        count = cards[work.number] + listed[work.number]
        may_be = 2 if listed[work.number] and "accepted" in work.states.values() else 1
        found.lost += [] if count else [f"card: {_label(work)}"]
        found.twice += [f"card: {_label(work)}"] * max(count - may_be, cards[work.number] - 1, 0)
    numbers = {work.number for work in due}
    found.unasked += [f"card: {_called(each, works)}" for each in (cards + listed).elements() if each not in numbers]


def _order(found: Verdict, due: Sequence[int], shown: Sequence[int | None]) -> None:
    places = {number: place for place, number in enumerate(due)}
    known = [number for number in shown if number is not None and number in places]
    for before, after in pairwise(known):
        if places[before] > places[after]:
            found.disordered.append(f"series {after} after {before}")


def _told(timeline: Iterable[Shown]) -> dict[str, Counter[str]]:
    """What is told in each thread, and how often."""
    told: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for reply in timeline:
        if reply.kind == "reply" and not reply.listed:
            things = told[reply.thread or "no thread"]
            things.update(_THINGS.findall(reply.text))
            for state, all_, some in _STATES.findall(reply.text):
                things[f"→ {state}"] += len(some.split(",")) if some else int(all_ or 1)
    return dict(told)


def _label(work: Work) -> str:
    return f"{work.name} v{work.version} (series {work.number})"


def _called(series: int | None, works: Iterable[Work]) -> str:
    return next((_label(work) for work in works if work.number == series), f"series {series}")
