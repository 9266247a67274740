"""People who change patches from the chat, in virtual time."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.ids import UserId
from bot.sample_patchwork.patchwork import PostedSeries
from support.people_rig import BOB, CHAT, People, a_rig, people
from support.rig import PROJECT, Rig

MAINTAINER = "bob"  # Bob's account; Ann's is no maintainer's


def acting_rig(folder: Path, *, api: str = "1.3", twin: bool = False) -> Rig:
    """A rig where Bob maintains the project, under an account of his own name."""
    rig = a_rig(folder)
    rig.has_twin = twin
    rig.room_rights.people[CHAT] = frozenset({BOB})
    for server in (rig.patchwork, rig.twin):
        server.api_versions = tuple(each for each in ("1.0", "1.1", "1.2", "1.3") if each <= api)
        server.set_profiles_ahead(1)
        server._tables.projects.rows.clear()
        server.add_project(PROJECT, "QEMU", maintainers=(MAINTAINER, "carol"))
    return rig


@asynccontextmanager
async def acting_people(rig: Rig) -> AsyncIterator[People]:
    """Everybody writes encrypted messages."""
    async with people(rig) as here:
        here.encrypted = True
        yield here


async def give_token(here: People, who: UserId = BOB, account: str = MAINTAINER, server: str = "sample") -> str:
    """Let Bob give his token in his direct chat; the answer."""
    token = (here.rig.twin if server == "twin" else here.rig.patchwork).add_token(account)
    return await here.chat(f"token {server} {token}", who)


def states(here: People, posted: PostedSeries) -> list[str]:
    """The states of a series' patches, as the server has them."""
    rows = here.rig.patchwork.rows.patches
    return [rows[patch].state for patch in posted.patches]


def writes(here: People) -> list[str]:
    """The patches that were written to, in order."""
    found = [
        re.search(r"/patches/(\d+)/", path) for method, path, _ in here.rig.patchwork.requests if method == "PATCH"
    ]
    return [match[1] for match in found if match]


async def say_undo(here: People, answer: str) -> str:
    """Type the undo of an answer in Bob's direct chat; the answer to it."""
    (undo,) = re.findall(r"^Undo: (.*)$", answer, re.MULTILINE)
    return await here.say(undo.removeprefix("!pw "), BOB, CHAT)
