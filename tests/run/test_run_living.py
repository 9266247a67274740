"""Cards that live in a real room: edited, linked and answered below, once, also by a bot that is killed in between.

Time passes sixty times as fast as the machine's there: a minute between two edits is a second.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from bot.ids import EventId, RoomId
from bot.sample_patchwork.patchwork import NewCheck
from support.fault_proxy import FirstAnswersHeld, proxied
from support.homeserver import NO_TLS, Homeserver
from support.matrix_rig import Account
from support.person import Person
from support.rig import PROJECT, a_series
from support.run_rig import Stage, a_stage, post_seed_series, seed_series

SPEED = 60
MOST_EDITS = 4
SEND = "/send/m.room.message/"
TOLD = """\
💬 Rey Viewer on 11/18: Reviewed-by
> Fine.
💬 Rey Viewer on 11/18: Reviewed-by
> Really.
💬 Kim on 11/18: Acked-by"""
REVIEW = "Reviewed-by: Rey Viewer <rey@example.com>\n"


async def test_the_life_of_a_series_is_one_card_a_version_and_few_edits(account: Account, ann: Person) -> None:
    async with a_stage(account, speed=SPEED) as stage:
        room = await ann.create_room(stage.me)
        stage.rooms[room] = ("path:migration/ on:new,revision,comment",)
        async with stage.running():
            v6 = post_seed_series(stage)
            await stage.cards(ann, room, 1)
            for number, patch in enumerate(v6.patches):
                stage.patchwork.set_state(patch, "accepted" if number < 12 else "under-review")
            await shows(stage, ann, room, "Accepted 12 of 18, Under Review 6")
            for number, state in enumerate(("success", "success", "success", "fail", "success")):
                stage.patchwork.add_check(v6.patches[number], NewCheck(state, "build/x"))
            await shows(stage, ann, room, "❌")
            stage.patchwork.add_comment(v6.patches[10], f"Fine.\n{REVIEW}")
            stage.patchwork.add_comment(v6.patches[10], f"Really.\n{REVIEW}")
            quoting = f"> {REVIEW}> Tested-by: Rey Viewer <rey@example.com>\nAcked-by: Kim <kim@example.com>\n"
            stage.patchwork.add_comment(v6.patches[10], quoting, submitter="Kim <kim@example.com>")
            await stage.said(ann, room, "reply", 1)
            stage.patchwork.add_check(v6.patches[3], NewCheck("success", "build/x"))
            await shows(stage, ann, room, "✅ x")
            stage.patchwork.post_series(PROJECT, seed_series(version=7))
            await shows(stage, ann, room, "since v6 (")
            await shows(stage, ann, room, "→ v7")
            await at_rest(stage)

            answer = await at_server(stage, series=v6.series)

        (older, first), (newer, second) = await cards_of(stage, ann, room)
        changes = await edits(stage, ann, room, older)
        assert (len(changes) <= MOST_EDITS, await edits(stage, ann, room, newer)) == (True, [])
        final = changes[-1]["m.new_content"]
        assert Counter(patch["state"] for patch in answer) == {"accepted": 12, "under-review": 6}
        assert [patch["check"] for patch in answer] == ["success"] * 5 + ["pending"] * 13
        assert "was Accepted 12 of 18, Under Review 6 · 1 of 18 reviewed, 1 acked" in final["body"]
        assert f'→ <a href="https://matrix.to/#/{room}/{quote(newer)}' in final["formatted_body"]
        assert f'<a href="https://matrix.to/#/{room}/{quote(older)}' in second["formatted_body"]
        assert ("[v6 " in first["body"], "since v6 (less than a day)" in second["body"]) == (True, True)
        assert [event["content"]["body"] for event in await ann.thread(room, older)] == [TOLD]
        assert await ann.thread(room, newer) == []


@pytest.mark.timeout(900)
async def test_a_card_lives_on_through_kills_and_dies_with_its_redaction(
    homeserver: Homeserver, account: Account, ann: Person
) -> None:
    fault = FirstAnswersHeld()
    async with proxied(homeserver) as proxy:
        account.url = proxy.url
        async with a_stage(account, speed=SPEED) as stage:
            room = await ann.create_room(stage.me)
            stage.rooms[room] = ("path:migration/ on:new,revision,state",)
            async with stage.running():
                await at_rest(stage)  # the welcome
            proxy.break_down(SEND, fault)
            posted = post_seed_series(stage)
            await killed_when(stage, lambda: len(fault.held) == 1)  # the card is there, which the bot does not know
            proxy.heal()
            await killed_when(stage, lambda: stage.has("card WHERE event IS NOT NULL"))
            proxy.break_down(SEND, fault)
            stage.patchwork.set_state(posted.patches[10], "accepted")
            await killed_when(stage, lambda: stage.has("card WHERE due_at IS NOT NULL OR edits > 0"))
            await killed_when(stage, lambda: len(fault.held) == 2)  # the edit or the reply
            proxy.heal()
            async with stage.running():
                await shows(stage, ann, room, "New 17 of 18, Accepted 1")
                await stage.said(ann, room, "reply", 1)
                await at_rest(stage)
                [(card, _)] = await cards_of(stage, ann, room)
                assert len(await edits(stage, ann, room, card)) == 1

                await ann.redact(room, card)
                await stage.until(lambda: stage.has("card WHERE ended = 'redacted'"))
                stage.patchwork.set_state(posted.patches[10], "rejected")
                await stage.until(lambda: stage.has("patch WHERE state = 'rejected'"))
                other = stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Later"))
                await shows(stage, ann, room, "migration: Later")
                stage.patchwork.set_state(other.patches[0], "accepted")
                await stage.said(ann, room, "reply", 2)
                await at_rest(stage)

            assert len(await edits(stage, ann, room, card)) == 1
            [(_, later)] = await cards_of(stage, ann, room)  # the redacted one is empty
            assert later["body"].startswith("🆕 migration: Later")
            assert len(await ann.thread(room, card)) == 1


async def killed_when(stage: Stage, claim: Callable[[], bool]) -> None:
    """Run the bot until *claim* holds, and kill it."""
    bot = await stage.start()
    try:
        await stage.until(claim)
    except TimeoutError as error:
        raise AssertionError(bot.said()) from error
    finally:
        await bot.kill()


async def at_server(stage: Stage, series: int) -> list[dict[str, Any]]:
    """What Patchwork says of the patches of a series."""
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        answer = await client.get(f"{stage.patchwork_url}/api/1.3/patches/?series={series}&order=id&per_page=100")
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return found


async def cards_of(stage: Stage, person: Person, room: RoomId) -> list[tuple[EventId, dict[str, Any]]]:
    """The events that are cards in a room, oldest first, with their contents as they were sent."""
    events = [event for event in await person.timeline(room) if is_card(stage, event)]
    return [(EventId(event["event_id"]), event["content"]) for event in events]


async def edits(stage: Stage, person: Person, room: RoomId, card: EventId) -> list[dict[str, Any]]:
    """The contents of the edits of a card, oldest first."""
    events = await person.timeline(room)
    found = [event["content"] for event in events if event["sender"] == stage.me and relation(event) == "m.replace"]
    return [content for content in found if content["m.relates_to"]["event_id"] == card]


async def shows(stage: Stage, person: Person, room: RoomId, text: str) -> None:
    """Wait until some card says *text*."""

    async def found() -> bool:
        return any(text in body for body in await person.shown(room, stage.me))

    await person.until(found)


async def at_rest(stage: Stage) -> None:
    """Wait until every card shows all there is, and all is said."""
    await stage.until(lambda: not stage.has("card WHERE due_at IS NOT NULL"))
    await stage.until(lambda: not stage.has("notice WHERE state != 'done'"))


def is_card(stage: Stage, event: dict[str, Any]) -> bool:
    """Whether an event is a card, and no edit of one."""
    is_ours = event["sender"] == stage.me and event["content"].get("org.patchbot", {}).get("kind") == "card"
    return is_ours and relation(event) is None


def relation(event: dict[str, Any]) -> str | None:
    """How an event hangs on another."""
    kind: str | None = event["content"].get("m.relates_to", {}).get("rel_type")
    return kind
