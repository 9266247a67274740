"""Changing patches from the chat: who may, what is answered, and what the server has then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from inline_snapshot import snapshot

from bot.config import ActingSettings
from bot.ids import RoomId
from bot.sample_patchwork.mail import SAMPLE_SUBMITTER
from bot.sample_patchwork.request import Response
from support.acting_rig import acting_people, acting_rig, give_token, say_undo, states, writes
from support.people_rig import ANN, BOB, CHAT, People
from support.rig import PROJECT, ROOM, a_series


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[People]:
    """Bob, who maintains the project, has given his token."""
    async with acting_people(acting_rig(tmp_path)) as here:
        await give_token(here)
        yield here


async def test_a_series_of_eighteen_is_accepted_and_the_undo_brings_all_back(here: People) -> None:
    posted = here.rig.post("migration/a.c", name="migration: Fix", patches=18)
    url = f"https://patchwork.example.org/project/qemu-devel/list/?series={posted.series}"

    answer = await here.chat(f"state {url} accepted")

    assert answer == snapshot("""\
18 patches (“[01/18] migration: Fix, part 1” and 17 more): New → Accepted, on sample, as bob.
Undo: state 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 new\
""")
    assert states(here, posted) == ["accepted"] * 18
    assert writes(here) == [str(patch) for patch in posted.patches]
    undone = await say_undo(here, answer)
    assert undone.splitlines()[-1] == "Undo: state 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 accepted"
    assert states(here, posted) == ["new"] * 18


async def test_what_had_other_states_goes_back_to_each_of_them(here: People) -> None:
    posted = here.rig.post("migration/a.c", patches=4)
    here.rig.patchwork.set_state(posted.patches[1], "under-review")
    here.rig.patchwork.set_state(posted.patches[3], "accepted")

    answer = await here.chat("state 1 2 3 4 accepted")

    assert answer == snapshot("""\
2 patches (“[1/4] A series, part 1” and 1 more): New → Accepted, on sample, as bob.
“[2/4] A series, part 2”: Under Review → Accepted, on sample, as bob.
“[4/4] A series, part 4”: Accepted already; nothing to change.
Undo: state 1 3 new
Undo: state 2 under-review\
""")
    assert writes(here) == ["1", "2", "3"]


async def test_nothing_is_sent_where_all_is_as_wanted_already(here: People) -> None:
    here.rig.post("migration/a.c")

    assert await here.chat("state 1 new") == snapshot("“A series”: New already; nothing to change.")
    assert writes(here) == []


async def test_patches_are_delegated_to_oneself_to_others_and_to_nobody(here: People) -> None:
    posted = here.rig.post("migration/a.c", patches=2)
    rows = here.rig.patchwork

    def delegates() -> list[int | None]:
        return [rows.rows.patches[patch].delegate for patch in posted.patches]

    to_me = await here.chat("delegate 1 2 me")
    assert to_me == snapshot("""\
2 patches (“[1/2] A series, part 1” and 1 more): delegate nobody → bob, on sample, as bob.
Undo: delegate 1 2 nobody\
""")
    bob, carol = rows._site.account("bob"), rows._site.account("carol")
    assert delegates() == [bob, bob]
    to_carol = await here.chat("delegate 1 CAROL@example.org")
    assert to_carol.splitlines()[-1] == "Undo: delegate 1 bob"
    assert delegates() == [carol, bob]
    await say_undo(here, to_carol)
    assert delegates() == [bob, bob]
    await say_undo(here, to_me)
    assert delegates() == [None, None]


async def test_who_is_no_maintainer_cannot_be_delegated_to_and_who_is_nobody_is_told_with_the_nearest(
    here: People,
) -> None:
    here.rig.post("migration/a.c", patches=2)
    here.rig.patchwork._site.account("dave")

    assert await here.chat("delegate 1 2 dave") == snapshot("""\
