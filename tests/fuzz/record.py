"""Records what a real homeserver answers the bot, as samples for the fuzz test: `python tests/fuzz/record.py`.

Run it from the root of the repository with `PYTHONPATH=tests`. Names, ids and tokens are replaced by made-up ones.
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.ids import RoomId, TxnId
from bot.matrix.requests import MatrixRequest
from bot.matrix.session_memory import InMemorySession
from support.chat_contract import a_message
from support.fault_proxy import FaultProxy, proxied
from support.friend import Friend, befriended
from support.homeserver import Homeserver
from support.matrix_rig import Account, Listener, listening
from support.person import Person

SAMPLES = Path(__file__).parents[1] / "samples" / "homeserver-answers.json"
MOST_EVENTS = 12  # in a list
_RECORDED = {"sync", "members", "messages", "state", "keys/query", "keys/claim", "join"}
_NAMES = re.compile(r"[!$][A-Za-z0-9_:.\-]{10,}|@(?:person|bot)\d+:hs\.test")
_KINDS = {"!": "!room{}:hs.test", "$": "$event{}", "@": "@person{}:hs.test"}


@dataclass
class Recorder:
    """Passes requests on, and keeps the answers to those that the bot reads."""

    answers: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        """One request."""
        response = await proxy.passed_on(request)
        endpoint = MatrixRequest(request.method, request.path).endpoint
        if endpoint == "keys":
            endpoint = "/".join(request.path.split("/")[-2:])
        if endpoint in _RECORDED and response.status == 200 and isinstance(response.body, bytes):
            self.answers.append({"endpoint": endpoint, "answer": json.loads(response.body)})
        return response


async def _happen(bot: Listener, account: Account, ann: Person, bob: Person, friend: Friend) -> None:
    """What rooms see: all kinds of events that the bot reads."""
    room = await ann.create_room(account.user, bob.user)
    await bot.until(lambda: room in bot.session.rooms)
    await bob.join(room)
    await ann.set_state(room, "m.room.name", {"name": "Migration"})
    await ann.set_state(room, "m.room.topic", {"topic": "Patches for migration"})
    await ann.set_levels(room, events={"m.room.name": 50}, users={bob.user: 50})
    command = await ann.say(room, "!pw help")
    await ann.edit(room, command, "!pw status")
    relation = {"rel_type": "m.thread", "event_id": command, "m.in_reply_to": {"event_id": command}}
    await bob.say(room, "!pw subs", **{"m.relates_to": relation})
    await bob.say(room, "> <@a:hs.test> x\n\nyes", **{"m.relates_to": {"m.in_reply_to": {"event_id": command}}})
    like = {"m.relates_to": {"rel_type": "m.annotation", "event_id": command, "key": "+1"}}
    await bob.send(room, like, "m.reaction")
    await bot.client.send(room, TxnId("t1"), a_message())
    await ann.redact(room, await bob.say(room, "oops"))
    await bob.leave(room)
    await _settled(bot, ann, room)
    sealed = await ann.create_room(account.user, encrypted=True)
    await bot.until(lambda: sealed in bot.session.rooms)
    await bot.client.send(sealed, TxnId("t2"), a_message("card/2"))
    await friend.say(sealed, "!pw version")
    await _settled(bot, ann, room)
    chat = await bob.create_room(account.user, direct=True)
    await bot.until(lambda: chat in bot.session.rooms)
    new = await ann.upgrade(room)
    await ann.invite(new, account.user)
    await bot.until(lambda: new in bot.session.rooms)
    await ann.kick(new, account.user)
    await bot.until(lambda: new not in bot.session.rooms)


async def _settled(bot: Listener, ann: Person, room: RoomId) -> None:
    before = len(bot.memory.messages)
    await ann.say(room, "and so on")
    await bot.until(lambda: len(bot.memory.messages) > before)


async def _record(folder: Path) -> list[dict[str, Any]]:
    homeserver = await asyncio.to_thread(Homeserver.install, folder)
    await asyncio.to_thread(homeserver.start)
    recorder, memory = Recorder(), InMemorySession()
    try:
        async with proxied(homeserver) as proxy, Person(homeserver) as ann, Person(homeserver) as bob:
            account = Account(homeserver, folder / "bot", proxy.url)
            proxy.break_down("/", recorder)
            async with befriended(ann, folder / "friend", homeserver.url) as friend:
                async with listening(account, memory) as bot:
                    await _happen(bot, account, ann, bob, friend)
                    stays = next(iter(bot.session.rooms))
                for number in range(60):  # more than one answer holds
                    await ann.say(stays, f"missed {number}")
                async with listening(account, memory):
                    pass
    finally:
        homeserver.close()
    return recorder.answers


def anonymous(answers: list[dict[str, Any]], bot: str) -> list[dict[str, Any]]:
    """*answers* with names that tell of nobody, the same one for the same thing throughout."""
    known: dict[str, str] = {bot: "@bot:hs.test"}

    def renamed(found: "re.Match[str]") -> str:
        name = found[0]
        return known.setdefault(name, _KINDS[name[0]].format(len(known)))

    renamed_answers: list[dict[str, Any]] = json.loads(_NAMES.sub(renamed, json.dumps(answers)))
    return renamed_answers


def shortened(value: Any) -> Any:
    """*value* with the first few events of each long list."""
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items()}
    return [shortened(inner) for inner in value[:MOST_EVENTS]] if isinstance(value, list) else value


def distinct(answers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Those of *answers* that have something in them that none before had."""
    known: set[str] = set()
    for each in answers:
        new = set(_shapes(each["answer"], each["endpoint"])) - known
        if new:
            known |= new
            yield each


def _shapes(value: object, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        kind = value.get("type")
        for name, inner in value.items():
            yield from _shapes(inner, f"{place}.{kind if isinstance(kind, str) else ''}.{_plain(name)}")
    elif isinstance(value, list):
        for inner in value[:3]:
            yield from _shapes(inner, f"{place}.*")
    else:
        yield place


def _plain(name: str) -> str:
    return "*" if name[:1] in "!@$" or ":" in name else name


def main() -> int:
    """Record, and write the samples."""
    with tempfile.TemporaryDirectory(prefix="patchbot-record-") as name:
        answers = asyncio.run(_record(Path(name)))
    bot = re.search(r"@bot\d+:hs\.test", json.dumps(answers))
    found = list(distinct(shortened(anonymous(answers, bot[0] if bot else ""))))
    SAMPLES.write_text("[\n" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in found) + "\n]\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
