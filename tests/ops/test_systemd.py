"""What systemd is told, over a real socket, and how tight the unit holds the service."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.ops.systemd import ServiceManager, watched
from support.programs import program

UNIT = Path(__file__).parents[2] / "deploy" / "patchbot.service"


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        yield channel


async def test_systemd_hears_of_the_start_of_signs_of_life_and_of_the_end(channel: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": channel.getsockname(), "WATCHDOG_USEC": "20000"})
    heard: list[str] = []

    async with watched(manager):
        while heard.count("WATCHDOG=1") < 3:
            told = await asyncio.get_running_loop().sock_recv(channel, 4096)
            heard += told.decode().splitlines()
    heard += channel.recv(4096).decode().splitlines()

    assert heard[0] == "READY=1"
    assert "STOPPING=1" in heard


async def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0patchbot-test-{os.getpid()}")
        ServiceManager({"NOTIFY_SOCKET": f"@patchbot-test-{os.getpid()}"}).tell("READY=1")

        assert channel.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, None),
        ({"NOTIFY_SOCKET": "/run/notify"}, None),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "60000000"}, 60.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "0"}, None),
    ],
)
def test_signs_of_life_are_sent_only_where_they_are_asked_for(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert ServiceManager(environment).watchdog_seconds == seconds


async def test_a_manager_that_is_gone_hinders_nothing(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with watched(ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")})):
            pass

    assert [(each["event"], each["said"][0]) for each in logs] == [
        ("systemd.notify_failed", "READY=1"),
        ("systemd.notify_failed", "STOPPING=1"),
    ]


def test_the_unit_exposes_little() -> None:
    """Systemd's own measure, of which 0 exposes nothing and 10 everything."""
    command = [program("systemd-analyze", "systemd"), "security", "--offline=yes", "--threshold=15", str(UNIT)]

    judged = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own unit

    assert judged.returncode == 0, judged.stdout.splitlines()[-1]


def test_the_unit_bounds_the_memory_and_leaves_no_copy_of_it() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#")

    assert settings["MemoryMax"] == "1G"
    assert settings["LimitCORE"] == "0"
