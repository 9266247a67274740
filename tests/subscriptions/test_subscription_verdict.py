from dataclasses import replace

import pytest

from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import FileChange, Patch, Person, Series
from bot.query.evaluate import Reason, TermOutcome, decide
from bot.query.facts import MAX_SEEN, Facts, facts_of
from bot.query.parser import parse

SERVER = ServerName("ozlabs")
PETER = Person("Peter Xu", "peterx@redhat.com")


def a_patch(
    name: str = "[RFC,net-next,v2,1/3] migration: Fix the dirty limit",
    *,
    paths: tuple[str, ...] = ("migration/colo.c",),
    submitter: Person = PETER,
) -> Patch:
    return Patch(
        id=PatchId(1),
        project=ProjectName("qemu-devel"),
        msgid=Msgid("1@example.org"),
        name=name,
        submitter=submitter,
        files=tuple(FileChange(path) for path in paths),
    )


def a_series(name: str = "[PULL] Live migration rework") -> Series:
    return Series(id=SeriesId(7), project=ProjectName("qemu-devel"), name=name, version=2, submitter=PETER, total=3)


def facts(*paths: str) -> Facts:
    return facts_of(SERVER, a_patch(paths=paths or ("migration/colo.c",)), a_series())


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("path:migration/", "migration/colo.c"),
        ("path:hw/,migration", "migration/colo.c"),
        ("path:**/*.c", "migration/colo.c"),
        ("from:PeterX@redhat.com", "peterx@redhat.com"),
        ("from:@RedHat.com", "peterx@redhat.com"),
        ("from:@suse.de,xu", "Peter Xu"),
        ('from:"peter xu"', "Peter Xu"),
        ("dirty", "migration: Fix the dirty limit"),
        ('"LIMIT fix"', "migration: Fix the dirty limit"),
        ("subject:nothing,rework", "Live migration rework"),
        ("prefix:rfc", "RFC"),
        ("prefix:Net-Next", "net-next"),
        ("prefix:pull", "PULL"),
        ("project:QEMU-devel", "qemu-devel"),
        ("project:linux,qemu-devel", "qemu-devel"),
    ],
)
def test_a_term_says_what_it_found(query: str, seen: str) -> None:
    verdict = decide(parse(query), facts())

    assert verdict.matched
    assert [reason.seen for reason in verdict.reasons] == [(seen,)]
    assert [reason.outcome for reason in verdict.reasons] == [TermOutcome.FOUND]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("path:hw/", "path:hw/ does not match migration/colo.c"),
        ("from:@hat.com", "from:@hat.com does not match Peter Xu, peterx@redhat.com"),
        ("from:@com", "from:@com does not match Peter Xu, peterx@redhat.com"),
        ("from:peterx", "from:peterx does not match Peter Xu, peterx@redhat.com"),
        ("from:x@redhat.com", "from:x@redhat.com does not match Peter Xu, peterx@redhat.com"),
        (
            '"dirty rework"',
            'subject:"dirty rework" does not match migration: Fix the dirty limit, Live migration rework',
        ),
        ("rfc", "subject:rfc does not match migration: Fix the dirty limit, Live migration rework"),
        ("prefix:net", "prefix:net does not match RFC, net-next, v2, 1/3, PULL"),
        ("project:qemu", "project:qemu does not match qemu-devel"),
        ("path:migration/ -path:migration/colo.c", "-path:migration/colo.c excludes migration/colo.c"),
        ("project:qemu-devel dirty -from:@redhat.com", "-from:@redhat.com excludes peterx@redhat.com"),
        ("path:hw/ -from:@redhat.com", "-from:@redhat.com excludes peterx@redhat.com"),
        ("path:migration/ from:jane prefix:RFC", "from:jane does not match Peter Xu, peterx@redhat.com"),
    ],
)
def test_a_refusal_names_the_term_and_what_was_there(query: str, reason: str) -> None:
    verdict = decide(parse(query), facts())

    assert not verdict.matched
    assert [str(each) for each in verdict.reasons] == [reason]


def test_a_match_has_a_reason_for_each_wanted_term_in_order() -> None:
    verdict = decide(parse("path:migration/ -path:docs/ from:@redhat.com dirty"), facts())

    assert verdict.matched
    assert [str(reason) for reason in verdict.reasons] == [
        "path:migration/ matches migration/colo.c",
        "from:@redhat.com matches peterx@redhat.com",
        "subject:dirty matches migration: Fix the dirty limit",
    ]


def test_all_paths_of_a_term_are_named_in_the_order_of_the_diff() -> None:
    verdict = decide(parse("path:a/,b/,**/x.c"), facts("b/x.c", "c/y.c", "a/x.c"))

    assert verdict.reasons == (Reason(TermOutcome.FOUND, "path:a/,b/,**/x.c", ("b/x.c", "a/x.c")),)


def test_a_reason_names_a_bounded_number_of_paths() -> None:
    paths = tuple(f"hw/{number:04}.c" for number in range(500))

    verdict = decide(parse("path:hw/,**/*1.c"), facts(*paths))

    assert verdict.reasons[0].seen == paths[:MAX_SEEN]


def test_a_rename_matches_by_its_old_name_too() -> None:
    patch = replace(a_patch(), files=(FileChange("hw/new.c", old_path="migration/old.c"),))

    assert decide(parse("path:migration/"), facts_of(SERVER, patch, None)).matched


def test_a_patch_without_a_diff_matches_no_path_and_no_exclude_of_one() -> None:
    unread = facts_of(SERVER, replace(a_patch(), files=None), None)

    wanted = decide(parse("path:**"), unread)
    assert [str(reason) for reason in wanted.reasons] == ["path:** does not match anything here"]
    assert decide(parse("project:qemu-devel -path:**"), unread).matched


def test_a_patch_in_no_series_is_judged_by_itself() -> None:
    alone = facts_of(SERVER, a_patch(), None)

    assert alone.subjects == ("migration: Fix the dirty limit",)
    assert alone.prefixes == ("RFC", "net-next", "v2", "1/3")
    assert not decide(parse("prefix:PULL"), alone).matched


def test_a_submitter_without_name_or_address_is_matched_by_nothing_it_lacks() -> None:
    nobody = facts_of(SERVER, a_patch(submitter=Person("", "")), None)

    assert not decide(parse("from:@redhat.com"), nobody).matched
    assert not decide(parse("from:a"), nobody).matched
