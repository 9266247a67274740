"""Subjects as they were mailed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.model import patch_subject, series_subject, short_subject, without_prefixes
from support.card_rig import a_patch, numbered, of_series


@pytest.mark.parametrize(
    ("cover", "version", "expected"),
    [
        ("[RFC,v3,0/3] migration: Fix it", 3, "[RFC v3 0/3] migration: Fix it"),
        ("[net-next,v2,RESEND,00/12] Fix it", 2, "[net-next v2 RESEND 00/12] Fix it"),
        ("[0/3] Fix it", 1, "[0/3] Fix it"),
        ("[0/3] Fix it", 2, "[v2 0/3] Fix it"),
        ("[ovs-dev] [v2,0/3] Fix it", 2, "[ovs-dev v2 0/3] Fix it"),
        ("[V2,0 of 3] Fix it", 2, "[V2 0 of 3] Fix it"),
        ("Fix it", 2, "[v2] Fix it"),
        ("[v2]", 2, "[v2]"),
    ],
)
def test_a_series_has_the_subject_of_its_cover_letter(cover: str, version: int, expected: str) -> None:
    series = replace(
        of_series(*numbered(3), version=version), patches=(), cover_name=cover, name=without_prefixes(cover)
    )

    assert series_subject(series) == expected


def test_without_a_cover_letter_it_has_the_prefixes_that_its_patches_share() -> None:
    patches = [a_patch(n, f"[RFC,v4{',net' if n > 1 else ''},{n}/2] Step {n}") for n in (1, 2)]

    assert series_subject(of_series(*patches, name="Fix it all", version=4)) == "[RFC v4] Fix it all"
    assert series_subject(of_series(*patches, name="[RFC,v4,1/2] Step 1", version=4)) == "[RFC v4 1/2] Step 1"


def test_the_only_patch_of_a_later_version_tells_it() -> None:
    patch = a_patch(1, "Fix it")

    assert patch_subject(patch, of_series(patch, version=3)) == "[v3] Fix it"
    assert patch_subject(replace(patch, name="[v3,net] Fix it"), of_series(patch, version=3)) == "[v3 net] Fix it"
    assert patch_subject(patch) == "Fix it"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("[RFC,v3,2/3] Step", "2/3 Step"),
        ("[v3,2/3] Step", "2/3 Step"),
        ("[v3,net,2/3] Step", "2/3 [net] Step"),
        ("[rfc,V3] Step", "Step"),
        ("Step", "Step"),
        ("[2/3]", "2/3 [2/3]"),
    ],
)
def test_below_its_series_a_patch_repeats_nothing(name: str, expected: str) -> None:
    assert short_subject(a_patch(1, name), ("RFC", "v3", "0/3")) == expected


@given(st.text(), st.text(), st.integers(-1, 10**6))
def test_any_name_is_a_subject(name: str, cover: str, version: int) -> None:
    patch = a_patch(1, name)
    series = replace(of_series(patch, name=name, version=version), cover_name=cover)

    series_subject(series)
    patch_subject(patch, series)
    short_subject(patch, (name, cover))
