"""The API versions, and servers that speak another language."""

from collections.abc import Callable

import pytest

from bot.clock import VirtualClock
from bot.errors import Temporary
from bot.ids import PatchId
from bot.patchwork.responses import InvalidResponse
from bot.patchwork.updates import FieldUpdate, PatchField
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import SERVER, an_api, polling
from support.rig import PROJECT, a_series

pytestmark = pytest.mark.slow


def a_server(clock: VirtualClock, *versions: str) -> SamplePatchwork:
    """A server of the time when the last of *versions* was the newest."""
    patchwork = SamplePatchwork(clock, api_versions=versions)
    patchwork.old_events = max(versions) < "1.2"
    patchwork.add_project(PROJECT)
    return patchwork


@pytest.mark.parametrize(
    ("versions", "spoken", "by_msgid"),
    [
        (("1.0", "1.1", "1.2", "1.3"), "1.3", True),
        (("1.0", "1.1", "1.2", "1.3", "1.4"), "1.3", True),
        (("1.0", "1.1", "1.2"), "1.2", True),
        (("1.0", "1.1"), "1.1", False),
    ],
)
async def test_series_states_and_pull_requests_are_seen_on_every_version(
    versions: tuple[str, ...], spoken: str, by_msgid: bool
) -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, *versions)
    patchwork.post_series(PROJECT, a_series("old.c", patches=3))

    async with polling(patchwork, clock) as watched:
        posted = [watched.post(patches=count) for count in (1, 3)]
        await watched.poll()
        pull = patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x.git")
        patchwork.set_state(posted[0].patches[0], "accepted")
        await watched.poll(times=35)
        told = [told for poll in watched.polls for told in poll.updates]

    assert watched.poller._api.version == spoken
    assert watched.poller.links_by_msgid is by_msgid
    assert watched.series == [series.series for series in posted]
    assert watched.patches == [pull]
    assert FieldUpdate(PatchId(posted[0].patches[0]), PatchField.STATE, "accepted") in told


@pytest.mark.parametrize("versions", [("1.0", "1.1"), ("1.0", "1.1", "1.2"), ("1.0", "1.1", "1.2", "1.3")])
async def test_a_pull_request_in_a_series_is_read_with_its_url_on_every_version(versions: tuple[str, ...]) -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, *versions)
    patchwork.post_series(PROJECT, a_series("old.c"))

    async with polling(patchwork, clock) as watched:
        pull = patchwork.post_pull_request(PROJECT, "Pull", "https://git.example.org/x", has_series=True)
        await watched.poll(times=35)
        async with watched.store.transaction() as tx:
            read = await tx.watch.patch(SERVER, pull)
            pulls = await tx.watch.pull_requests(SERVER, set(watched.series))

    arrived = [patch.pull_url for poll in watched.polls for each in poll.series for patch in each.news]
    assert (watched.patches, arrived) == ([], ["https://git.example.org/x"])
    assert (read and read.series, read and read.pull_url) == (2, "https://git.example.org/x")
    assert pulls == {2}


async def test_an_old_server_that_ignores_the_order_is_read_to_the_last_page() -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, "1.0", "1.1")

    async with polling(patchwork, clock) as watched:
        posted = [watched.post(patches=99) for _ in range(5)]
        await watched.poll(times=2)

    assert len(watched.events) == len(patchwork.rows.events) > 4 * 250
    assert sorted(watched.series) == [series.series for series in posted]


async def test_an_old_server_is_read_to_the_last_page_even_where_a_page_has_one_date() -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, "1.0", "1.1")

    async with polling(patchwork, clock) as watched:
        watched.post()
        clock.advance(60)
        patchwork._site.event_step *= 0
        for _ in range(2):
            watched.post(patches=99)
        await watched.poll(times=2)

    assert len(set(watched.events)) == len(patchwork.rows.events)


def a_fork(_: str) -> Response:
    """What the freedesktop.org fork answers."""
    return Response(200, {"content-type": "application/json"}, b'{"revision": 12}')


def another(_: str) -> Response:
    """Some other API."""
    return Response(200, {"content-type": "application/json"}, b'{"hello": "world"}')


