from dataclasses import replace

from inline_snapshot import snapshot

from bot.ids import PatchId
from bot.notices.card import CardContent, card_document, compact
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES, written
from bot.patchwork.model import CheckState, Trailer, TrailerKind
from bot.query.options import CardForm
from bot.submission import Submission
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series


def test_a_series_in_two_lines() -> None:
    patches = [replace(patch, check=CheckState.SUCCESS) for patch in numbered(3)]
    patches[1] = replace(patches[1], state="accepted", trailers=frozenset({Trailer(TrailerKind.REVIEWED, "rey")}))

    shown = body_and_html(
        compact(CardContent(Submission(of_series(*patches), tuple(patches)), matched=("migration/ram.c",)), SITE)
    )

    assert shown == snapshot(
        (
            """\
👀 migration: Fix it all
New 2 of 3, Accepted 1 · ✅ checks ok · 👍 1 of 3 reviewed <https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both>\
""",
            """\
<p>👀 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
migration: Fix it all</a></strong>
<br><strong>New</strong> 2 of 3, Accepted 1 · ✅ checks ok · 👍 1 of 3 reviewed</p>\
""",
        )
    )


def test_a_series_of_which_not_all_arrived() -> None:
    patches = numbered(2, total=5, version=2)

    shown = body_and_html(compact(CardContent(Submission(of_series(*patches, total=5, version=2), patches)), SITE))

    assert shown == snapshot(
        (
            """\
🆕 [v2] migration: Fix it all · 2 of 5
New · no reviews yet <https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both>\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
[v2] migration: Fix it all</a></strong> · 2 of 5
<br><strong>New</strong> · no reviews yet</p>\
""",
        )
    )


def test_a_lone_patch_and_a_pull_request() -> None:
    lone = a_patch(1, "[v2] migration: Fix a leak")
    pull = replace(a_patch(2, "[PULL] migration queue"), pull_url="https://git.example.org/qemu tags/migration")

    shown = [written(compact(CardContent(Submission(None, (patch,))), SITE), SITE.allowed)[0] for patch in (lone, pull)]

    assert "\n---\n".join(shown) == snapshot("""\
🆕 [v2] migration: Fix a leak
New · no reviews yet <https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/>
---
📦 [PULL] migration queue
New <https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/>\
""")


def test_however_long_its_parts_are_it_is_whole_and_fits() -> None:
    name = "<&\"'>" * 200
    patches = tuple(replace(patch, id=PatchId(200 + n), state=f"s{n}" * 30) for n, patch in enumerate(numbered(100)))

    body, html = written(compact(CardContent(Submission(of_series(*patches, name=name), patches)), SITE), SITE.allowed)

    assert len(body.encode()) <= MAX_BODY_BYTES
    assert len(html.encode()) <= MAX_HTML_BYTES
    assert html.endswith("</p>")


def test_each_form_is_drawn_as_itself() -> None:
    bodies = {
        form: written(card_document(CardContent(Submission(None, (a_patch(),)), form=form), SITE), SITE.allowed)[0]
        for form in CardForm
    }

    assert ["b4 shazam" in bodies[form] for form in (CardForm.CARD, CardForm.COMPACT)] == [True, False]
