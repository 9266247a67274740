"""What is told in the thread of a card."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.ids import PatchId
from bot.notices.changes import Change, ChangeKind
from bot.notices.markup import MAX_BODY_BYTES, MAX_HTML_BYTES, plain, written
from bot.notices.thread_reply import Thread, reply_document
from bot.patchwork.model import CheckState, Comment, Patch, Person, Trailer, TrailerKind
from bot.submission import Contexts, Submission
from support.card_rig import SITE, a_patch, body_and_html, numbered, of_series

REY = Person("Rey Viewer", "rey@example.com")


def of_seven(*changes: Change, checks: Mapping[PatchId, Contexts] | None = None, **now: Mapping[int, Any]) -> Thread:
    """A series of seven; *now* says of fields what they are by now, by the number of the patch."""
    patches = [
        replace(patch, **{name: by_number[n] for name, by_number in now.items() if n in by_number})
        for n, patch in enumerate(numbered(7), 1)
    ]
    return Thread(Submission(of_series(*patches), tuple(patches), checks or {}), changes)


def state(number: int, before: str = "new", after: str = "accepted") -> Change:
    return Change(ChangeKind.STATE, PatchId(100 + number), before, after)


def check(number: int, before: str, after: str, context: str = "build/x") -> Change:
    return Change(ChangeKind.CHECK, PatchId(100 + number), before, after, context)


def comment(number: int | None, text: str, *trailers: TrailerKind, id_: int = 1) -> Change:
    said = Comment(id_, REY, "2026-11-24T10:00:00", text, frozenset(Trailer(kind, REY.email) for kind in trailers))
    patch = None if number is None else PatchId(100 + number)
    return Change(ChangeKind.COMMENT, patch, "", str(id_), comment=said)


def body(thread: Thread) -> str:
    return plain(reply_document(thread, SITE), SITE.allowed)


def test_states_of_several_patches() -> None:
    changes = [state(number) for number in (1, 2, 3, 4)] + [state(5, after="rejected"), state(6, after="rejected")]
    now = {1: "accepted", 2: "accepted", 3: "accepted", 4: "accepted", 5: "rejected", 6: "rejected"}

    assert body_and_html(reply_document(of_seven(*changes, state=now), SITE)) == snapshot(
        (
            """\
✅ Accepted, 4 of 7 patches (was New)
❌ Rejected, 2 of 7 patches (was New: 5/7, 6/7)\
""",
            """\
<p>✅ <strong>Accepted</strong>, 4 of 7 patches (was New)
<br>❌ <strong>Rejected</strong>, 2 of 7 patches (was New: 5/7, 6/7)</p>\
""",
        )
    )


def by(actor: str | None, *changes: Change) -> list[Change]:
    return [replace(change, actor=actor) for change in changes]


def delegate(number: int, to: str) -> Change:
    return Change(ChangeKind.DELEGATE, PatchId(100 + number), "", to)


def test_who_made_the_changes_of_a_line_is_told_if_the_server_tells_it_of_all() -> None:
    changes = [
        *by("ada", *map(state, range(1, 8)), *(delegate(number, "rey") for number in range(1, 8))),
        *by("ada", check(1, "", "fail")),
    ]
    accepted, delegated = dict.fromkeys(range(1, 8), "accepted"), dict.fromkeys(range(1, 8), "rey")

    assert body_and_html(reply_document(of_seven(*changes, state=accepted, delegate=delegated), SITE)) == snapshot(
        (
            """\
✅ Accepted, all 7 patches (was New) · delegate rey · by ada
❌ x: failed on 1/7\
""",
            """\
