from dataclasses import replace
from datetime import UTC, datetime

from inline_snapshot import snapshot

from bot.commands.answers.search import MOST_SHOWN, SearchedRange, SearchMatch, found_shown
from bot.ids import ProjectName, ServerName
from bot.notices.card import ServerLinks
from support.card_rig import SITE, a_patch, body_and_html, of_series

SINCE = datetime(2026, 6, 1, 12, 30, 59, tzinfo=UTC)
SAMPLE, OTHER = ServerName("sample"), ServerName("other")
QEMU = ProjectName("qemu-devel")


def test_matches_of_two_servers_link_to_both_and_name_their_projects() -> None:
    elsewhere = ServerLinks("https://pw.example.net")
    first, second = a_patch(1), replace(a_patch(2, "net: Fix it"), project=ProjectName("netdev"))
    known = [(SAMPLE, QEMU, SINCE), (OTHER, ProjectName("netdev"), SINCE)]

    document = found_shown(
        "path:net/", [SearchMatch(elsewhere, second), SearchMatch(SITE, first)], SearchedRange(2, known)
    )

    body, html = body_and_html(document, replace(SITE, others=(elsewhere.url,)))
    assert "• #1 net: Fix it <https://pw.example.net/project/netdev/patch/" in body
    assert "• #2 migration: Fix it <https://patchwork.example.org/project/qemu-devel/patch/" in body
    assert html == snapshot("""\
<p>2 matches for <code>path:net/</code></p>
<ul>
<li>#1 \n\
<a href="https://pw.example.net/project/netdev/patch/20261123.1-2-ada@example.org/">
net: Fix it</a> · Ada Sample · 2026-11-23 · netdev · New</li>
<li>#2 \n\
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
migration: Fix it</a> · Ada Sample · 2026-11-23 · qemu-devel · New</li></ul>
<p>Watched: qemu-devel (sample) since 2026-06-01 12:30 UTC, netdev (other) since 2026-06-01 12:30 UTC.</p>\
""")


def test_as_many_as_are_shown_are_the_newest() -> None:
    match = SearchMatch(SITE, a_patch(), of_series(a_patch()), {"new": 2, "accepted": 3})

    body, _ = body_and_html(found_shown("x", [match] * MOST_SHOWN, SearchedRange(900, [(SAMPLE, QEMU, SINCE)])))

    lines = body.split("\n")
    assert lines[0] == "The newest 10 matches for x"
    assert len([line for line in lines if line.endswith(" · Ada Sample · Accepted 3 · New 2")]) == MOST_SHOWN


def test_a_search_that_ended_early_says_where() -> None:
    looked_at = SearchedRange(20_000, [(SAMPLE, QEMU, SINCE)], datetime(2026, 8, 1, tzinfo=UTC))

    assert body_and_html(found_shown("x", [], looked_at))[0] == snapshot("""\
Nothing matches x
Searched the newest 20,000 patches, back to 2026-08-01 00:00 UTC; older ones may match, too.
Watched: qemu-devel (sample) since 2026-06-01 12:30 UTC.\
""")


def test_a_query_about_no_known_project_says_so() -> None:
    assert body_and_html(found_shown("project:x", [], SearchedRange(0, [])))[0] == snapshot("""\
Nothing matches project:x
No watched project matches this query, or none has been read yet.\
""")