Not changed on sample, as bob: 2 patches.
• 1 “[1/2] A series, part 1”, 2 “[2/2] A series, part 2”: HTTP 400: User 'dave' is not a maintainer for project 'QEMU'\
""")
    assert writes(here) == ["1"]  # the same would be answered to the other
    assert await here.chat("delegate 1 caroll") == snapshot(
        "sample has no account “caroll”. Did you mean carol? Nothing was changed."
    )


async def test_patches_are_archived_and_taken_out_again(here: People) -> None:
    posted = here.rig.post("migration/a.c")

    answer = await here.chat("archive 1")

    assert answer == snapshot("""\
“A series”: not archived → archived, on sample, as bob.
Undo: unarchive 1\
""")
    assert here.rig.patchwork.rows.patches[posted.patches[0]].archived
    assert await say_undo(here, answer) == snapshot("""\
“A series”: archived → not archived, on sample, as bob.
Undo: archive 1\
""")
    assert not here.rig.patchwork.rows.patches[posted.patches[0]].archived


async def test_a_reply_to_a_card_means_its_series(here: People) -> None:
    await here.say("sub path:migration/")
    await here.arrives("migration/a.c", name="migration: Fix")
    (card,) = here.cards()
    here.rig.post("docs/b.rst", name="another")

    assert await here.say("state accepted", BOB, reply_to=card.event) == snapshot("""\
“migration: Fix”: New → Accepted, on sample, as bob.
Undo: !pw state 1 new\
""")
    assert writes(here) == ["1"]


async def test_the_card_shows_an_act_within_five_seconds_of_the_poll_once_and_who_it_was(here: People) -> None:
    await here.say("sub path:migration/ on:new,state")
    await here.arrives("migration/a.c", "migration/b.c", name="migration: Fix")
    (card,) = here.cards()
    here.rig.clock.advance(120)
    await here.bot.settle()
    await here.say("state accepted", BOB, reply_to=card.event)
    posted = here.rig.chat.posted

    here.rig.clock.advance(here.rig.poll_seconds)
    ((watch, _),) = here.bot.watches
    await watch.tick()
    before = len(posted)
    here.rig.clock.advance(5)
    await here.bot.settle()

    (edit,) = posted[before:]
    assert edit.message.edits == card.event
    assert "Accepted" in edit.message.body
    await here.rig.poll(here.bot, times=4)
    (reply,) = posted[before + 1 :]
    assert reply.message.body == "✅ Accepted (was New) · by bob"


@pytest.mark.parametrize(
    "typed",
    [
        "state 1 Under Review",
        "state 1 under-review",
        "state #1 to under review",
        "state under review 1",
        "state 1 “under”",
        "STATE <1>, UNDER_REVIEW",
    ],
)
async def test_a_state_is_read_however_it_is_spelled(here: People, typed: str) -> None:
    posted = here.rig.post("migration/a.c")

    await here.chat(typed)

    assert states(here, posted) == ["under-review"]


async def test_a_state_that_is_not_there_is_told_with_the_nearest_and_nothing_is_sent(here: People) -> None:
    here.rig.post("migration/a.c")

    first, rest = (await here.chat("state 1 acepted")).splitlines()

    assert first == snapshot("sample has no state “acepted”. Did you mean Accepted?")
    assert rest.startswith("Its states: New, Under Review, Accepted, ")
    assert "has no state “merged”" in await here.chat("state 1 merged")
    assert writes(here) == []


async def test_a_state_that_was_added_since_is_known_and_others_are_up_to_the_server(here: People) -> None:
    posted = here.rig.post("migration/a.c")
    here.rig.patchwork.add_state("Queued")

    assert "New → Queued" in await here.chat("state 1 queued")
    assert states(here, posted) == ["queued"]


async def test_what_the_server_refuses_is_told_as_it_is_and_the_rest_is_done(here: People) -> None:
    """Of the three, two are Eve's project's."""
    here.rig.patchwork.add_project("other-devel", "Other", maintainers=("eve",))
    mine = here.rig.post("migration/a.c", name="mine")
    others = here.rig.patchwork.post_series("other-devel", a_series("b.c", name="theirs", patches=2))

    answer = await here.chat("state 2 1 3 accepted")

    assert answer == snapshot("""\
