"""Giving the bot an API token: where it is taken, where it is refused, and where it is not to be found afterwards."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from inline_snapshot import snapshot
from prometheus_client import generate_latest

from bot.data_dir import KEY_FILE
from bot.ids import EventId, UserId
from bot.patchwork.tokens import ApiToken
from bot.sample_patchwork.request import Response
from bot.store.inbox_book import InboxMessage
from bot.store.vault import Vault
from support.acting_rig import MAINTAINER, acting_people, acting_rig, give_token
from support.people_rig import ANN, BOB, CHAT, People
from support.rig import ROOM, a_series

STRANGER = UserId("@stranger:hs")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[People]:
    async with acting_people(acting_rig(tmp_path)) as here:
        yield here


def a_token(here: People) -> str:
    return here.rig.patchwork.add_token(MAINTAINER)


def rows(here: People) -> int:
    """How many tokens are stored."""
    return len(stored(here, "token"))


def stored(here: People, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(here.rig.folder / "bot.db")) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # a table of ours


async def test_a_token_is_checked_kept_and_its_message_redacted(here: People) -> None:
    token = a_token(here)

    assert await here.chat(f"token sample {token}") == snapshot("""\
sample accepts your token, as bob. I keep it encrypted, and use it for what you type alone.
I deleted your message with it.
Undo: token forget sample\
""")
    assert [room for room, _ in here.rig.room_rights.redacted] == [CHAT]
    assert rows(here) == 1


async def test_who_may_not_redact_asks_the_person_to_do_it(here: People) -> None:
    here.rig.room_rights.may_redact = False

    assert (await here.chat(f"token sample {a_token(here)}")).splitlines()[1] == snapshot(
        "Please delete your message with it: I may not do that here."
    )


async def test_a_wrong_token_is_refused_at_once(here: People) -> None:
    assert await here.chat(f"token sample {'0123456789' * 4}") == snapshot("""\
sample does not accept that token (HTTP 403: Invalid token.).
I did not keep the token. I deleted your message with it.\
""")
    assert rows(here) == 0


async def test_a_token_that_cannot_be_checked_is_not_kept(here: People) -> None:
    here.rig.patchwork.fault = lambda _: Response(502, {"content-type": "text/html"}, b"<html>")

    answer = await here.chat(f"token sample {'0123456789' * 4}")

    assert "so I could not check the token." in answer
    assert rows(here) == 0


async def in_clear(here: People) -> str:
    here.encrypted = False
    return await here.chat(f"token sample {a_token(here)}")


async def with_somebody_else(here: People) -> str:
    here.rig.room_rights.people[CHAT] = frozenset({BOB, STRANGER})
    return await here.chat(f"token sample {a_token(here)}")


REFUSED: dict[str, Callable[[People], Awaitable[str]]] = {
    "in a room": lambda here: here.say(f"token sample {a_token(here)}", BOB, ROOM),
    "misspelled in a room": lambda here: here.say(f"tokn sample {a_token(here)}", BOB, ROOM),
    "in a chat that is not encrypted": in_clear,
    "in a chat with somebody else": with_somebody_else,
    "in the chat of another": lambda here: here.chat(f"token sample {a_token(here)}", ANN),
}


@pytest.mark.parametrize("where", REFUSED)
async def test_a_token_is_taken_nowhere_else_and_a_new_one_advised(here: People, where: str) -> None:
    answer = await REFUSED[where](here)

    assert answer.startswith("Tokens are taken only in an encrypted direct chat with me, where nobody else is")
    assert "Make a new token on your profile page there, which makes this one invalid." in answer
    assert "I deleted your message with it." in answer
    assert len(here.rig.room_rights.redacted) == 1
    assert rows(here) == 0
    assert not [path for method, path, _ in here.rig.patchwork.requests if "users" in path]


async def test_a_message_to_others_is_none_of_the_bot_s_business(here: People) -> None:
    before = len(here.rig.chat.posted)
    await here.bot.receive(InboxMessage(ROOM, EventId("$x"), BOB, f"my token is {a_token(here)}", here.rig.clock.now()))
    await here.bot.settle()

    assert len(here.rig.chat.posted) == before
    assert here.rig.room_rights.redacted == []
    assert stored(here, "inbox") == []


async def test_a_commit_id_that_may_be_a_token_is_not_searched_for(here: People) -> None:
    assert (await here.say(f"find {'0123456789' * 4}")).startswith("A word of that looks like an API token")
    assert "0123456789" in await here.say(f"find subject:{'0123456789' * 4}")


async def test_a_server_that_is_not_there_or_not_named_is_asked_for(tmp_path: Path) -> None:
    async with acting_people(acting_rig(tmp_path, twin=True)) as here:
        token = a_token(here)

        assert await here.chat(f"token sampl {token}") == snapshot("""\
