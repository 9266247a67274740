"""Invitations by the dice, and what must have become of each in the end."""

import json
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import httpx

from bot.ids import RoomId, UserId
from support.homeserver import NO_TLS, Homeserver
from support.person import Person
from verdict import Verdict


class End(Enum):
    """How it went on after the invitation."""

    OPEN = "nothing more"
    REMOVED = "the bot was removed, or the invitation withdrawn"
    ALONE = "who invited the bot left"


@dataclass
class Invited:
    """A room that the bot was invited to; *allowed*: by somebody whose invitations it accepts."""

    room: RoomId
    allowed: bool
    end: End = End.OPEN


@dataclass
class Invitations:
    """A *friend* whose invitations the bot accepts, and a *stranger* whose it does not."""

    friend: Person
    stranger: Person
    bot: UserId
    dice: random.Random
    sent: list[Invited] = field(default_factory=list)

    async def happen(self) -> None:
        """One thing more; while the homeserver is away nothing happens, and what it did unheard is not counted."""
        open_ = [each for each in self.sent if each.end is End.OPEN]
        what = self.dice.choice(("friend", "friend", "stranger", "removal", "parting"))
        try:
            if what in {"friend", "stranger"} or not open_:
                await self._invite(allowed=what != "stranger")
                return
            await self._end(self.dice.choice(open_), End.REMOVED if what == "removal" else End.ALONE)
        except (httpx.HTTPError, AssertionError):
            return

    async def _invite(self, *, allowed: bool) -> None:
        person = self.friend if allowed else self.stranger
        self.sent.append(Invited(await person.create_room(self.bot), allowed))

    async def _end(self, invited: Invited, end: End) -> None:
        """End it; an outcome that is not known makes it one that nothing is said of."""
        person = self.friend if invited.allowed else self.stranger
        self.sent.remove(invited)
        if end is End.REMOVED:
            await person.kick(invited.room, self.bot)
        else:
            await person.leave(invited.room)
        self.sent.append(Invited(invited.room, invited.allowed, end))

    async def judge(self, joined: Collection[str]) -> Verdict:
        """Whether each was answered once, as its sender may expect; *joined* are the rooms that the bot is in."""
        found = Verdict(cards=len(self.sent))
        for each in self.sent:
            name = f"the invitation to {each.room}"
            if each.allowed and each.end is End.OPEN:
                found.lost += [] if each.room in joined else [f"{name} was not accepted"]
            elif each.room in joined:
                found.unasked.append(f"the bot is in {each.room}, though {each.end.value}")
            if each.end is not End.ALONE:  # or nobody is there to look
                await self._look(found, each, name)
        return found

    async def _look(self, found: Verdict, each: Invited, name: str) -> None:
        person = self.friend if each.allowed else self.stranger
        timeline = await person.timeline(each.room)
        memberships = list(_memberships(timeline, self.bot))
        kinds = [
            event["content"].get("org.patchbot", {}).get("kind") for event in timeline if _is_said_by(event, self.bot)
        ]
        welcomes = kinds.count("welcome")
        found.things += welcomes
        found.twice += [f"{welcomes} welcomes in {each.room}"] if welcomes > 1 else []
        found.unasked += [f"{kind} in {each.room}" for kind in kinds if kind != "welcome" or not each.allowed]
        if each.allowed and each.end is End.OPEN:
            found.lost += [] if welcomes else [f"no welcome in {each.room}"]
        if not each.allowed:
            found.unasked += [f"{name} of a stranger was accepted"] if "join" in memberships else []
            found.lost += [] if memberships[-1] == "leave" else [f"{name} of a stranger was not declined"]


async def joined_rooms(homeserver: Homeserver, folder: Path) -> list[str]:
    """The rooms that the bot with its device in *folder* is in."""
    token = json.loads((folder / "device.json").read_bytes())["token"]
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        url = f"{homeserver.url}/_matrix/client/v3/joined_rooms"
        answer = await client.get(url, headers={"Authorization": f"Bearer {token}"})
    rooms: list[str] = answer.raise_for_status().json()["joined_rooms"]
    return rooms


def _memberships(timeline: list[dict[str, Any]], user: UserId) -> Iterator[str]:
    for event in timeline:
        if event["type"] == "m.room.member" and event.get("state_key") == user:
            yield event["content"]["membership"]


def _is_said_by(event: dict[str, Any], user: UserId) -> bool:
    return event["sender"] == user and event["type"] in {"m.room.message", "m.room.encrypted", "m.reaction"}
