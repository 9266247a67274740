import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.answers.patch import (
    CheckedPatch,
    PatchComment,
    checks_shown,
    comments_shown,
    diff_shown,
    diffstat_shown,
    patch_shown,
    said,
    series_checks_shown,
)
from bot.commands.answers.search import SearchedRange, SearchMatch, found_shown
from bot.ids import EventId, Msgid, PatchId, ProjectName, RoomId, ServerName
from bot.notices import markup
from bot.notices.card import CardContent, ServerLinks, card, card_document, patch_title
from bot.notices.event_link import EventLink
from bot.notices.markup import (
    Allowed,
    Block,
    Bullets,
    Code,
    Details,
    Document,
    Inline,
    Lines,
    Link,
    Title,
    longest,
    safe,
    words,
    written,
)
from bot.notices.version_lines import CardPlace, FormerVersion, NextVersion
from bot.patchwork.model import (
    Check,
    CheckState,
    Comment,
    FileChange,
    Patch,
    Person,
    Trailer,
    TrailerKind,
)
from bot.patchwork.range_diff import Comparison
from bot.query.options import CardForm
from bot.submission import Submission
from bot.text import columns, cut, visible
from support.card_rig import SITE, a_patch, body_and_html, of_series, read_strictly

NOWHERE = Allowed(())
ARCHIVE = "https://lore.example.org/list/"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=1>',
    "</p></details></b>",
    "<b><i><ul><li>",
    "<!--",
    "<![CDATA[",
    "&lt;b&gt;&#60;",
    "@room",
    "@ROOM everybody",
    "@\u200broom",
    "https://matrix.to/#/@admin:hs",
    "matrix:u/admin:hs",
    "\u202egpj.exe",
    "\u2066a\u2069",
    "a\x00b\x1b[31m",
    "\ud800",
    "\udfff\ud800",
    "one\ntwo\r\nthree\u2028four",
    "Z" + "\u0335\u0321\u034e" * 60,
    "👩\u200d👩\u200d👧",
    "\U000e0041\U000e007f",
    "\u3164",
    "x" * 10_000,
    "&" * 10_000,
    '"' * 3_000,
    "ä€😀" * 3_000,
    "@room" * 2_000,
    "a b/c%2Fd@e",
    "javascript:alert(1)",
    "../../evil",
    "https://patchwork.example.org@evil/",
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.lists(st.sampled_from(HOSTILE), max_size=3).map(" ".join),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Mn", "Zl"]), max_size=20),
)


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    paths = draw(st.lists(texts, max_size=4))
    return Patch(
        id=PatchId(draw(st.integers(1, 2**31))),
        project=ProjectName(draw(texts)),
        msgid=Msgid(draw(texts)),
        name=draw(texts),
        submitter=Person(draw(texts), draw(texts)),
        date=draw(texts),
        state=draw(st.none() | texts),
        former_state=draw(st.none() | texts),
        check=draw(st.none() | st.sampled_from(CheckState)),
        trailers=frozenset(draw(st.lists(st.builds(Trailer, st.sampled_from(TrailerKind), texts), max_size=3))),
        delegate=draw(st.none() | texts),
        pull_url=draw(st.none() | texts),
        archive_url=draw(st.none() | texts),
        files=tuple(FileChange(path, None, 10**9, 0) for path in paths),
    )


@st.composite
def shown_cards(draw: st.DrawFn) -> CardContent:
    some = tuple(draw(st.lists(patches(), min_size=1, max_size=3))) * draw(st.integers(1, 20))
    series = replace(
        of_series(*some, name=draw(texts), total=draw(st.integers(0, 200)), version=draw(st.integers(0, 3))),
        submitter=Person(draw(texts), draw(texts)),
        project=ProjectName(draw(texts)),
        cover=draw(st.none() | texts.map(Msgid)),
        cover_name=draw(texts),
        archive_url=draw(st.none() | texts),
    )
    contexts = st.lists(st.tuples(texts, st.sampled_from(CheckState)), max_size=6).map(tuple)
    checks = {patch.id: draw(contexts) for patch in some if draw(st.booleans())}
    place = draw(st.none() | st.builds(CardPlace, texts.map(RoomId), texts.map(EventId)))
    compared = Comparison(changed=draw(st.integers(0, 10**9)), new=draw(st.integers(0, 10**9)))
    return CardContent(
        Submission(
            series, some, checks, {(patch, context) for patch, each in checks.items() for context, _ in each[:1]}
        )
        if draw(st.integers(0, 2))
        else Submission(None, some[:1], checks),
        matched=tuple(draw(st.lists(texts, max_size=8))),
        former=draw(st.sampled_from([None, FormerVersion(series, compared, place)])),
        superseded_by=draw(st.sampled_from([None, None, NextVersion(series, place)])),
        form=draw(st.sampled_from(CardForm)),
    )