<p>✅ <strong>Accepted</strong>, all 7 patches (was New) · delegate rey · by ada
<br>❌ x: failed on 1/7</p>\
""",
        )
    )
    unknown = of_seven(*changes[1:], *by(None, state(1)), state=accepted, delegate=delegated)
    assert body(unknown).splitlines()[0] == "✅ Accepted, all 7 patches (was New) · delegate rey"


def test_several_people_are_told_each_once_and_at_most_three_by_name() -> None:
    changes = [by(actor, state(number))[0] for number, actor in enumerate(["ada", "rey", "ada", "max", "kim"], 1)]

    assert body(of_seven(*changes, state=dict.fromkeys(range(1, 6), "accepted"))) == snapshot(
        "✅ Accepted, 5 of 7 patches (was New) · by ada, rey, max and 1 more"
    )


def test_of_several_changes_of_a_state_the_last_account_is_told_if_it_is_known() -> None:
    changes = [*by("ada", state(1)), *by("rey", state(1, "accepted", "rejected"))]

    assert body(of_seven(*changes, state={1: "rejected"})) == snapshot(
        "❌ Rejected, 1 of 7 patches (was New: 1/7) · by rey"
    )
    assert body(of_seven(*changes, state={1: "deferred"})) == snapshot("❌ Deferred, 1 of 7 patches (was New: 1/7)")


def test_a_name_of_an_account_is_cut() -> None:
    changes = by("a" * 200, state(1))

    assert len(body(of_seven(*changes, state={1: "accepted"}))) < 150


def test_checks_on_several_patches() -> None:
    changes = [check(3, "success", "fail"), check(5, "success", "fail"), check(1, "", "fail", "checkpatch")]
    changes += [check(number, "pending", "success", f"boot/{letter}") for letter in "abcdefg" for number in range(1, 8)]

    assert body_and_html(reply_document(of_seven(*changes), SITE)) == snapshot(
        (
            """\
❌ x: failed on 3/7, 5/7
❌ checkpatch: failed on 1/7
✅ a, b, c, d, e and 2 more: ok on all 7 patches\
""",
            """\
<p>❌ x: failed on 3/7, 5/7
<br>❌ checkpatch: failed on 1/7
<br>✅ a, b, c, d, e and 2 more: ok on all 7 patches</p>\
""",
        )
    )


def test_delegates_archives_and_reviews() -> None:
    changes = [
        Change(ChangeKind.DELEGATE, PatchId(101), "", "ada"),
        Change(ChangeKind.DELEGATE, PatchId(102), "ada", "rey"),
        Change(ChangeKind.DELEGATE, PatchId(103), "ada", ""),
        *(Change(ChangeKind.ARCHIVED, PatchId(100 + number), "no", "yes") for number in range(1, 8)),
        Change(ChangeKind.TRAILERS, PatchId(104), "rey@example.com", "kim@example.com\nrey@example.com"),
        Change(ChangeKind.TRAILERS, None, "", "max@example.com"),
    ]
    archived = dict.fromkeys(range(1, 8), True)

    thread = of_seven(*changes, delegate={1: "ada", 2: "rey"}, archived=archived)

    assert body_and_html(reply_document(thread, SITE)) == snapshot(
        (
            """\
👤 delegate ada on 1/7
👤 delegate rey (was ada) on 2/7
👤 no longer delegated to ada on 3/7
🗄️ archived
👍 reviewed by kim on 4/7
👍 reviewed by max\
""",
            """\
<p>👤 delegate ada on 1/7
<br>👤 delegate rey (was ada) on 2/7
<br>👤 no longer delegated to ada on 3/7
<br>🗄️ archived
<br>👍 reviewed by kim on 4/7
<br>👍 reviewed by max</p>\
""",
        )
    )


def test_comments_with_the_trailers_that_they_gave() -> None:
    changes = [
        comment(3, "Looks good to me.\nReviewed-by: Rey Viewer <rey@example.com>", TrailerKind.REVIEWED),
        comment(None, "Tested-by: Rey Viewer <rey@example.com>", TrailerKind.TESTED, TrailerKind.ACKED, id_=2),
        comment(5, "One\ntwo\nthree\nfour", id_=3),
        comment(6, "", id_=4),
        Change(ChangeKind.TRAILERS, PatchId(103), "", "rey@example.com"),
    ]

    assert body_and_html(reply_document(of_seven(*changes), SITE)) == snapshot(
        (
            """\
