import pytest

from bot.clock import VirtualClock
from bot.patchwork.client import PatchworkClient
from bot.sample_patchwork.patchwork import NewCheck
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import URL, Somebody, a_patchwork, polling
from support.rig import a_series

QUIET_MAX_BYTES = 2 * 1024


@pytest.mark.parametrize("projects", [("one",), ("one", "two", "three")])
async def test_a_quiet_poll_is_one_small_request_however_many_projects(projects: tuple[str, ...]) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock, *projects)
    for project in projects:
        patchwork.post_series(project, a_series("a.c", patches=3))

    async with polling(patchwork, clock, projects=projects) as watched:
        watched.post(project=projects[0], patches=2)
        await watched.poll(times=4, seconds=3600)
        patchwork.requests.clear()
        await watched.poll(times=25)
        asked = list(patchwork.requests)

    sizes = [len(patchwork.answer(*request).body) for request in asked]
    assert [path for _, path, _ in asked] == ["/api/1.3/events/"] * 25
    assert max(sizes) <= QUIET_MAX_BYTES


async def test_a_project_without_any_event_costs_one_request_a_poll() -> None:
    clock = VirtualClock()

    async with polling(a_patchwork(clock), clock) as watched:
        await watched.poll(times=5)

        assert watched.take_requests() == ["/events/"] * 5


@pytest.mark.parametrize("patches", [1, 2, 5, 30])
async def test_a_series_costs_at_most_two_requests_beside_the_events(patches: int) -> None:
    clock = VirtualClock()

    async with polling(a_patchwork(clock), clock) as watched:
        posted = watched.post(patches=patches)
        await watched.poll(times=5)
        asked = [path for path in watched.take_requests() if path != "/events/"]
        read = watched.polls[1].series[0]

    assert watched.series == [posted.series]
    assert tuple(patch.id for patch in read.news) == posted.patches
    assert len(asked) <= 2


async def test_a_series_with_a_hole_costs_no_request_for_each_of_its_patches() -> None:
    """What has a place in a series waits for it."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    mails = patchwork.mails_of(a_series("a.c", patches=20))

    async with polling(patchwork, clock) as watched:
        for mail in (mails[0], *mails[2:]):
            patchwork.receive("qemu-devel", mail)
        await watched.poll(times=40)
        asked = [path for path in watched.take_requests() if path != "/events/"]

    assert watched.series == [1]
    assert set(asked) == {"/patches/", "/series/", "/series/1/", "/series/1/mbox/", "/covers/1/"}
    assert len(asked) < 20


async def test_a_patch_that_waits_for_a_series_waits_for_none_that_came_later() -> None:
    """On a busy list some series is always awaited."""
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    straggler = patchwork.mails_of(a_series("a.c", patches=5, name="First"))

    async with polling(patchwork, clock) as watched:
        for mail in straggler[:2]:
            patchwork.receive("qemu-devel", mail)
        await watched.poll(times=35)
        patchwork.receive("qemu-devel", straggler[4])  # number 3 is still missing, so no event names its series
        for number in range(4):
            await watched.poll(times=8)
            patchwork.receive("qemu-devel", patchwork.mails_of(a_series("b.c", patches=3, name=f"Busy {number}"))[1])
        await watched.poll(times=8)

    assert watched.series[:2] == [1, 1]


async def test_states_checks_and_delegates_cost_no_request_however_many() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)

    async with polling(patchwork, clock, listening=Somebody()) as watched:
        posted = watched.post(patches=20)
        await watched.poll(times=4)  # with its cover letter
        watched.take_requests()
        for patch in posted.patches:
            patchwork.set_state(patch, "under-review")
            patchwork.set_delegate(patch, "mia")
            for context in ("build", "style", "boot"):
                patchwork.add_check(patch, NewCheck("success", context))
        await watched.poll(times=3)

        assert watched.take_requests() == ["/events/"] * 3


async def test_the_contact_is_told_and_no_secret_stands_in_an_address() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    client = PatchworkClient(URL, "ops@example.org", transport=SampleTransport(patchwork))

    async with client:
        client.version = "1.3"
        await client.json("events/", [("project", "qemu-devel")])

    assert patchwork.requests == [("GET", "/api/1.3/events/", "project=qemu-devel")]
