"""What a card says."""

import re
from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from bot.ids import Msgid, PatchId, SeriesId
from bot.notices.card import CardContent, ServerLinks, card
from bot.notices.markup import written
from bot.patchwork.model import CheckState, FileChange, Patch, Person, Trailer, TrailerKind
from bot.submission import Submission
from support.card_rig import PROJECT, SITE, a_patch, body_and_html, numbered, of_series, the_seed


def seen(shown: CardContent, site: ServerLinks = SITE) -> tuple[str, str]:
    return body_and_html(card(shown, site), site)


def body(shown: CardContent, site: ServerLinks = SITE) -> str:
    return written(card(shown, site), site.allowed)[0]


def line(shown: CardContent, number: int, site: ServerLinks = SITE) -> str:
    """Return a line of the body, the first of which is 1."""
    return body(shown, site).split("\n")[number - 1]


def address(shown: CardContent, site: ServerLinks = SITE) -> str:
    """Return the address of the page."""
    return next(line for line in body(shown, site).split("\n") if line.startswith("https://"))


def test_the_recorded_patch_stands_for_its_series() -> None:
    patch, series = the_seed()

    shown = seen(
        CardContent(Submission(series, (patch,)), matched=("migration/colo.c",)),
        ServerLinks("https://patchwork.ozlabs.org"),
    )

    assert shown == snapshot(
        (
            """\
🆕 [v6] migration: Add COLO multifd support and COLO migration unit test · 1 of 18
New · 👍 1 of 18 reviewed
Lukas Straub · 18 patches · +6 −0 in migration/
https://patchwork.ozlabs.org/project/qemu-devel/list/?series=491328&state=*&archive=both
b4 shazam 20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.ozlabs.org/project/qemu-devel/list/?series=491328&amp;state=*&amp;archive=both">
[v6] migration: Add COLO multifd support and COLO migration unit test</a></strong> · 1 of 18
<br><strong>New</strong> · 👍 1 of 18 reviewed
<br>Lukas Straub · 18 patches · <code>+6 −0</code> in <code>migration/</code></p>
<details>
<summary>1 of 18 patches, and how to apply them</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.ozlabs.org/project/qemu-devel/patch/20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de/">
11/18 colo: Fix crash during device vmstate load</a></li></ul>
<p><code>b4 shazam 20260206-colo_unit_test_multifd-v6-11-27779dda139d@web.de</code></p></blockquote></details>\
""",
        )
    )


