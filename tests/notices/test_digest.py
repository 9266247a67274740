import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.ids import ProjectName, SeriesId
from bot.notices.card import ServerLinks
from bot.notices.digest import MOST_LINES, MOST_MESSAGES, DigestContent, DigestLine, allowed_in, digest
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES, Document, written
from bot.patchwork.model import Person
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series

SINCE = datetime(2026, 10, 23, 7, tzinfo=UTC)
UNTIL = datetime(2026, 10, 26, 8, 0, 0, 900, tzinfo=UTC)  # the clocks were put back in between
BERLIN = ZoneInfo("Europe/Berlin")


def a_listed(number: int = 1, name: str = "migration: Fix it all", *, patches: int = 3, version: int = 1) -> DigestLine:
    series = of_series(*numbered(patches), name=name, version=version)
    return DigestLine(SITE, replace(series, id=SeriesId(number)), Counter({"new": patches}))


def told(*listed: DigestLine, unlisted: int = 0) -> DigestContent:
    return DigestContent(listed, unlisted, SINCE, UNTIL, BERLIN)


def short(text: str) -> str:
    """*text* with the addresses of series and patches short."""
    series = re.sub(rf"{SITE.url}/project/qemu-devel/list/\?series=(\d+)[^\">]*both", r"SERIES/\1", text)
    return re.sub(r"(https://[\w.]+)/project/[\w-]+/patch/[^\s\">]+", r"\1/PATCH", series)


def test_a_digest_tells_of_each_series_in_a_line() -> None:
    newest = replace(a_listed(2, version=3), states={"new": 1, "accepted": 2}, earlier=(2, 1))
    waiting = replace(a_listed(3), what=replace(of_series(*numbered(3), total=5), id=SeriesId(3)))
    lone = DigestLine(SITE, a_patch(), {"under-review": 1})
    stale = replace(a_listed(4, "forgotten", patches=1), idle_since=datetime(2026, 10, 1, 22, 30, tzinfo=UTC))

    [document] = digest(told(a_listed(1), newest, waiting, lone, stale))

    assert tuple(map(short, body_and_html(document))) == snapshot(
        (
            """\
Digest: 3 series, 1 patch, 1 stale, Fri 2026-10-23 09:00 to Mon 2026-10-26 09:00 Europe/Berlin
• #1 🆕 migration: Fix it all <SERIES/1> · Ada Sample · 3 patches · New
• #2 👀 [v3] migration: Fix it all <SERIES/2> · after v2, v1 · Ada Sample · 3 patches · Accepted 2 of 3, New 1
• #3 🆕 migration: Fix it all <SERIES/3> · Ada Sample · 3 of 5 patches · New
• #4 👀 migration: Fix it <https://patchwork.example.org/PATCH> · Ada Sample · 1 patch · Under Review
• #5 🆕 forgotten <SERIES/4> · Ada Sample · 1 patch · New · nothing since Fri 2026-10-02 00:30\
""",
            """\
<p><strong>Digest: 3 series, 1 patch, 1 stale, Fri 2026-10-23 09:00 to Mon 2026-10-26 09:00 Europe/Berlin</strong></p>
<ul>
<li>#1 🆕 \n\
<a href="SERIES/1">
migration: Fix it all</a> · Ada Sample · 3 patches · New</li>
<li>#2 👀 \n\
<a href="SERIES/2">
[v3] migration: Fix it all</a> · after v2, v1 · Ada Sample · 3 patches · Accepted 2 of 3, New 1</li>
<li>#3 🆕 \n\
<a href="SERIES/3">
migration: Fix it all</a> · Ada Sample · 3 of 5 patches · New</li>
<li>#4 👀 \n\
<a href="https://patchwork.example.org/PATCH">
migration: Fix it</a> · Ada Sample · 1 patch · Under Review</li>
<li>#5 🆕 \n\
<a href="SERIES/4">
forgotten</a> · Ada Sample · 1 patch · New · nothing since Fri 2026-10-02 00:30</li></ul>\
""",
        )
    )


