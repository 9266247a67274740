"""The sample Patchwork answers requests in the form of real servers."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.clock import VirtualClock
from bot.sample_patchwork.diffs import sample_diff
from bot.sample_patchwork.mail import Mail, NewPatch
from bot.sample_patchwork.patchwork import SamplePatchwork
from bot.sample_patchwork.request import Response
from bot.sample_patchwork.server import SampleTransport, serve
from support.sample_rig import a_clock, a_full_server, a_series, a_server, get

SAMPLES = Path(__file__).parent.parent / "samples"
SHAPES: dict[str, Any] = json.loads((SAMPLES / "patchwork-shapes.json").read_text())
LATER_FIELDS = {"list_archive_url", "list_archive_url_format", "commit_url_format"}  # from API 1.2 on
EVENT_SHAPES = {key.removeprefix("event-"): value for key, value in SHAPES.items() if key.startswith("event-")}


@pytest.fixture
def clock() -> VirtualClock:
    return a_clock()


@pytest.fixture
def server(clock: VirtualClock) -> SamplePatchwork:
    return a_server(clock)


@pytest.fixture
def full(clock: VirtualClock) -> SamplePatchwork:
    return a_full_server(clock)


def fits(value: Any, shape: Any) -> bool:
    """Whether an answer has the fields of a recorded one, with types that go together."""
    if isinstance(shape, dict) and set(shape) == {"is", "or"}:
        return fits(value, shape["is"]) or fits(value, shape["or"])
    if isinstance(shape, list):
        return isinstance(value, list) and (not shape or all(fits(item, shape[0]) for item in value))
    if isinstance(shape, dict):
        return isinstance(value, dict) and (
            set(value) == set(shape) and all(key == "headers" or fits(value[key], shape[key]) for key in shape)
        )
    if shape == "null":  # what was empty when it was recorded may be filled
        return value is None or isinstance(value, str | dict)
    return bool(type(value).__name__ == shape)


def without_later_fields(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: without_later_fields(value) for key, value in shape.items() if key not in LATER_FIELDS}
    return shape


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
@pytest.mark.parametrize(
    ("shape", "path"),
    [
        ("index", "/"),
        ("projects", "/projects/"),
        ("project-by-linkname", "/projects/qemu-devel/"),
        ("patches", "/patches/"),
        ("patch-detail", "/patches/1/"),
        ("series", "/series/"),
        ("series-detail", "/series/1/"),
        ("covers", "/covers/"),
        ("cover-detail", "/covers/1/"),
        ("checks", "/patches/1/checks/"),
        ("check-detail", "/patches/1/checks/1/"),
        ("patch-comments", "/patches/1/comments/"),
        ("patch-comment-detail", "/patches/1/comments/1/"),
        ("cover-comments", "/covers/1/comments/"),
        ("bundles", "/bundles/"),
    ],
)
def test_every_answer_has_the_fields_of_the_real_one(
    full: SamplePatchwork, version: str, shape: str, path: str
) -> None:
    real = SHAPES[f"v{version}-{shape}"]

    response = full.answer("GET", f"/api/{version}{path}")

    assert response.status == real["status"]
    assert response.headers["content-type"] == real["headers"]["content-type"]
    assert response.headers["vary"] == real["headers"]["vary"]
    assert ("link" in response.headers) == ("link" in real["headers"])
    if response.status == 200:
        answered = json.loads(response.body)
        assert answered or shape == "bundles"
        assert fits(answered, real["body"])


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3"])
def test_every_category_of_event_has_the_fields_of_the_real_one(full: SamplePatchwork, version: str) -> None:
    response = full.answer("GET", f"/api/{version}/events/", "per_page=250")

    events = json.loads(response.body)
    hidden = {"patch-comment-created", "cover-comment-created"} if version < "1.3" else set()
    assert {event["category"] for event in events} == set(EVENT_SHAPES) - hidden
    for event in events:
        shape = EVENT_SHAPES[event["category"]]["body"]
        assert fits(event, without_later_fields(shape) if version == "1.1" else shape), event
        assert set(event) == set(SHAPES[f"v{version}-events"]["body"][0])


@pytest.mark.parametrize("newest", ["1.1", "1.2"])
def test_a_server_without_comment_events_has_lists_of_comments_alone(full: SamplePatchwork, newest: str) -> None:
    full.api_versions = tuple(version for version in ("1.0", "1.1", "1.2") if version <= newest)

    for prefix in (f"/api/{newest}", "/api"):
        events = json.loads(full.answer("GET", f"{prefix}/events/", "per_page=250").body)
        comments = json.loads(full.answer("GET", f"{prefix}/patches/1/comments/").body)
        single = full.answer("GET", f"{prefix}/patches/1/comments/1/")

        assert {event["category"] for event in events if "comment" in event["category"]} == set()
        assert [set(comment) & {"url", "addressed"} for comment in comments] == [set()] * len(comments) != []
        assert (single.status, single.headers["content-type"].partition(";")[0]) == (404, "text/html")
        assert full.answer("GET", f"{prefix}/covers/1/comments/").status == 200
    newer = full.answer("GET", "/api/1.3/patches/1/")
    assert (newer.status, newer.headers["content-type"].partition(";")[0]) == (404, "text/html")


def test_a_server_before_2_2_does_not_tell_who_did_it(full: SamplePatchwork) -> None:
    full.api_versions = ("1.0", "1.1")

    events = json.loads(full.answer("GET", "/api/1.1/events/", "per_page=250").body)

    assert {"actor" in event for event in events} == {False}


@pytest.mark.parametrize(
    "key",
    [
        "empty-bad-project",
        "empty-bad-since",
        "err-404-page",
        "err-404-patch",
        "err-404-version",
        "err-406",
        "err-bad-token",
        "checks-of-missing-patch",
        "comments-of-missing-patch",
        "people-anonymous",
        "users-anonymous",
    ],
)
def test_a_request_that_finds_nothing_is_answered_as_by_the_real_server(full: SamplePatchwork, key: str) -> None:
    real = SHAPES[key]
    path, _, query = real["request"].removeprefix("GET ").partition("?")
    headers = {"Authorization": "Token bad"} if key == "err-bad-token" else {}

    response = full.answer("GET", path, query, headers)

    assert response.status == real["status"]
    assert response.headers["content-type"] == real["headers"]["content-type"]
    assert response.headers.get("link") == real["headers"].get("link")
    if response.headers["content-type"] == "application/json":
        assert fits(json.loads(response.body), real["body"])


def test_pages_are_clamped_and_linked_by_the_host_that_the_application_sees(full: SamplePatchwork) -> None:
    full.base_url = None

    second = full.answer("GET", "/api/1.3/events/", "per_page=5&page=2", {"Host": "behind.example.org"})

    url = "http://behind.example.org/api/1.3/events/"
    links = [("next", 3), ("prev", 1), ("first", 1), ("last", 3)]
    assert second.headers["link"] == ", ".join(f'<{url}?page={page}&per_page=5>; rel="{rel}"' for rel, page in links)
    for _ in range(120):
        full.set_state(1, "new")
        full.set_state(1, "accepted")
    assert [len(get(full, "/events/", per_page=size)) for size in (0, -5, 251, 999)] == [30, 30, 250, 250]
    assert full.answer("GET", "/api/1.3/events/", "page=last").status == 200
    for page in ("0", "99", "x"):
        past = full.answer("GET", "/api/1.3/events/", f"page={page}")
        assert (past.status, past.body) == (404, b'{"detail":"Invalid page."}')


def test_a_series_mbox_has_its_patches_by_number_with_the_trailers_of_their_comments(server: SamplePatchwork) -> None:
    content = "Do it.\n\nFrom here on it works.\nSigned-off-by: A <a@example.org>\n---\nnotes\n"
    patches = [NewPatch("part 1", sample_diff("a.c"), content), NewPatch("part 2", sample_diff("b.c"))]
    cover, first, second = server.mails_of(replace(a_series(), patches=patches))
    for mail in (cover, second, first):
        server.receive("qemu-devel", mail)
    server.set_delegate(2, "bruno")
    server.add_comment(2, "Well.\nReviewed-by: R <r@example.com>\n\n> Acked-by: quoted <q@example.com>\n")

    response = server.answer("GET", "/series/1/mbox/")

    text = response.body.decode()
    part = text.partition("\n\nFrom patchwork ")[0]
    assert response.headers["content-type"] == "text/plain"
    assert text.startswith("From patchwork Mon Nov 23 01:42:48 2026\n")
    assert [line[-1] for line in text.splitlines() if line.startswith("X-Patchwork-Id")] == ["2", "1"]
    assert "X-Patchwork-Submitter: Ada Sample <ada@example.org>\nX-Patchwork-Id: 2\nX-Patchwork-Delegate: " in part
    assert f"Message-Id: <{first.msgid}>\n" in part
    assert (
        "\n\nDo it.\n\nFrom here on it works.\nSigned-off-by: A <a@example.org>\n"
        "Reviewed-by: R <r@example.com>\n---\nnotes\n\ndiff --git a/a.c b/a.c\n"
    ) in part
    assert cover.subject not in text


def test_a_slash_in_a_message_id_is_quoted_twice_in_urls(server: SamplePatchwork) -> None:
    server.receive("qemu-devel", Mail(subject="[PATCH] x", msgid="a/b@c", date=datetime(2026, 1, 1), diff="x"))  # noqa: DTZ001 - mail dates are naive UTC

    patch = get(server, "/patches/", msgid="a/b@c")[0]

    assert patch["msgid"] == "<a/b@c>"
    assert patch["web_url"] == "https://patchwork.example.org/project/qemu-devel/patch/a%252Fb@c/"
    mbox = server.answer("GET", patch["mbox"].removeprefix("https://patchwork.example.org"))
    assert mbox.body.startswith(b"From patchwork ")


def test_paths_are_redirected_to_their_slash_and_unknown_ones_are_html(full: SamplePatchwork) -> None:
    def asked(path: str, query: str = "") -> tuple[int, str | None]:
        response = full.answer("GET", path, query)
        return response.status, response.headers.get("location")

    assert asked("/api") == (301, "/api/")
    assert asked("/api/1.3/patches", "page=2") == (301, "/api/1.3/patches/?page=2")
    assert asked("/api/1.5/") == asked("/api/1.3/nosuch/") == asked("/elsewhere/") == (404, None)
    assert json.loads(full.answer("GET", "/api/").body)["events"] == "https://patchwork.example.org/api/events/"


@pytest.mark.parametrize("path", ["/patches/1/", "/covers/1/", "/series/1/"])
def test_every_link_of_an_answer_leads_somewhere(full: SamplePatchwork, path: str) -> None:
    answered = get(full, path)

    pages = [answered[key].removeprefix("https://patchwork.example.org") for key in ("web_url", "mbox", "url")]
    kinds = [full.answer("GET", *page.split("?")).headers["content-type"] for page in pages]
    assert kinds == ["text/html; charset=utf-8", "text/plain", "application/json"]
    assert full.answer("GET", "/patch/1/").status == 302
    assert full.answer("GET", "/patch/99/").status == 404


def test_answers_carry_no_validators_and_other_formats_are_refused(full: SamplePatchwork) -> None:
    response = full.answer("GET", "/api/1.3/events/")

    assert not {"etag", "last-modified", "cache-control"} & set(response.headers)
    assert response.headers["date"] == "Mon, 23 Nov 2026 01:42:47 GMT"
    assert full.answer("GET", "/api/1.3/events/", "", {"Accept": "application/xml"}).status == 406
    browser = full.answer("GET", "/api/1.3/events/", "", {"Accept": "text/html,*/*;q=0.8"})
    assert browser.headers["content-type"].startswith("text/html")


def test_faults_come_before_answers_and_every_request_is_listed(full: SamplePatchwork) -> None:
    full.fail_next(1, 429, b"", headers={"retry-after": "7"})
    full.fault = lambda path: Response(500, {}, b"") if path.endswith("/covers/") else None

    answers = [full.answer("GET", path, "q=1") for path in ("/api/", "/api/1.3/covers/", "/api/")]

    assert [answer.status for answer in answers] == [429, 500, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert full.requests[-1] == ("GET", "/api/", "q=1")


async def test_the_real_server_and_the_transport_answer_alike(full: SamplePatchwork) -> None:
    path = "/api/1.3/events?since=2026-11-23T12%3A42%3A47&per_page=2"

    async with serve(full) as url, httpx.AsyncClient(base_url=url, follow_redirects=True) as client:
        served = await client.get(path)
    transport = SampleTransport(full)
    async with httpx.AsyncClient(transport=transport, base_url=url, follow_redirects=True) as client:
        direct = await client.get(path)

    assert served.status_code == direct.status_code == 200
    assert served.content == direct.content
    assert served.headers["link"] == direct.headers["link"]
    assert served.headers["content-type"] == "application/json"