inlines: st.SearchStrategy[Inline] = st.one_of(
    st.builds(markup.Text, texts),
    st.builds(Code, texts),
    st.builds(Link, texts, texts | texts.map(ARCHIVE.__add__), st.booleans()),
)
some_lines = st.lists(st.lists(inlines, max_size=4).map(tuple), max_size=40).map(tuple)
pieces = st.builds(Lines, some_lines) | st.builds(Bullets, some_lines) | st.builds(Block, texts)
titles = st.builds(Title, texts, texts | texts.map(ARCHIVE.__add__), texts)
details = st.builds(Details, texts, st.lists(pieces, max_size=3).map(tuple))
documents = st.lists(titles | pieces | details, max_size=4).map(tuple)


def assert_fit_for_a_room(document: Document, allowed: Allowed) -> None:
    body, html = written(document, allowed)

    assert len(body.encode("utf-8")) <= 4_096
    assert len(html.encode("utf-8")) <= 8_192
    page = read_strictly(html)
    assert all(link.startswith((*allowed.prefixes, "https://matrix.to/#/")) for link in page.links)
    for text in (body, html, page.text):
        assert "@room" not in text.lower()
        seen = text.replace("\u2060", "")
        assert visible(seen) == seen

    for link in sorted(page.links, key=len, reverse=True):
        body = body.replace(link, "")
    assert "matrix.to/" not in (body + page.text).lower()


def plain_words(body: str, urls: tuple[str, ...]) -> list[str]:
    for url in sorted(urls, key=len, reverse=True):
        body = body.replace(f" <{url}>", "").replace(f"\n{url}", "")
    return [word for word in body.split() if word != "•"]


@given(
    shown_cards(),
    st.sampled_from([SITE, replace(SITE, archive=ARCHIVE + "{msgid}/"), ServerLinks("http://h:8/pw", False)]),
)
def test_no_card_is_unfit_for_a_room(shown: CardContent, site: ServerLinks) -> None:
    assert_fit_for_a_room(card_document(shown, site), site.allowed)


@given(shown_cards())
def test_every_card_takes_few_lines(shown: CardContent) -> None:
    """At most four above the fold, none of which is wrapped; at most fourteen where nothing is folded."""
    html = written(card_document(shown, SITE), SITE.allowed)[1]
    above, _, below = html.partition("<details>")
    lines = [
        read_strictly(f"<p>{line}</p>").text for line in above.removeprefix("<p>").removesuffix("</p>").split("<br>")
    ]

    assert len(lines) <= 4
    assert max(map(columns, lines)) <= 105
    assert len(lines) + len(re.findall("<(?:summary|li|br|p)>", below)) <= 14


@given(patches(), texts)
def test_no_answer_is_unfit_for_a_room(patch: Patch, remark: str) -> None:
    document = (*patch_shown(patch, of_series(patch, name=remark), SITE), *said(remark))

    assert_fit_for_a_room(document, SITE.allowed)


@given(patches(), texts, texts)
def test_no_look_up_is_unfit_for_a_room(patch: Patch, text: str, other: str) -> None:
    series = of_series(patch, name=text)
    check = Check(1, CheckState.FAIL, text, other, text, other, other)
    reply = Comment(1, Person(text, other), other, text)
    matches = [SearchMatch(SITE, patch, series, {text: 2, other: 1})] * 10
    known = SearchedRange(5, [(ServerName(text), ProjectName(other), datetime(2026, 1, 1, tzinfo=UTC))])

    for document in (
        diff_shown(patch, text + "\n" + other, SITE),
        diffstat_shown(series, [patch], SITE),
        checks_shown(patch, [check, replace(check, context=other, url=ARCHIVE + other)], SITE),
        series_checks_shown(series, [CheckedPatch(replace(patch, check=CheckState.FAIL), (check,))], SITE),
        comments_shown(patch_title(patch, SITE), [PatchComment(reply), PatchComment(reply, patch)], SITE, other),
        found_shown(text, matches, known, other),
    ):
        assert_fit_for_a_room(document, SITE.allowed)


