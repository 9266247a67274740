"""A bot that signs in by OAuth 2.0, in this process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.clock import Clock, SystemClock
from bot.ids import DeviceId
from bot.matrix.http import HomeserverHttp
from bot.matrix.login import context
from bot.matrix.oauth_tokens import SignInFile, SignIns
from bot.matrix.sign_in import SignInContext, SigningIn, sign_out
from support.matrix_rig import Account


@dataclass
class SigningBot:
    """The account that signs in, and what the person at the command line was told."""

    account: Account
    clock: Clock = field(default_factory=SystemClock)
    said: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The user's name, without the homeserver's."""
        return self.account.user[1:].partition(":")[0]

    @asynccontextmanager
    async def context(self) -> AsyncIterator[SignInContext]:
        """What signing in needs."""
        settings = self.account.settings()
        http = HomeserverHttp(settings, self.clock, 30)
        try:
            yield context(settings, http, self.clock)
        finally:
            await http.close()

    async def sign_in(self) -> DeviceId:
        """Do as `patchbot login` does."""
        async with self.context() as around:
            return await SigningIn(around, self.said.append).run()

    async def sign_out(self) -> int:
        """Do as `patchbot logout` does."""
        async with self.context() as around:
            return await sign_out(around)

    @property
    def sign_ins(self) -> SignIns:
        """What is stored."""
        return SignInFile(self.account.folder, self.account.user).load()

    def stored(self) -> dict[str, Any]:
        """The file, as it is."""
        content: dict[str, Any] = json.loads((self.account.folder / "oauth.json").read_bytes())
        return content
