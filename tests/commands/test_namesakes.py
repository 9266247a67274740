"""A project of one name on several servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from support.people_rig import People, a_rig, people
from support.rig import PROJECT, a_series

SECTIONS = "Migration\nM: Ada Beispiel <ada@example.org>\nF: migration/\n"
BOTH = "qemu-devel is a project on sample and twin, and all of them count; "
BOTH += "for one alone, add server:sample or server:twin."


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[People]:
    rig = a_rig(tmp_path)
    rig.has_twin = True
    rig.maintainers = str(tmp_path / "MAINTAINERS")
    (tmp_path / "MAINTAINERS").write_text(SECTIONS)
    async with people(rig) as here:
        yield here


@pytest.mark.parametrize(
    "command",
    [
        "sub project:qemu-devel path:migration/",
        "sub project:Qemu-Devel maint:migration",
        "test project:qemu-devel path:migration/ 7d",
        "find project:qemu-devel path:migration/",
        "set project qemu-devel",
    ],
)
async def test_that_several_servers_have_it_is_said_with_how_to_choose(here: People, command: str) -> None:
    assert BOTH in await here.say(command)


@pytest.mark.parametrize(
    "command",
    [
        "sub path:migration/",
        "sub project:qemu-devel server:twin path:migration/",
        "find project:qemu-devel server:sample path:migration/",
        "find path:migration/",
        "set project none",
    ],
)
async def test_where_the_server_is_named_or_no_project_nothing_is_said(here: People, command: str) -> None:
    assert "is a project on" not in await here.say(command)


async def test_the_project_that_is_set_here_is_one_that_is_named(here: People) -> None:
    await here.say("set project qemu-devel")

    assert BOTH in await here.say("find path:migration/")
    assert BOTH in await here.say("sub path:migration/")


async def test_the_file_of_the_server_that_has_one_is_that_of_its_namesake(here: People) -> None:
    subscribed = await here.say("sub project:qemu-devel server:twin maint:migration")
    here.rig.twin.post_series(PROJECT, a_series("migration/ram.c", name="migration: Fix it"))
    await here.rig.poll(here.bot, times=2)

    assert "maint:migration" in subscribed
    assert here.titles() == ["migration: Fix it"]
    assert (await here.say("find maint:migration")).split("\n")[0] == snapshot("1 match for maint:migration")
    assert "is not a section" in await here.say("sub server:twin maint:migratoin")
