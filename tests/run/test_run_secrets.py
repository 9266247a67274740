"""What the real process prints, serves and keeps in its worst moments: no password, no token."""

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from support.run_rig import ROOT

pytestmark = pytest.mark.slow

PASSWORD = "hunter2-and-more"  # noqa: S105  # invented, as all here
TOKEN = "syt_secret_of_the_device"  # noqa: S105
PROXY_PASSWORD = "what-the-proxy-wants"  # noqa: S105
DATABASE_PASSWORD = "what-postgres-wants"  # noqa: S105
SECRETS = (PASSWORD, TOKEN, PROXY_PASSWORD, DATABASE_PASSWORD)
USER = "@patchbot:hs.test"
API = "/_matrix/client/v3"
WAIT_SECONDS = 240


@dataclass
class Homeserver:
    """Knows one account; *refuse* is what it answers to whom it knows: a status and an error code."""

    logins: list[object] = field(default_factory=list)
    syncs: int = 0
    login_status: int = 200
    refuse: tuple[int, str] | None = None

    async def log_in(self, request: web.Request) -> web.Response:
        """Give a token away."""
        self.logins.append((await request.json())["password"])
        if self.login_status != 200:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "Invalid password"}, status=self.login_status)
        return web.json_response({"user_id": USER, "device_id": "DEVICE", "access_token": TOKEN})

    async def answer(self, request: web.Request) -> web.Response:
        """Everything else."""
        self.syncs += request.path.endswith("/sync")
        if self.refuse is not None:
            status, code = self.refuse
            return web.json_response({"errcode": code, "error": "no", "soft_logout": False}, status=status)
        return web.json_response({"next_batch": f"s{self.syncs}", "rooms": {}})


@asynccontextmanager
async def served(homeserver: Homeserver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post(f"{API}/login", homeserver.log_in)
    app.router.add_route("*", "/{path:.*}", homeserver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@dataclass
class Told:
    """All that a process let out: its streams, its pages, its arguments; *status* is None where it was still there."""

    status: int | None
    text: str


class Trial:
    """A bot of one configuration, told of its secrets by the environment."""

    def __init__(self, folder: Path, url: str, **secrets: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PATCHBOT_")},
            "PYTHONPATH": str(ROOT),
            "PYTHONASYNCIODEBUG": "1",
            "PATCHBOT_MATRIX__PASSWORD": PASSWORD,
            **secrets,
        }
        (folder / "config.toml").write_text(
            f'[matrix]\nhomeserver = "{url}"\nuser_id = "{USER}"\n[web]\nlisten = "127.0.0.1:{self.port}"\n'
            f'[store]\nurl = "sqlite:///{folder}/data/bot.db"\ndata_dir = "{folder}/data"\n'
            f'[[patchwork]]\nname = "p"\nurl = "{url}"\nprojects = ["q"]\npoll_interval_seconds = 1\n'
        )

    async def run(self, enough: Callable[[str], bool]) -> Told:
        """Start it, and end it when its log and its pages say *enough*, or it ends by itself."""
        log = self.folder / "log.txt"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-X", "dev", "-m", "bot.cli", "run", "--config", str(self.folder / "config.toml")),
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        pages = ""
        arguments = await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_text)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while process.returncode is None and not enough(log.read_text() + pages):
                    await asyncio.sleep(0.1)  # between two looks at another process
                    pages = await self._pages() or pages
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        return Told(process.returncode, log.read_text() + pages + arguments)

    async def _pages(self) -> str:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answers = [await client.get(f"http://127.0.0.1:{self.port}/{page}") for page in ("readyz", "metrics")]
        except httpx.HTTPError:
            return ""
        return "\n".join(answer.text for answer in answers)


def found_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def modes(folder: Path) -> dict[str, str]:
    """The modes of what the bot made."""
    data = folder / "data"
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in (data, *data.rglob("*"))}


async def test_a_refused_login_names_no_password(tmp_path: Path) -> None:
    homeserver = Homeserver(login_status=403)
    async with served(homeserver) as url:
        told = await Trial(tmp_path, url).run(lambda _: False)

    assert homeserver.logins == [PASSWORD]
    assert told.status == 2
    assert "matrix.password" in told.text
    assert found_in(told.text) == []


async def test_a_session_that_was_ended_names_no_token(tmp_path: Path) -> None:
    homeserver = Homeserver(refuse=(401, "M_UNKNOWN_TOKEN"))
    async with served(homeserver) as url:
        told = await Trial(tmp_path, url).run(lambda _: False)

    assert "has ended the session" in told.text
    assert found_in(told.text) == []


async def test_a_token_that_is_refused_is_not_named(tmp_path: Path) -> None:
    homeserver = Homeserver(refuse=(401, "M_UNKNOWN_TOKEN"))
    async with served(homeserver) as url:
        told = await Trial(tmp_path, url, PATCHBOT_MATRIX__ACCESS_TOKEN=TOKEN, PATCHBOT_MATRIX__PASSWORD="").run(
            lambda _: False
        )

    assert told.status == 2
    assert "matrix.access_token" in told.text
    assert found_in(told.text) == []


async def test_a_proxy_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    proxy = f"http://bot:{PROXY_PASSWORD}@127.0.0.1:9"
    async with served(Homeserver()) as url:
        told = await Trial(tmp_path, url, PATCHBOT_NETWORK__PROXY=proxy).run(
            lambda text: "homeserver.unavailable" in text
        )

    assert "homeserver.unavailable" in told.text
    assert found_in(told.text) == []


async def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    database = f"postgresql://bot:{DATABASE_PASSWORD}@127.0.0.1:9/bot"
    async with served(Homeserver()) as url:
        told = await Trial(tmp_path, url, PATCHBOT_STORE__URL=database).run(lambda _: False)

    assert told.status == 1
    assert "127.0.0.1" in told.text
    assert found_in(told.text) == []


@pytest.mark.parametrize("status", [401, 500])
async def test_a_bot_whose_servers_fail_says_so_everywhere_without_a_secret(tmp_path: Path, status: int) -> None:
    homeserver = Homeserver()

    def enough(text: str) -> bool:
        if homeserver.syncs:
            homeserver.refuse = (status, "M_UNKNOWN")
        return "homeserver.unavailable" in text and "has failed since" in text

    async with served(homeserver) as url:
        told = await Trial(tmp_path, url).run(enough)

    assert "has failed since" in told.text
    assert "patchbot_ready 0.0" in told.text
    assert found_in(told.text) == []
    kept = modes(tmp_path)
    assert [kept.pop(folder) for folder in ("data", "data/crypto")] == ["0o700", "0o700"]
    assert set(kept.values()) == {"0o600"}
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    holders = [path.name for path in files if found_in(path.read_bytes().decode("latin-1"))]
    assert holders == ["device.json"]
