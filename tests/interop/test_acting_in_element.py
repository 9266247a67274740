"""Changing patches from the chat, as users of Element do it, on a bot that runs as a process of its own."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from bot.ids import EventId, RoomId
from bot.sample_patchwork.mail import NewSeries
from bot.sample_patchwork.patchwork import PostedSeries
from support.element import Drawn, Element, Elements
from support.homeserver import NO_TLS
from support.rig import PROJECT, a_series
from support.run_rig import Process, Stage

ADMIN = "ann"
NOTHING = EventId("")


@dataclass
class Scene:
    """Ann, who maintains the project, and the bot, with which she has an encrypted direct chat."""

    stage: Stage
    bot: Process
    ann: Element
    chat: RoomId
    token: str
    tokens: list[str]
    last: EventId = NOTHING  # what was said last

    async def say(
        self, text: str, *, who: Element | None = None, room: RoomId | None = None, reply_to: EventId | None = None
    ) -> str:
        """The answer to what somebody says, by default to what Ann says in her chat."""
        who, room = who or self.ann, room or self.chat
        before = len(await who.messages(room, self.stage.me))
        relation = {"m.relates_to": {"m.in_reply_to": {"event_id": reply_to}}} if reply_to else {}
        self.last = await who.say(room, text, **relation)
        said = await who.hears(room, self.stage.me, before + 1)
        return said[before].body

    async def redacted(self, who: Element, room: RoomId, event: EventId) -> bool:
        """Whether a message has no content any more."""

        async def gone() -> bool:
            return any(drawn.event == event and not drawn.body for drawn in await who.timeline(room))

        await who.until(gone)
        return True

    def post(self, patches: int, name: str = "migration: Fix") -> PostedSeries:
        """A series arrives."""
        series: NewSeries = a_series("migration/ram.c", name=name, patches=patches)
        return self.stage.patchwork.post_series(PROJECT, series)

    def states(self, posted: PostedSeries) -> list[str]:
        """What the server has."""
        return [self.stage.patchwork.rows.patches[patch].state for patch in posted.patches]

    def traces(self) -> list[str]:
        """Where one of the tokens is to be found: files of the bot, its log, its requests."""
        files = [path for path in self.stage.folder.rglob("*") if path.is_file()]
        found = [str(path) for path in files for token in self.tokens if token.encode() in path.read_bytes()]
        asked = repr(self.stage.patchwork.requests)
        return found + [token for token in self.tokens if token in asked or token in self.bot.said()]


@pytest.fixture
async def scene(stage: Stage, elements: Elements) -> AsyncIterator[Scene]:
    patchwork = stage.patchwork
    patchwork._tables.projects.rows.clear()
    patchwork.add_project(PROJECT, "QEMU", maintainers=(ADMIN, "bruno"))
    token = patchwork.add_token(ADMIN)
    ann = await elements.newcomer(only_signed=True)
    async with stage.running() as bot:
        await stage.until(lambda: "device.signed" in bot.said())  # she reads nothing from a device that is not
        chat = await ann.create_direct(stage.me)
        await ann.hears(chat, stage.me, 1)  # the welcome
        yield Scene(stage, bot, ann, chat, token, [token])


def undo_of(answer: str) -> str:
    """The command that undoes what an answer tells."""
    found = re.search(r"^Undo: (.*)$", answer, re.MULTILINE)
    assert found is not None, answer
    return found[1]


@pytest.mark.timeout(900)
async def test_a_maintainer_gives_a_token_accepts_a_series_takes_it_on_and_undoes_it(scene: Scene) -> None:
    posted = scene.post(18)
    series = f"{scene.stage.patchwork_url}/project/{PROJECT}/list/?series={posted.series}"

    wrong = await scene.say(f"token sample {'0123456789' * 4}")
    given = await scene.say(f"token sample {scene.token}")
    message = scene.last
    unknown = await scene.say(f"state {series} acepted")
    accepted = await scene.say(f"state {series} accepted")
    assert scene.states(posted) == ["accepted"] * 18
    mine = await scene.say(f"delegate {series} me")
    ann = scene.stage.patchwork._site.account(ADMIN)
    assert {scene.stage.patchwork.rows.patches[patch].delegate for patch in posted.patches} == {ann}
    undone = await scene.say(undo_of(accepted))

    assert wrong.startswith("sample does not accept that token (HTTP 403: Invalid token.).")
    assert given.startswith("sample accepts your token, as ann.")
    assert "I deleted your message with it." in given
    assert await scene.redacted(scene.ann, scene.chat, message)
    assert "has no state “acepted”. Did you mean Accepted?" in unknown
    assert accepted.startswith("18 patches (“[01/18] migration: Fix, part 1” and 17 more): New → Accepted, on sample")
    assert "delegate nobody → ann" in mine
    assert "Accepted → New" in undone
    assert scene.states(posted) == ["new"] * 18
    assert scene.traces() == []


@pytest.mark.timeout(900)
async def test_in_an_encrypted_room_each_acts_with_the_own_token_and_what_is_refused_is_told(
    scene: Scene, elements: Elements
) -> None:
    patchwork = scene.stage.patchwork
    bob = await elements.newcomer()
    room = await scene.ann.create_room(bob.user)
    await bob.join(room)
    await scene.ann.invite(room, scene.stage.me)
    await scene.ann.hears(room, scene.stage.me, 1)  # the welcome
    await scene.say(f"token sample {scene.token}")
    assert "Subscribed" in await scene.say("!pw sub path:migration/", room=room)
    mine = scene.post(1, "mine")
    patchwork.add_project("other-devel", "Other", maintainers=("eve",))
    others = patchwork.post_series("other-devel", a_series("b.c", name="theirs"))

    (card,) = [
        drawn for drawn in await scene.ann.hears(room, scene.stage.me, 3) if "\n" in drawn.body and is_card(drawn)
    ]
    partly = await scene.say(f"!pw state {mine.patches[0]} {others.patches[0]} under review", room=room)
    replied = await scene.say("!pw state accepted", room=room, reply_to=card.event)
    without = await scene.say("!pw state 1 new", who=bob, room=room)
    leaked = patchwork.add_token("bob")
    scene.tokens.append(leaked)
    pasted = await scene.say(f"!pw token sample {leaked}", who=bob, room=room)

    assert "“mine”: New → Under Review, on sample, as ann." in partly
    assert f"{others.patches[0]} “theirs”: HTTP 403: You do not have permission to perform this action." in partly
    assert "“mine”: Under Review → Accepted, on sample, as ann." in replied
    assert (scene.states(mine), scene.states(others)) == (["accepted"], ["new"])
    assert without.startswith("I have no token of yours for sample")
    assert pasted.startswith("Tokens are taken only in an encrypted direct chat with me")
    assert "Make a new token" in pasted
    assert scene.traces() == []
    edited = await scene.ann.shows(room, scene.stage.me, lambda said: any(shows_accepted(each, card) for each in said))
    assert len([each for each in edited if shows_accepted(each, card)]) == 1


def is_card(drawn: Drawn) -> bool:
    return bool(drawn.content["org.patchbot"]["kind"] == "card")


def shows_accepted(drawn: Drawn, card: Drawn) -> bool:
    return drawn.event == card.event and "Accepted" in drawn.body


@pytest.mark.timeout(900)
async def test_clear_text_in_an_encrypted_room_changes_nothing(scene: Scene) -> None:
    """What a homeserver could forge."""
    await scene.say(f"token sample {scene.token}")
    posted = scene.post(1)
    clear = {"msgtype": "m.text", "body": f"state {posted.patches[0]} rejected"}

    await in_clear(scene, clear)
    await scene.say("version")

    assert scene.states(posted) == ["new"]
    assert "message.unencrypted_ignored" in scene.bot.said()


async def in_clear(scene: Scene, content: dict[str, str]) -> None:
    """Send as Ann, past her client, what is not encrypted."""
    base = f"{scene.stage.account.homeserver.url}/_matrix/client/v3"
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": scene.ann.user}}
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        answer = await client.post(f"{base}/login", json={**login, "password": scene.ann.password})
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        sent = await client.put(f"{base}/rooms/{scene.chat}/send/m.room.message/1", json=content, headers=headers)
    assert sent.status_code == 200
