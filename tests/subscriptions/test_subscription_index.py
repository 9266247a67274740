"""The index answers as deciding every subscription by itself does, and looks at few."""

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ids import ProjectName, ServerName, SubscriptionId
from bot.patchwork.model import Person
from bot.query.facts import Facts, PatchView
from bot.query.index.index import Index, Match, Subscription
from bot.query.index.path_trie import PathTrie
from bot.query.keys import Key
from bot.query.options import OnKind
from bot.query.parser import parse
from bot.query.query import Query
from support.index_samples import (
    FACTS,
    QUERIES,
    ROOM,
    a_random_query,
    a_subscription,
    an_index,
    one_by_one,
    random_facts,
)

pytestmark = pytest.mark.slow


def some_facts(*paths: str) -> Facts:
    return Facts(
        server=ServerName("ozlabs"),
        project=ProjectName("qemu"),
        submitter=Person("Jane Doe", "jane@x.org"),
        subjects=("Fix it",),
        prefixes=("RFC",),
        paths=paths,
    )


def ids(matches: list[Match]) -> list[int]:
    return [match.subscription.id for match in matches]


def looked_up(index: Index, facts: Facts) -> tuple[list[int], list[str]]:
    """Whom a patch is for by look-ups alone, and the queries that are to be decided."""
    found, uncertain = index._look_up(PatchView(facts, index._patterns))
    return sorted(found), sorted(str(entry.tree) for entry in uncertain)


@given(st.lists(QUERIES, max_size=12), st.lists(FACTS, min_size=1, max_size=4))
def test_the_index_matches_as_deciding_one_by_one_does(queries: list[Query], patches: list[Facts]) -> None:
    index = an_index(*queries)
    subscriptions = [a_subscription(number, query) for number, query in enumerate(queries, start=1)]

    for facts in patches:
        assert index.match(facts) == one_by_one(subscriptions, facts)
        assert index.find(facts) == set(ids(index.match(facts)))


@given(st.lists(st.tuples(st.integers(1, 6), QUERIES | st.none(), FACTS), max_size=30))
def test_changes_leave_the_index_as_a_fresh_one(steps: list[tuple[int, Query | None, Facts]]) -> None:
    index = Index()
    present: dict[int, Subscription] = {}
    for number, query, facts in steps:
        if query is None:
            index.remove(SubscriptionId(number))
            present.pop(number, None)
        else:
            index.add(a_subscription(number, query))
            present[number] = a_subscription(number, query)
        assert index.match(facts) == one_by_one([present[each] for each in sorted(present)], facts)
    assert len(index) == len(present)


def test_twenty_thousand_changes_leave_the_answers_of_a_fresh_index() -> None:
    rng = random.Random(7)  # noqa: S311 -- repeatable, not secret
    queries = [a_random_query(rng) for _ in range(500)]
    changed = Index()
    present: dict[int, Subscription] = {}
    for _ in range(20_000):
        number = rng.randint(1, 1_000)
        if rng.random() < 0.5:
            changed.remove(SubscriptionId(number))
            present.pop(number, None)
        else:
            present[number] = a_subscription(number, rng.choice(queries))
            changed.add(present[number])
    subscriptions = [present[number] for number in sorted(present)]
    fresh = Index()
    for subscription in subscriptions:
        fresh.add(subscription)

    assert len(changed) == len(fresh)
    assert changed.scanned == fresh.scanned
    for _ in range(30):
        facts = random_facts(rng)
        assert changed.match(facts) == fresh.match(facts) == one_by_one(subscriptions, facts)


@given(st.lists(QUERIES, max_size=12))
def test_an_index_without_subscriptions_keeps_nothing(queries: list[Query]) -> None:
    index = an_index(*queries)

    for number in range(1, len(queries) + 1):
        index.remove(SubscriptionId(number))

    assert len(index) == 0
    assert index.scanned == 0
    assert not index._entries
    assert not index._buckets
    assert not index._unanchored
    assert not index._pattern_uses
    assert index._patterns._root.is_empty


@pytest.mark.parametrize(
    "query",
    [
        "path:a",
        "path:a,b/ -path:a/b -from:@x.org",
        "path:a OR from:@x.org OR prefix:rfc",
        "project:qemu -path:docs/ -state:new",
        "is:pull",
        "state:new->accepted,*->rejected -check:fail",
        "cc:list@x.org -server:ozlabs",
        "fix,dirty OR from:joe,jane -subject:limit",
    ],
)
def test_a_query_of_what_can_be_looked_up_is_never_decided(query: str) -> None:
    index = an_index(query)

    assert index.scanned == 0
    assert looked_up(index, some_facts("a", "b/c")) == (sorted(index.find(some_facts("a", "b/c"))), [])


