"""What a card says of the versions before and after it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.ids import EventId, RoomId, SeriesId
from bot.notices.card import CardContent, card
from bot.notices.markup import MAX_BODY_BYTES, written
from bot.notices.version_lines import CardPlace, FormerVersion, NextVersion
from bot.patchwork.model import Series
from bot.patchwork.range_diff import Comparison
from bot.submission import Submission
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series, read_strictly

PLACE = CardPlace(RoomId("!room:hs.example.org"), EventId("$vRs_Ww3i"))


def a_version(version: int, date: str = "2026-11-01T12:00:00", *, number: int = 41) -> Series:
    return replace(of_series(*numbered(3), version=version), id=SeriesId(number), date=date)


def line(series: Series, former: FormerVersion) -> str:
    """What a card of *series* says of the one before."""
    return written(card(CardContent(Submission(series, numbered(3)), former=former), SITE), SITE.allowed)[0].split(
        "\n"
    )[3]


def test_a_new_version_links_the_card_of_the_old_one() -> None:
    patches = numbered(3, version=6)
    former = FormerVersion(a_version(5), Comparison(unchanged=1, changed=1, new=1, gone=2), PLACE)

    shown = CardContent(Submission(a_version(6, "2026-11-07T13:00:00", number=42), patches), former=former)

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
🆕 [v6] migration: Fix it all
New · no reviews yet
Ada Sample · 3 patches · +9 −3 in migration/
since v5 (6 days): 1 of 3 changed, 1 new, 2 dropped
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
b4 shazam 20261123.1-1-ada@example.org\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
[v6] migration: Fix it all</a></strong>
<br><strong>New</strong> · no reviews yet
<br>Ada Sample · 3 patches · <code>+9 −3</code> in <code>migration/</code>
<br>since \n\
<a href="https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i">
v5</a> (6 days): 1 of 3 changed, 1 new, 2 dropped</p>
<details>
<summary>3 patches, and how to apply them</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
1/3 migration: Step 1</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
2/3 migration: Step 2</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
3/3 migration: Step 3</a></li></ul>
<p><code>b4 shazam 20261123.1-1-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_superseded_version_says_so_at_once() -> None:
    patches = numbered(2, version=5, total=3)
    series = replace(a_version(5), received_all=False, received_total=2)

    shown = CardContent(
        Submission(series, patches), superseded_by=NextVersion(a_version(6, "2026-11-02T12:00:00"), PLACE)
    )

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
♻️ [v5] migration: Fix it all → v6
was New · Ada Sample <https://patchwork.example.org/project/qemu-devel/list/?series=41&state=*&archive=both>\
""",
            """\
<p>♻️ <del>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=41&amp;state=*&amp;archive=both">
[v5] migration: Fix it all</a></del> → \n\
<a href="https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i">
v6</a>
<br>was <strong>New</strong> · Ada Sample</p>\
""",
        )
    )


def test_a_lone_patch_between_two_versions() -> None:
    patch = a_patch(1, "[v2] migration: Fix a leak")
    series = replace(of_series(patch, name="[v2] migration: Fix a leak", version=2), date="2026-11-02T11:00:00")
    former, later = (replace(series, id=SeriesId(n), version=n - 40, date=f"2026-11-0{n - 40}") for n in (41, 43))

    shown = CardContent(
        Submission(series, (patch,)), former=FormerVersion(former, Comparison()), superseded_by=NextVersion(later)
    )

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
♻️ [v2] migration: Fix a leak → v3
was New · Ada Sample <https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/>\
""",
            """\
<p>♻️ <del>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v2] migration: Fix a leak</a></del> → \n\
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=43&amp;state=*&amp;archive=both">
v3</a>
<br>was <strong>New</strong> · Ada Sample</p>\
""",
        )
    )


def test_a_partial_reroll() -> None:
    patch = replace(a_patch(10, "[v5.1,10/12] migration: Step 10"), series=SeriesId(42))
    series = replace(of_series(patch, name=patch.name, total=12), version=1)

    shown = CardContent(
        Submission(series, (patch,)), former=FormerVersion(a_version(5), Comparison(changed=1, whole=False), PLACE)
    )

    assert body_and_html(card(shown, SITE)) == snapshot(
        (
            """\
