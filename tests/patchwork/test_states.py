"""The states that a server has, and how its pages spell them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.patchwork.states import States, states_in
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from support.poll_rig import Polling, a_patchwork, an_error, polling
from support.store_rig import ask

FORM = """<form><select name="delegate"><option value="7">Mia</option></select>
<select name="state" class="form-control"><option selected value="*">any</option>
<option  value="">Action Required</option><option value="1" >New</option>
<option value="5"  selected="true">RFC</option><option value="15" >Needs&nbsp;ACK</option>
<option value="16" >In <b>Next</b></option></select>
<select name="archive"><option value="9">No</option></select></form>"""
SELECT = '<select name="state"'
PIECES = ["<select", ' name="state"', ">", "<option", ' value="1"', "x", "&#0;"]
PAGE = "/project/qemu-devel/list/"


def asked_for_the_page(patchwork: SamplePatchwork) -> int:
    return sum(path == PAGE for _, path, _ in patchwork.requests)


async def names(watched: Polling) -> dict[str, str | None]:
    return dict((await ask(watched.store, lambda tx: tx.watch.watched(watched.source.server))).states.names)


def test_the_states_of_the_filter_form_are_read_with_their_names() -> None:
    assert states_in(FORM) == {"new": "New", "rfc": "RFC", "needs-ack": "Needs\xa0ACK", "in": "In"}


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>",
        "<select",
        '<select name="state"',
        '<select name="state">',
        '<select name="state"><option value="1">',
    ],
)
def test_a_page_without_the_form_names_none(page: str) -> None:
    assert states_in(page) == {}


@given(
    st.text()
    | st.lists(st.sampled_from(["<select", ' name="state"', ">", "<option", ' value="1"', "x", "&#0;"])).map("".join)
)
def test_no_page_stops_it(page: str) -> None:
    found = states_in(page)

    assert all(slug and 0 < len(name) <= 60 and "\n" not in name for slug, name in found.items())


def test_a_page_of_many_megabytes_names_a_hundred_at_most() -> None:
    options = "".join(f'<option value="{number}">State {number}</option>' for number in range(100_000))

    assert len(states_in(f'{"<select>" * 100_000}<select name="state">{options}')) == 100


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("rfc", "RFC"),
        ("needs_ack", "Needs ACK"),
        ("needs-ack", "Needs ACK"),
        ("under-review", "Under Review"),
        ("queued", "Queued"),
        ("in--next", "In  Next"),
    ],
)
def test_a_state_is_spelt_as_the_server_does_else_by_its_slug(slug: str, name: str) -> None:
    assert States({"rfc": "RFC", "needs-ack": "Needs ACK", "queued": None}).name(slug) == name


async def test_a_page_is_asked_for_once_a_day_and_says_how_the_states_are_spelt() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patchwork.add_state("Needs ACK")

    async with polling(patchwork, clock) as watched:
        await watched.poll(times=60, seconds=1000)
        watched.restart()
        patchwork.requests.clear()
        await watched.poll()
        again = asked_for_the_page(patchwork)
        patchwork.add_state("Mainlined")
        await watched.poll(times=80, seconds=1000)
        later = asked_for_the_page(patchwork)

        assert (again, later) == (0, 1)
        assert watched.poller.states.name("needs-ack") == "Needs ACK"
        assert watched.poller.states.name("rfc") == "RFC"
        assert (await names(watched))["mainlined"] == "Mainlined"


@pytest.mark.parametrize("status", [200, 302, 403, 502])
async def test_a_wall_in_front_of_the_page_costs_nothing_but_the_spelling(status: int) -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    wall = Response(200, {"content-type": "text/html"}, b"<html>Just a moment ... are you human?</html>")
    patchwork.fault = lambda path: (wall if status == 200 else an_error(status)) if path == PAGE else None

    async with polling(patchwork, clock) as watched:
        posted = watched.post()
        await watched.poll(times=4)
        patchwork.set_state(posted.patches[0], "needs_ack")
        await watched.poll(times=40)

        assert watched.series == [posted.series]
        assert watched.open_incidents == []
        assert await names(watched) == {"new": None, "needs_ack": None}
        assert watched.poller.states.name("needs_ack") == "Needs_ack"


async def test_a_state_that_the_server_has_no_more_is_forgotten() -> None:
    clock = VirtualClock()
    patchwork = a_patchwork(clock)
    patchwork.add_state("Obsolete")

    async with polling(patchwork, clock) as watched:
        await watched.poll()
        before = await names(watched)
        patchwork._site.states.remove("Obsolete")
        await watched.poll(times=60, seconds=1800)

        assert ("obsolete" in before, "obsolete" in await names(watched)) == (True, False)
