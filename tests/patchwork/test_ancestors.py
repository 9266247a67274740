"""Which mails a patch hangs on."""

from hypothesis import given
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.patchwork.mails import MAX_ANCESTORS, ancestors
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import an_api
from support.rig import PROJECT


def test_the_mail_that_is_replied_to_stands_last() -> None:
    assert ancestors(["<a@hs>\n <b@hs> <c@hs>"], ["<b@hs>"]) == ("a@hs", "c@hs", "b@hs")


def test_the_nearest_are_kept_of_a_long_thread() -> None:
    found = ancestors([" ".join(f"<{number}@hs>" for number in range(900))], [])

    assert found == tuple(f"{number}@hs" for number in range(900 - MAX_ANCESTORS, 900))


@given(st.lists(st.text()), st.lists(st.text()))
def test_any_headers_name_a_bounded_number_of_mails_each_once(references: list[str], replied: list[str]) -> None:
    found = ancestors(references, replied)

    assert len(found) == len(set(found)) <= MAX_ANCESTORS


async def test_a_page_and_an_mbox_name_the_same_mails() -> None:
    patchwork = SamplePatchwork(VirtualClock())
    patchwork.add_project(PROJECT)
    patches = [NewPatch(f"part {n}", sample_diff("a.c"), "Why.\n") for n in range(2)]
    posted = patchwork.post_series(PROJECT, NewSeries(name="Two", patches=patches, in_reply_to="v1@hs"))
    api = an_api(SampleTransport(patchwork))
    await api.discover()
    series = await api.series(posted.series)

    from_mbox = await api.contents(series, series.patches)
    from_pages = [await api.patch(ref.id) for ref in series.patches]

    assert series.cover is not None
    assert {patch.replies_to for patch in (*from_mbox, *from_pages)} == {("v1@hs", series.cover)}