@pytest.mark.parametrize(
    "query",
    [
        "path:b fix",
        "from:joe@y.org fix",
        '"dirty limit"',
        'dirty,"limit it"',
        "path:b OR dirty version:2",
        "(path:b fix) OR (dirty -from:jane) OR maint:virtio,jane@x.org",
        "check:fail/build*",
        "project:linux version:2",
        "version:2 state:accepted",
    ],
)
def test_a_query_is_decided_only_for_the_patches_of_its_anchor(query: str) -> None:
    index = an_index(query)

    assert index.scanned == 0
    assert looked_up(index, some_facts("a")) == ([], [])


@pytest.mark.parametrize(
    "query",
    ["fi", "from:j,joe@y.org", '"it to"', "/fix/", "version:>=2", "path:a OR text:kmalloc", "fi -path:a", "stale:2d"],
)
def test_what_cannot_be_looked_up_is_scanned(query: str) -> None:
    index = an_index(query, query)

    assert index.scanned == 2
    assert looked_up(index, some_facts("b")) == ([], [str(parse(query))])


def test_of_several_wanted_terms_the_most_telling_is_the_anchor() -> None:
    index = an_index(*(f"path:dir{number}/ project:qemu" for number in range(1000)), "path:a project:qemu")

    assert looked_up(index, some_facts("a/b.c")) == ([], ["path:a project:qemu"])
    assert ids(index.match(some_facts("a/b.c"))) == [1001]


def test_equal_queries_are_kept_once_and_matched_for_each() -> None:
    index = an_index("path:a fix", "dfn:/a s:fix", "(path:a)  fix on:state", "path:a fix as:compact")

    assert ids(index.match(some_facts("a/b.c"))) == [1, 2, 3, 4]
    assert len(index._entries) == 1


def test_a_subscription_added_again_replaces_the_former_one() -> None:
    index = an_index("path:a")

    index.add(a_subscription(1, "path:b"))

    assert ids(index.match(some_facts("a"))) == []
    assert ids(index.match(some_facts("b"))) == [1]


def test_removing_one_of_two_equal_queries_keeps_the_other() -> None:
    index = an_index("path:a", "path:a", "fix path:a", "fix path:a")

    index.remove(SubscriptionId(1))
    index.remove(SubscriptionId(3))

    assert ids(index.match(some_facts("a"))) == [2, 4]


def test_it_is_known_whether_anybody_waits_for_comments_or_reviews() -> None:
    index = an_index("path:a on:comment", "path:a -is:reviewed", "path:a")
    both = index.has_subscriptions_to([OnKind.COMMENT]), index.waits_for_reviews

    index.add(a_subscription(1, "path:a"))
    index.remove(SubscriptionId(2))

    assert (both, index.has_subscriptions_to([OnKind.COMMENT]), index.waits_for_reviews) == ((True, True), False, False)


def test_only_wanted_subscriptions_are_matched_with_reasons() -> None:
    index = an_index("path:a", "path:a/", "path:a -fix", "path:b")

    assert ids(index.match(some_facts("a/b.c"), lambda subscription: subscription.id != 2)) == [1]
    assert index.match(some_facts("a/b.c"), lambda _: False) == []


def test_of_those_that_match_the_ones_that_post_a_change_are_found() -> None:
    index = an_index("path:a on:comment", "path:a", "path:b on:comment", "path:a on:state,comment")

    found = index.find_changed(some_facts("a/b.c"), [OnKind.COMMENT])

    assert [subscription.id for subscription in found] == [1, 4]


@given(FACTS, FACTS)
def test_the_source_of_handles_decides_their_names(one: Facts, other: Facts) -> None:
    """What the index remembers by the source holds for every patch with it."""
    patches = [PatchView(facts, PathTrie()) for facts in (one, other)]
    fields = [field for key in Key for field in key.spec.fields if field.source is not None]

    for field in fields:
        sources = [field.source(patch.facts) for patch in patches if field.source is not None]
        if sources[0] == sources[1]:
            assert set(field.names(patches[0])) == set(field.names(patches[1]))
    assert len(fields) >= 9


def test_threads_may_ask_while_others_change_it() -> None:
    """Without care a thread would remember what it found before a change for good."""
    index, rng = Index(), random.Random(3)  # noqa: S311  # the same in each run
    facts = [random_facts(rng) for _ in range(50)]
    queries = [a_random_query(rng) for _ in range(60)]
    failures: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                for each in facts:
                    index.match(each)
        except RuntimeError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(600):
        number = turn % len(queries)
        if turn % 3 == 2:
            index.remove(SubscriptionId(number))
        else:
            index.add(Subscription(SubscriptionId(number), ROOM, queries[number]))
    done.set()
    for thread in threads:
        thread.join()

    fresh = Index()
    for subscription in index.subscriptions:
        fresh.add(subscription)
    assert failures == []
    assert [index.find(each) for each in facts] == [fresh.find(each) for each in facts]
