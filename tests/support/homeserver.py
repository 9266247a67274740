"""A real Synapse on loopback, for the tests: its own process, SQLite, no limits and no federation."""

import base64
import hashlib
import hmac
import json
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

PYTHON = Path(__file__).parents[2] / ".venv-synapse" / "bin" / "python"
START_SECONDS = 180
STOP_SECONDS = 120
PORTS = range(20_000, 32_768)  # below those that systems give to connections
_NO_LIMIT = {"per_second": 100_000, "burst_count": 100_000}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the usual authorities would take longer than most tests
_LOG = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}}


@dataclass
class Homeserver:
    """A homeserver that can be stopped and started again over the same data."""

    folder: Path
    port: int
    name: str = "hs.test"
    messages_per_second: float | None = None  # of an account, with a burst of ten; None is no limit
    authorization_server: str = ""  # the address of one that everybody signs in at, instead of by a password
    _secret: str = field(default_factory=lambda: secrets.token_hex(16))
    _process: "subprocess.Popen[bytes] | None" = None
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(verify=NO_TLS, trust_env=False, timeout=120))

    @classmethod
    def install(
        cls, folder: Path, messages_per_second: float | None = None, authorization_server: str = ""
    ) -> "Homeserver":
        """A homeserver in *folder*, ready to be started.

        Raises:
            FileNotFoundError: Synapse is not installed.
        """
        if not PYTHON.exists():
            raise FileNotFoundError(f"{PYTHON} is missing: these tests need a homeserver, `make test` installs it")
        server = cls(folder, a_free_port(), "hs.test", messages_per_second, authorization_server)
        (folder / "log.json").write_text(json.dumps(_LOG))
        (folder / "homeserver.json").write_text(json.dumps(server._config()))
        key = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (folder / "signing.key").write_text(f"ed25519 a_test {key}\n")
        return server

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start unless it runs, and return when it answers."""
        if self._process is not None and self._process.poll() is None:
            return
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                self._command(), cwd=self.folder, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Synapse did not start:\n{(self.folder / 'output.txt').read_text()[-4000:]}")
            time.sleep(0.05)  # between two looks

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stopped until the end of the block, and running afterwards, whatever happens in it: others use it, too."""
        try:
            self.stop()
            yield
        finally:
            self.start()

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._http.close()

    def register(self, user: str, password: str) -> str:
        """Make an account; its whole user id."""
        if self.authorization_server:
            self.tell("provision_user", localpart=user)
            return f"@{user}:{self.name}"
        url = f"{self.url}/_synapse/admin/v1/register"
        nonce = self._http.get(url).raise_for_status().json()["nonce"]
        text = f"{nonce}\0{user}\0{password}\0notadmin"
        mac = hmac.new(self._secret.encode(), text.encode(), hashlib.sha1).hexdigest()
        account = {"nonce": nonce, "username": user, "password": password, "admin": False, "mac": mac}
        answer = self._http.post(url, json=account).raise_for_status().json()
        return str(answer["user_id"])

    @property
    def secret(self) -> str:
        """What the authorization server and the homeserver know each other by."""
        return self._secret

    def tell(self, action: str, **content: object) -> None:
        """Do as the authorization server does when something happens to an account or its devices."""
        headers = {"Authorization": f"Bearer {self._secret}"}
        url = f"{self.url}/_synapse/mas/{action}"
        self._http.post(url, json=content, headers=headers).raise_for_status()

    def _is_healthy(self) -> bool:
        try:
            return self._http.get(f"{self.url}/health", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _command(self) -> list[str]:
        return [str(PYTHON), "-m", "synapse.app.homeserver", "-c", "homeserver.json"]

    def _rc_message(self) -> dict[str, float]:
        if self.messages_per_second is None:
            return {**_NO_LIMIT}
        return {"per_second": self.messages_per_second, "burst_count": 10}

    def _config(self) -> dict[str, object]:
        """The settings; JSON is YAML, too."""
        return {
            "server_name": self.name,
            "report_stats": False,
            "pid_file": str(self.folder / "pid"),
            "log_config": str(self.folder / "log.json"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "registration_shared_secret": self._secret,
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "url_preview_enabled": False,
            "enable_metrics": False,
            "presence": {"enabled": False},
            "bcrypt_rounds": 4,
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}},
            "listeners": [
                {
                    "type": "http",
                    "port": self.port,
                    "bind_addresses": ["127.0.0.1"],
                    "tls": False,
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "rc_message": self._rc_message(),
            "rc_registration": _NO_LIMIT,
            "rc_login": {"address": _NO_LIMIT, "account": _NO_LIMIT, "failed_attempts": _NO_LIMIT},
            "rc_joins": {"local": _NO_LIMIT, "remote": _NO_LIMIT},
            "rc_joins_per_room": _NO_LIMIT,
            "rc_invites": {"per_room": _NO_LIMIT, "per_user": _NO_LIMIT, "per_issuer": _NO_LIMIT},
            "rc_room_creation": _NO_LIMIT,
            **self._delegation(),
        }

    def _delegation(self) -> dict[str, object]:
        if not self.authorization_server:
            return {}
        service = {"enabled": True, "endpoint": self.authorization_server, "secret": self._secret}
        return {"matrix_authentication_service": service, "password_config": {"enabled": False}}


def a_free_port() -> int:
    """A port that nobody uses, and that no connection is given while its server is away."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
