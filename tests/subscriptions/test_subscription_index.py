from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Person
from bot.subscriptions.index import Index, Match, Subscription
from bot.subscriptions.parser import parse
from bot.subscriptions.verdict import Facts, decide

ROOM = RoomId("!room:example.org")

PATHS = st.sampled_from(["a", "a/b.c", "a/b/c.h", "b/b.c", "docs/a", "docs/a/b.rst"])
EMAILS = st.sampled_from(["jane@x.org", "Jane@X.org", "joe@y.org", "@x.org", ""])
VALUES = {
    "path": ["a", "a/", "a/*.c", "**/b.c", "docs/", "*", "a/**/c.h", "**"],
    "from": ["jane@x.org", "@X.org", "joe@y.org", "jane", "j"],
    "project": ["qemu", "QEMU", "linux"],
    "subject": ["fix", "FIX", "dirty"],
    "prefix": ["rfc", "RFC", "pull"],
}
TERMS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.builds(
        lambda minus, values: f"{minus}{key}:{','.join(values)}",
        st.sampled_from(["", "", "-"]),
        st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=3),
    )
)
QUERIES = (
    st.lists(TERMS, min_size=1, max_size=4)
    .filter(lambda terms: not all(term.startswith("-") for term in terms))
    .map(" ".join)
)
FACTS = st.builds(
    Facts,
    server=st.just(ServerName("ozlabs")),
    project=st.sampled_from(["qemu", "Linux"]).map(ProjectName),
    submitter=st.builds(Person, st.sampled_from(["Jane Doe", "Joe", ""]), EMAILS),
    subjects=st.lists(st.sampled_from(["Fix it", "dirty fix", "else"]), min_size=1, max_size=2).map(tuple),
    prefixes=st.lists(st.sampled_from(["RFC", "PULL", "v2"]), max_size=2, unique=True).map(tuple),
    paths=st.lists(PATHS, max_size=4, unique=True).map(tuple),
)


def a_subscription(number: int, query: str) -> Subscription:
    return Subscription(SubscriptionId(number), ROOM, parse(query))


def an_index(*queries: str) -> Index:
    index = Index()
    for number, query in enumerate(queries, start=1):
        index.add(a_subscription(number, query))
    return index


def some_facts(*paths: str) -> Facts:
    return Facts(
        server=ServerName("ozlabs"),
        project=ProjectName("qemu"),
        submitter=Person("Jane Doe", "jane@x.org"),
        subjects=("Fix it",),
        prefixes=("RFC",),
        paths=paths,
    )


def one_by_one(subscriptions: list[Subscription], facts: Facts) -> list[Match]:
    """The reference: every subscription decided by itself."""
    verdicts = [(each, decide(each.query, facts)) for each in subscriptions]
    return [Match(each, verdict.reasons) for each, verdict in verdicts if verdict.matched]


def ids(matches: list[Match]) -> list[int]:
    return [match.subscription.id for match in matches]


@given(st.lists(QUERIES, max_size=12), st.lists(FACTS, min_size=1, max_size=4))
def test_the_index_matches_as_deciding_one_by_one_does(queries: list[str], patches: list[Facts]) -> None:
    index = an_index(*queries)
    subscriptions = [a_subscription(number, query) for number, query in enumerate(queries, start=1)]

    for facts in patches:
        assert index.match(facts) == one_by_one(subscriptions, facts)


@given(st.lists(st.tuples(st.integers(1, 6), QUERIES | st.none(), FACTS), max_size=30))
def test_changes_leave_the_index_as_a_fresh_one(steps: list[tuple[int, str | None, Facts]]) -> None:
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


@given(st.lists(QUERIES, max_size=12))
def test_an_index_without_subscriptions_keeps_nothing(queries: list[str]) -> None:
    index = an_index(*queries)

    for number in range(1, len(queries) + 1):
        index.remove(SubscriptionId(number))

    assert len(index) == 0
    assert index.scanned == 0
    assert not index._entries
    assert not index._anchored
    assert not index._pattern_uses
    assert index._patterns._root.is_empty


def test_only_what_cannot_be_looked_up_is_scanned() -> None:
    index = an_index(
        "path:a fix",
        "from:jane@x.org fix",
        "prefix:RFC from:jane",
        "project:qemu fix",
        "fix",
        "from:jane@x.org,jane",
        "fix -path:a",
        "fix",
    )

    assert index.scanned == 4


def test_equal_queries_are_decided_once_and_matched_for_each() -> None:
    index = an_index("path:a fix", "dfn:/a s:fix", "path:a  fix")

    assert ids(index.match(some_facts("a/b.c"))) == [1, 2, 3]
    assert len(index._entries) == 1


def test_a_subscription_added_again_replaces_the_former_one() -> None:
    index = an_index("path:a")

    index.add(a_subscription(1, "path:b"))

    assert ids(index.match(some_facts("a"))) == []
    assert ids(index.match(some_facts("b"))) == [1]


def test_removing_one_of_two_equal_queries_keeps_the_other() -> None:
    index = an_index("path:a", "path:a")

    index.remove(SubscriptionId(1))

    assert ids(index.match(some_facts("a"))) == [2]


def test_a_query_is_put_before_only_the_patches_of_its_anchor() -> None:
    index = an_index(*(f"path:dir{number}/ project:qemu" for number in range(1000)), "path:a project:qemu")
    facts = some_facts("a/b.c")
    hits = {"a": [0]}

    candidates = list(zip(index._candidates(facts, hits), count(1), strict=False))

    assert len(candidates) == 1
    assert ids(index.match(facts)) == [1001]
