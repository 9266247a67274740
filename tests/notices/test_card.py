from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from bot.ids import Msgid, PatchId, SeriesId
from bot.notices.card import ServerLinks, Shown, card
from bot.notices.markup import written
from bot.patchwork.model import CheckState, FileChange, Patch, Person, Trailer, TrailerKind
from bot.submission import Submission
from support.card_rig import PROJECT, SITE, a_patch, body_and_html, numbered, of_series, the_seed


def seen(shown: Shown, site: ServerLinks = SITE) -> tuple[str, str]:
    return body_and_html(card(shown, site), site)


def body(shown: Shown, site: ServerLinks = SITE) -> str:
    return written(card(shown, site), site.allowed)[0]


def test_the_recorded_patch_stands_for_its_series() -> None:
    patch, series = the_seed()

    shown = seen(
        Shown(Submission(series, (patch,)), matched=("migration/colo.c",)), ServerLinks("https://patchwork.ozlabs.org")
    )

    assert shown == snapshot(
        (
            """\
migration: Add COLO multifd support and COLO migration unit test · 1 of 18
https://patchwork.ozlabs.org/project/qemu-devel/list/?series=491328&state=*&archive=both
Lukas Straub · 18 patches · v6
+6 −0 in 1 file: migration/
matched: migration/colo.c
New 1 · A0 R1 T0
Patches so far
• [v6,11/18] colo: Fix crash during device vmstate load
b4 am 20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de\
""",
            """\
<p><strong>
<a href="https://patchwork.ozlabs.org/project/qemu-devel/list/?series=491328&amp;state=*&amp;archive=both">
migration: Add COLO multifd support and COLO migration unit test</a></strong> · 1 of 18
<br>Lukas Straub · 18 patches · v6
<br>+6 −0 in 1 file: migration/
<br>matched: <code>migration/colo.c</code>
<br>New 1 · A0 R1 T0</p>
<details>
<summary>Patches so far</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.ozlabs.org/project/qemu-devel/patch/20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de/">
[v6,11/18] colo: Fix crash during device vmstate load</a></li></ul>
<p><code>b4 am 20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de</code></p></blockquote></details>\
""",
        )
    )