💬 Rey Viewer on 3/7: Reviewed-by
> Looks good to me.
💬 Rey Viewer on the cover letter: Acked-by, Tested-by
💬 Rey Viewer on 5/7
> One
> two
> three
> …
💬 Rey Viewer on 6/7: (only quoted text)\
""",
            """\
<p>💬 Rey Viewer on \n\
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-3-ada@example.org/">
3/7</a>: Reviewed-by</p><blockquote>Looks good to me.</blockquote>
<p>💬 Rey Viewer on the cover letter: Acked-by, Tested-by</p>
<p>💬 Rey Viewer on \n\
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-5-ada@example.org/">
5/7</a></p><blockquote>One
<br>two
<br>three
<br>…</blockquote>
<p>💬 Rey Viewer on \n\
<a href="https://patchwork.example.org/project/qemu-devel/patch/20261123.1-6-ada@example.org/">
6/7</a>: (only quoted text)</p>\
""",
        )
    )


def test_of_a_lone_patch_nothing_is_counted() -> None:
    patch = replace(a_patch(), state="accepted", delegate="ada")
    changes = (
        state(1),
        check(1, "success", "fail"),
        Change(ChangeKind.DELEGATE, PatchId(101), "", "ada"),
        comment(1, "Applied, thanks!"),
    )

    assert body_and_html(reply_document(Thread(Submission(None, (patch,)), changes), SITE)) == snapshot(
        (
            """\
✅ Accepted (was New) · delegate ada
❌ x: failed
💬 Rey Viewer
> Applied, thanks!\
""",
            """\