“mine”: New → Accepted, on sample, as bob.
Not changed on sample, as bob: 2 patches.
• 2 “[1/2] theirs, part 1”, 3 “[2/2] theirs, part 2”: HTTP 403: You do not have permission to perform this action.
Undo: state 1 new\
""")
    assert (states(here, mine), states(here, others)) == (["accepted"], ["new", "new"])


async def test_the_submitter_may_what_the_server_lets_submitters_do(here: People) -> None:
    posted = here.rig.post("migration/a.c")
    token = here.rig.patchwork.add_token("ann", is_submitter=SAMPLE_SUBMITTER)
    here.rig.room_rights.people[CHAT] = frozenset({ANN})
    assert "as ann" in await here.chat(f"token sample {token}", ANN)

    assert "New → Superseded, on sample, as ann." in await here.say("state 1 superseded", ANN)
    assert states(here, posted) == ["superseded"]


async def test_somebody_without_a_token_is_told_how_to_give_one(here: People) -> None:
    here.rig.post("migration/a.c")

    assert await here.say("state 1 accepted", ANN) == snapshot("""\
I have no token of yours for sample, with which to change patches in your name.
Make one on your profile page, https://patchwork.example.org/user/
Then type in an encrypted direct chat with me: token sample TOKEN\
""")
    assert writes(here) == []


async def test_a_revoked_token_is_told_and_nothing_more_is_tried(here: People) -> None:
    here.rig.post("migration/a.c", patches=3)
    here.rig.patchwork.revoke_tokens("bob")

    assert await here.chat("state 1 2 3 accepted") == snapshot("""\
Not changed on sample, as bob: 3 patches.
• 1 “[1/3] A series, part 1”: HTTP 403: Invalid token.
• 2 “[2/3] A series, part 2”, 3 “[3/3] A series, part 3”: not tried, because sample does not accept your token\
""")
    assert writes(here) == ["1"]


@pytest.mark.parametrize("typed", ["state 1 x", "delegate 1 me", "archive 1", "unarchive 1"])
async def test_nothing_is_changed_by_a_message_that_is_not_encrypted(here: People, typed: str) -> None:
    here.rig.post("migration/a.c")
    here.encrypted = False

    answer = await here.chat(typed)

    assert await here.say(typed, BOB, ROOM) == answer
    assert answer == snapshot("""\
Patches are changed only by messages that are encrypted: elsewhere, whoever runs a homeserver could speak in your name.
Type it in an encrypted room, or in an encrypted direct chat with me.\
""")
    assert writes(here) == []


async def test_all_rooms_may_be_allowed_and_all_may_be_refused(tmp_path: Path) -> None:
    rig = acting_rig(tmp_path)
    rig.acting = ActingSettings(rooms="all")
    async with acting_people(rig) as here:
        await give_token(here)
        posted = rig.post("migration/a.c")
        here.encrypted = False
        assert "New → Accepted" in await here.say("state 1 accepted", BOB, ROOM)
    rig.acting = ActingSettings(rooms="off")
    async with acting_people(rig) as here:
        assert await here.chat("state 1 rejected") == snapshot(
            "Changing patches from here is switched off (acting.rooms in the bot's configuration)."
        )
        assert "switched off" in await give_token(here)
        assert "sample, as bob" in await here.chat("token")
        assert "forgotten" in await here.chat("token forget sample")
    assert states(here, posted) == ["accepted"]


def on_write(here: People, number: int, happens: Callable[[], object]) -> None:
    """Let something happen when the *number*th change is about to be received."""
    count = 0

    def fault(_: str) -> Response | None:
        nonlocal count
        if here.rig.patchwork.requests[-1][0] == "PATCH":
            count += 1
            if count == number and isinstance(answer := happens(), Response):
                return answer
        return None

    here.rig.patchwork.fault = fault


async def test_what_somebody_else_changes_meanwhile_is_left_alone(here: People) -> None:
    posted = here.rig.post("migration/a.c", patches=4)

    def eve() -> None:
        here.rig.patchwork.set_state(posted.patches[2], "rejected", "eve")
        here.rig.patchwork.set_state(posted.patches[3], "accepted", "eve")

    on_write(here, 2, eve)

    assert await here.chat("state 1 2 3 4 accepted") == snapshot("""\
