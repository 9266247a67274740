from dataclasses import replace

from inline_snapshot import snapshot

from bot.commands.answers.patch import patch_shown, said
from bot.notices.markup import written
from bot.patchwork.model import CheckState, FileChange, Trailer, TrailerKind
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series


def test_a_patch_says_how_it_stands_and_what_it_touches() -> None:
    patches = numbered(3, version=2)
    patch = replace(
        patches[1],
        files=(FileChange("migration/ram.c", None, 5, 2), FileChange("docs/b.rst", "docs/a.rst", 0, 0)),
        check=CheckState.WARNING,
        delegate="bruno",
        trailers=frozenset({Trailer(TrailerKind.REVIEWED, "rey@example.com")}),
        archive_url="https://lore.example.org/1@x/",
    )

    assert body_and_html(patch_shown(patch, of_series(*patches, version=2), SITE)) == snapshot(
        (
            """\
🆕 [v2 2/3] migration: Step 2
New · ⚠️ check warnings · 👍 reviewed · delegate bruno
Ada Sample · 2026-11-23 · +5 −2 in 2 files
in [v2] migration: Fix it all <https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both>
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/
• migration/ram.c +5 −2
• docs/a.rst → docs/b.rst +0 −0
mail: https://lore.example.org/1@x/
b4 shazam 20261123.1-2-ada@example.org
git-pw patch apply 102\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
[v2 2/3] migration: Step 2</a></strong>
<br><strong>New</strong> · ⚠️ check warnings · 👍 reviewed · delegate bruno
<br>Ada Sample · 2026-11-23 · +5 −2 in 2 files
<br>in \n\
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
[v2] migration: Fix it all</a></p>
<ul>
<li><code>migration/ram.c</code> +5 −2</li>
<li><code>docs/a.rst → docs/b.rst</code> +0 −0</li></ul>
<p>mail: https://lore.example.org/1@x/
<br><code>b4 shazam 20261123.1-2-ada@example.org</code>
<br><code>git-pw patch apply 102</code></p>\
""",
        )
    )


def test_a_patch_of_which_little_is_known() -> None:
    patch = replace(a_patch(), files=None, state=None, date="")

    assert body_and_html(patch_shown(patch, None, SITE))[0] == snapshot("""\
🆕 migration: Fix it
no reviews yet
Ada Sample
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/
b4 shazam 20261123.1-1-ada@example.org
git-pw patch apply 101\
""")


def test_a_patch_of_many_files_lists_thirty() -> None:
    patch = a_patch(1, "treewide: Touch it", *(f"hw/{n}.c" for n in range(300)))

    lines = body_and_html(patch_shown(patch, None, SITE))[0].split("\n")

    assert "Ada Sample · 2026-11-23 · +900 −300 in 300 files" in lines
    assert "• … and 270 more" in lines


def test_a_sentence_is_a_line() -> None:
    assert written(said("One.", "Two."), SITE.allowed) == ("One.\nTwo.", "<p>One.<br>Two.</p>")
