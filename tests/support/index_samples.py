"""Queries and patches that have something to do with each other, for the tests of the index."""

import random
from datetime import timedelta

from hypothesis import strategies as st

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import CheckState, Person
from bot.query.evaluate import decide
from bot.query.facts import ExtraFacts, Facts
from bot.query.index.index import Index, Match, Subscription
from bot.query.maintainers.file import Rule, RuleKind, Section
from bot.query.maintainers.maintainers import SectionMatch
from bot.query.parser import parse
from bot.query.query import Query
from bot.query.values import Turn

ROOM = RoomId("!room:example.org")

VALUES = {
    "path": ["a", "a/", "a/*.c", "**/b.c", "docs/", "*", "a/**/c.h", "**", "b/b.c"],
    "maint": ["Virtio", "VIRTIO SOUND", "io", "sound", "jane@x.org", "@Y.org"],
    "from": ["jane@x.org", "@X.org", "joe@y.org", "jane", "JANE doe", "j"],
    "to": ["list@x.org", "@X.org"],
    "cc": ["list@x.org", "stable@y.org"],
    "subject": ["fix", "FIX", "dirty", '"it fix"', "ix", "/^F/", "/(d|x)i/"],
    "prefix": ["rfc", "RFC", "pull"],
    "version": ["2", ">=2", "<2"],
    "patches": [">1", "<=1"],
    "project": ["qemu", "QEMU", "linux"],
    "server": ["ozlabs", "kernel"],
    "state": ["new", "accepted", "new->accepted", "*->accepted", "new->*", "*->*"],
    "delegate": ["jane", "JOE"],
    "check": ["fail", "success", "fail/build*", "success/a/b"],
    "is": ["mine", "pull", "complete", "reviewed", "archived"],
    "stale": ["1d", "2w"],
    "turn": ["review", "author", "ready"],
    "text": ["kmalloc", "/mal+oc/"],
}
PATHS = ["a", "a/b.c", "a/b/c.h", "b/b.c", "docs/a", "docs/a/b.rst"]


def covered(name: str, *people: str, pattern: str = "a/", path: str = "a/b.c") -> SectionMatch:
    """A section that covers a patch, by an F: rule."""
    rule = Rule(RuleKind.FILES, pattern, 1)
    return SectionMatch(Section(name, people, (rule,)), rule, path)


SECTIONS = [
    covered("Virtio", "jane@x.org"),
    covered("VIRTIO SOUND", "joe@y.org"),
    covered("Radio"),
]
CHECKS = [("build", CheckState.FAIL), ("build-x", CheckState.SUCCESS), ("a/b", CheckState.SUCCESS)]

TERMS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=3).map(
        lambda values: f"{key}:{','.join(values)}"
    )
)
GROUPS = st.recursive(
    TERMS,
    lambda part: st.builds(
        lambda wanted, sign, excludes: "(" + " ".join([sign.join(wanted), *(f"-{each}" for each in excludes)]) + ")",
        st.lists(part, min_size=1, max_size=3),
        st.sampled_from([" ", " OR "]),
        st.lists(part, max_size=2),
    ),
    max_leaves=6,
)
QUERIES = GROUPS.map(parse)


def _some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


FACTS = st.builds(
    Facts,
    server=st.sampled_from(["ozlabs", "Kernel"]).map(ServerName),
    project=st.sampled_from(["qemu", "Linux"]).map(ProjectName),
    submitter=st.builds(
        Person,
        st.sampled_from(["Jane Doe", "Joe", ""]),
        st.sampled_from(["jane@x.org", "Jane@X.org", "joe@y.org", "@x.org", ""]),
    ),
    subjects=st.lists(st.sampled_from(["Fix it", "dirty fix", "else"]), min_size=1, max_size=2).map(tuple),
    prefixes=_some(["RFC", "PULL", "v2"]),
    paths=_some(PATHS),
    to=_some(["list@x.org", "LIST@x.org", "a@y.org"]),
    cc=_some(["list@x.org", "stable@y.org"]),
    version=st.integers(1, 3),
    total=st.integers(1, 2),
    is_complete=st.booleans(),
    is_pull=st.booleans(),
    is_archived=st.booleans(),
    reviewers=_some(["joe@y.org"]),
    state=st.sampled_from([None, "new", "accepted"]),
    delegate=st.sampled_from([None, "Jane", "joe"]),
    check=st.sampled_from([None, *CheckState]),
    text=st.sampled_from(["", "Use kmalloc here"]),
    more=st.builds(
        ExtraFacts,
        former_state=st.sampled_from([None, "new", "rejected"]),
        checks=st.lists(st.sampled_from(CHECKS), max_size=3, unique=True).map(tuple),
        idle=st.none() | st.integers(0, 20).map(lambda days: timedelta(days=days)),
        turn=st.none() | st.sampled_from(Turn),
        sections=st.lists(st.sampled_from(SECTIONS), max_size=3, unique=True).map(tuple),
        known_sections=st.sampled_from([frozenset[str](), frozenset({"virtio", "virtio sound", "radio"})]),
    ),
)


def a_random_query(rng: random.Random) -> Query:
    """One as the strategy above makes them, from numbers that repeat."""
    parts = []
    for _ in range(rng.randint(1, 3)):
        key = rng.choice(sorted(VALUES))
        parts.append(f"{key}:{','.join(rng.sample(VALUES[key], rng.randint(1, 2)))}")
    text = rng.choice([" ", " OR "]).join(parts)
    if rng.random() < 0.3:
        text += f" -{rng.choice(['path', 'from', 'prefix'])}:{rng.choice(['a', 'b', 'docs'])}"
    return parse(text)


def random_facts(rng: random.Random) -> Facts:
    """A patch from numbers that repeat."""
    return Facts(
        server=ServerName("ozlabs"),
        project=ProjectName(rng.choice(["qemu", "linux"])),
        submitter=Person(rng.choice(["Jane Doe", "Joe"]), rng.choice(["jane@x.org", "joe@y.org"])),
        subjects=(rng.choice(["Fix it", "dirty fix", "else"]),),
        prefixes=tuple(rng.sample(["RFC", "PULL", "v2"], rng.randint(0, 2))),
        paths=tuple(rng.sample(PATHS, rng.randint(0, 3))),
        cc=("list@x.org",),
        state=rng.choice(["new", "accepted"]),
        check=rng.choice(list(CheckState)),
        more=ExtraFacts(checks=(rng.choice(CHECKS),), sections=(rng.choice(SECTIONS),)),
    )


def a_subscription(number: int, query: Query | str) -> Subscription:
    """Subscription *number* of the one room."""
    return Subscription(SubscriptionId(number), ROOM, parse(query) if isinstance(query, str) else query)


def an_index(*queries: Query | str) -> Index:
    """The *queries* as subscriptions 1 and on."""
    index = Index()
    for number, query in enumerate(queries, start=1):
        index.add(a_subscription(number, query))
    return index


def one_by_one(subscriptions: list[Subscription], facts: Facts) -> list[Match]:
    """The reference: every subscription decided by itself."""
    verdicts = [(each, decide(each.query, facts)) for each in subscriptions]
    return [Match(each, verdict.reasons) for each, verdict in verdicts if verdict.matched]
