"""The digests of diffs are those that Patchwork gives them."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.patchwork.diff import OF_NOTHING, hash_of, proves, without_message
from bot.sample_patchwork.diffs import rename_diff, sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import an_api
from support.rig import PROJECT

SEED = json.loads((Path(__file__).parents[1] / "samples" / "patch-2194095.json").read_text())
HEADERS = ("diff --git a/x b/x", "index 1..2 100644", "--- a/x", "+++ b/x", "@@ -1,2 +3 @@ int f()", "rename from x")
BODY = (" same", "-gone", "+new", "", "\\ No newline at end of file", "Binary files differ", "--- ", "+++ ", "@@ -1 @@")

diffs = st.lists(st.sampled_from((*HEADERS, *BODY)) | st.text(max_size=8), max_size=12).map("\n".join)


def line_by_line(diff: str) -> str:
    """The rule as it would be told to somebody, one line after the other."""
    told = ""
    for line in diff.replace("\r", "").strip().split("\n"):
        sign, _, rest = line.partition(" ")
        hunk = re.match(r"@@ -[0-9]+(,[0-9]+)? \+[0-9]+(,[0-9]+)? @@", line)
        if sign in {"---", "+++"} and rest[:1].strip():
            path = rest.split()[0].split("/", 1)
            told += f"{sign} {'a' if sign == '---' else 'b'}/{''.join(path[1:])}\n"
        elif hunk:
            old, new = (int((count or ",1")[1:]) for count in hunk.groups())
            told += f"@@ -{old} +{new} @@\n"
        elif line[:1] in {"+", "-", " "}:
            told += f"{line}\n"
    return hashlib.sha1(told.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def test_the_hash_of_a_recorded_patch_is_its_servers() -> None:
    assert hash_of(SEED["diff"]) == SEED["hash"] == "51062298277dd3c0cd2d3a1be21443294b4c998f"


@given(diffs)
def test_the_hash_of_any_text_is_what_the_rule_says(diff: str) -> None:
    assert hash_of(diff) == line_by_line(diff)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (SEED["diff"].replace("\n", "\r\n"), "carriage returns"),
        (SEED["diff"].replace("-727,6 +727,12", "-1,6 +99,12"), "line numbers"),
        (SEED["diff"].replace("static void colo_incoming", "int other"), "the function that a hunk is in"),
        (SEED["diff"].replace("index d3534d1", "index 0000000"), "blob ids"),
        (SEED["diff"].replace(" a/", " old/").replace(" b/", " new/"), "the names of the trees"),
        ("\n\n" + SEED["diff"] + "\n\n", "white space around"),
    ],
)
def test_the_hash_is_blind_to_what_a_rebase_moves(other: str, why: str) -> None:
    assert other != SEED["diff"], why
    assert hash_of(other) == SEED["hash"], why


@pytest.mark.parametrize(
    "other",
    [
        SEED["diff"].replace("vmstate_loading = true", "vmstate_loading = false"),
        SEED["diff"].replace("+    qemu", "-    qemu"),
        SEED["diff"].replace("colo.c", "ram.c"),
        SEED["diff"].replace("727,12", "727,11"),
    ],
)
def test_the_hash_sees_what_a_patch_does(other: str) -> None:
    assert hash_of(other) != SEED["hash"]


def test_a_count_of_any_length_is_read() -> None:
    digits = "0" * 9_000 + "7"

    assert hash_of(f"@@ -1,{digits} +1,{'9' * 9_000} @@") == hash_of(f"@@ -2,7 +2,{'9' * 9_000} @@")


@pytest.mark.parametrize("diff", ["", rename_diff("a", "b"), "GIT binary patch\nliteral 1\n"])
def test_a_diff_that_leaves_nothing_proves_nothing(diff: str) -> None:
    assert hash_of(diff) == OF_NOTHING == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert not proves(hash_of(diff))


def test_what_is_not_known_proves_nothing_and_a_hash_does() -> None:
    assert not proves(None)
    assert proves(SEED["hash"])


@pytest.mark.parametrize(
    "message",
    [
        "Why.\n",
        "Why.\n---\n a.c | 2 +-\n 1 file changed\n",
        "It said:\n--- a/x is no file\ndiff --git is a command\n",
        "Before\n--- a/y\nno more of it\n",
    ],
)
def test_the_diff_of_a_mail_begins_below_its_message(message: str) -> None:
    assert hash_of(without_message(f"{message}\n{SEED['diff']}")) == SEED["hash"]


def test_a_message_without_a_diff_has_none() -> None:
    assert without_message("Why.\n---\nNothing here.\n") == ""


async def test_a_patch_has_the_same_hash_whether_its_page_or_the_mbox_is_read() -> None:
    patchwork = SamplePatchwork(VirtualClock())
    patchwork.add_project(PROJECT)
    diffs = [SEED["diff"], rename_diff("a", "b"), sample_diff("migration/ram.c", "café.c").replace("\n", "\r\n")]
    patches = [NewPatch(f"part {n}", diff, "Why.\n\n---\nsince v1:\n- more\n") for n, diff in enumerate(diffs)]
    posted = patchwork.post_series(PROJECT, NewSeries(name="Three", patches=patches))
    api = an_api(SampleTransport(patchwork))
    await api.discover()
    series = await api.series(posted.series)

    from_mbox = await api.contents(series, series.patches)
    from_pages = [await api.patch(ref.id) for ref in series.patches]

    told = [SEED["hash"], OF_NOTHING, hash_of(diffs[2])]
    assert [patch.hash for patch in from_mbox] == [patch.hash for patch in from_pages] == told
