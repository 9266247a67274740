"""What each key finds in a patch, and what the reason says."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import CheckState, Patch, Person, Series, Trailer, TrailerKind
from bot.query.evaluate import MAX_REASONS, Evaluator, decide
from bot.query.facts import ExtraFacts, Facts, PatchView, facts_of
from bot.query.index.path_trie import PathTrie
from bot.query.parser import parse
from bot.query.query import Query, patterns_of, resolved
from support.index_samples import FACTS, QUERIES, covered

PETER = Person("Peter Xu", "peterx@redhat.com")
PATCH = Patch(
    id=PatchId(1),
    project=ProjectName("qemu-devel"),
    msgid=Msgid("1@example.org"),
    name="[v2,1/3] migration: Fix the dirty limit",
    submitter=PETER,
    state="under-review",
    delegate="jane",
    check=CheckState.FAIL,
    text="Call kmalloc()\ndiff --git a/x b/x\n",
    to=("qemu-devel@nongnu.org",),
    cc=("qemu-stable@nongnu.org", "david@suse.de"),
    trailers=frozenset({Trailer(TrailerKind.REVIEWED, "joe@y.org"), Trailer(TrailerKind.ACKED, "ann@y.org")}),
)
SERIES = Series(
    id=SeriesId(7), project=PATCH.project, name="Rework", version=2, submitter=PETER, total=3, received_all=True
)
SECTIONS = "Migration (F: migration/ covers migration/colo.c), Live migration tests (F: a/ covers a/b.c)"
MORE = ExtraFacts(
    former_state="new",
    checks=(("build/x86", CheckState.FAIL), ("style", CheckState.SUCCESS)),
    idle=timedelta(days=20),
    sections=(
        covered("Migration", "peterx@redhat.com", pattern="migration/", path="migration/colo.c"),
        covered("Live migration tests"),
    ),
    known_sections=frozenset({"migration", "live migration tests", "virtio"}),
)
KNOWN = facts_of(ServerName("ozlabs"), PATCH, SERIES, MORE)
UNKNOWN = facts_of(
    ServerName("ozlabs"),
    Patch(id=PatchId(2), project=PATCH.project, msgid=Msgid("2@example.org"), name="Fix", submitter=PETER),
    None,
)


def told(query: str, facts: Facts) -> tuple[bool, list[str]]:
    verdict = decide(parse(query), facts)
    return verdict.matched, [str(reason) for reason in verdict.reasons]


@pytest.mark.parametrize("query", ["state:needs_ack", "state:needs-ack", 'state:"Needs ACK"', "state:new->needs_ack"])
@pytest.mark.parametrize("slug", ["needs_ack", "needs-ack"])
def test_a_state_of_several_words_is_found_however_its_slug_joins_them(query: str, slug: str) -> None:
    facts = facts_of(ServerName("ozlabs"), replace(PATCH, state=slug), SERIES, MORE)

    assert told(query, facts)[0]


@pytest.mark.parametrize(
    "reason",
    [
        "to:qemu-devel@nongnu.org matches qemu-devel@nongnu.org",
        "to:@NONGNU.org matches qemu-devel@nongnu.org",
        "cc:@nongnu.org,david@suse.de matches qemu-stable@nongnu.org, david@suse.de",
        "subject:/^migration: .ix/ matches migration: Fix the dirty limit",
        "subject:/(?i)REWORK$/ matches Rework",
        "subject:dirty,rework matches migration: Fix the dirty limit, Rework",
        "version:>=2 matches v2",
        "version:1,2 matches v2",
        "version:<3 matches v2",
        "patches:<=3 matches 3 patches",
        "patches:>2 matches 3 patches",
        "server:OzLabs matches ozlabs",
        "state:under-review matches under-review",
        "state:new->under-review matches new->under-review",
        "state:*->under-review matches new->under-review",
        "state:new->* matches new->under-review",
        "state:*->* matches new->under-review",
        "delegate:Jane matches jane",
        "check:fail matches fail/build/x86",
        "check:fail/build* matches fail/build/x86",
        "check:success/STYLE,fail/*86 matches success/style, fail/build/x86",
        "is:complete matches a complete series",
        "is:reviewed matches a review of joe",
        "stale:14d matches 20 days of silence",
        "text:KMALLOC matches the patch's text",
        "text:/kmal+oc\\(/ matches the patch's text",
        "maint:migration matches Migration (F: migration/ covers migration/colo.c)",
        'maint:"live migration" matches Live migration tests (F: a/ covers a/b.c)',
        "maint:peterx@redhat.com matches Migration (F: migration/ covers migration/colo.c)",
        "maint:@redhat.com matches Migration (F: migration/ covers migration/colo.c)",
    ],
)
def test_a_term_says_what_it_matches(reason: str) -> None:
    assert told(reason.partition(" matches ")[0], KNOWN) == (True, [reason])


@pytest.mark.parametrize(
    "reason",
    [
        "to:@suse.de does not match qemu-devel@nongnu.org",
        "cc:@use.de does not match qemu-stable@nongnu.org, david@suse.de",
        "subject:/rework/ does not match migration: Fix the dirty limit, Rework",
        "version:>2 does not match v2",
        "patches:>30 does not match 3 patches",
        "server:kernel does not match ozlabs",
        "state:new does not match under-review",
        "state:new->accepted does not match under-review",
        "delegate:jan does not match jane",
        "check:success does not match fail/build/x86, success/style",
        "check:fail/build does not match fail/build/x86, success/style",
        "is:mine,pull does not match a patch of somebody else, a patch that is no pull request",
        "stale:21d does not match 20 days of silence",
        "text:/kmalloc$/ does not match the patch's text",
        f"maint:virtio does not match {SECTIONS}",
        f"maint:xu@redhat.com does not match {SECTIONS}",
    ],
)
def test_a_term_says_what_there_is_instead(reason: str) -> None:
    assert told(reason.partition(" does not match ")[0], KNOWN) == (False, [reason])


@pytest.mark.parametrize(
    "reason",
    [
        "to:@suse.de does not match anything here",
        "version:2 does not match v1",
        "patches:2 does not match 1 patch",
        "state:new does not match a patch whose state is not known",
        "state:*->* does not match a patch whose state is not known",
        "delegate:jane does not match a patch without a delegate",
        "check:pending does not match a patch without checks",
        "is:reviewed does not match a patch that nobody reviewed",
        "stale:1h does not match anything here",
        "text:a does not match anything here",
        "maint:x does not match a patch of no known section",
    ],
)
def test_what_is_not_known_matches_nothing(reason: str) -> None:
    assert told(reason.partition(" does not match ")[0], UNKNOWN) == (False, [reason])


def test_a_patch_is_reviewed_that_somebody_reviewed_with_the_whole_series() -> None:
    series = replace(SERIES, trailers=frozenset({Trailer(TrailerKind.REVIEWED, "ann@y.org")}))
    facts = facts_of(ServerName("ozlabs"), replace(PATCH, trailers=frozenset()), series)

    assert told("is:reviewed", facts) == (True, ["is:reviewed matches a review of ann"])


@pytest.mark.parametrize("former", [None, "under-review"])
def test_a_state_that_did_not_change_is_no_transition(former: str | None) -> None:
    facts = replace(KNOWN, more=replace(MORE, former_state=former))

    assert not told("state:*->*,*->under-review", facts)[0]
    assert told("state:under-review", facts)[0]


def test_a_section_of_just_that_name_hides_those_that_contain_it() -> None:
    partly = replace(KNOWN, more=replace(MORE, known_sections=frozenset()))

    assert told("maint:Migration", KNOWN)[1] == [
        "maint:Migration matches Migration (F: migration/ covers migration/colo.c)"
    ]
    assert told("maint:Migration", partly)[1] == [f"maint:Migration matches {SECTIONS}"]
    assert not told("maint:virtio", replace(KNOWN, more=replace(MORE, sections=(covered("virtio-gpu"),))))[0]


def test_a_regex_takes_text_that_no_encoding_has() -> None:
    facts = replace(KNOWN, subjects=("Fix \ud800",))

    assert told("/^Fix .$/", facts)[0]


def test_a_pull_request_in_no_series_tells_its_version_itself() -> None:
    pull = replace(PATCH, name="[PULL,v3,00/18] Queue", pull_url="https://git.example.org/qemu.git")

    facts = facts_of(ServerName("ozlabs"), pull, None)

    assert told("is:pull version:3 patches:18 is:complete", facts)[0]


def test_of_an_or_all_alternatives_that_match_are_told() -> None:
    assert told("version:9 OR state:under-review OR (server:ozlabs is:complete)", KNOWN) == (
        True,
        [
            "state:under-review matches under-review",
            "server:ozlabs matches ozlabs",
            "is:complete matches a complete series",
        ],
    )


def test_of_an_or_that_fails_every_alternative_tells_why() -> None:
    assert told("server:ozlabs (version:9 OR (is:complete state:new) OR (is:complete -delegate:jane))", KNOWN) == (
        False,
        [
            "version:9 does not match v2",
            "state:new does not match under-review",
            "-delegate:jane excludes jane",
        ],
    )


def test_the_reasons_of_a_refusal_are_bounded() -> None:
    query = " OR ".join(f"version:{number}" for number in range(10, 60))

    assert len(told(query, KNOWN)[1]) == MAX_REASONS


def test_an_excluded_group_tells_what_it_found() -> None:
    assert told("server:ozlabs -(version:2 (delegate:joe OR delegate:jane))", KNOWN) == (
        False,
        ["-(version:2 (delegate:joe OR delegate:jane)) excludes v2, jane"],
    )
    assert told("server:ozlabs -(version:2 delegate:joe)", KNOWN)[0]


def test_an_exclude_wins_over_every_alternative_of_its_group() -> None:
    assert told("version:2 OR server:ozlabs -delegate:jane", KNOWN) == (False, ["-delegate:jane excludes jane"])
    assert told("version:2 OR (server:ozlabs -delegate:jane)", KNOWN)[0]


def test_what_is_mine_is_from_one_of_the_addresses() -> None:
    query = parse("is:mine,pull")

    assert not decide(query, KNOWN).matched
    assert decide(resolved(query, ["a@b.org", "PeterX@redhat.com"]), KNOWN).matched
    assert not decide(resolved(query, ["a@b.org"]), KNOWN).matched


@given(QUERIES, FACTS)
def test_the_quick_answer_is_the_explained_one(query: Query, facts: Facts) -> None:
    patterns: PathTrie[str] = PathTrie()
    for pattern in patterns_of(query.tree):
        patterns.add(pattern, pattern)
    judge = Evaluator(PatchView(facts, patterns))

    assert judge.accepts(query.tree) == judge.decide(query.tree).matched


@given(QUERIES, FACTS)
def test_a_verdict_always_has_a_reason(query: Query, facts: Facts) -> None:
    verdict = decide(query, facts)

    assert verdict.reasons