def test_pull_requests_are_counted_and_listed_as_such() -> None:
    pull = DigestLine(SITE, a_patch(6, "[GIT,PULL] migration"), {"new": 1}, is_pull=True)
    with_patches = replace(a_listed(7, "[PULL,0/3] Migration"), is_pull=True)

    [document] = digest(told(pull, with_patches))

    assert short(body_and_html(document)[0]) == snapshot("""\
Digest: 2 pull requests, Fri 2026-10-23 09:00 to Mon 2026-10-26 09:00 Europe/Berlin
• #1 📦 [GIT PULL] migration <https://patchwork.example.org/PATCH> · Ada Sample · pull request · New
• #2 📦 [PULL 0/3] Migration <SERIES/7> · Ada Sample · pull request · New\
""")


def test_where_there_are_several_projects_each_line_names_its_own() -> None:
    elsewhere = DigestLine(
        ServerLinks("https://pw.example.net"), replace(a_patch(2, "net: <Fix> it"), project=ProjectName("netdev"))
    )
    listed = (a_listed(), elsewhere)

    [document] = digest(told(*listed))

    _, html = written(document, allowed_in(listed))
    assert re.findall("<li>.*?</li>", short(html)) == snapshot(
        [
            '<li>#1 🆕 <a href="SERIES/1">migration: Fix it all</a> · Ada Sample · 3 patches · qemu-devel · New</li>',
            '<li>#2 <a href="https://pw.example.net/PATCH">net: &lt;Fix&gt; it</a> · Ada Sample · 1 patch · netdev</li>',  # noqa: E501
        ]
    )


def test_what_three_messages_do_not_hold_is_counted() -> None:
    listed = [a_listed(number, f"hw: {'long ' * 10}{number}") for number in range(1, 91)]

    documents = digest(told(*listed, unlisted=10))

    bodies = [written(document, SITE.allowed)[0].split("\n") for document in documents]
    shown = sum(line.startswith("• ") for body in bodies for line in body)
    assert [body[0] for body in bodies] == [
        "Digest: 100 series, Fri 2026-10-23 09:00 to Mon 2026-10-26 09:00 Europe/Berlin",
        "Digest, part 2",
        "Digest, part 3",
    ]
    assert [line for body in bodies for line in body if "more" in line] == [_more(100 - shown)]
    assert [body[-1].startswith("•") for body in bodies] == [True, True, False]


@pytest.mark.parametrize("count", [1, MOST_LINES, MOST_LINES + 1, MOST_LINES * MOST_MESSAGES])
def test_all_that_fits_is_listed_in_order(count: int) -> None:
    documents = digest(told(*(a_listed(number, f"s{number}", patches=1) for number in range(count))))

    bodies = [line for document in documents for line in written(document, SITE.allowed)[0].split("\n")]
    names = [line.removeprefix("• ").split(" <")[0] for line in bodies if line.startswith("• ")]
    assert names == [f"#{number + 1} 🆕 s{number}" for number in range(len(names))]
    assert len(names) == count or any(line == _more(count - len(names)) for line in bodies)


PAGE = "https://patchwork.example.org/project/qemu-devel/list/"


def _more(count: int) -> str:
    return f"… and {count} more, in qemu-devel <{PAGE}?state=*&archive=both>"


HOSTILE = st.text(max_size=400) | st.sampled_from(["<&\"'>" * 80, "\u202e@room" * 50, "é" * 400, "\n" * 50])


@given(names=st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=40), unlisted=st.integers(0, 5_000))
def test_a_message_is_within_its_size_whatever_stands_in_it(names: list[tuple[str, str]], unlisted: int) -> None:
    listed = [
        replace(each, what=replace(each.what, submitter=Person(who, "")))
        for number, (name, who) in enumerate(names)
        for each in [a_listed(number, name)]
    ]

    documents = digest(told(*listed, unlisted=unlisted))

    assert 1 <= len(documents) <= MOST_MESSAGES
    for document in documents:
        body, html = written(document, SITE.allowed)
        assert len(body.encode()) <= MAX_BODY_BYTES
        assert len(html.encode()) <= MAX_HTML_BYTES
        assert "@room" not in body
    assert _lines(documents) + _unshown(documents) == len(names) + unlisted


def _lines(documents: list[Document]) -> int:
    return sum(line.startswith("• ") for each in documents for line in written(each, SITE.allowed)[0].split("\n"))


def _unshown(documents: list[Document]) -> int:
    last = written(documents[-1], SITE.allowed)[0].split("\n")[-1]
    return int(last.split()[2]) if last.startswith("… and ") else 0