2 patches (“[1/4] A series, part 1” and 1 more): New → Accepted, on sample, as bob.
“[4/4] A series, part 4”: Accepted already; nothing to change.
Not changed on sample, as bob: 1 patch.
• 3 “[3/4] A series, part 3”: it was changed meanwhile, and is Rejected
Undo: state 1 2 new\
""")
    assert states(here, posted) == ["accepted", "accepted", "rejected", "accepted"]
    assert writes(here) == ["1", "2"]


async def test_an_answer_that_is_lost_is_looked_for_and_nothing_more_is_tried(here: People) -> None:
    posted = here.rig.post("migration/a.c", patches=4)

    def lost() -> Response:
        here.rig.patchwork.set_state(posted.patches[1], "accepted", "bob")
        return Response(502, {"content-type": "text/html"}, b"<html>Bad Gateway")

    on_write(here, 2, lost)

    assert await here.chat("state 1 2 3 4 accepted") == snapshot("""\
2 patches (“[1/4] A series, part 1” and 1 more): New → Accepted, on sample, as bob.
Not changed on sample, as bob: 2 patches.
• 3 “[3/4] A series, part 3”, 4 “[4/4] A series, part 4”: not tried: HTTP 502
Undo: state 1 2 new\
""")
    assert writes(here) == ["1", "2"]


async def test_a_change_that_did_not_arrive_is_told_as_such(here: People) -> None:
    posted = here.rig.post("migration/a.c", patches=2)
    on_write(here, 1, lambda: Response(502, {"content-type": "text/html"}, b"<html>Bad Gateway"))

    assert await here.chat("state 1 2 accepted") == snapshot("""\