There is no server “sampl” here. Did you mean sample?
Watched: sample, twin.
I did not keep the token. I deleted your message with it.\
""")
        assert (await here.chat(token)).startswith("For which server?")
        assert "sample accepts your token" in await here.chat(f"token {token} for SAMPLE")
        assert here.rig.twin.requests == [each for each in here.rig.twin.requests if "/users" not in each[1]]


async def test_the_only_server_need_not_be_named(here: People) -> None:
    assert "sample accepts your token" in await here.chat(a_token(here))


async def test_an_account_is_found_by_the_addresses_of_a_person(here: People) -> None:
    token = here.rig.patchwork.add_token("zed")
    await here.chat("me zed@example.org")

    assert "sample accepts your token, as zed." in await here.chat(f"token sample {token}")


async def test_an_account_that_cannot_be_found_out_is_learnt_when_it_is_named(here: People) -> None:
    here.rig.patchwork.post_series("qemu-devel", a_series("a.c"))
    token = here.rig.patchwork.add_token("zed")

    assert await here.chat(f"token sample {token}") == snapshot("""\
sample accepts your token. I keep it encrypted, and use it for what you type alone.
Which account it belongs to I could not find out; “delegate … me” needs that.
I deleted your message with it.
Undo: token forget sample\
""")
    assert "I do not know which account of sample is yours." in await here.chat("delegate 1 me")
    await here.chat("delegate 1 zed")
    assert "sample, as zed, since" in await here.chat("token")


async def test_tokens_are_listed_and_forgotten(here: People) -> None:
    assert (await here.chat("token")).startswith("I have no token of yours.")
    await give_token(here)

    assert "• sample, as bob, since 2026-01-01 00:00 UTC" in await here.chat("token")
    assert await here.chat("token forget SAMPLE") == snapshot(
        "Your token for sample is forgotten. To make it invalid, make a new one there."
    )
    assert rows(here) == 0
    assert await here.chat("token forget sample") == "I have no token of yours for sample."


async def test_whoever_writes_the_database_cannot_make_bobs_token_anns(here: People) -> None:
    await give_token(here)
    here.rig.patchwork.post_series("qemu-devel", a_series("a.c"))
    async with here.bot.store.transaction() as tx:
        token = await tx.tokens.get(BOB, here.bot.watches[0][0].server)
        assert token is not None
        await tx.tokens.put(replace(token, person=ANN))

    assert "no token of yours" in await here.say("state 1 accepted", ANN)


async def test_a_lost_key_means_that_tokens_are_asked_for_again(tmp_path: Path) -> None:
    rig = acting_rig(tmp_path)
    async with acting_people(rig) as here:
        await give_token(here)
    (tmp_path / KEY_FILE).unlink()

    async with acting_people(rig) as here:
        here.rig.patchwork.post_series("qemu-devel", a_series("a.c"))
        assert "no token of yours" in await here.chat("state 1 accepted")
        await give_token(here)
        assert "New → Accepted" in await here.chat("state 1 accepted")


async def test_a_token_is_in_no_file_no_answer_no_log_and_no_metric(
    here: People, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    posted = here.rig.patchwork.post_series("qemu-devel", a_series("a.c", patches=2))
    token = a_token(here)
    for text in (f"token sample {token}", f"tokn {token}", f"find {token}", f"state 1 {token}", f"export {token}"):
        await here.chat(text)
        await here.say(text)
    await here.chat(f"state {posted.patches[0]} accepted")
    here.rig.patchwork.revoke_tokens(MAINTAINER)
    await here.chat(f"state {posted.patches[1]} accepted")
    await here.chat("export")
    await here.chat("status")
    await fail(here, lambda: f"token sample {token}")

    answers = [part for post in here.rig.chat.posted for part in (post.message.body, post.message.html)]
    files = [path for path in here.rig.folder.rglob("*") if path.is_file()]
    said = capsys.readouterr()
    assert [text for text in answers if token in text] == []
    assert [path for path in files if token.encode() in path.read_bytes()] == []
    assert token not in caplog.text
    assert token not in said.out + said.err
    assert token.encode() not in generate_latest()
    assert token not in repr(here.rig.patchwork.requests)


async def fail(here: People, text: Callable[[], str]) -> None:
    """A fault of the bot, in a command with a token."""

    def broken(*_: object) -> ApiToken:
        raise RuntimeError("a fault")

    opened = Vault.open
    Vault.open = broken  # type: ignore[assignment, method-assign] # the bot is to be broken here
    try:
        assert "bug in the bot" in await here.chat(text())
    finally:
        Vault.open = opened  # type: ignore[method-assign] # as before
