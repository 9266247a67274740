"""Key exchange over a homeserver that stumbles: nobody misses a message, and nobody has to start the bot anew."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from support.element import Drawn, Elements
from support.fault_proxy import Fault, FaultProxy, cut, dropped_after_commit, json_500, proxied
from support.homeserver import Homeserver
from support.matrix_rig import Account
from support.rig import PROJECT, a_series
from support.run_rig import a_stage

ENDPOINTS = (
    "/keys/upload",
    "/keys/query",
    "/keys/claim",
    "/sendToDevice/",
    "/keys/device_signing/upload",
    "/keys/signatures/upload",
)


async def limited(_: FaultProxy, __: web.Request) -> web.StreamResponse:
    """A homeserver that asks for a little patience."""
    return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 50}, status=429)


FAULTS = (json_500, limited, cut, dropped_after_commit)


@dataclass
class OnceEach:
    """Each endpoint fails the first time that it is used."""

    fault: Fault
    failed: Counter[str] = field(default_factory=Counter)

    async def __call__(self, proxy: FaultProxy, request: web.Request) -> web.StreamResponse:
        """One request."""
        for endpoint in ENDPOINTS:
            if endpoint in request.path and not self.failed[endpoint]:
                self.failed[endpoint] += 1
                return await self.fault(proxy, request)
        return await proxy.passed_on(request)


def can_read_the_last(said: Sequence[Drawn]) -> bool:
    """Whether all is there that came since the second device is."""
    return len(said) == 4 and all(message.failure is None for message in said[-2:])


@dataclass(frozen=True, slots=True)
class Story:
    """What a person's two devices saw of the bot since there are two, and what failed until then and afterwards."""

    heard: tuple[Sequence[Drawn], Sequence[Drawn]]
    failed: set[str]
    failed_later: set[str]


async def story_of(account: Account, elements: Elements, fault: Fault, starting: asyncio.Lock) -> Story:
    """A bot meets a person, whose second device then writes; each key request fails once before that and once after."""
    ann = await elements.newcomer(only_signed=True)
    before, after = OnceEach(fault), OnceEach(fault)
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(proxied(account.homeserver))
        account.url = proxy.url
        stage = await stack.enter_async_context(a_stage(account))
        proxy.break_down("/_matrix/client/", before)
        async with starting:
            await stack.enter_async_context(stage.running())
        await ann.meet(stage.me)
        chat = await ann.create_direct(stage.me)
        await ann.hears(chat, stage.me, 1)  # the welcome
        await ann.say(chat, "sub path:migration/")
        await ann.hears(chat, stage.me, 2)
        proxy.break_down("/_matrix/client/", after)
        phone = await elements.another(ann, only_signed=True)
        await phone.say(chat, "version")
        stage.patchwork.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
        heard = [(await device.shows(chat, stage.me, can_read_the_last))[-2:] for device in (ann, phone)]
    return Story((heard[0], heard[1]), set(before.failed), set(after.failed))


@pytest.mark.timeout(900)
async def test_every_key_request_may_fail_in_every_way(
    homeserver: Homeserver, elements: Elements, tmp_path: Path
) -> None:
    """All bots at once, for most of their time passes with waiting until the next try; they start one by one."""
    starting = asyncio.Lock()
    accounts = {fault: Account(homeserver, tmp_path / fault.__name__) for fault in FAULTS}

    async with asyncio.TaskGroup() as group:
        told = [group.create_task(story_of(accounts[fault], elements, fault, starting)) for fault in FAULTS]

    for story in (task.result() for task in told):
        assert story.failed == set(ENDPOINTS)
        assert story.failed_later >= {"/keys/query", "/sendToDevice/"}
        assert all(message.is_trusted for heard in story.heard for message in heard)
