"""The file with the sign-in, and that no order of losses and crashes locks the bot out."""

import asyncio
import json
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.errors import StoreError, Temporary
from bot.ids import DeviceId, UserId
from bot.matrix import oauth
from bot.matrix.access_tokens import AccessTokens
from bot.matrix.model import Content
from bot.matrix.oauth import OAuthRefused, OAuthRequest, ServerMetadata
from bot.matrix.oauth_server import OAuthServer
from bot.matrix.oauth_tokens import PendingSignIn, SignIn, SignInFile, SignIns
from support.authorization_server import AuthorizationServer, Refusal, Session
from support.homeserver import Homeserver

ME = UserId("@bot:hs")
SIGN_IN = SignIn(DeviceId("D"), 2, "https://a/", "c", "mat_1", "mar_1", "mar_0", 1000.5, 300.0, "https://a/account/")
PENDING = PendingSignIn(DeviceId("E"), 1, "https://a/", "c", "code", "ABC", "https://a/link", True, 1000.0, 5.0)
ALL = SignIns(ME, DeviceId("D"), 2, False, SIGN_IN, replace(SIGN_IN, access="mat_2"), PENDING)


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    file = SignInFile(tmp_path, ME)

    file.save(ALL)

    assert file.load() == ALL
    assert stat.S_IMODE((tmp_path / "oauth.json").stat().st_mode) == 0o600
    assert SignInFile(tmp_path, UserId("@other:hs")).load() == SignIns(UserId("@other:hs"))


def test_without_a_file_nobody_is_signed_in(tmp_path: Path) -> None:
    assert SignInFile(tmp_path, ME).load() == SignIns(ME)


def test_a_file_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    SignInFile(tmp_path, ME).save(ALL)
    (tmp_path / "oauth.json").chmod(0o644)

    SignInFile(tmp_path, ME).load()

    assert stat.S_IMODE((tmp_path / "oauth.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["current"].update(access=7),
        lambda content: content["current"].pop("refresh"),
        lambda content: content.update(current="mat_secret"),
        lambda content: content.update(number="2"),
        lambda content: content["pending"].update(more=1),
        lambda content: content["pending"].update(page=None),
        lambda content: content.pop("user"),
    ],
)
def test_a_malformed_file_is_named_without_its_content(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    SignInFile(tmp_path, ME).save(ALL)
    content = json.loads((tmp_path / "oauth.json").read_bytes())
    change(content)
    (tmp_path / "oauth.json").write_text(json.dumps(content))

    with pytest.raises(
        StoreError, match=r"oauth\.json is not a sign-in: move it away, and run `patchbot login`"
    ) as error:
        SignInFile(tmp_path, ME).load()

    assert "mat_" not in f"{error.value} {error.value.__cause__}"


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"user": "@b', b"\xff"])
def test_a_file_that_is_no_json_object_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "oauth.json").write_bytes(content)

    with pytest.raises(StoreError, match="is not a sign-in"):
        SignInFile(tmp_path, ME).load()


async def test_another_process_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    clock = VirtualClock()
    file = SignInFile(tmp_path, ME)
    async with file.exclusive(clock):
        waiting = asyncio.ensure_future(file.exclusive(clock).__aenter__())
        await asyncio.sleep(0)
        clock.advance(61)
        with pytest.raises(Temporary, match="another patchbot is renewing"):
            await waiting

    async with file.exclusive(clock):
        pass


# Losses and crashes

METADATA = ServerMetadata("https://a/", "https://a/t", "https://a/r", "https://a/c", "https://a/d")


@dataclass
class Network:
    """What happens to the next requests, and those that are still on their way."""

    server: AuthorizationServer
    fates: list[str] = field(default_factory=list)
    late: list[dict[str, list[str]]] = field(default_factory=list)

    def deliver(self, form: dict[str, list[str]]) -> Content:
        """Let a request arrive."""
        try:
            return self.server.renew(form["client_id"][0], form["refresh_token"][0])
        except Refusal as refusal:
            raise OAuthRefused(refusal.code, "") from refusal


class Reached(OAuthServer):
    """The server behind that network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def metadata(self) -> ServerMetadata:
        """Return what never changes."""
        return METADATA

    async def ask(self, request: OAuthRequest) -> Content:
        """Let the request meet its fate."""
        assert request.body is not None
        form = parse_qs(request.body.decode())
        fate = self._network.fates.pop(0) if self._network.fates else "arrives"
        match fate:
            case "late":
                self._network.late.append(form)
                raise Temporary("no answer")
            case "lost":
                raise Temporary("no answer")
            case "unanswered":
                self._network.deliver(form)
                raise Temporary("no answer")
            case _:
                return self._network.deliver(form)


STEPS = st.lists(
    st.sampled_from(["renew", "late", "lost", "unanswered", "arrive", "use", "crash", "crash unsaved", "crash saved"]),
    max_size=25,
)


@given(STEPS)
def test_no_order_of_losses_late_requests_and_crashes_locks_the_bot_out(steps: list[str]) -> None:
    asyncio.run(_live_through(steps))


async def _live_through(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = VirtualClock()
        server = AuthorizationServer(Homeserver(Path(folder), 0), "https://a", now=clock.monotonic)
        first = oauth.tokens(server.new_tokens(Session("bot", "c", "urn:matrix:client:device:D"))[0])
        file = SignInFile(Path(folder), ME)
        sign_in = SignIn(DeviceId("D"), 1, METADATA.issuer, "c", first.access, first.refresh)
        file.save(SignIns(ME, DeviceId("D"), 1, current=sign_in))
        life = Life(Network(server), file, clock)
        life.start()

        for step in steps:
            await life.goes_on(step)
        life.network.fates.clear()
        life.start()
        await life.renews()
        await life.uses()


@dataclass
class Life:
    """A bot between its crashes."""

    network: Network
    file: SignInFile
    clock: VirtualClock

    def start(self) -> None:
        """Begin with what is stored."""
        current = self.file.load().current
        assert current is not None
        self.tokens = AccessTokens(Reached(self.network), self.file, self.clock, current, "current")

    async def goes_on(self, step: str) -> None:
        """Take one step."""
        match step:
            case "late" | "lost" | "unanswered":
                self.network.fates.append(step)
                await self.renews(may_fail=True)
            case "arrive":
                if self.network.late:
                    form = self.network.late.pop(0)
                    try:
                        self.network.deliver(form)
                    except OAuthRefused:
                        return
            case "use":
                await self.uses()
            case "crash":
                self.start()
            case "crash unsaved" | "crash saved":
                await self._crashes_storing(is_saved=step == "crash saved")
            case _:
                await self.renews()

    async def renews(self, *, may_fail: bool = False) -> None:
        """Renew, with any patience."""
        self.clock.advance(3600)
        try:
            await self.tokens.renewed(self.tokens.sign_in.access)
        except Temporary:
            assert may_fail

    async def uses(self) -> None:
        """Send the access token to the homeserver, which renews it if it was replaced behind the bot's back."""
        for _ in range(2):
            access = self.network.server.access[self.tokens.sign_in.access]
            if access.is_valid:
                access.is_used = True
                return
            await self.renews()
        assert self.network.server.access[self.tokens.sign_in.access].is_valid

    async def _crashes_storing(self, *, is_saved: bool) -> None:
        file = self.file

        class Dying(SignInFile):
            """Where the process ends."""

            def save(self, sign_ins: SignIns) -> None:
                if is_saved:
                    file.save(sign_ins)
                raise Temporary("crashed")

        self.tokens._file = Dying(file.folder, file.user)
        await self.renews(may_fail=True)
        self.start()