def test_a_lone_patch() -> None:
    patch = replace(a_patch(1, "[v2] migration: Fix a leak"), trailers=frozenset({Trailer(TrailerKind.ACKED, "rey")}))

    assert seen(
        CardContent(Submission(of_series(patch, name="migration: Fix a leak", version=2), (patch,)))
    ) == snapshot(
        (
            """\
🆕 [v2] migration: Fix a leak
New · 👍 acked
Ada Sample · 1 patch · +3 −1 in migration/
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/
b4 shazam 20261123.1-1-ada@example.org\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
[v2] migration: Fix a leak</a></strong>
<br><strong>New</strong> · 👍 acked
<br>Ada Sample · 1 patch · <code>+3 −1</code> in <code>migration/</code></p>
<details>
<summary>How to apply it</summary><blockquote>
<p><code>b4 shazam 20261123.1-1-ada@example.org</code></p></blockquote></details>\
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
        CardContent(Submission(series, tuple(reversed(patches))), matched=("migration/ram.c", "migration/old.rst"))
    ) == snapshot(
        (
            """\
👀 [v3] migration: Fix it all
New 4 of 7, Accepted 2, Under Review 1 · ❌ checks fail 3/7 · 👍 1 of 7 reviewed, 1 acked
Ada Sample · 7 patches · +61 −9 in migration/, MAINTAINERS, docs/ and 1 more
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
b4 shazam 20261123.1-0-ada@example.org\
""",
            """\
<p>👀 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
[v3] migration: Fix it all</a></strong>
<br><strong>New</strong> 4 of 7, Accepted 2, Under Review 1 · ❌ checks fail 3/7 · 👍 1 of 7 reviewed, 1 acked
<br>Ada Sample · 7 patches · <code>+61 −9</code> in <code>migration/</code>, <code>MAINTAINERS</code>, <code>docs/</code> and 1 more</p>
<details>
<summary>7 patches, and how to apply them</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
3/7 migration: Step 3</a> · Under Review · ❌ checks fail · delegate ada</li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-4-ada@example.org/">
4/7 migration: Step 4</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-5-ada@example.org/">
5/7 migration: Step 5</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-6-ada@example.org/">
6/7 migration: Step 6</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-7-ada@example.org/">
7/7 migration: Step 7</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
2/7 migration: Step 2</a> · Accepted · delegate bruno</li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
1/7 migration: Step 1</a> · Accepted · reviewed, acked · delegate bruno</li></ul>
<p><code>b4 shazam 20261123.1-0-ada@example.org</code></p></blockquote></details>\
""",  # noqa: E501  # as it is sent
        )
    )


def test_an_incomplete_series() -> None:
    patches = numbered(3, total=5)

    assert seen(CardContent(Submission(of_series(*patches, total=5), patches))) == snapshot(
        (
            """\
🆕 migration: Fix it all · 3 of 5
New · no reviews yet
Ada Sample · 5 patches · +9 −3 in migration/
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
b4 shazam 20261123.1-1-ada@example.org\
""",
            """\
<p>🆕 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/list/?series=42&amp;state=*&amp;archive=both">
migration: Fix it all</a></strong> · 3 of 5
<br><strong>New</strong> · no reviews yet
<br>Ada Sample · 5 patches · <code>+9 −3</code> in <code>migration/</code></p>
<details>
<summary>3 of 5 patches, and how to apply them</summary><blockquote>
<ul>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-1-ada@example.org/">
1/5 migration: Step 1</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-2-ada@example.org/">
2/5 migration: Step 2</a></li>
<li>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
3/5 migration: Step 3</a></li></ul>
<p><code>b4 shazam 20261123.1-1-ada@example.org</code></p></blockquote></details>\
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

    assert seen(CardContent(Submission(None, (pull,)))) == snapshot(
        (
            """\
📦 [PULL 0/8] Migration patches
New
Ada Sample · pull request
https://patchwork.example.org/project/qemu-devel/patch/20261123.7-0-pull@example.org/
b4 pr 20261123.7-0-pull@example.org\
""",
            """\
<p>📦 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.7-0-pull@example.org/">
[PULL 0/8] Migration patches</a></strong>
<br><strong>New</strong>
<br>Ada Sample · pull request</p>
<details>
<summary>How to pull it</summary><blockquote>
<p>pull from https://gitlab.example.org/ada/qemu.git tags/migration-pull</p>
<p><code>b4 pr 20261123.7-0-pull@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_hundred_patches_fit() -> None:
    patches = numbered(100)

    text, html = seen(CardContent(Submission(of_series(*patches), patches)))

    assert text == snapshot("""\
🆕 migration: Fix it all
New · no reviews yet
Ada Sample · 100 patches · +300 −100 in migration/
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
b4 shazam 20261123.1-1-ada@example.org\
""")
    assert len(html) < 8_192


@pytest.mark.parametrize("prefix", ["[{} of 3]", "[v2,{} of 3]", "[PATCH{}/3]", "[RFC,{}/3]", "[v2, {}/3]"])
def test_patches_are_listed_and_applied_by_their_numbers_however_these_are_written(prefix: str) -> None:
    """Here the mails came in the reverse order, so that the ids do not follow the numbers."""
    patches = tuple(replace(a_patch(4 - n, f"{prefix.format(n)} Step {n}"), series=SeriesId(42)) for n in (1, 2, 3))

    text, html = written(card(CardContent(Submission(of_series(*patches[::-1]), patches[::-1])), SITE), SITE.allowed)

    assert re.findall(r">(\d/3) Step (\d)<", html) == [("1/3", "1"), ("2/3", "2"), ("3/3", "3")]
    assert text.splitlines()[-1] == "b4 shazam 20261123.1-3-ada@example.org"


def test_servers_before_api_1_2_link_patches_by_id() -> None:
    patch = a_patch()
    site = ServerLinks("https://patchwork.example.org", by_msgid=False)

    assert address(CardContent(Submission(None, (patch,))), site) == "https://patchwork.example.org/patch/101/"


def test_the_operators_archive_is_a_link() -> None:
    patch = a_patch(msgid="a/b+c@example.org")
    site = replace(SITE, archive="https://lore.kernel.org/qemu-devel/{msgid}/")

    text, html = seen(CardContent(Submission(None, (patch,))), site)

    assert "· mail <https://lore.kernel.org/qemu-devel/a%2Fb+c@example.org/>" in text
    assert '<a href="https://lore.kernel.org/qemu-devel/a%2Fb+c@example.org/">\nmail</a>' in html


def test_an_archive_template_with_a_query_is_a_link() -> None:
    site = replace(SITE, archive="https://lists.example.org/search?id={msgid}")

    html = seen(CardContent(Submission(None, (a_patch(),))), site)[1]

    assert '<a href="https://lists.example.org/search?id=20261123.1-1-ada@example.org">' in html


def test_an_archive_that_only_the_server_tells_is_text() -> None:
    patch = replace(a_patch(), archive_url="https://lore.kernel.org/qemu-devel/1@x/")

    text, html = seen(CardContent(Submission(None, (patch,))))

    assert "lore.kernel.org" not in text
    assert "<p>mail: https://lore.kernel.org/qemu-devel/1@x/</p>" in html.replace("\n", "")
    assert 'href="https://lore' not in html


def test_a_message_id_is_quoted_as_patchwork_does() -> None:
    patch = a_patch(msgid="a/b%2x@example.org")

    assert address(CardContent(Submission(None, (patch,)))) == (
        "https://patchwork.example.org/project/qemu-devel/patch/a%252Fb%252x@example.org/"
    )


def test_a_message_id_is_quoted_for_the_shell() -> None:
    patches = [a_patch(msgid=msgid) for msgid in ("a$b@example.org", "x@roomservice.example", "x;reboot@y", "-x y@z")]

    lines = [body(CardContent(Submission(None, (patch,)))).split("\n")[-1] for patch in patches]

    assert lines == [
        "b4 shazam 'a$b@example.org'",
        "b4 shazam x@''roomservice.example",
        "b4 shazam 'x;reboot@y'",
        "b4 shazam '-x y@z'",
    ]


def test_a_message_id_that_would_be_cut_is_no_command() -> None:
    assert "b4" not in body(CardContent(Submission(None, (a_patch(msgid="a" * 300 + "@x"),))))


def test_a_series_without_a_name_has_its_number() -> None:
    patches = numbered(2)

    assert body(CardContent(Submission(of_series(*patches, name="\u202e "), patches))).startswith("🆕 series 42\n")


def test_a_patch_without_a_name_has_its_number() -> None:
    assert body(CardContent(Submission(None, (a_patch(1, ""),)))).startswith("🆕 patch 101\n")


def test_a_submitter_without_a_name_is_their_address() -> None:
    patch = replace(a_patch(), submitter=Person("", "ada@example.org"))
    nobody = replace(a_patch(), submitter=Person("", ""))

    assert line(CardContent(Submission(None, (patch,))), 3) == "ada@example.org · 1 patch · +3 −1 in migration/"
    assert line(CardContent(Submission(None, (nobody,))), 3).startswith("an unknown submitter · 1 patch · ")


def test_a_series_of_which_nothing_can_be_read_has_a_card() -> None:
    shown = CardContent(Submission(of_series(total=3), ()))

    assert body(shown).split("\n")[:2] == ["🆕 migration: Fix it all · 0 of 3", "Ada Sample · 3 patches"]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ((None, None, None), "New · no reviews yet"),
        (("pending", None, None), "New · ⏳ checks pending · no reviews yet"),
        (("success", "pending", "success"), "New · ⏳ checks pending · no reviews yet"),
        (("success", None, "success"), "New · ✅ checks ok · no reviews yet"),
        (("success", "pending", "warning"), "New · ⚠️ check warnings 3/3 · no reviews yet"),
    ],
)
def test_pending_is_pending_and_no_check_says_nothing(checks: tuple[str | None, ...], expected: str) -> None:
    states = [CheckState(check) if check else None for check in checks]
    patches = tuple(replace(patch, check=check) for patch, check in zip(numbered(3), states, strict=True))

    assert line(CardContent(Submission(of_series(*patches), patches)), 2) == expected


def test_a_version_that_the_first_line_tells_is_not_repeated() -> None:
    patch = a_patch(1, "[RFC,v2] migration: Fix it")

    assert line(CardContent(Submission(of_series(patch, version=2), (patch,))), 1) == "🆕 [RFC v2] migration: Fix it"


REVIEWED, ACKED, TESTED = TrailerKind.REVIEWED, TrailerKind.ACKED, TrailerKind.TESTED


@pytest.mark.parametrize(
    ("given", "of_all", "expected"),
    [
        (({REVIEWED}, {REVIEWED, ACKED}, {TESTED}), set(), "👍 2 of 3 reviewed, 1 acked, 1 tested"),
        (({REVIEWED}, {REVIEWED}, {REVIEWED}), set(), "👍 all 3 reviewed"),
        (({TESTED}, {TESTED}, {TESTED}), set(), "👍 all 3 tested"),
        (({TESTED}, set(), set()), {REVIEWED, TESTED}, "👍 all 3 reviewed, all tested"),
        ((set(), set(), {ACKED}), {REVIEWED}, "👍 all 3 reviewed, 1 acked"),
        ((set(), set(), set()), set(), "no reviews yet"),
    ],
)
def test_reviews_are_told_in_numbers_of_patches(
    given: tuple[set[TrailerKind], ...], of_all: set[TrailerKind], expected: str
) -> None:
    trailers = [frozenset(Trailer(kind, "rey@example.com") for kind in kinds) for kinds in (*given, of_all)]
    patches = tuple(replace(patch, trailers=some) for patch, some in zip(numbered(3), trailers, strict=False))

    shown = CardContent(Submission(replace(of_series(*patches), trailers=trailers[-1]), patches))

    assert line(shown, 2) == f"New · {expected}"


def test_reviews_of_a_lone_patch_are_told_in_numbers_of_people() -> None:
    given = [(REVIEWED, "ann"), (REVIEWED, "rey"), (ACKED, "ann")]
    patch = replace(a_patch(), trailers=frozenset(Trailer(kind, f"{name}@example.com") for kind, name in given))

    assert line(CardContent(Submission(None, (patch,))), 2) == "New · 👍 reviewed by 2, acked"


def test_what_is_decided_waits_for_no_review() -> None:
    assert line(CardContent(Submission(None, (replace(a_patch(), state="rejected"),))), 2) == "Rejected"


def a_pull(name: str) -> Patch:
    pull = replace(a_patch(0, name), series=SeriesId(42), files=())
    return replace(pull, pull_url="https://git.example.org/qemu tags/migration")


def test_a_pull_request_with_a_series_of_its_own_is_one() -> None:
    pull = a_pull("[GIT,PULL] Migration patches")

    assert seen(CardContent(Submission(of_series(pull, name=pull.name), (pull,)))) == snapshot(
        (
            """\
📦 [GIT PULL] Migration patches
New
Ada Sample · pull request
https://patchwork.example.org/project/qemu-devel/patch/20261123.1-0-ada@example.org/
b4 pr 20261123.1-0-ada@example.org\
""",
            """\
<p>📦 <strong>
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-0-ada@example.org/">
[GIT PULL] Migration patches</a></strong>
<br><strong>New</strong>
<br>Ada Sample · pull request</p>
<details>
<summary>How to pull it</summary><blockquote>
<p>pull from https://git.example.org/qemu tags/migration</p>
<p><code>b4 pr 20261123.1-0-ada@example.org</code></p></blockquote></details>\
""",
        )
    )


def test_a_pull_request_beside_its_patches_stands_for_them_and_is_none_of_them() -> None:
    pull, patches = a_pull("[PULL,0/3] Migration patches"), numbered(3)

    shown = CardContent(
        Submission(of_series(pull, *patches, name="[1/3] migration: Step 1", total=3), (*patches, pull))
    )

    assert body(shown) == snapshot("""\
📦 [PULL 0/3] Migration patches
New
Ada Sample · pull request · 3 patches · +9 −3 in migration/
https://patchwork.example.org/project/qemu-devel/list/?series=42&state=*&archive=both
b4 pr 20261123.1-0-ada@example.org\
""")


def test_a_server_that_counts_the_pull_request_as_a_patch_is_not_believed_that_all_came() -> None:
    pull, patches = a_pull("[PULL,0/3] Migration patches"), numbered(2, total=3)
    series = replace(of_series(pull, *patches, total=3), received_total=3, received_all=True)

    shown, alone = (
        CardContent(Submission(series, (pull, *patches))),
        CardContent(Submission(of_series(pull, total=3), (pull,))),
    )

    assert (shown.submission.arrived, shown.submission.total) == (2, 3)
    assert body(shown).splitlines()[0] == "📦 [PULL 0/3] Migration patches · 2 of 3"
    assert body(alone).splitlines()[0] == "📦 [PULL 0/3] Migration patches"
