"""`patchbot login`, `run` and `logout`, killed with SIGKILL at each step: nobody is locked out."""

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.matrix import requests
from support import preloaded
from support.authorization_server import AuthorizationServer, Held
from support.matrix_rig import Account
from support.oauth_rig import SigningBot
from support.run_rig import ROOT, Stage, a_stage

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("signing_bot_that_dies.py")
SAVES = ("unsaved", "written", "saved")


@dataclass
class Victim:
    """A bot whose processes are killed."""

    stage: Stage
    bot: SigningBot
    server: AuthorizationServer
    kills: int = 0
    outputs: list[str] = field(default_factory=list)

    async def start(self, verb: str, moment: str = "never", time: int = 0) -> preloaded.Process:
        """Start `patchbot VERB`, which dies at a *moment* of the *time*-th time that it stores a sign-in."""
        folder = self.stage.folder
        config, environment = self.stage._write_config(), {**os.environ, "PYTHONPATH": str(ROOT)}
        confirmed = ("--yes",) if verb == "logout" else ()
        arguments = (str(PROGRAM), moment, str(time), verb, *confirmed, "--config", str(config))
        return await preloaded.started(*arguments, folder=folder, environment=environment, output=folder / "log.txt")

    async def dies_saving(self, verb: str, moment: str, time: int) -> None:
        """See it die by itself."""
        process = await self.start(verb, moment, time)
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL, (self.stage.folder / "log.txt").read_text()
        self.kills += 1

    async def is_killed_at(self, verb: str, place: str, *, is_done: bool) -> None:
        """Kill it while the server holds its request, before or after the server did what it is asked."""
        held = Held(is_done)
        self.server.suffer(place, held)
        process = await self.start(verb)
        async with asyncio.timeout(60):
            await held.reached.wait()
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        held.release.set()
        self.server.heal()
        self.kills += 1

    def let_token_expire(self) -> None:
        """Make the next start renew the tokens first."""
        file = self.stage.folder / "oauth.json"
        content = json.loads(file.read_bytes())
        content["current"]["expires_at"] = 0
        file.write_text(json.dumps(content))

    async def works(self) -> None:
        """Start without anybody's help, and be accepted by the homeserver."""
        codes = len(self.server.grants)
        async with self.bot.account.logged_in() as client:
            answer = await client.ask(requests.who_am_i())
            assert (answer["user_id"], answer["device_id"]) == (client.user, client.device)
        assert len(self.server.grants) == codes
        assert {session.device for session in self.server.sessions(self.bot.name)} == {client.device}


@pytest.fixture
async def victim(oauth_account: Account, authorization: AuthorizationServer) -> AsyncIterator[Victim]:
    bot = SigningBot(oauth_account)
    authorization.consent = bot.name
    async with a_stage(oauth_account) as stage:
        yield Victim(stage, bot, authorization)


@pytest.mark.parametrize("moment", SAVES)
@pytest.mark.parametrize(("step", "time"), [("code", 1), ("tokens", 2), ("owner", 3)])
async def test_a_login_killed_while_it_stores_goes_on(victim: Victim, moment: str, step: str, time: int) -> None:
    await victim.dies_saving("login", moment, time)

    if not victim.bot.sign_ins.is_signed_in:
        await victim.bot.sign_in()
    await victim.works()

    lost = (step, moment) in {("code", "unsaved"), ("code", "written"), ("tokens", "unsaved"), ("tokens", "written")}
    assert len(victim.server.grants) == (2 if lost else 1)


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("place", ["registration", "device", "poll", "introspection"])
async def test_a_login_killed_while_it_waits_for_an_answer_goes_on(
    victim: Victim, place: str, *, is_done: bool
) -> None:
    await victim.is_killed_at("login", place, is_done=is_done)

    if not victim.bot.sign_ins.is_signed_in:
        await victim.bot.sign_in()
    await victim.works()

    lost = (place, is_done) == ("device", True) or place == "poll"  # whose request the server goes on with
    assert len(victim.server.grants) == (2 if lost else 1)


@pytest.mark.parametrize("seed", range(3))
async def test_a_bot_killed_at_any_step_of_a_renewal_needs_nobody(victim: Victim, seed: int) -> None:
    """Again and again, without a start in between that would mend anything."""
    await victim.bot.sign_in()
    steps: list[tuple[str, bool] | str] = [*SAVES]
    steps += [(place, is_done) for place in ("refresh", "introspection") for is_done in (False, True)]
    steps.append(("refresh", True))  # also twice in a row
    random.Random(seed).shuffle(steps)  # noqa: S311  # the same orders in each run

    for step in steps:
        victim.let_token_expire()
        if isinstance(step, str):
            await victim.dies_saving("run", step, 1)
        else:
            await victim.is_killed_at("run", step[0], is_done=step[1])
    victim.let_token_expire()
    await victim.works()

    assert victim.kills == 8
    assert len(victim.server.grants) == 1


async def test_a_bot_killed_at_random_while_it_renews_needs_nobody(victim: Victim) -> None:
    await victim.bot.sign_in()
    waits = random.Random(23)  # noqa: S311  # the same moments in each run

    for _ in range(15):
        before = victim.server.requests.count("refresh")
        victim.let_token_expire()
        process = await victim.start("run")
        await victim.stage.until(lambda: victim.server.requests.count("refresh") > before)  # noqa: B023  # until here
        await asyncio.sleep(waits.uniform(0.0, 0.05))
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        victim.kills += 1
    await victim.works()

    assert len(victim.server.grants) == 1
    assert len(victim.server.sessions(victim.bot.name)) == 1


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("place", ["refresh", "revocation"])
async def test_a_logout_that_is_killed_is_made_again(victim: Victim, place: str, *, is_done: bool) -> None:
    await victim.bot.sign_in()

    await victim.is_killed_at("logout", place, is_done=is_done)
    assert await victim.bot.sign_out() == 1

    assert victim.server.sessions(victim.bot.name) == []
    assert not victim.bot.sign_ins.is_signed_in
