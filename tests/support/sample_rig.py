"""A filled sample Patchwork, and short ways to ask it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from bot.clock import VirtualClock
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import NewCheck, SamplePatchwork


def a_clock() -> VirtualClock:
    """12:42:47 in Canberra."""
    return VirtualClock(datetime(2026, 11, 23, 1, 42, 47, tzinfo=UTC))


def a_server(clock: VirtualClock) -> SamplePatchwork:
    """A server with one empty project."""
    server = SamplePatchwork(clock, base_url="https://patchwork.example.org")
    server.add_project("qemu-devel")
    return server


def a_full_server(clock: VirtualClock) -> SamplePatchwork:
    """A server on which everything happened."""
    server = a_server(clock)
    posted = server.post_series("qemu-devel", a_series())
    server.set_state(1, "accepted", "bruno")
    server.set_delegate(1, "bruno", "bruno")
    server.relate(posted.patches, "bruno")
    server.add_check(1, NewCheck("success", description="it builds"))
    server.add_comment(1, "Fine.\n")
    server.add_cover_comment(1, "Fine, all of it.\n")
    return server


def a_series(patches: int = 2, **more: Any) -> NewSeries:
    """A series on migration/; *more* are the fields of `NewSeries`."""
    parts = [NewPatch(f"part {n}", sample_diff(f"migration/part{n}.c")) for n in range(1, patches + 1)]
    return replace(NewSeries(name="the series", patches=parts), **more)


def get(server: SamplePatchwork, path: str, **query: Any) -> Any:
    """The JSON of an answer."""
    response = server.answer("GET", f"/api/1.3{path}", urlencode(query, doseq=True))
    assert response.status == 200
    return json.loads(response.body)


def happened(server: SamplePatchwork, **query: Any) -> list[str]:
    """The events by date: category and patch number."""
    events = get(server, "/events/", order="date", per_page=250, **query)
    return [" ".join([event["category"], *_number(event)]) for event in events]


def _number(event: Mapping[str, Any]) -> list[str]:
    return [event["payload"]["patch"]["name"][-1]] if "patch" in event["payload"] else []
