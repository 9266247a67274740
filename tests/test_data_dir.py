"""The installation's id: random, kept, and sent with every request to a Patchwork server."""

import re
import shutil
from pathlib import Path

import httpx
import pytest

from bot import __version__, data_dir
from bot.data_dir import ID_FILE, installation_id, instance_name, known_id, locked
from bot.errors import StoreError
from bot.sample_patchwork.server import SampleTransport
from support.rig import Rig


def test_an_id_is_made_once_and_is_for_the_bot_alone(tmp_path: Path) -> None:
    made = installation_id(tmp_path / "new")

    assert re.fullmatch("[0-9a-f]{16}", made)
    assert installation_id(tmp_path / "new") == made
    assert (tmp_path / "new" / ID_FILE).stat().st_mode & 0o777 == 0o600


def test_two_installations_have_two_ids(tmp_path: Path) -> None:
    assert installation_id(tmp_path / "one") != installation_id(tmp_path / "two")


def test_an_id_that_a_backup_left_readable_is_made_private(tmp_path: Path) -> None:
    made = installation_id(tmp_path)
    (tmp_path / ID_FILE).chmod(0o644)

    assert installation_id(tmp_path) == made
    assert (tmp_path / ID_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"0123456789abcdeg", b"0123456789abcdef\r\nX: y"])
def test_a_file_that_holds_no_id_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ID_FILE).write_bytes(content)

    assert known_id(tmp_path) is None
    made = installation_id(tmp_path)
    assert known_id(tmp_path) == made


def test_a_folder_that_cannot_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"store\.data_dir: .*/file/installation-id cannot be written"):
        installation_id(tmp_path / "file")


def test_a_locked_folder_has_one_name_that_a_copy_of_it_has_not(tmp_path: Path) -> None:
    names = []
    for _ in range(2):
        with locked(tmp_path / "one"):
            names.append(instance_name(tmp_path / "one"))
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    with locked(tmp_path / "copy"):
        names.append(instance_name(tmp_path / "copy"))

    assert names[0] == names[1] != names[2]


def test_where_the_machine_does_not_tell_its_name_each_process_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_dir, "_BOOT_ID", tmp_path / "hidden")
    with locked(tmp_path):
        assert instance_name(tmp_path) != instance_name(tmp_path)


class AgentTransport(SampleTransport):
    """A sample server that notes who asks."""

    agents: set[str]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the User-Agent, then answer."""
        self.agents.add(request.headers["user-agent"])
        return await super().handle_async_request(request)


async def test_every_request_says_the_same_id_after_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.transport = transport = AgentTransport(rig.patchwork)
    transport.agents = set()

    for _ in range(2):
        async with rig.running() as bot:
            rig.post("migration/ram.c", patches=2)
            await rig.poll(bot, times=2)

    assert transport.agents == {
        f"patchwork-matrix-bot/{__version__} (@bot:hs.example.org; installation {known_id(tmp_path)})"
    }
