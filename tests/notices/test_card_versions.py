"""What a card says of the versions before and after it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.ids import EventId, RoomId, SeriesId
from bot.notices.card import CardPlace, FormerVersion, NextVersion, Shown, card
from bot.notices.markup import MAX_BODY_BYTES, written
from bot.patchwork.model import Series
from bot.patchwork.versions import Comparison
from bot.submission import Submission
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series, read_strictly

PLACE = CardPlace(RoomId("!room:hs.example.org"), EventId("$vRs_Ww3i"))
PAGE = "https://patchwork.example.org/project/qemu-devel/list/?series=41&state=*&archive=both"


def a_version(version: int, date: str = "2026-11-01T12:00:00", *, number: int = 41) -> Series:
    return replace(of_series(*numbered(3), version=version), id=SeriesId(number), date=date)


def line(series: Series, former: FormerVersion) -> str:
    """What a card of *series* says of the one before."""
    return written(((card(Shown(Submission(series, numbered(3)), former=former), SITE))[1],), SITE.allowed)[0].split(
        "\n"
    )[1]


def test_a_new_version_links_the_card_of_the_old_one() -> None:
    patches = numbered(3, version=6)
    former = FormerVersion(a_version(5), Comparison(unchanged=1, changed=1, new=1, gone=2), PLACE)

    shown = Shown(Submission(a_version(6, "2026-11-07T13:00:00", number=42), patches), former=former)

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
migration: Fix it all
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
Ada Sample · 3 patches
v6, 6 days after v5 <https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i>: 1 patch changed, 1 new, 2 gone
+9 −3 in 1 file: migration/
New 3
Patches
• [v6,1/3] migration: Step 1
• [v6,2/3] migration: Step 2
• [v6,3/3] migration: Step 3
b4 am 20261123.1-1-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
migration: Fix it all</a></strong>
<br>Ada Sample · 3 patches
<br>v6, 6 days after \n\
<a href="https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i">
v5</a>: 1 patch changed, 1 new, 2 gone
<br>+9 −3 in 1 file: migration/
<br>New 3</p>
<details>
<summary>Patches</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v6,1/3] migration: Step 1</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
[v6,2/3] migration: Step 2</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
[v6,3/3] migration: Step 3</a></li></ul>
<p><code>b4 am 20261123.1-1-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_superseded_version_says_so_at_once() -> None:
    patches = numbered(2, version=5, total=3)
    series = replace(a_version(5), received_all=False, received_total=2)

    shown = Shown(Submission(series, patches), superseded_by=NextVersion(a_version(6, "2026-11-02T12:00:00"), PLACE))

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
migration: Fix it all · superseded by v6
https://patchwork.example.org/project/qemu-devel/list/?series=41&state=*&archive=both
Superseded by v6 <https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i>, 1 day later
Ada Sample · 3 patches · v5
+6 −2 in 1 file: migration/
New 2
Patches
• [v5,1/3] migration: Step 1
• [v5,2/3] migration: Step 2
b4 am 20261123.1-1-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=41&amp;state=*&amp;archive=both">
migration: Fix it all</a></strong> · superseded by v6
<br>Superseded by \n\
<a href="https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i">
v6</a>, 1 day later
<br>Ada Sample · 3 patches · v5
<br>+6 −2 in 1 file: migration/
<br>New 2</p>
<details>
<summary>Patches</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v5,1/3] migration: Step 1</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
[v5,2/3] migration: Step 2</a></li></ul>
<p><code>b4 am 20261123.1-1-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_lone_patch_between_two_versions() -> None:
    patch = a_patch(1, "[v2] migration: Fix a leak")
    series = replace(of_series(patch, name="[v2] migration: Fix a leak", version=2), date="2026-11-02T11:00:00")
    former, later = (replace(series, id=SeriesId(n), version=n - 40, date=f"2026-11-0{n - 40}") for n in (41, 43))

    shown = Shown(
        Submission(series, (patch,)), former=FormerVersion(former, Comparison()), superseded_by=NextVersion(later)
    )

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
[v2] migration: Fix a leak · superseded by v3
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/
Superseded by v3 <https://patchwork.example.org/project/qemu-devel/list/?series=43&state=*&archive=both>
Ada Sample · 1 patch
v2, 1 day after v1 <https://patchwork.example.org/project/qemu-devel/list/?series=41&state=*&archive=both>
+3 −1 in 1 file: migration/
New
Apply
b4 am 20261123.1-1-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v2] migration: Fix a leak</a></strong> · superseded by v3
<br>Superseded by \n\
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=43&amp;state=*&amp;archive=both">
v3</a>
<br>Ada Sample · 1 patch
<br>v2, 1 day after \n\
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=41&amp;state=*&amp;archive=both">
v1</a>
<br>+3 −1 in 1 file: migration/
<br>New</p>
<details>
<summary>Apply</summary><blockquote>
<p><code>b4 am 20261123.1-1-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_partial_reroll() -> None:
    patch = replace(a_patch(10, "[v5.1,10/12] migration: Step 10"), series=SeriesId(42))
    series = replace(of_series(patch, name=patch.name, total=12), version=1)

    shown = Shown(
        Submission(series, (patch,)), former=FormerVersion(a_version(5), Comparison(changed=1, whole=False), PLACE)
    )

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
[v5.1,10/12] migration: Step 10 · 1 of 12
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
Ada Sample · 12 patches
partial reroll of v5 <https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i>: 10/12
+3 −1 in 1 file: migration/
New 1
Patches so far
• [v5.1,10/12] migration: Step 10
b4 am 20261123.1-10-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
[v5.1,10/12] migration: Step 10</a></strong> · 1 of 12
<br>Ada Sample · 12 patches
<br>partial reroll of \n\
<a href="https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i">
v5</a>: 10/12
<br>+3 −1 in 1 file: migration/
<br>New 1</p>
<details>
<summary>Patches so far</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-10-ada@example.org/">
[v5.1,10/12] migration: Step 10</a></li></ul>
<p><code>b4 am 20261123.1-10-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Comparison(unchanged=3), "no patch changed"),
        (Comparison(unchanged=3, whole=False), "no patch changed so far"),
        (Comparison(changed=1), "1 patch changed"),
        (Comparison(changed=3, new=1, gone=2), "3 patches changed, 1 new, 2 gone"),
        (Comparison(changed=3, whole=False), "3 patches changed so far"),
        (Comparison(unchanged=2, new=1), "1 new patch"),
        (Comparison(new=4, gone=3), "4 new patches, 3 gone"),
        (Comparison(unchanged=2, gone=1), "1 patch gone"),
        (Comparison(unchanged=2, unclear=2), "2 patches not compared"),
        (Comparison(changed=1, unclear=2), "1 patch changed, 2 not compared"),
    ],
)
def test_what_changed_is_said_in_numbers(found: Comparison, said: str) -> None:
    told = line(a_version(6, "2026-11-07T12:00:00", number=42), FormerVersion(a_version(5), found))

    assert told == f"v6, 6 days after v5 <{PAGE}>: {said}"


def test_a_former_version_of_which_no_patch_is_known_is_linked_all_the_same() -> None:
    told = line(a_version(6, "2026-11-07T12:00:00", number=42), FormerVersion(a_version(5), Comparison()))

    assert told == f"v6, 6 days after v5 <{PAGE}>"


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("2026-11-01T20:00:00", "v6, less than a day after v5"),
        ("2026-11-02T12:00:00", "v6, 1 day after v5"),
        ("2026-10-01T12:00:00", "v6 after v5"),
        ("", "v6 after v5"),
    ],
)
def test_the_time_between_is_told_where_it_is_known(date: str, said: str) -> None:
    told = line(a_version(6, date, number=42), FormerVersion(a_version(5), Comparison()))

    assert told == f"{said} <{PAGE}>"


def test_a_partial_reroll_of_many_patches_fits_a_card() -> None:
    patches = [a_patch(n, f"[v5.1,{n}/999] Step {n}") for n in range(1, 900)]
    series = replace(of_series(*patches, total=999), version=1)

    shown = Shown(Submission(series, (patches[0],)), former=FormerVersion(a_version(5), Comparison(), PLACE))
    body, html = written(card(shown, SITE), SITE.allowed)

    assert ": 1/999, 2/999, " in body
    assert "b4 am" in body
    read_strictly(html)


versions = st.builds(a_version, st.integers(0, 10**6), st.sampled_from(["", "2026-11-01"]) | st.text())
places = st.none() | st.builds(CardPlace, st.text().map(RoomId), st.text().map(EventId))


@given(versions, versions, places)
@settings(max_examples=60, deadline=None)
def test_links_to_other_versions_are_sound_whatever_the_ids_are(
    one: Series, two: Series, place: CardPlace | None
) -> None:
    shown = Shown(
        Submission(two, numbered(3)),
        former=FormerVersion(one, Comparison(), place),
        superseded_by=NextVersion(one, place),
    )

    body, html = written(card(shown, SITE), SITE.allowed)

    assert len(body.encode()) <= MAX_BODY_BYTES
    for link in read_strictly(html).links:
        assert link.isascii()
        assert link.startswith(("https://patchwork.example.org/", "https://matrix.to/#/"))