Not changed on sample, as bob: 2 patches.
• 1 “[1/2] A series, part 1”: HTTP 502, and the server shows New
• 2 “[2/2] A series, part 2”: not tried: HTTP 502\
""")
    assert states(here, posted) == ["new", "new"]


async def test_a_server_that_is_down_is_told_and_nothing_is_changed_by_what_is_known_of_it(here: People) -> None:
    await here.arrives("migration/a.c")
    here.rig.patchwork.fault = lambda _: Response(502, {"content-type": "text/html"}, b"<html>")

    assert await here.chat("state 1 accepted") == snapshot(
        "sample does not respond (HTTP 502, since 2026-01-01 00:01 UTC). Nothing was changed."
    )


async def test_words_that_make_no_sense_are_told(here: People) -> None:
    here.rig.post("migration/a.c")

    answers = [
        await here.chat(text) for text in ("state 1", "delegate 1", "delegate foo bob", "archive foo", "state 9 new")
    ]

    assert answers == snapshot(
        [
            "Which state? Type it behind the patches, for example: accepted",
            "To whom? Type an account behind the patches, or me, or nobody.",
            "“foo” is not a patch id, a message-id or a link.",
            "“foo” is not a patch id, a message-id or a link.",
            "There is no patch or series 9 on sample.",
        ]
    )


async def test_a_server_that_falls_silent_is_not_waited_for_longer_than_there_is_time_for_an_answer(
    here: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request may take half a minute, and an answer must come within one."""
    posted = here.rig.post("migration/a.c", patches=3)
    monkeypatch.setattr("bot.commands.act_runner.TO_END_SECONDS", 0.0)
    handle, sent = here.rig.transport.handle_async_request, list[str]()

    async def silent(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        if request.url.path.endswith("/patches/2/") and sent.count("PATCH") == 2:
            await asyncio.Event().wait()
        return await handle(request)

    monkeypatch.setattr(here.rig.transport, "handle_async_request", silent)

    assert await here.chat("state 1 2 3 accepted") == snapshot("""\
“[1/3] A series, part 1”: New → Accepted, on sample, as bob.
Not changed on sample, as bob: 2 patches.
• 2 “[2/3] A series, part 2”: unknown whether it was changed: no answer in time
• 3 “[3/3] A series, part 3”: not tried: no answer in time
Undo: state 1 new\
""")
    assert states(here, posted) == ["accepted", "new", "new"]


async def test_too_many_at_once_are_refused(here: People) -> None:
    posted = here.rig.post("migration/a.c", patches=201)
    url = f"https://patchwork.example.org/project/qemu-devel/list/?series={posted.series}"

    assert await here.chat(f"state {url} accepted") == snapshot(
        "That would change 201 patches; 200 at once are the most. Nothing was changed."
    )


async def test_patches_of_several_servers_are_changed_each_with_its_own_token(tmp_path: Path) -> None:
    async with acting_people(acting_rig(tmp_path, twin=True)) as here:
        await give_token(here)
        await give_token(here, server="twin")
        here.rig.post("migration/a.c", name="here")
        here.rig.twin.post_series(PROJECT, a_series("a.c", name="there"))

        assert await here.chat("state sample:1 twin:1 accepted") == snapshot("""\
“here”: New → Accepted, on sample, as bob.
Undo: state sample:1 new
“there”: New → Accepted, on twin, as bob.
Undo: state twin:1 new\
""")
        assert here.rig.twin.rows.patches[1].state == "accepted"
        assert await here.chat("token") == snapshot("""\
You gave me tokens for:
• sample, as bob, since 2026-01-01 00:00 UTC
• twin, as bob, since 2026-01-01 00:00 UTC\
""")


@pytest.mark.parametrize("api", ["1.1", "1.2"])
async def test_it_works_with_older_servers_as_well(tmp_path: Path, api: str) -> None:
    async with acting_people(acting_rig(tmp_path, api=api)) as here:
        assert "accepts your token, as bob" in await give_token(here)
        posted = here.rig.post("migration/a.c", patches=2)

        assert "New → Changes Requested" in await here.chat("state 1 2 changes requested")
        assert "nobody → bob" in await here.chat("delegate 1 me")
        assert "archived" in await here.chat("archive 2")
        assert states(here, posted) == ["changes-requested"] * 2


async def test_a_change_is_shown_on_the_card_once(here: People) -> None:
    await here.say("sub path:migration/")
    await here.arrives("migration/a.c", name="migration: Fix")
    asked: list[str] = []
    here.bot.early_polls.on_ask = asked.append

    await here.say("state 1 accepted", BOB)
    await here.rig.poll(here.bot)
    await here.rig.poll(here.bot)

    edits = [post for post in here.rig.chat.posted if post.message.edits is not None]
    assert asked == ["sample"]
    assert len(edits) == 1
    assert "Accepted" in edits[0].message.body


async def test_another_person_in_the_room_does_not_act_with_bobs_token(here: People) -> None:
    here.rig.post("migration/a.c")

    assert "no token of yours" in await here.say("state 1 accepted", ANN, RoomId("!room:hs"))


async def test_rows_of_the_last_list_are_what_their_numbers_say(here: People) -> None:
    first = here.rig.post("migration/a.c", name="first", patches=2)
    second = here.rig.post("migration/b.c", name="second")
    third = here.rig.post("docs/c.rst", name="third")
    await here.rig.poll(here.bot, times=2)
    listed = await here.chat("find path:migration/,docs/")
    assert [line[:4] for line in listed.splitlines() if line.startswith("•")] == ["• #1", "• #2", "• #3"]

    answer = await here.chat("state #1 #3 under review")

    assert (states(here, third), states(here, second)) == (["under-review"], ["new"])
    assert states(here, first) == ["under-review"] * 2
    assert answer == snapshot("""\
3 patches (“third” and 2 more): New → Under Review, on sample, as bob.
Undo: state 4 1 2 new\
""")
