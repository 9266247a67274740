"""Element's SDK talks to itself: what the tests with the bot build on."""

import asyncio

from aiohttp import web

from support.element import ElementHost, Elements
from support.fault_proxy import FaultProxy, proxied
from support.friend import Friend
from support.homeserver import Homeserver

UNSIGNED = "UNSIGNED_SENDER_DEVICE"


async def test_two_people_read_each_other_without_a_warning(elements: Elements) -> None:
    ann, bob = [await elements.newcomer(only_signed=True) for _ in range(2)]
    chat = await ann.create_direct(bob.user)
    await bob.join(chat)

    question = await ann.say(chat, "Who is there?")
    await bob.hears(chat, ann.user)
    await bob.say(chat, "Me.")
    await ann.edit(chat, question, "Who's there?")

    (answer,) = await ann.hears(chat, bob.user)
    (asked,) = await bob.shows(chat, ann.user, lambda drawn: [message.body for message in drawn] == ["Who's there?"])
    assert answer.body == "Me."
    assert asked.original["body"] == "Who is there?"
    assert answer.is_trusted
    assert asked.is_trusted


async def test_another_device_reads_and_is_read(elements: Elements) -> None:
    ann, bob = [await elements.newcomer(only_signed=True) for _ in range(2)]
    phone = await elements.another(ann, only_signed=True)
    await ann.meet(bob.user)
    await phone.meet(bob.user)
    chat = await ann.create_direct(bob.user)
    await bob.join(chat)

    await bob.say(chat, "Hello")
    (heard,) = await phone.hears(chat, bob.user)
    await phone.say(chat, "Hello yourself")
    (answer,) = await bob.hears(chat, ann.user)

    assert heard.is_trusted
    assert answer.is_trusted
    assert (await bob.trust(ann.user)).devices == {ann.device: True, phone.device: True}


async def test_who_is_not_signed_by_an_owner_is_neither_read_nor_written_to(elements: Elements, friend: Friend) -> None:
    """What would become of a bot that did not sign its device: nio cannot sign its own."""
    eve = await elements.newcomer(only_signed=True)
    chat = await eve.create_direct(friend.user)
    await friend.person.join(chat)

    await friend.say(chat, "Let me in")
    await eve.say(chat, "Who is there?")

    (lost,) = await eve.shows(chat, friend.user, lambda drawn: any(message.failure == UNSIGNED for message in drawn))
    assert "Let me in" not in lost.body
    (said,) = await friend.reads(chat, eve.user)
    assert said.startswith("cannot be read")


async def test_who_is_not_signed_by_an_owner_is_read_with_a_warning_where_that_is_allowed(
    elements: Elements, friend: Friend
) -> None:
    eve = await elements.newcomer()
    chat = await eve.create_direct(friend.user)
    await friend.person.join(chat)

    await friend.say(chat, "Let me in")
    await eve.say(chat, "Who is there?")

    (heard,) = await eve.hears(chat, friend.user)
    assert (heard.body, heard.shield, heard.reason) == ("Let me in", "RED", "UNSIGNED_DEVICE")
    assert await friend.reads(chat, eve.user) == ["Who is there?"]


async def test_what_comes_before_the_keys_of_its_sender_is_never_read_where_unsigned_devices_are_excluded(
    element_host: ElementHost, homeserver: Homeserver
) -> None:
    """Why `meet` is called: not even a sender who has been signed for long is read then."""
    arrived = asyncio.Event()
    async with proxied(homeserver) as proxy, Elements(element_host, homeserver) as elements:
        bob = await elements.newcomer(only_signed=True)
        elements.url = proxy.url
        ann = await elements.newcomer(only_signed=True)

        async def keys_of_bob_held(_: FaultProxy, request: web.Request) -> web.StreamResponse:
            if bob.user in await request.text():
                await arrived.wait()
            return await proxy.passed_on(request)

        proxy.break_down("/keys/query", keys_of_bob_held)
        chat = await ann.create_direct(bob.user)
        await bob.join(chat)
        await bob.say(chat, "Hello")
        (lost,) = await ann.shows(chat, bob.user, lambda drawn: len(drawn) == 1)
        arrived.set()
        await ann.meet(bob.user)
        await bob.say(chat, "Hello again")
        said = await ann.shows(chat, bob.user, lambda drawn: drawn[-1].body == "Hello again")

    assert lost.failure == UNSIGNED
    assert [message.failure for message in said] == [UNSIGNED, None]
