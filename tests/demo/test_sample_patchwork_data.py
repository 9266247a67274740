"""What a sample Patchwork can be filled with: recorded answers and the history of the demo."""

import json
from pathlib import Path
from typing import Any

import pytest
from unidiff.patch import PatchSet

from bot.clock import VirtualClock
from bot.sample_patchwork.data import PROJECT, arrivals, history
from bot.sample_patchwork.patchwork import SamplePatchwork
from support.sample_rig import a_clock, a_full_server, a_series, a_server, get, happened

SAMPLES = Path(__file__).parent.parent / "samples"
RECORDED: dict[str, Any] = json.loads((SAMPLES / "patch-2194095.json").read_text())


@pytest.fixture
def clock() -> VirtualClock:
    return a_clock()


@pytest.fixture
def server(clock: VirtualClock) -> SamplePatchwork:
    return a_server(clock)


@pytest.fixture
def full(clock: VirtualClock) -> SamplePatchwork:
    return a_full_server(clock)


def test_a_recorded_patch_arrives_with_its_series(server: SamplePatchwork) -> None:
    patch = server.add_recorded(RECORDED)

    detail, series = get(server, f"/patches/{patch}/"), get(server, "/series/491328/")
    same = ("id", "msgid", "date", "name", "hash", "state", "headers", "content", "diff", "prefixes")
    assert {key: detail[key] for key in same} == {key: RECORDED[key] for key in same}
    assert (series["name"], series["version"]) == (RECORDED["series"][0]["name"], 6)
    assert (series["total"], series["received_total"], series["received_all"]) == (18, 1, False)
    assert happened(server) == ["patch-created d", "series-created"]
    assert server.post_series("qemu-devel", a_series()).patches == (2194096, 2194097)
    with pytest.raises(ValueError, match="has a patch 2194095 already"):
        server.add_recorded(RECORDED)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
def test_a_patch_recorded_here_in_any_version_arrives_elsewhere(
    full: SamplePatchwork, clock: VirtualClock, version: str
) -> None:
    other = SamplePatchwork(clock)

    other.add_recorded(json.loads(full.answer("GET", f"/api/{version}/patches/1/").body))

    assert get(other, "/patches/1/")["diff"] == get(full, "/patches/1/")["diff"]
    assert get(other, "/projects/qemu-devel/")["list_email"] == "qemu-devel@example.org"


def test_recorded_patches_of_one_series_come_together(server: SamplePatchwork) -> None:
    server.add_recorded(RECORDED)
    server.add_recorded(RECORDED | {"id": 2194096, "msgid": "<other@example.org>", "name": "[v6,12/18] other"})

    assert get(server, "/series/491328/")["received_total"] == 2
    assert len(get(server, "/events/", category="series-created")) == 1


def test_a_recorded_patch_is_not_put_into_another_series_of_the_same_id(full: SamplePatchwork) -> None:
    series = RECORDED["series"][0] | {"id": 1}

    with pytest.raises(ValueError, match="has another series 1 already: the series"):
        full.add_recorded(RECORDED | {"series": [series]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ([RECORDED], "this is a list"),
        ("text", "this is not a JSON object"),
        ({"detail": "Not found."}, r"a server's error \(Not found.\)"),
        ({"id": 1, "category": "x", "payload": {}}, "this is an event"),
        ({"id": 1, "received_total": 1}, "this is a series"),
        ({key: value for key, value in RECORDED.items() if key != "diff"}, "an entry of a list"),
        ({"id": 1}, "this is not a patch"),
        (RECORDED | {"id": "1"}, "its id is not a positive number"),
        (RECORDED | {"project": None}, "its project is not an object"),
        (RECORDED | {"date": "yesterday"}, "its date is not a date: 'yesterday'"),
        (RECORDED | {"series": [{"id": 0}]}, "its series id is not a positive number"),
        (RECORDED | {"name": 5}, "its name is not text"),
    ],
)
def test_json_that_is_no_patch_is_refused_in_words(server: SamplePatchwork, change: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        server.add_recorded(change)

    assert get(server, "/events/") == []


def test_the_sample_history_and_arrivals_are_series_whose_diffs_parse(clock: VirtualClock) -> None:
    server = SamplePatchwork(clock)
    for step in (*history(), *arrivals()):
        step(server)
        clock.advance(2)

    series, patches = get(server, "/series/", project=PROJECT), server.rows.patches.values()

    assert all(one["received_all"] for one in series)
    assert [one["total"] for one in series] == [2, 3, 1, 1, 3, 2, 12, 2, 1]
    files = [[file.path for file in PatchSet(patch.diff)] for patch in patches if patch.diff]
    assert all(files)
    assert sum(path.startswith("migration/") for paths in files for path in paths) == 7
