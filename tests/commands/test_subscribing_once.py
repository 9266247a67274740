"""A command that changes something is carried out once, whatever breaks on the way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.commands import answer_inbox as answer
from bot.errors import StoreError
from bot.ids import EventId
from bot.store.inbox_book import InboxBook, InboxMessage
from bot.store.store import Store, Transaction
from bot.store.subscription_book import SubscriptionBook
from support.people_rig import ANN, People, a_rig, people
from support.rig import ROOM, Rig
from support.titles import title_of


async def hear(here: People, text: str) -> None:
    """Ann says *text*, and nothing is answered yet."""
    async with here.bot.store.transaction() as tx:
        await tx.inbox.add(InboxMessage(ROOM, EventId("$once"), ANN, f"!pw {text}", here.rig.clock.now()))


def answers(rig: Rig) -> list[str]:
    """The first lines of what was answered."""
    return [title_of(body) for body in rig.chat.bodies(ROOM)]


def broken(*_: object) -> None:
    """As when the database goes away."""
    raise StoreError("the database went away")


@pytest.mark.parametrize(
    ("text", "told", "state"),
    [
        ("sub path:docs/", "Subscribed, as 2: path:docs/", "• 2 · path:docs/"),
        ("edit 1 path:docs/", "Subscription 1 is now: path:docs/", "• 1 · path:docs/"),
        (
            "mute 1",
            "Subscription 1 is muted until it is unmuted.",
            "• 1 · path:migration/ until",
        ),
        ("unsub 1", "Subscription 1 has ended.", "This room has no subscriptions."),
    ],
)
@pytest.mark.parametrize(("place", "name"), [(InboxBook, "answered"), (answer, "notice")], ids=["before", "after"])
async def test_a_crash_beside_the_change_leaves_one_change_and_one_answer(  # noqa: PLR0917  # two tables of cases
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str, text: str, told: str, state: str
) -> None:
    """Before it is written nothing has happened; after that it is answered already."""
    rig = a_rig(tmp_path)
    async with people(rig) as here:
        await here.say("sub path:migration/")
        await hear(here, text)
        with monkeypatch.context() as patched:
            patched.setattr(place, name, broken)
            with pytest.raises(StoreError):
                await here.bot.answerer.answer_all()
    async with people(rig) as again:
        assert answers(rig) == ["Subscribed, as 1: path:migration/", told]
        assert state in await again.say("subs")


async def test_what_was_changed_before_a_crash_is_heard_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = a_rig(tmp_path)
    async with people(rig) as here:
        await hear(here, "sub path:migration/")
        with monkeypatch.context() as patched:
            patched.setattr(answer, "notice", broken)
            with pytest.raises(StoreError):
                await here.bot.answerer.answer_all()
    async with people(rig) as again:
        await again.arrives("migration/a.c", name="Heard")

        assert again.titles() == ["Heard"]


async def test_a_change_whose_commit_was_not_heard_of_is_heard_before_the_next_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the database is killed between the commit and its answer."""
    added: list[object] = []
    add, transaction = SubscriptionBook.add, Store.transaction

    async def adding(book: SubscriptionBook, *what: Any) -> Any:
        added.append(what)
        return await add(book, *what)

    @asynccontextmanager
    async def unheard(store: Store) -> AsyncIterator[Transaction]:
        async with transaction(store) as tx:
            yield tx
        if added:
            added.clear()
            raise StoreError("gone")

    async with people(a_rig(tmp_path)) as here:
        monkeypatch.setattr(SubscriptionBook, "add", adding)
        monkeypatch.setattr(Store, "transaction", unheard)
        with pytest.raises(StoreError):
            await here.say("sub path:migration/")
        await here.arrives("migration/a.c", name="Told")

        assert here.titles() == ["Told"]
