import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from rich.console import Console

from bot.demo.terminal import plain, rendered, show
from bot.ids import EventId, NoticeKey
from bot.notices.notice import Message, NoticeKind, Tag

CARD = (
    '<p><strong><a href="https://patchwork.example.org/1/">migration: Fix &lt;it&gt; all of it at last</a></strong>'
    " · 1 of 18</p><p>Ada Sample · 18 patches · v6<br>matched: <code>migration/colo.c</code></p>"
    '<details><summary>Patches so far</summary><ul><li><a href="https://patchwork.example.org/2/">[v6,11/18] Fix</a>'
    " · Accepted</li><li>[v6,12/18] More</li></ul><p><code>b4 am 20260206-a-very-long-message-id@example.org</code>"
    "</p></details>"
)


def a_message(html: str, kind: NoticeKind = NoticeKind.CARD) -> Message:
    return Message("the plain text", html, Tag(kind, NoticeKey("card/1")))


def exported(html: str, width: int, edits: EventId | None = None, thread: EventId | None = None) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor", record=True)
    show(console, replace(a_message(html), edits=edits, thread=thread))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def text(html: str) -> str:
    return rendered(a_message(html)).plain


def test_a_card_in_a_wide_terminal() -> None:
    assert exported(CARD, 80) == snapshot("""\
╭─  patchbot  ─────────────────────────────────────────────────────────────────╮
│ migration: Fix <it> all of it at last · 1 of 18                              │
│ Ada Sample · 18 patches · v6                                                 │
│ matched: migration/colo.c                                                    │
│ ▾ Patches so far                                                             │
│   • [v6,11/18] Fix · Accepted                                                │
│   • [v6,12/18] More                                                          │
│ b4 am 20260206-a-very-long-message-id@example.org                            │
╰──────────────────────────────────────────────────────────────────────────────╯\
""")


def test_a_card_in_a_narrow_terminal() -> None:
    assert exported(CARD, 40) == snapshot("""\
╭─  patchbot  ─────────────────────────╮
│ migration: Fix <it> all of it at     │
│ last · 1 of 18                       │
│ Ada Sample · 18 patches · v6         │
│ matched: migration/colo.c            │
│ ▾ Patches so far                     │
│   • [v6,11/18] Fix · Accepted        │
│   • [v6,12/18] More                  │
│ b4 am                                │
│ 20260206-a-very-long-message-id@exam │
│ ple.org                              │
╰──────────────────────────────────────╯\
""")


def test_an_edit_appears_anew_and_says_that_it_is_one() -> None:
    assert exported("<p>Fix it<br>Accepted 2</p>", 40, edits=EventId("$card")) == snapshot("""\
╭─  patchbot · edited  ────────────────╮
│ Fix it                               │
│ Accepted 2                           │
╰──────────────────────────────────────╯\
""")


def test_an_edit_is_printed_by_its_first_two_lines() -> None:
    assert exported("<p>Fix it<br>Accepted 2<br>Ada Sample</p><p>more</p>", 40, edits=EventId("$card")) == snapshot("""\
╭─  patchbot · edited  ────────────────╮
│ Fix it                               │
│ Accepted 2                           │
╰──────────────────────────────────────╯\
""")


def test_what_hangs_on_a_card_stands_further_in() -> None:
    assert exported("<p>2 of 2 patches: New → Accepted</p>", 44, thread=EventId("$card")) == snapshot("""\
    ╭─  patchbot  ─────────────────────────╮
    │ 2 of 2 patches: New → Accepted       │
    ╰──────────────────────────────────────╯\
""")


def test_in_plain_text_an_edit_has_a_mark_and_a_reply_stands_further_in() -> None:
    message = replace(a_message(""), body="Fix it\nAccepted 2\nAda Sample")

    assert plain(message) == "Fix it\nAccepted 2\nAda Sample"
    assert plain(replace(message, edits=EventId("$card"))) == "edited: Fix it\nAccepted 2"
    assert plain(replace(message, thread=EventId("$card"))) == "  ↳ Fix it\n    Accepted 2\n    Ada Sample"


def test_a_link_can_be_opened() -> None:
    spans = rendered(a_message('<p>see <a href="https://h.example/?a=1&amp;b=2">here</a></p>')).spans

    assert [span.style.link for span in spans if not isinstance(span.style, str)] == ["https://h.example/?a=1&b=2"]


def test_an_address_that_is_none_is_no_link() -> None:
    spans = rendered(a_message('<a href="javascript:x">a</a><a href="https://h/\x1b]8;;evil">b</a><a>c</a>')).spans

    assert [span.style.link for span in spans if not isinstance(span.style, str)] == ["https://h/]8;;evil"]


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>one</p>two", "one\ntwo"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>d", "  • a\n    • b\n  • c\nd"),
        ("<ol><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ol>", "  1. a\n  2. b\n    • c\n  3. d"),
        ("<li>alone</li>", "  • alone"),
        ("<p>a &lt;b&gt; &amp;amp; &#8722;1 &eacute;</p>", "a <b> &amp; −1 é"),
        ("<p>a\n  b\t<b> c</b></p>", "a b c"),
        ("<pre><code>a\n  b</code></pre>c", "a\n  b\nc"),
        ("<blink>un<font color=red>known</font></blink><img src=x><hr> tags", "unknown tags"),
        ("a</p></b></li>b", "a\nb"),
        ("<strong>never closed", "never closed"),
        ("<b></i>x</b>y", "xy"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("\x1b[31mred\x07\u202e", "[31mred"),
        ("<![foo[", "the plain text"),
        ("", ""),
    ],
)
def test_html_as_text(html: str, shown: str) -> None:
    assert text(html) == shown


def test_an_end_without_a_beginning_changes_no_style() -> None:
    styles = [span.style for span in rendered(a_message("<b>bold</i></x>still</b>not")).spans]

    assert [str(style) for style in styles] == ["bold", "bold"]


markup = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "<p>",
        "<ul>",
        "<li>",
        "</li>",
        "<!",
        "<![",
        "<!--",
        "<?",
        "&",
        "&#",
        "<a href=",
        '"',
        "<br/>",
        "\x1b",
    ]
)


@given(st.text(st.characters()) | st.lists(markup | st.text(max_size=4), max_size=30).map("".join))
def test_no_html_breaks_the_terminal(html: str) -> None:
    shown = exported(html, 40)

    assert "\x1b" not in shown


def test_what_nests_without_end_is_shown() -> None:
    assert text("<ul><li>" * 2_000 + "x").endswith("• x")
