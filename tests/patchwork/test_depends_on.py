"""What "Depends-on:" lines name."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.patchwork.dependencies import MAX_OF_MAIL, dependencies_at, dependencies_in
from bot.patchwork.model import Dependency, DependencyKind

SERIES, PATCH, MAIL = DependencyKind.SERIES, DependencyKind.PATCH, DependencyKind.MAIL
MSGID = "20240726221429.221611-1-user@example.com"
PW = "https://pw.example.com"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (f"Depends-on: <{MSGID}>", [Dependency(MAIL, MSGID)]),
        (f"depends-On:\t<{MSGID}>  ", [Dependency(MAIL, MSGID)]),
        (f"Depends-on: {MSGID}", [Dependency(MAIL, MSGID)]),
        (f"Depends-on: {PW}/project/myproject/list?series=1234", [Dependency(SERIES, "1234", "pw.example.com")]),
        (f"Depends-on: {PW}/project/p/list/?series=7&state=*", [Dependency(SERIES, "7", "pw.example.com")]),
        (f"Depends-on: {PW}:8000/project/p/patch/{MSGID}/", [Dependency(MAIL, MSGID)]),
        (f"Depends-on: {PW}/patch/77/", [Dependency(PATCH, "77", "pw.example.com")]),
        (f"Depends-on: https://lore.kernel.org/all/{MSGID}/", [Dependency(MAIL, MSGID)]),
        ('Depends-on: series-1234 ("net: fix series-5 and patch-6")', [Dependency(SERIES, "1234")]),
        ('Depends-on: patch-1234 ("title")', [Dependency(PATCH, "1234")]),
        ("Depends-on: Series 12, patch #34", [Dependency(SERIES, "12"), Dependency(PATCH, "34")]),
    ],
)
def test_the_forms_of_patchwork_and_of_dpdk_are_understood(line: str, named: list[Dependency]) -> None:
    assert list(dependencies_in(f"A message.\n\nSigned-off-by: A\n---\n{line}\r\n\n a.c | 2 +-\n")) == named


@pytest.mark.parametrize(
    "line",
    [
        f"> Depends-on: <{MSGID}>",
        f" Depends-on: <{MSGID}>",
        'Depends-on: 1234567890ab ("a commit")',
        "Depends-on: Ic8aaa0728a43936cd4c6e1ed590e01ba8f0fbf5b",
        "Depends-on: https://review.opendev.org/c/openstack/nova/+/123456",
        "Depends-on: the work of ada@example.org",
        "Depends-on: series-99999999999",
        "Depends-on: series-0",
        "Depends-on: 1234",
        "Depends-on:",
        f"Depends-on: <{'x' * 300}@example.org>",
        "Depends-on: https://[::1/patch/7/",
    ],
)
def test_what_names_nothing_that_patchwork_has_is_left_out(line: str) -> None:
    assert dependencies_in(f"{line}\n") == ()


def test_five_hundred_lines_are_cut_and_each_counts_once() -> None:
    lines = [f"Depends-on: series-{number}" for number in (1, 1, *range(1, 501))]

    found = dependencies_in("\n".join(lines))

    assert found == tuple(Dependency(SERIES, str(number)) for number in range(1, MAX_OF_MAIL + 1))


@pytest.mark.parametrize(
    "text",
    [
        "Depends-on: " * 500_000,
        "Depends-on:" + " " * 5_000_000,
        'Depends-on: series-1 ("' * 200_000,
        "Depends-on: " + "series-1 " * 600_000,
        "Depends-on: https://" + "a/" * 2_000_000,
        "Depends-on: <" * 400_000,
        "\nDepends-on:\u202e\u2028" * 300_000,
    ],
)
def test_hostile_text_costs_no_time(text: str) -> None:
    before = time.process_time()

    dependencies_in(text)

    assert time.process_time() - before < 0.1


@given(st.text(), st.text())
def test_no_text_is_too_strange(before: str, text: str) -> None:
    found = dependencies_in(f"{before}\nDepends-on: {text}")

    assert len(found) <= MAX_OF_MAIL
    assert all(len(each.id) <= 255 and len(each.host) <= 100 for each in found)


def test_the_addresses_of_the_api_are_read_by_their_ids() -> None:
    urls = [
        f"{PW}/api/1.4/series/12/",
        f"{PW}/api/series/13/",
        None,
        {"id": 5},
        f"{PW}/api/patches/5/",
        f"{PW}/series/0/",
    ]

    assert dependencies_at(urls) == (Dependency(SERIES, "12"), Dependency(SERIES, "13"))
    assert dependencies_at([]) == ()
    assert dependencies_at(None) is None
    assert dependencies_at("https://pw.example.com/api/series/1/") is None