@given(documents)
def test_no_document_is_unfit_for_a_room(document: Document) -> None:
    assert_fit_for_a_room(document, Allowed((ARCHIVE,)))


@given(shown_cards())
def test_both_forms_say_the_same(shown: CardContent) -> None:
    body, html = written(card(shown, SITE)[:1], SITE.allowed)  # what is folded is not in the plain form
    page = read_strictly(html)

    assert plain_words(body, page.links) == page.text.split()


def test_the_largest_title_keeps_its_link() -> None:
    url = "https://patchwork.example.org/" + "&" * 370
    flood = Lines(tuple(words("&" * 200) for _ in range(1_000)))

    body, html = written((Title("&" * 10_000, url, "x" * 10_000), flood), SITE.allowed)

    assert read_strictly(html).links == (url,)
    assert body == "&" * 119 + "… · " + "x" * 119 + f"…\n{url}"


def test_a_list_loses_its_last_lines_before_anything_else() -> None:
    items = Bullets(tuple(words(Link("and more " * 15, f"{ARCHIVE}{number}")) for number in range(60)))

    lines = written((*said("First"), items, *said("Last")), Allowed((ARCHIVE,)))[0].split("\n")

    bullets = [line for line in lines if line.startswith("•")]
    assert 15 < len(bullets) < 30
    assert bullets[-1] == f"• … and {61 - len(bullets)} more"
    assert (lines[0], lines[-1]) == ("First", "Last")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x1b[31mc", "ab[31mc"),
        ("one\r\ntwo\rthree\u2028four\x0bfive", "one\ntwo\nthree\nfour\nfive"),
        ("\u202eevil\u2066\u200b\u00ad\ufeff\u3164", "evil"),
        ("\ud800x", "?x"),
        ("@room @Room @\u200broom", "@\u2060room @\u2060Room @\u2060room"),
        ("see https://matrix.to/#/@a:b", "see https://matrix.\u2060to/#/@a:b"),
        ("MATRIX.TO/#/x matrix:u/a:b matrix: x", "MATRIX.\u2060TO/#/x matrix:\u2060u/a:b matrix: x"),
        ("e" + "\u0301" * 50, "e" + "\u0301" * 4),
        ("\t👩\u200d👧 می\u200cخواهم \ufffd", "\t👩\u200d👧 می\u200cخواهم \ufffd"),
    ],
)
def test_safe_text(text: str, shown: str) -> None:
    assert safe(text) == shown
    assert safe(shown) == shown


@given(texts, st.integers(1, 300))
def test_a_cut_is_never_longer(text: str, limit: int) -> None:
    shorter = cut(text, limit)

    assert len(shorter) <= limit
    assert shorter == text or (shorter.endswith("…") and text.startswith(shorter[:-1]))


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("abe\u0301f", 4, "ab…"),
        ("ab👩\u200d👧cd", 5, "ab…"),
        ("abc", 1, "…"),
    ],
)
def test_a_cut_leaves_letters_whole(text: str, limit: int, shown: str) -> None:
    assert cut(text, limit) == shown


@pytest.mark.parametrize(
    "url",
    [
        "https://patchwork.example.org.evil/",
        "https://patchwork.example.org@evil/",
        "https://patchwork.example.org:pw@evil/",
        "https://user@patchwork.example.org/",
        "HTTPS://patchwork.example.org/",
        "http://patchwork.example.org/",
        "//patchwork.example.org/",
        "https://patchwork.example.org/pw/../evil",
        "https://patchwork.example.org/pw/%2E%2e/evil",
        "https://patchwork.example.org/pw/.%2e?x",
        "https://patchwork.example.org/pw/..",
        "https://patchwork.example.org/pw\\..\\evil",
        "https://patchwork.example.org/pwned/",
        "https://patchwork.example.org/pw/ x",
        "https://patchwork.example.org/pw/\nx",
        "https://patchwork.example.org/pw/\u202ex",
        "https://lore.example.org.evil/x",
        "javascript:alert(1)",
        "",
    ],
)
def test_links_lead_nowhere_else(url: str) -> None:
    assert not Allowed(("https://patchwork.example.org/pw/", "https://lore.example.org")).link(url)