def nothing(_: str) -> Response:
    """A site that is no Patchwork."""
    return Response(404, {"content-type": "text/html"}, b"<html>Not found</html>")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (a_fork, "the freedesktop.org fork of Patchwork"),
        (nothing, "no Patchwork API at https://patchwork.example.org/api/"),
        (another, "what answers at https://patchwork.example.org/api/ is no Patchwork"),
    ],
)
async def test_a_server_that_speaks_another_language_is_refused_by_name(
    answer: Callable[[str], Response], said: str
) -> None:
    patchwork = SamplePatchwork(VirtualClock())
    patchwork.fault = lambda path: answer(path) if path == "/api/1.0/" else nothing(path)
    api = an_api(SampleTransport(patchwork))

    with pytest.raises(InvalidResponse, match=said):
        await api.discover()

    assert api.version == ""


async def test_a_fork_that_answers_every_version_is_refused_by_name() -> None:
    patchwork = SamplePatchwork(VirtualClock())
    patchwork.fault = a_fork

    with pytest.raises(InvalidResponse, match="freedesktop"):
        await an_api(SampleTransport(patchwork)).discover()


async def test_patchwork_2_0_is_told_to_be_too_old() -> None:
    patchwork = SamplePatchwork(VirtualClock(), api_versions=("1.0",))

    with pytest.raises(InvalidResponse, match="too old"):
        await an_api(SampleTransport(patchwork)).discover()


async def test_a_wall_in_front_of_the_server_is_no_answer_about_its_version() -> None:
    patchwork = SamplePatchwork(VirtualClock(), api_versions=("1.0", "1.1", "1.2"))
    patchwork.fail_next(1, status=200, body=b"<html>Checking your browser</html>")
    api = an_api(SampleTransport(patchwork))

    with pytest.raises(Temporary, match="text/html"):
        await api.discover()

    assert api.version == ""
    assert await api.discover() == "1.2"


@pytest.mark.parametrize(
    "wall",
    [
        Response(404, {"content-type": "text/html"}, b"<html>Not found</html>"),
        Response(404, {"content-type": "application/json"}, b'{"detail":"Not found."}'),
    ],
)
async def test_a_wall_that_hides_the_newest_version_once_pins_no_older_one(wall: Response) -> None:
    patchwork = SamplePatchwork(VirtualClock(), api_versions=("1.0", "1.1", "1.2", "1.3"))
    patchwork.fault = lambda _: wall if len(patchwork.requests) == 1 else None

    assert await an_api(SampleTransport(patchwork)).discover() == "1.3"


async def test_a_wall_that_hid_the_newest_version_for_minutes_is_seen_through_when_it_goes() -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, "1.0", "1.1", "1.2", "1.3")
    patchwork.fault = lambda path: nothing(path) if "/1.3/" in path else None

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=3)
        early = watched.poller.api_version
        patchwork.fault = lambda _: None
        await watched.poll(times=10)
        posted = watched.post()
        await watched.poll()

    assert (early, watched.poller.api_version) == ("1.2", "1.3")
    assert watched.series == [posted.series]


async def test_an_older_server_is_asked_for_a_newer_version_once_a_day() -> None:
    clock = VirtualClock()
    patchwork = a_server(clock, "1.0", "1.1", "1.2")

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=3 * 24, seconds=3600.0)
        asked = [path for _, path, _ in patchwork.requests if path == "/api/1.3/"]

    assert len(asked) == 3
    assert watched.poller.api_version == "1.2"


@pytest.mark.parametrize("answer", [another(""), Response(200, {"content-type": "application/json"}, b"[]")])
async def test_json_of_something_else_is_no_word_on_the_version(answer: Response) -> None:
    patchwork = SamplePatchwork(VirtualClock(), api_versions=("1.0", "1.1", "1.2"))
    patchwork.fault = lambda path: answer if path == "/api/1.3/" else None
    api = an_api(SampleTransport(patchwork))

    with pytest.raises(Temporary, match="not an index of Patchwork's API"):
        await api.discover()

    assert api.version == ""
