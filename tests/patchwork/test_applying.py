"""Checks that failed because their tool could not apply the patch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.applying import could_not_apply
from bot.patchwork.model import Check, CheckState


def a_check(context: str, description: str = "", state: CheckState = CheckState.FAIL) -> Check:
    return Check(1, state, context, description=description)


@pytest.mark.parametrize(
    ("context", "description"),
    [
        ("netdev/apply", ""),
        ("snowpatch_ozlabs/apply_patch", "Failed to apply to branch powerpc/merge"),
        ("apply", ""),
        ("ci/Intel-compilation", "apply patch failure"),
        ("loongarch-compilation", "ninja build failure: Patch does not apply"),
        ("tcwg_gcc_check", "Patch failed to apply"),
        ("sashiko", "Could not apply the series to any tree"),
        ("sashiko", "Can’t be applied: it couldn't apply"),
        ("Fi.CI.BAT", "Applying patch failed: patch failed at 0003"),
        ("build", "merge conflict"),
    ],
)
def test_a_patch_that_did_not_apply_is_recognized(context: str, description: str) -> None:
    assert could_not_apply(a_check(context, description))


@pytest.mark.parametrize(
    ("context", "description"),
    [
        ("netdev/build_32bit", "Errors and warnings before: 12 this patch: 13"),
        ("checkpatch", "1 warning: this applies to the commit message as well"),
        ("supply", ""),
        ("build", "applied and built; 3 tests failed"),
        ("netdev/tree_selection", "Not a local patch"),
    ],
)
def test_a_finding_is_no_failure_to_apply(context: str, description: str) -> None:
    assert not could_not_apply(a_check(context, description))


@pytest.mark.parametrize("state", [CheckState.SUCCESS, CheckState.PENDING])
def test_a_check_that_did_not_fail_found_the_patch_to_apply(state: CheckState) -> None:
    assert not could_not_apply(a_check("netdev/apply", "does not apply", state))


@given(st.text(), st.text())
def test_any_text_is_read(context: str, description: str) -> None:
    could_not_apply(a_check(context, description))