<p>✅ <strong>Accepted</strong> (was New) · delegate ada
<br>❌ x: failed</p>
<p>💬 Rey Viewer</p><blockquote>Applied, thanks!</blockquote>\
""",
        )
    )


def test_what_went_and_came_back_is_not_told() -> None:
    changes = [state(1), state(1, "accepted", "new"), check(2, "success", "fail"), check(2, "fail", "success")]

    assert reply_document(of_seven(*changes), SITE) == ()


def test_of_changes_in_a_row_the_first_and_the_last_are_told() -> None:
    changes = [state(1, "new", "under-review"), state(1, "under-review", "accepted")]

    assert body(of_seven(*changes, state={1: "accepted"})) == "✅ Accepted, 1 of 7 patches (was New: 1/7)"


def test_what_changed_back_unheard_is_not_told() -> None:
    """Who hears of failures alone does not hear that one was mended; nor is it news any more."""
    checks = {PatchId(102): (("build/x", CheckState.SUCCESS),)}

    assert reply_document(of_seven(state(1), check(2, "success", "fail"), checks=checks), SITE) == ()


def test_a_state_that_was_not_known_before_is_none_that_changed() -> None:
    assert reply_document(of_seven(state(1, "", "new")), SITE) == ()


def test_a_comment_that_is_told_twice_is_said_once() -> None:
    assert body(of_seven(comment(1, "Hello"), comment(1, "Hello"))) == "💬 Rey Viewer on 1/7\n> Hello"


def test_comments_on_a_patch_and_on_the_cover_may_have_the_same_number() -> None:
    said = body(of_seven(comment(1, "Hello"), comment(None, "Hello")))

    assert said == "💬 Rey Viewer on 1/7\n> Hello\n💬 Rey Viewer on the cover letter\n> Hello"


def test_many_comments_and_changes_are_cut_and_counted() -> None:
    changes = [comment(1, "x" * 390, id_=number) for number in range(100)]
    changes += [Change(ChangeKind.DELEGATE, PatchId(101 + number), "", f"user{number}") for number in range(7)]
    changes += [check(n % 7 + 1, "", "fail" if n % 2 else "warning", f"d{n}") for n in range(100)]

    delegates = {number + 1: f"user{number}" for number in range(7)}

    text, html = written(reply_document(of_seven(*changes, delegate=delegates), SITE), SITE.allowed)

    assert "… and 6 more changes" in text
    assert text.split("\n")[-1].startswith("… and ")
    assert len(text.encode()) <= MAX_BODY_BYTES
    assert len(html.encode()) <= MAX_HTML_BYTES


def of_three(*changes: Change, **now: Any) -> Thread:
    """A series of three, all of which are as *now* says."""
    patches = tuple(replace(patch, **now) for patch in numbered(3))
    return Thread(Submission(of_series(*patches), patches), changes)


def test_what_happened_to_all_patches_is_one_line() -> None:
    """As the contract has it."""
    delegated = [Change(ChangeKind.DELEGATE, PatchId(100 + number), "", "bruno") for number in (1, 2, 3)]
    changes = [state(number) for number in (1, 2, 3)] + delegated

    thread = of_three(*changes, state="accepted", delegate="bruno")

    assert body(thread) == "✅ Accepted, all 3 patches (was New) · delegate bruno"


def test_the_last_patches_of_a_series_are_told_with_those_before() -> None:
    """The card says that all three are accepted, so a reply that counts two would contradict it."""
    assert body(of_three(state(2), state(3), state="accepted")) == "✅ Accepted, all 3 patches (was New: 2/3, 3/3)"


def test_a_check_is_told_as_it_stands_on_the_whole_series() -> None:
    patches = numbered(3)
    now = dict(zip((patch.id for patch in patches), "ssw", strict=True))
    states = {"s": CheckState.SUCCESS, "w": CheckState.WARNING}
    checks = {patch: (("checkpatch", states[letter]),) for patch, letter in now.items()}

    thread = Thread(Submission(of_series(*patches), patches, checks), (check(3, "", "warning", "checkpatch"),))

    assert body(thread) == "⚠️ checkpatch: warning on 3/3 · 1/3, 2/3 ok"


def test_a_check_that_could_not_apply_the_patch_is_no_failure() -> None:
    patches = numbered(3)
    checks = {patch.id: (("netdev/apply", CheckState.FAIL),) for patch in patches}
    unapplied = {(patch.id, "netdev/apply") for patch in patches}

    thread = Thread(
        Submission(of_series(*patches), patches, checks, unapplied), (check(1, "", "fail", "netdev/apply"),)
    )

    assert body(thread) == "⚠️ apply: could not apply on all 3 patches"


def test_a_person_who_reviews_all_patches_is_told_once() -> None:
    changes = [comment(number, "", TrailerKind.REVIEWED, TrailerKind.TESTED, id_=number) for number in (1, 2, 3)]
    reviews = [Change(ChangeKind.TRAILERS, PatchId(100 + number), "", "rey@example.com") for number in (1, 2, 3)]

    assert body(of_three(*changes, *reviews)) == "💬 Rey Viewer on all 3 patches: Reviewed-by, Tested-by"


def test_who_reviewed_the_whole_series_is_not_told_of_its_patches_again() -> None:
    reviews = [Change(ChangeKind.TRAILERS, patch, "", "kim@example.com") for patch in (None, PatchId(101))]

    assert body(of_three(*reviews)) == "👍 reviewed by kim"


patches_of_seven = st.one_of(st.none(), st.integers(101, 108).map(PatchId))
any_change = st.builds(
    Change, st.sampled_from(ChangeKind), patches_of_seven, st.text(max_size=500), st.text(max_size=500), st.text()
)
any_comment = st.builds(
    comment, st.one_of(st.none(), st.integers(1, 8)), st.text(), st.sampled_from(TrailerKind), id_=st.integers(0, 50)
)


@given(st.lists(st.one_of(any_change, any_comment), max_size=60))
def test_whatever_happened_is_told_within_the_sizes(changes: list[Change]) -> None:
    document = reply_document(of_seven(*changes), SITE)

    if document:
        text, html = written(document, SITE.allowed)
        assert text.strip()
        assert len(text.encode()) <= MAX_BODY_BYTES
        assert len(html.encode()) <= MAX_HTML_BYTES


def test_patches_without_numbers_are_named_by_their_ids() -> None:
    patches: tuple[Patch, ...] = tuple(replace(a_patch(n, f"Step {n}"), state="accepted") for n in (1, 2))

    thread = Thread(Submission(of_series(*patches, total=3), patches), (state(1),))

    assert body(thread) == "✅ Accepted, 2 of 3 patches (was New: patch 101)"
