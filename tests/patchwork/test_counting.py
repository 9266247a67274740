"""Requests to Patchwork servers, counted."""

import httpx
import pytest
from prometheus_client import REGISTRY

from bot.errors import Temporary
from bot.ids import ServerName
from bot.patchwork.client import PatchworkClient
from bot.patchwork.request_turns import endpoint_of


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/api/1.3/events/", "events"),
        ("/api/1.3/events/?page=2", "events"),
        ("/api/1.3/series/7/", "series"),
        ("/series/7/mbox/", "mbox"),
        ("/api/1.3/patches/7/", "patches"),
        ("/api/1.3/patches/7/comments/", "comments"),
        ("/api/1.3/covers/7/comments/", "comments"),
        ("/api/1.3/patches/7/checks/", "checks"),
        ("/api/1.3/projects/qemu-devel/", "projects"),
        ("/api/1.3/projects/mbox/", "projects"),
        ("/api/1.3/covers/", "covers"),
        ("/api/1.3/", "other"),
        ("/api/1.3/people/", "other"),
        ("/qemu.git/plain/MAINTAINERS", "other"),
        ("", "other"),
    ],
)
def test_an_endpoint_is_one_of_a_few_words(path: str, endpoint: str) -> None:
    assert endpoint_of(path) == endpoint


async def test_a_request_is_counted_by_the_status_of_its_answer_and_timed() -> None:
    answers = iter((httpx.Response(502, stream=httpx.ByteStream(b"")), httpx.ConnectError("no route")))

    def answer(_: httpx.Request) -> httpx.Response:
        match next(answers):
            case httpx.Response() as response:
                return response
            case error:
                raise error

    client = PatchworkClient("https://pw.example.org", "ops", transport=httpx.MockTransport(answer))
    client.server = ServerName("counted")
    for _ in range(2):
        with pytest.raises(Temporary):
            await client.json("events/", version="1.3")

    labels = {"server": "counted", "endpoint": "events"}
    name = "patchbot_patchwork_request"
    assert REGISTRY.get_sample_value(f"{name}s_total", {**labels, "code": "502"}) == 1
    assert REGISTRY.get_sample_value(f"{name}s_total", {**labels, "code": "none"}) == 1
    assert REGISTRY.get_sample_value(f"{name}_duration_seconds_count", labels) == 2
