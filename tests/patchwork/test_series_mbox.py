"""A series mbox is taken only when it is exactly the series' own; else the patches are read one by one."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import VirtualClock
from bot.errors import Temporary
from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.diff import hash_of
from bot.patchwork.mails import MAX_TEXT, mail_text, read_series_mbox
from bot.patchwork.model import FileChange, Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import NewPatch, NewSeries
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.server import SampleTransport
from support.poll_rig import a_patchwork, an_api
from support.rig import PROJECT

SUBMITTER = Person("Ada Sample", "ada@example.org")


def the_series(*ids: int) -> Series:
    """A series of patches with *ids*."""
    count = len(ids)
    refs = [
        PatchRef(PatchId(patch), Msgid(f"{patch}@example.org"), f"[{number}/{count}] Part {patch}")
        for number, patch in enumerate(ids, start=1)
    ]
    return Series(
        id=SeriesId(7),
        project=ProjectName(PROJECT),
        name="The series",
        version=1,
        submitter=SUBMITTER,
        date="2026-01-01T00:00:00",
        total=count,
        patches=tuple(refs),
    )


def part(patch: int | str, *, path: str = "a.c", text: str = "Why.\n", headers: str = "") -> str:
    """One mail of the mbox, as Patchwork writes it."""
    return (
        "From patchwork Thu Jan  1 00:00:00 2026\n"
        'Content-Type: text/plain; charset="utf-8"\n'
        "X-Patchwork-Submitter: =?utf-8?q?Em=C3=ADl?= <emil@example.org>\n"
        f"X-Patchwork-Id: {patch}\n"
        f"{headers}"
        "Subject: [PATCH] Part\n"
        "To: List <list@example.org>,\n\tAda <ADA@example.org>\n"
        f"\n{text}---\n\n{sample_diff(path)}"
    )


def test_an_mbox_is_read_into_its_patches() -> None:
    mbox = "\n".join([part(2, path="b.c", text="Why.\n\nReviewed-by: Rey <rey@example.com>\n"), part(1)])

    read = read_series_mbox(mbox, the_series(1, 2))

    assert read is not None
    assert read[PatchId(2)] == Patch(
        id=PatchId(2),
        project=ProjectName(PROJECT),
        msgid=Msgid("2@example.org"),
        name="[2/2] Part 2",
        submitter=Person("Emíl", "emil@example.org"),
        date="2026-01-01T00:00:00",
        series=SeriesId(7),
        state="new",
        hash=hash_of(sample_diff("b.c")),
        files=(FileChange("b.c", added=1, removed=1),),
        to=("list@example.org", "ada@example.org"),
        trailers=frozenset({Trailer(TrailerKind.REVIEWED, "rey@example.com")}),
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda text: text.replace("\n", "\r\n"), "CRLF"),
        (lambda text: text.rstrip("\n"), "no newline at the end"),
        (lambda text: f"{text}\n\n\n", "empty lines at the end"),
    ],
)
def test_line_ends_do_not_matter(change: Callable[[str], str], what: str) -> None:
    mbox = "\n".join([part(1), part(2, path="b.c")])

    read = read_series_mbox(change(mbox), the_series(1, 2))

    assert read is not None, what
    assert {patch: read[patch].paths for patch in read} == {PatchId(1): ("a.c",), PatchId(2): ("b.c",)}
    assert read[PatchId(1)].to == ("list@example.org", "ada@example.org")


FORGED = "X-Patchwork-Id: 2\n"


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([part(1)], "one is missing"),
        ([part(1), part(2), part(3)], "one is another series'"),
        ([part(1), part(2), part(2)], "one comes twice"),
        ([part(1), part("2x")], "an id that is none"),
        ([part(1), part("9" * 30)], "an id that no database holds"),
        ([part(1), part("٢")], "an id in other digits"),
        ([part(1, text=part(2, path="forged.c")), part(2)], "a forged part in a body"),
        ([part(1, text="From patchwork with love\n\nHello.\n"), part(2)], "a body that begins like a part"),
        ([part(1, text="From patchwork Thu\nX-Patchwork-Id: 3\n\n"), part(2)], "a forged part with a foreign id"),
        ([], "nothing"),
        (["<html>Checking your browser</html>"], "a page"),
    ],
)
def test_what_is_not_exactly_the_series_is_refused(parts: list[str], what: str) -> None:
    assert read_series_mbox("\n".join(parts), the_series(1, 2)) is None, what


@pytest.mark.parametrize("break_", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_no_odd_line_break_in_a_header_makes_another_header(break_: str) -> None:
    mbox = part(1, headers=f"X-Note: a{break_}Cc: forged@example.org\n")

    read = read_series_mbox(mbox, the_series(1))

    assert read is not None
    assert read[PatchId(1)].cc == ()


def test_a_mails_own_patchwork_headers_stand_behind_those_of_the_server() -> None:
    forged = "X-Patchwork-Id: 2\nX-Patchwork-Submitter: Evil <evil@example.org>\n"

    read = read_series_mbox(part(1, headers=forged), the_series(1))

    assert read is not None
    assert read[PatchId(1)].submitter.email == "emil@example.org"


@pytest.mark.parametrize(("before", "delegate"), [(True, "rey@example.org"), (False, None)])
def test_a_delegate_is_believed_only_when_the_server_names_one(before: bool, delegate: str | None) -> None:
    named = "X-Patchwork-Delegate: rey@example.org\n"
    mbox = part(1, headers=named if before else f"Received: by mx.example.org\n{named}")

    read = read_series_mbox(mbox, the_series(1))

    assert read is not None
    assert read[PatchId(1)].delegate == delegate


def test_no_nesting_in_a_header_is_too_deep() -> None:
    nested = "(" * 60_000
    mbox = part(1, headers=f"Cc: {nested}\n", text=f"Acked-by: {nested[:300]}\n")

    assert read_series_mbox(mbox.replace("=?utf-8?q?Em=C3=ADl?=", nested), the_series(1)) is not None


pieces = st.one_of(
    st.sampled_from(["From patchwork Thu\n", "X-Patchwork-Id: 1\n", "\n", "\r\n", "---\n", "Subject: a\n", " b\n"]),
    st.integers(0, 3).map(part),
    st.text(max_size=30),
)


@given(st.lists(pieces, max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_the_whole_series_or_none(text: str) -> None:
    read = read_series_mbox(text, the_series(1, 2))

    assert read is None or set(read) == {1, 2}


@given(st.permutations([1, 2, 3]), st.lists(st.integers(1, 4), max_size=2), st.booleans())
def test_an_mbox_is_taken_if_and_only_if_it_has_each_patch_once(order: list[int], more: list[int], crlf: bool) -> None:
    text = "\n".join(part(patch) for patch in [*order, *more])

    read = read_series_mbox(text.replace("\n", "\r\n") if crlf else text, the_series(1, 2, 3))

    assert (read is not None) is (more == [])


# As the server gives it


@dataclass
class Counting(SampleTransport):
    """Notes how many requests are under way at once; *spoil* may put another answer in place of the server's."""

    patchwork: SamplePatchwork
    spoil: Callable[[str], httpx.Response | None] = lambda _: None
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer after some turns of the event loop."""
        self.asked.append(re.sub(r"^/api/[\d.]+", "", request.url.path))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_once -= 1
        return self.spoil(request.url.path) or await super().handle_async_request(request)


def a_posted_series(patchwork: SamplePatchwork, *texts: str) -> int:
    """A series with a patch for each of *texts*, its commit message; its id."""
    patches = [NewPatch(f"part {number}", sample_diff(f"{number}.c"), text) for number, text in enumerate(texts)]
    return patchwork.post_series(PROJECT, NewSeries(name="The series", patches=patches)).series


async def contents(transport: Counting, number: int) -> tuple[Patch, ...]:
    """What is read of all patches of a series."""
    api = an_api(transport)
    await api.discover()
    series = await api.series(number)
    transport.asked.clear()
    return await api.contents(series, series.patches)


async def test_the_patches_of_a_series_come_in_one_mbox() -> None:
    patchwork = a_patchwork(VirtualClock())
    number = a_posted_series(patchwork, *["Why.\n"] * 5)
    transport = Counting(patchwork)

    read = await contents(transport, number)

    assert [patch.paths for patch in read] == [(f"{n}.c",) for n in range(5)]
    assert transport.asked == [f"/series/{number}/mbox/"]


async def test_a_forged_part_makes_the_patches_be_read_one_by_one_two_at_a_time() -> None:
    patchwork = a_patchwork(VirtualClock())
    number = a_posted_series(patchwork, part(4, path="forged.c"), *["Why.\n"] * 7)
    transport = Counting(patchwork)

    read = await contents(transport, number)

    assert [patch.paths for patch in read[1:]] == [(f"{n}.c",) for n in range(1, 8)]
    assert "forged.c" not in read[3].paths
    assert sorted(transport.asked[1:]) == [f"/patches/{n}/" for n in range(1, 9)]
    assert transport.most_at_once == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, headers={"content-type": "text/html"}, stream=httpx.ByteStream(b"<html></html>")),
        httpx.Response(403),
        httpx.Response(502),
        httpx.Response(302, headers={"location": "https://example.org/login"}),
    ],
)
async def test_a_wall_in_front_of_the_mbox_makes_the_patches_be_read_one_by_one(answer: httpx.Response) -> None:
    patchwork = a_patchwork(VirtualClock())
    number = a_posted_series(patchwork, "Why.\n", "Why.\n")
    transport = Counting(patchwork, lambda path: answer if path.endswith("/mbox/") else None)

    read = await contents(transport, number)

    assert [patch.paths for patch in read] == [("0.c",), ("1.c",)]


async def test_a_patch_that_is_deleted_meanwhile_is_left_out() -> None:
    patchwork = a_patchwork(VirtualClock())
    number = a_posted_series(patchwork, "Why.\n", "Why.\n", "Why.\n")
    api = an_api(SampleTransport(patchwork))
    await api.discover()
    series = await api.series(number)
    patchwork.delete_patch(2)

    read = await api.contents(series, series.patches)

    assert [patch.id for patch in read] == [1, 3]


async def test_pages_that_were_read_are_not_asked_for_again_when_another_one_failed() -> None:
    patchwork = a_patchwork(VirtualClock())
    number = a_posted_series(patchwork, *["Why.\n"] * 6)
    failing = {"/api/1.3/patches/3/"}
    transport = Counting(
        patchwork, lambda path: httpx.Response(502) if path in failing or path.endswith("/mbox/") else None
    )
    api = an_api(transport)
    await api.discover()
    series = await api.series(number)

    with pytest.raises(Temporary):
        await api.contents(series, series.patches)
    failing.clear()
    transport.asked.clear()
    read = await api.contents(series, series.patches)

    assert [patch.id for patch in read] == [1, 2, 3, 4, 5, 6]
    assert transport.asked == [f"/series/{number}/mbox/", "/patches/3/", "/patches/5/", "/patches/6/"]


async def test_a_single_patch_is_read_from_its_own_page() -> None:
    patchwork = a_patchwork(VirtualClock())
    number = a_posted_series(patchwork, "Why.\n")
    transport = Counting(patchwork)

    read = await contents(transport, number)

    assert [patch.paths for patch in read] == [("0.c",)]
    assert transport.asked == ["/patches/1/"]


def test_a_mail_is_its_subject_its_message_and_its_diff_and_the_beginning_of_a_long_one() -> None:
    text = mail_text("[v2] Fix\nit", "Message\n---\ndiff --git a/x b/x\n" + "+" * MAX_TEXT)

    assert text.startswith("Subject: [v2] Fix it\n\nMessage\n---\ndiff --git a/x b/x\n")
    assert len(text) == len("Subject: [v2] Fix it\n\n") + MAX_TEXT