def test_a_lone_patch() -> None:
    patch = replace(a_patch(1, "[v2] migration: Fix a leak"), trailers=frozenset({Trailer(TrailerKind.ACKED, "rey")}))

    assert seen(Shown(Submission(of_series(patch, name="migration: Fix a leak", version=2), (patch,)))) == snapshot(
        (
            """\
[v2] migration: Fix a leak
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/
Ada Sample · 1 patch
+3 −1 in 1 file: migration/
New · A1 R0 T0
Apply
b4 am 20261123.1-1-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v2] migration: Fix a leak</a></strong>
<br>Ada Sample · 1 patch
<br>+3 −1 in 1 file: migration/
<br>New · A1 R0 T0</p>
<details>
<summary>Apply</summary><blockquote>
<p><code>b4 am 20261123.1-1-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_series_in_the_middle_of_its_life() -> None:
    acked, reviewed = (Trailer(kind, "rey@example.com") for kind in (TrailerKind.ACKED, TrailerKind.REVIEWED))
    patches = [replace(patch, files=(FileChange("migration/ram.c", None, 5, 2),)) for patch in numbered(7, version=3)]
    patches[0] = replace(patches[0], state="accepted", trailers=frozenset({acked, reviewed}), delegate="bruno")
    patches[1] = replace(patches[1], state="accepted", check=CheckState.SUCCESS, delegate="bruno")
    patches[2] = replace(patches[2], state="under-review", check=CheckState.FAIL, delegate="ada")
    patches[3] = replace(patches[3], check=CheckState.PENDING, files=(FileChange("qapi/migration.json", None, 40, 0),))
    patches[4] = replace(patches[4], files=(FileChange("docs/new.rst", "migration/old.rst"),))
    patches[5] = replace(patches[5], files=(FileChange("MAINTAINERS", None, 1, 1),))
    series = replace(of_series(*patches, version=3), cover=Msgid("20261123.1-0-ada@example.org"))

    assert seen(
        Shown(Submission(series, tuple(reversed(patches))), matched=("migration/ram.c", "migration/old.rst"))
    ) == snapshot(
        (
            """\
migration: Fix it all
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
Ada Sample · 7 patches · v3
+61 −9 in 4 files: migration/ (2), MAINTAINERS, docs/ (1) and 1 more
matched: migration/ram.c, migration/old.rst
New 4 · Accepted 2 · Under Review 1 · A1 R1 T0 · checks ❌ fail · delegate: ada, bruno
Patches
• [v3,1/7] migration: Step 1 · Accepted
• [v3,2/7] migration: Step 2 · Accepted · ✅ success
• [v3,3/7] migration: Step 3 · Under Review · ❌ fail
• [v3,4/7] migration: Step 4 · ⏳ pending
• [v3,5/7] migration: Step 5
• [v3,6/7] migration: Step 6
• [v3,7/7] migration: Step 7
b4 am 20261123.1-0-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
migration: Fix it all</a></strong>
<br>Ada Sample · 7 patches · v3
<br>+61 −9 in 4 files: migration/ (2), MAINTAINERS, docs/ (1) and 1 more
<br>matched: <code>migration/ram.c</code>, <code>migration/old.rst</code>
<br>New 4 · Accepted 2 · Under Review 1 · A1 R1 T0 · checks ❌ fail · delegate: ada, bruno</p>
<details>
<summary>Patches</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v3,1/7] migration: Step 1</a> · Accepted</li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
[v3,2/7] migration: Step 2</a> · Accepted · ✅ success</li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
[v3,3/7] migration: Step 3</a> · Under Review · ❌ fail</li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-4-ada@example.org/">
[v3,4/7] migration: Step 4</a> · ⏳ pending</li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-5-ada@example.org/">
[v3,5/7] migration: Step 5</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-6-ada@example.org/">
[v3,6/7] migration: Step 6</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-7-ada@example.org/">
[v3,7/7] migration: Step 7</a></li></ul>
<p><code>b4 am 20261123.1-0-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_an_incomplete_series() -> None:
    patches = numbered(3, total=5)

    assert seen(Shown(Submission(of_series(*patches, total=5), patches))) == snapshot(
        (
            """\
migration: Fix it all · 3 of 5
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
Ada Sample · 5 patches
+9 −3 in 1 file: migration/
New 3
Patches so far
• [1/5] migration: Step 1
• [2/5] migration: Step 2
• [3/5] migration: Step 3
b4 am 20261123.1-1-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
migration: Fix it all</a></strong> · 3 of 5
<br>Ada Sample · 5 patches
<br>+9 −3 in 1 file: migration/
<br>New 3</p>
<details>
<summary>Patches so far</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[1/5] migration: Step 1</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
[2/5] migration: Step 2</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
[3/5] migration: Step 3</a></li></ul>
<p><code>b4 am 20261123.1-1-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_pull_request() -> None:
    pull = Patch(
        id=PatchId(7),
        project=PROJECT,
        msgid=Msgid("20261123.7-0-pull@example.org"),
        name="[PULL,0/8] Migration patches",
        submitter=Person("Ada Sample", "ada@example.org"),
        state="new",
        pull_url="https://gitlab.example.org/ada/qemu.git tags/migration-pull",
    )

    assert seen(Shown(Submission(None, (pull,)))) == snapshot(
        (
            """\
[PULL,0/8] Migration patches
https://patchwork.example.org/project/qemu-devel/patch/20261123.7-0-pull@example.org/
Ada Sample · 📦 pull request
pull from https://gitlab.example.org/ada/qemu.git tags/migration-pull
New
Apply
b4 pr 20261123.7-0-pull@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.7-0-pull@example.org/">
[PULL,0/8] Migration patches</a></strong>
<br>Ada Sample · 📦 pull request
<br>pull from https://gitlab.example.org/ada/qemu.git tags/migration-pull
<br>New</p>
<details>
<summary>Apply</summary><blockquote>
<p><code>b4 pr 20261123.7-0-pull@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_hundred_patches_fit() -> None:
    patches = numbered(100)

    text, html = seen(Shown(Submission(of_series(*patches), patches)))

    assert text == snapshot("""\
migration: Fix it all
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
Ada Sample · 100 patches
+300 −100 in 1 file: migration/
New 100
Patches
• [1/100] migration: Step 1
• [2/100] migration: Step 2
• [3/100] migration: Step 3
• [4/100] migration: Step 4
• [5/100] migration: Step 5
• [6/100] migration: Step 6
• [7/100] migration: Step 7
• [8/100] migration: Step 8
• [9/100] migration: Step 9
• [10/100] migration: Step 10
• [11/100] migration: Step 11
• [12/100] migration: Step 12
• [13/100] migration: Step 13
• [14/100] migration: Step 14
• [15/100] migration: Step 15
• [16/100] migration: Step 16
• [17/100] migration: Step 17
• [18/100] migration: Step 18
• [19/100] migration: Step 19
• [20/100] migration: Step 20
• [21/100] migration: Step 21
• [22/100] migration: Step 22
• [23/100] migration: Step 23
• [24/100] migration: Step 24
• [25/100] migration: Step 25
• [26/100] migration: Step 26
• [27/100] migration: Step 27
• [28/100] migration: Step 28
• [29/100] migration: Step 29
• [30/100] migration: Step 30
• … and 70 more
b4 am 20261123.1-1-ada@example.org\
""")
    assert len(html) < 8_192


@pytest.mark.parametrize("prefix", ["[{} of 3]", "[v2,{} of 3]", "[PATCH{}/3]", "[RFC,{}/3]", "[v2, {}/3]"])
def test_patches_are_listed_and_applied_by_their_numbers_however_these_are_written(prefix: str) -> None:
    """Here the mails came in the reverse order, so that the ids do not follow the numbers."""
    patches = tuple(replace(a_patch(4 - n, f"{prefix.format(n)} Step {n}"), series=SeriesId(42)) for n in (1, 2, 3))

    lines = body(Shown(Submission(of_series(*patches[::-1]), patches[::-1]))).splitlines()

    assert [line[-6:] for line in lines if line.startswith("• ")] == ["Step 1", "Step 2", "Step 3"]
    assert lines[-1] == "b4 am 20261123.1-3-ada@example.org"


def test_servers_before_api_1_2_link_patches_by_id() -> None:
    patch = a_patch()
    site = ServerLinks("https://patchwork.example.org", by_msgid=False)

    assert body(Shown(Submission(None, (patch,))), site).split("\n")[1] == "https://patchwork.example.org/patch/101/"


def test_the_operators_archive_is_a_link() -> None:
    patch = a_patch(msgid="a/b+c@example.org")
    site = replace(SITE, archive="https://lore.kernel.org/qemu-devel/{msgid}/")

    text, html = seen(Shown(Submission(None, (patch,))), site)

    assert "archive <https://lore.kernel.org/qemu-devel/a%2Fb+c@example.org/>" in text
    assert '<a href="https://lore.kernel.org/qemu-devel/a%2Fb+c@example.org/">\narchive</a>' in html


def test_an_archive_template_with_a_query_is_a_link() -> None:
    site = replace(SITE, archive="https://lists.example.org/search?id={msgid}")

    html = seen(Shown(Submission(None, (a_patch(),))), site)[1]

    assert '<a href="https://lists.example.org/search?id=20261123.1-1-ada@example.org">' in html


def test_an_archive_that_only_the_server_tells_is_text() -> None:
    patch = replace(a_patch(), archive_url="https://lore.kernel.org/qemu-devel/1@x/")

    text, html = seen(Shown(Submission(None, (patch,))))

    assert "\narchive: https://lore.kernel.org/qemu-devel/1@x/\n" in text
    assert "<br>archive: https://lore.kernel.org/qemu-devel/1@x/</p>" in html.replace("\n", "")
    assert 'href="https://lore' not in html


def test_a_message_id_is_quoted_as_patchwork_does() -> None:
    patch = a_patch(msgid="a/b%2x@example.org")

    assert body(Shown(Submission(None, (patch,)))).split("\n")[1] == (
        "https://patchwork.example.org/project/qemu-devel/patch/a%252Fb%252x@example.org/"
    )


def test_a_message_id_is_quoted_for_the_shell() -> None:
    patches = [a_patch(msgid=msgid) for msgid in ("a$b@example.org", "x@roomservice.example", "x;reboot@y", "-x y@z")]

    lines = [body(Shown(Submission(None, (patch,)))).split("\n")[-1] for patch in patches]

    assert lines == [
        "b4 am 'a$b@example.org'",
        "b4 am x@''roomservice.example",
        "b4 am 'x;reboot@y'",
        "b4 am '-x y@z'",
    ]


def test_a_message_id_that_would_be_cut_is_no_command() -> None:
    assert "b4" not in body(Shown(Submission(None, (a_patch(msgid="a" * 300 + "@x"),))))


def test_a_series_without_a_name_has_its_number() -> None:
    patches = numbered(2)

    assert body(Shown(Submission(of_series(*patches, name="\u202e "), patches))).startswith("series 42\n")


def test_a_patch_without_a_name_has_its_number() -> None:
    assert body(Shown(Submission(None, (a_patch(1, ""),)))).startswith("patch 101\n")


def test_a_submitter_without_a_name_is_their_address() -> None:
    patch = replace(a_patch(), submitter=Person("", "ada@example.org"))
    nobody = replace(a_patch(), submitter=Person("", ""))

    assert body(Shown(Submission(None, (patch,)))).split("\n")[2] == "ada@example.org · 1 patch"
    assert body(Shown(Submission(None, (nobody,)))).split("\n")[2] == "an unknown submitter · 1 patch"


def test_a_series_of_which_nothing_can_be_read_has_a_card() -> None:
    shown = Shown(Submission(of_series(total=3), ()))

    assert body(shown).split("\n")[0] == "migration: Fix it all · 0 of 3"


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ((None, None, None), "New 3"),
        (("pending", None, None), "New 3 · checks ⏳ pending"),
        (("success", "pending", "success"), "New 3 · checks ⏳ pending"),
        (("success", None, "success"), "New 3 · checks ✅ success"),
        (("success", "pending", "warning"), "New 3 · checks ⚠ warning"),
    ],
)
def test_pending_is_pending_and_no_check_says_nothing(checks: tuple[str | None, ...], expected: str) -> None:
    states = [CheckState(check) if check else None for check in checks]
    patches = tuple(replace(patch, check=check) for patch, check in zip(numbered(3), states, strict=True))

    assert expected in body(Shown(Submission(of_series(*patches), patches))).split("\n")


def test_a_version_that_the_first_line_tells_is_not_repeated() -> None:
    patch = a_patch(1, "[RFC,v2] migration: Fix it")

    assert body(Shown(Submission(of_series(patch, version=2), (patch,)))).split("\n")[2] == "Ada Sample · 1 patch"


def test_a_person_counts_once_per_kind_of_trailer() -> None:
    twice = frozenset({Trailer(TrailerKind.TESTED, "rey@example.com")})
    patches = tuple(replace(patch, trailers=twice) for patch in numbered(3))

    assert "New 3 · A0 R0 T1" in body(Shown(Submission(of_series(*patches), patches)))


def test_what_was_said_of_the_whole_series_counts_once() -> None:
    tested = frozenset({Trailer(TrailerKind.TESTED, "rey@example.com")})
    patches = (replace(numbered(3)[0], trailers=tested), *numbered(3)[1:])
    said = tested | {Trailer(TrailerKind.REVIEWED, "ann@example.com")}

    assert "New 3 · A0 R1 T1" in body(Shown(Submission(replace(of_series(*patches), trailers=said), patches)))


def a_pull(name: str) -> Patch:
    pull = replace(a_patch(0, name), series=SeriesId(42), files=())
    return replace(pull, pull_url="https://git.example.org/qemu tags/migration")


def test_a_pull_request_with_a_series_of_its_own_is_one() -> None:
    pull = a_pull("[GIT,PULL] Migration patches")

    assert seen(Shown(Submission(of_series(pull, name=pull.name), (pull,)))) == snapshot(
        (
            """\
[GIT,PULL] Migration patches
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-0-ada@example.org/
Ada Sample · 📦 pull request
pull from https://git.example.org/qemu tags/migration
New
Apply
b4 pr 20261123.1-0-ada@example.org\
""",
            """\
<p><strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-0-ada@example.org/">
[GIT,PULL] Migration patches</a></strong>
<br>Ada Sample · 📦 pull request
<br>pull from https://git.example.org/qemu tags/migration
<br>New</p>
<details>
<summary>Apply</summary><blockquote>
<p><code>b4 pr 20261123.1-0-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_pull_request_beside_its_patches_stands_for_them_and_is_none_of_them() -> None:
    pull, patches = a_pull("[PULL,0/3] Migration patches"), numbered(3)

    shown = Shown(Submission(of_series(pull, *patches, name="[1/3] migration: Step 1", total=3), (*patches, pull)))

    assert body(shown) == snapshot("""\
[PULL,0/3] Migration patches
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
Ada Sample · 📦 pull request · 3 patches
+9 −3 in 1 file: migration/
pull from https://git.example.org/qemu tags/migration
New 4
Patches
• [PULL,0/3] Migration patches
• [1/3] migration: Step 1
• [2/3] migration: Step 2
• [3/3] migration: Step 3
b4 pr 20261123.1-0-ada@example.org\
""")


def test_a_server_that_counts_the_pull_request_as_a_patch_is_not_believed_that_all_came() -> None:
    pull, patches = a_pull("[PULL,0/3] Migration patches"), numbered(2, total=3)
    series = replace(of_series(pull, *patches, total=3), received_total=3, received_all=True)

    shown, alone = Shown(Submission(series, (pull, *patches))), Shown(Submission(of_series(pull, total=3), (pull,)))

    assert (shown.submission.arrived, shown.submission.total) == (2, 3)
    assert body(shown).splitlines()[0] == "[PULL,0/3] Migration patches · 2 of 3"
    assert body(alone).splitlines()[0] == "[PULL,0/3] Migration patches"
