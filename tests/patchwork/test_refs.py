import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.model import Patch, Person
from bot.patchwork.references import (
    Ref,
    RefKind,
    archive_link,
    msgid_of,
    msgid_of_url_part,
    patch_url,
    read_ref,
    series_url,
    url_part,
)

BASE = "https://patchwork.example.org"
PROJECT = ProjectName("qemu-devel")
HOST = "patchwork.example.org"


def a_patch(msgid: str, number: int = 7) -> Patch:
    return Patch(PatchId(number), PROJECT, Msgid(msgid), "A patch", Person("Ada", "ada@example.org"))


@pytest.mark.parametrize(
    ("msgid", "part"),
    [
        ("1@example.org", "1@example.org"),
        ("a/b@example.org", "a%252Fb@example.org"),
        ("a%2x@example.org", "a%252x@example.org"),
        ("a+b=c&d$e@x", "a+b=c&d$e@x"),
        ("a?b#c@x", "a%3Fb%23c@x"),
        ("ä@x", "%C3%A4@x"),
    ],
)
def test_a_message_id_in_a_url(msgid: str, part: str) -> None:
    assert url_part(Msgid(msgid)) == part
    assert msgid_of_url_part(part) == msgid


@pytest.mark.parametrize(
    ("part", "msgid"),
    [("a%252Fb@x", "a/b@x"), ("a%2Fb@x", "a/b@x"), ("a%2525x@x", "a%25x@x"), ("a%252fb@x", "a%2fb@x")],
)
def test_a_message_id_is_unquoted_once_and_then_only_its_slashes(part: str, msgid: str) -> None:
    assert msgid_of_url_part(part) == msgid


msgids = st.text(st.characters(min_codepoint=33, exclude_characters="<>", exclude_categories=["Cs"]), min_size=1)
msgids = msgids.filter(lambda text: text.isprintable() and "%2F" not in text and len(text) < 60 and text != "/")


@given(msgids)
def test_the_page_of_a_patch_leads_back_to_it(msgid: str) -> None:
    by_msgid = read_ref(patch_url(BASE, a_patch(msgid), by_msgid=True))
    by_id = read_ref(patch_url(BASE, a_patch(msgid), by_msgid=False))

    assert by_msgid == Ref(msgid=Msgid(msgid), kind=RefKind.PATCH, host=HOST, project=PROJECT)
    assert by_id == Ref(7, kind=RefKind.PATCH, host=HOST)


@given(st.integers(1, 2**31 - 1))
def test_the_page_of_a_series_leads_back_to_it(number: int) -> None:
    url = series_url(BASE, PROJECT, SeriesId(number))

    assert read_ref(url) == Ref(number, kind=RefKind.SERIES, host=HOST)


@given(st.text(st.characters(), max_size=200))
def test_no_message_id_breaks_a_link(msgid: str) -> None:
    for url in (patch_url(BASE, a_patch(msgid), by_msgid=True), archive_link(BASE + "/{msgid}", Msgid(msgid))):
        assert url.isascii()
        assert url.isprintable()
        assert url.startswith(BASE + "/")


def test_a_message_id_too_long_for_a_url_gives_way_to_the_id() -> None:
    assert patch_url(BASE, a_patch("x" * 1_001), by_msgid=True) == BASE + "/patch/7/"
    assert patch_url(BASE, a_patch(""), by_msgid=True) == BASE + "/patch/7/"


def test_a_message_id_loses_its_brackets() -> None:
    assert msgid_of(" <1@x> ") == msgid_of("1@x") == "1@x"
