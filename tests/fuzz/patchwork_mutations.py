"""A sample Patchwork whose answers about one thing are made wrong on their way."""

from collections.abc import Callable
from typing import TypeAlias

import httpx

from bot.clock import Clock
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from support.rig import PROJECT

Change: TypeAlias = Callable[[str, Response], Response]  # of a path, and the answer to it


class MutatingTransport(httpx.AsyncBaseTransport):
    """Answers as the sample Patchwork does; what *change* makes of it, where there is one."""

    def __init__(self, patchwork: SamplePatchwork) -> None:
        self.patchwork = patchwork
        self.change: Change | None = None

    @classmethod
    def empty(cls, clock: Clock) -> "MutatingTransport":
        """Of a server with a project, and nothing in it."""
        patchwork = SamplePatchwork(clock)
        patchwork.add_project(PROJECT)
        return cls(patchwork)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        answer = self.patchwork.answer(request.method, path, query, dict(request.headers))
        if self.change is not None:
            answer = self.change(path, answer)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=httpx.ByteStream(answer.body))