def test_links_lead_below_what_is_configured() -> None:
    allowed = Allowed(("https://patchwork.example.org/pw/", "https://lore.example.org", "https://a.example/?q="))

    assert allowed.link("https://patchwork.example.org/pw/patch/1/?x=../..")
    assert allowed.link("https://lore.example.org/a..b/c")
    assert allowed.link("https://a.example/?q=x@y")


def test_a_site_below_a_path_links_only_there() -> None:
    allowed = ServerLinks("https://example.org/pw").allowed

    assert allowed.link("https://example.org/pw/patch/1/")
    assert not allowed.link("https://example.org/pwned/patch/1/")


@pytest.mark.parametrize(
    ("room", "event", "url"),
    [
        ("!room:hs.org", "$abc-_9", "https://matrix.to/#/!room%3Ahs.org/%24abc-_9"),
        ("!v12withoutserver", "$abc", "https://matrix.to/#/!v12withoutserver/%24abc"),
        ("!a/b?c#d:hs", "$1:hs", "https://matrix.to/#/!a%2Fb%3Fc%23d%3Ahs/%241%3Ahs"),
        ('!"><b>@room:hs', "$é", "https://matrix.to/#/!%22%3E%3Cb%3E%40room%3Ahs/%24%C3%A9"),
    ],
)
def test_an_event_of_ours_is_linked_by_its_ids(room: str, event: str, url: str) -> None:
    document = (Lines((words("after ", EventLink("v5", RoomId(room), EventId(event))),)),)

    assert written(document, NOWHERE) == (f"after v5 <{url}>", f'<p>after <a href="{url}">v5</a></p>')


def test_an_address_of_matrix_that_somebody_else_wrote_is_no_link() -> None:
    url = "https://matrix.to/#/!room%3Ahs/%24abc"
    patch = replace(a_patch(1, f"see {url}"), archive_url=url)

    body, html = body_and_html(card(CardContent(Submission(None, (patch,))), SITE))

    assert "matrix.to/" not in body + html
    assert not any("matrix" in link for link in read_strictly(html).links)


def test_a_room_ping_in_an_address_is_encoded_and_still_leads_there() -> None:
    patch = a_patch(msgid="x@room.example.org")

    body, html = body_and_html(card(CardContent(Submission(None, (patch,))), SITE))

    assert "/patch/x%40room.example.org/" in body
    assert "/patch/x%40room.example.org/" in html


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 60))
def test_the_longest_that_fits_is_no_shorter_than_it_must_be(most: int, width: int) -> None:
    def build(count: int) -> Document:
        return (Block("\n".join(["&" * width] * count)),)

    document = longest(build, most, SITE.allowed)

    count = next(n for n in range(most, -1, -1) if len(markup.rich(build(n), SITE.allowed)) <= 8_192)
    assert document == build(count)


def test_each_piece_in_both_forms() -> None:
    document: Document = (
        Title("A <title>\nof two", "https://patchwork.example.org/1/", "1 of 2"),
        Lines((words("plain ", Code("a < b")), words(Link("here", "https://patchwork.example.org/")))),
        Bullets((words("one"), words(Link("two", "https://evil.example/")))),
        Bullets(()),
        Lines(()),
        Block("a  b\n <c>"),
        Details("more\nof it", (Lines((words("inside"),)),)),
    )

    body, html = written(document, SITE.allowed)

    assert body.split("\n") == [
        "A <title> of two · 1 of 2",
        "https://patchwork.example.org/1/",
        "plain a < b",
        "here <https://patchwork.example.org/>",
        "• one",
        "• two",
        "a  b",
        " <c>",
        "more of it",
        "inside",
    ]
    assert html == (
        '<p><strong><a href="https://patchwork.example.org/1/">A &lt;title&gt; of two</a></strong> · 1 of 2<br>'
        "plain <code>a &lt; b</code><br>"
        '<a href="https://patchwork.example.org/">here</a></p>'
        "<ul><li>one</li><li>two</li></ul>"
        "<pre><code>a  b\n &lt;c&gt;</code></pre>"
        "<details><summary>more of it</summary><blockquote><p>inside</p></blockquote></details>"
    )
