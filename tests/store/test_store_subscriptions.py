"""Subscriptions made in chat, and what is kept beside them, in each kind of database."""

from datetime import timedelta

from bot.ids import RoomId, SubscriptionId, UserId
from bot.query.parser import parse
from bot.store.store import Store
from bot.store.subscription_book import PROJECT, RoomCount
from bot.subscriptions.subscription import ChatSubscription, QueryContext
from support.store_rig import OTHER_ROOM, ROOM, StoreRig, a_notice

ANN = UserId("@ann:hs")
BOB = UserId("@bob:hs")
CHAT = RoomId("!chat:hs")


async def subscribed(store: Store, query: str, room: RoomId = ROOM, person: UserId | None = None) -> ChatSubscription:
    async with store.transaction() as tx:
        return await tx.subscriptions.add(room, person, parse(query), person or ANN)


async def told_in(store: Store, room: RoomId) -> list[str]:
    async with store.transaction() as tx:
        return [each.query for each in await tx.subscriptions.in_room(room)]


async def test_a_subscription_is_kept_as_it_was_made(store: Store, rig: StoreRig) -> None:
    made = await subscribed(store, "f:@example.org dfn:/migration/")

    async with store.transaction() as tx:
        found = await tx.subscriptions.get(made.id)

    canonical = "from:@example.org path:migration/"
    assert made == found == ChatSubscription(SubscriptionId(1), ROOM, None, canonical, ANN, rig.now)


async def test_an_id_is_never_given_twice(store: Store) -> None:
    await subscribed(store, "path:a/")
    newest = await subscribed(store, "path:b/")
    async with store.transaction() as tx:
        await tx.subscriptions.remove(newest.id)

    assert (await subscribed(store, "path:c/")).id == newest.id + 1


async def test_a_rooms_subscriptions_and_a_persons_are_apart(store: Store) -> None:
    of_room, of_ann, elsewhere, of_bob = [
        await subscribed(store, "path:a/", room, person)
        for room, person in ((ROOM, None), (ROOM, ANN), (CHAT, ANN), (ROOM, BOB))
    ]

    async with store.transaction() as tx:
        assert await tx.subscriptions.of_owner(ROOM, None) == [of_room]
        assert await tx.subscriptions.of_owner(ROOM, ANN) == [of_ann, elsewhere]
        assert await tx.subscriptions.in_room(ROOM) == [of_room, of_ann, of_bob]


async def test_a_subscription_is_edited_and_muted_and_keeps_the_rest(store: Store, rig: StoreRig) -> None:
    made = await subscribed(store, "path:a/")
    until = rig.now + timedelta(hours=2)

    async with store.transaction() as tx:
        await tx.subscriptions.edit(made.id, parse("path:b/"))
        await tx.subscriptions.mute(made.id, until)
        found = await tx.subscriptions.get(made.id)

    assert found == ChatSubscription(made.id, ROOM, None, "path:b/", ANN, made.added_at, until)


async def test_a_query_stands_in_its_rooms_project_and_its_owners_addresses(store: Store) -> None:
    of_room = await subscribed(store, "path:a/")
    of_ann = await subscribed(store, "is:mine", CHAT, ANN)

    async with store.transaction() as tx:
        await tx.subscriptions.set(ROOM, PROJECT, "qemu-devel")
        await tx.subscriptions.add_address(ANN, "b@example.org")
        await tx.subscriptions.add_address(ANN, "a@example.org")
        await tx.subscriptions.add_address(BOB, "bob@example.org")
        everything = await tx.subscriptions.load_all()
        standings = [await tx.subscriptions.context_of(each) for each in (of_room, of_ann)]

    assert standings == [QueryContext("qemu-devel"), QueryContext("", ("a@example.org", "b@example.org"))]
    assert everything.subscriptions == ((of_room, standings[0]), (of_ann, standings[1]))


async def test_a_setting_is_replaced_and_goes_back_to_its_default(store: Store) -> None:
    async with store.transaction() as tx:
        for value in ("1", "2"):
            await tx.subscriptions.set(ROOM, "flood", value)
        assert await tx.subscriptions.settings(ROOM) == {"flood": "2"}

        await tx.subscriptions.set(ROOM, "flood", None)
        assert await tx.subscriptions.settings(ROOM) == {}


async def test_a_room_in_the_place_of_another_takes_over_all_that_was_asked_for_and_set(
    store: Store, rig: StoreRig
) -> None:
    until = rig.now + timedelta(hours=2)
    await subscribed(store, "path:a/")
    async with store.transaction() as tx:
        await tx.subscriptions.set(ROOM, PROJECT, "qemu-devel")
        await tx.subscriptions.set(ROOM, "flood", "5")
        await tx.subscriptions.set(OTHER_ROOM, "flood", "7")
        await tx.subscriptions.mute_room(ROOM, until)

    async with store.transaction() as tx:
        await tx.session.move(ROOM, OTHER_ROOM)

        assert await tx.subscriptions.settings(OTHER_ROOM) == {PROJECT: "qemu-devel", "flood": "7"}
        assert await tx.subscriptions.settings(ROOM) == {}
        assert await tx.subscriptions.muted_until(OTHER_ROOM) == until
        assert await tx.subscriptions.muted_until(ROOM) is None
    assert await told_in(store, OTHER_ROOM) == ["path:a/"]


async def test_a_new_chat_takes_the_place_of_chats_that_we_are_out_of(store: Store) -> None:
    """Not of one that is open, of a room, or of a chat where others are told, too."""
    left, suspended, open_, shared, room = (RoomId(f"!{number}:hs") for number in range(5))
    for chat in (left, suspended, open_, shared):
        await subscribed(store, "path:a/", chat, ANN)
    await subscribed(store, "path:a/", shared, BOB)
    await subscribed(store, "path:a/", room)
    async with store.transaction() as tx:
        await tx.session.suspend(suspended)
        for each in (left, shared, room):
            await tx.session.leave(each)

        assert await tx.subscriptions.former_chats(ANN, CHAT) == [left, suspended]
        assert await tx.subscriptions.former_chats(BOB, CHAT) == []


async def test_a_room_that_we_left_is_as_before_when_we_are_back(store: Store) -> None:
    await subscribed(store, "path:a/")

    async with store.transaction() as tx:
        await tx.session.leave(ROOM)
        away = (await tx.subscriptions.load_all()).left
        out = await tx.session.rooms_out()
        await tx.session.resume(ROOM)

        assert away == {ROOM}
        assert out == {ROOM}
        assert (await tx.subscriptions.load_all()).left == frozenset()
        assert await tx.session.rooms_out() == frozenset()
        assert await tx.subscriptions.count_by_room() == [RoomCount(ROOM, None, 1)]


async def test_a_room_that_we_left_is_forgotten_where_nothing_was_asked_for(store: Store, rig: StoreRig) -> None:
    async with store.transaction() as tx:
        await tx.session.leave(ROOM)

    assert rig.count("room") == 0


async def test_what_waits_for_a_chat_goes_along_to_the_one_in_its_place(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.session.suspend(ROOM)
        await tx.outbox.add([a_notice("card/1")])

    async with store.transaction() as tx:
        await tx.session.move(ROOM, CHAT)
        await tx.session.resume(CHAT)

        assert [(each.key, each.room) for each in await tx.outbox.unsent()] == [("card/1", CHAT)]
