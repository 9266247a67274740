"""What a card says of what its series needs."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.ids import SeriesId
from bot.notices.card import MAX_COLUMNS, CardContent, card, compact
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES, written
from bot.notices.needs import MAX_SHOWN, Need, Needs
from bot.patchwork.model import Dependency, DependencyKind
from bot.submission import Submission
from bot.text import columns
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series, read_strictly

SERIES, PATCH, MAIL = DependencyKind.SERIES, DependencyKind.PATCH, DependencyKind.MAIL


def a_need(number: int, name: str, version: int = 1, **states: int) -> Need:
    """A series that is known."""
    series = replace(of_series(*numbered(2, version=version), name=name, version=version), id=SeriesId(number))
    return Need(Dependency(SERIES, str(number)), series=series, states=tuple(sorted(states.items())))


def a_card(needs: Needs) -> CardContent:
    return CardContent(Submission(of_series(*numbered(2)), numbered(2)), needs=needs)


def line(needs: Needs) -> str:
    """The line of the card in plain text; "" without one."""
    body, _ = written(card(a_card(needs), SITE), SITE.allowed)
    return next((each for each in body.split("\n") if each.startswith("needs: ")), "")


def test_what_is_needed_has_its_title_its_version_and_its_state() -> None:
    needs = Needs((a_need(7, "migration: Prepare it", 3, accepted=2),))

    body, html = body_and_html(card(a_card(needs), SITE))

    assert body.split("\n")[:4] == snapshot(
        [
            "🆕 migration: Fix it all",
            "New · no reviews yet",
            "Ada Sample · 2 patches · +6 −2 in migration/",
            "needs: migration: Prepare it v3 (Accepted)",
        ]
    )
    assert [
        each for each in html.split("\n") if "needs" in each or "series=7" in each or "Prepare" in each
    ] == snapshot(
        [
            "<br>needs: ",
            '<a href="https://patchwork.example.org/project/qemu-devel/list/?series=7&amp;state=*&amp;archive=both">',
            "migration: Prepare it v3</a> (Accepted)</p>",
        ]
    )


def test_three_are_named_and_the_rest_is_counted() -> None:
    needs = Needs(tuple(a_need(number, f"hw: Step {number}", new=1) for number in range(1, 4)), 2)

    assert line(needs) == snapshot("needs: hw: Step 1 (New), hw: Step 2 (New), hw: Step 3 (New) and 2 more")


def test_what_is_not_known_has_no_state() -> None:
    unknown = (
        Need(Dependency(SERIES, "1234")),
        Need(Dependency(PATCH, "77", "pw.example.com")),
        Need(Dependency(MAIL, "20240726221429.1-1-ada@example.org")),
    )

    assert line(Needs(unknown)) == snapshot(
        "needs: series 1234, patch 77 of pw.example.com, 20240726221429.1-1-ada@example.org"
    )


def test_a_lone_patch_is_named_by_its_subject() -> None:
    patch = a_patch(5, "[RFC] hw: Add it")

    assert line(Needs((Need(Dependency(PATCH, "105"), patch=patch, states=(("rfc", 1),)),))) == snapshot(
        "needs: hw: Add it (Rfc)"
    )


def test_long_titles_and_mixed_states_fit_a_line() -> None:
    name = "drivers/gpu/drm: A title that is much too long to be shown together with two others of its kind"
    needs = Needs(tuple(a_need(number, name, 12, accepted=5, new=3, rfc=1) for number in range(1, 4)), 44)

    assert line(needs) == snapshot(
        "needs: drivers/g… v12 (Accepted 5 of 9), drivers/g… v12 (Accepted 5 of 9) and 45 more"
    )
    assert columns(line(needs)) <= MAX_COLUMNS


def test_neither_a_compact_card_nor_one_without_needs_has_the_line() -> None:
    needs = Needs((a_need(7, "migration: Prepare it"),))

    assert "needs" not in written(compact(a_card(needs), SITE), SITE.allowed)[0]
    assert line(Needs()) == ""


_NEEDS = st.builds(
    Need,
    st.builds(Dependency, st.sampled_from(DependencyKind), st.text(min_size=1), st.text()),
    st.none() | st.builds(lambda name, version: a_need(1, name, version).series, st.text(), st.integers(1, 99)),
    st.none() | st.builds(lambda name: a_patch(5, name), st.text()),
    st.lists(st.tuples(st.text(min_size=1), st.integers(1, 500)), max_size=5, unique_by=lambda each: each[0]).map(
        tuple
    ),
)


@settings(max_examples=200)
@given(st.lists(_NEEDS, max_size=MAX_SHOWN).map(tuple), st.integers(0, 500))
def test_whatever_is_needed_the_card_is_small_and_strict(first: tuple[Need, ...], more: int) -> None:
    body, html = written(card(a_card(Needs(first, more)), SITE), SITE.allowed)

    assert len(body.encode()) <= MAX_BODY_BYTES
    assert len(html.encode()) <= MAX_HTML_BYTES
    assert all(each.startswith(SITE.url) for each in read_strictly(html).links)
    assert len(body.split("\n")) <= 7
