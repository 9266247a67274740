"""The sample Patchwork is held to what real servers answered after the same mails and acts."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bot.sample_patchwork.patchwork import SamplePatchwork
from support.recorded_requests import ORIGIN, Recorder, comparable, key_of
from support.recorded_story import play
from support.sample_rig import a_clock

RECORDED = Path(__file__).parent.parent / "samples" / "patchwork"
SERVERS = ("2.2", "3.1", "main")


@cache
def recorded_by(name: str) -> dict[str, Any]:
    """A server's file; what is in none for main was answered by a 3.1, too."""
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    if name != "main":
        return found
    own = {key_of(answer): answer for answer in found["answers"]}
    return found | {"answers": [own.get(key_of(answer), answer) for answer in recorded_by("3.1")["answers"]]}


def sample_server(name: str) -> Recorder:
    """The sample server as one of that version, after the story."""
    versions = recorded_by(name)["versions"]
    server = SamplePatchwork(a_clock(), api_versions=versions, base_url=ORIGIN)
    play(server)

    def ask(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        address, _, query = path.partition("?")
        answer = server.answer("GET", address, query, headers)
        return answer.status, dict(answer.headers), answer.body

    return Recorder(ask, versions, ORIGIN)


@pytest.fixture(scope="module")
def samples() -> dict[str, Recorder]:
    return {name: sample_server(name) for name in SERVERS}


def requests() -> Iterator[Any]:
    for server in SERVERS:
        for answer in recorded_by(server)["answers"]:
            yield pytest.param(server, answer, id=f"{server} {' '.join(key_of(answer))}")


@pytest.mark.parametrize(("server", "recorded"), list(requests()))
def test_the_sample_server_answers_as_the_real_one_did(
    samples: dict[str, Recorder], server: str, recorded: dict[str, Any]
) -> None:
    answered = samples[server].answer(recorded)

    urls = server != "3.1"
    assert comparable(answered, comment_urls=urls) == comparable(recorded, comment_urls=urls)


@pytest.mark.parametrize("server", SERVERS)
def test_every_request_was_recorded(server: str, samples: dict[str, Recorder]) -> None:
    recorded = [key_of(answer) for answer in recorded_by(server)["answers"]]

    assert [key_of(answer) for answer in samples[server].record()] == recorded