🆕 [v5.1 10/12] migration: Step 10 · 1 of 12
New · no reviews yet
Ada Sample · 12 patches · +3 −1 in migration/
partial reroll of v5: 10/12
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
b4 shazam 20261123.1-10-ada@example.org\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
[v5.1 10/12] migration: Step 10</a></strong> · 1 of 12
<br><strong>New</strong> · no reviews yet
<br>Ada Sample · 12 patches · <code>+3 −1</code> in <code>migration/</code>
<br>partial reroll of \n\
<a href="https://matrix.to/#/!room%3Ahs.example.org/%24vRs_Ww3i">
v5</a>: 10/12</p>
<details>
<summary>1 of 12 patches, and how to apply them</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-10-ada@example.org/">
10/12 migration: Step 10</a></li></ul>
<p><code>b4 shazam 20261123.1-10-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Comparison(unchanged=3), "no patch changed"),
        (Comparison(unchanged=3, whole=False), "no patch changed so far"),
        (Comparison(changed=1), "changed"),
        (Comparison(changed=3, new=1, gone=2), "3 of 4 changed, 1 new, 2 dropped"),
        (Comparison(changed=3, whole=False), "all 3 changed so far"),
        (Comparison(unchanged=2, new=1), "1 new"),
        (Comparison(new=4, gone=3), "4 new, 3 dropped"),
        (Comparison(unchanged=2, gone=1), "1 dropped"),
        (Comparison(unchanged=2, unclear=2), "2 not compared"),
        (Comparison(unchanged=1, changed=1, unclear=2), "1 of 4 changed, 2 not compared"),
    ],
)
def test_what_changed_is_said_in_numbers(found: Comparison, said: str) -> None:
    told = line(a_version(6, "2026-11-07T12:00:00", number=42), FormerVersion(a_version(5), found))

    assert told == f"since v5 (6 days): {said}"


def test_a_former_version_of_which_no_patch_is_known_is_named_all_the_same() -> None:
    told = line(a_version(6, "2026-11-07T12:00:00", number=42), FormerVersion(a_version(5), Comparison()))

    assert told == "since v5 (6 days)"


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("2026-11-01T20:00:00", "since v5 (less than a day)"),
        ("2026-11-02T12:00:00", "since v5 (1 day)"),
        ("2026-10-01T12:00:00", "since v5"),
        ("", "since v5"),
    ],
)
def test_the_time_between_is_told_where_it_is_known(date: str, said: str) -> None:
    assert line(a_version(6, date, number=42), FormerVersion(a_version(5), Comparison())) == said


def test_a_partial_reroll_of_many_patches_fits_a_card() -> None:
    patches = [a_patch(n, f"[v5.1,{n}/999] Step {n}") for n in range(1, 900)]
    series = replace(of_series(*patches, total=999), version=1)

    shown = CardContent(Submission(series, (patches[0],)), former=FormerVersion(a_version(5), Comparison(), PLACE))
    body, html = written(card(shown, SITE), SITE.allowed)

    assert ": 1/999, 2/999, " in body
    assert "b4 shazam" in body
    read_strictly(html)


versions = st.builds(a_version, st.integers(0, 10**6), st.sampled_from(["", "2026-11-01"]) | st.text())
places = st.none() | st.builds(CardPlace, st.text().map(RoomId), st.text().map(EventId))


@given(versions, versions, places)
@settings(max_examples=60, deadline=None)
def test_links_to_other_versions_are_sound_whatever_the_ids_are(
    one: Series, two: Series, place: CardPlace | None
) -> None:
    shown = CardContent(
        Submission(two, numbered(3)),
        former=FormerVersion(one, Comparison(), place),
        superseded_by=NextVersion(one, place),
    )

    body, html = written(card(shown, SITE), SITE.allowed)

    assert len(body.encode()) <= MAX_BODY_BYTES
    for link in read_strictly(html).links:
        assert link.isascii()
        assert link.startswith(("https://patchwork.example.org/", "https://matrix.to/#/"))
