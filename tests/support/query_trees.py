"""Any query as a tree, for property tests; built without the parser, in the form that it promises."""

from hypothesis import strategies as st

from bot.patchwork.model import CheckState
from bot.query.keys import Key
from bot.query.options import CardForm, DigestTimes, OnKind, SubscriptionOptions
from bot.query.query import Node, Not, Query, Term, all_of, any_of
from bot.query.values import Age, Bound, CheckCondition, IsFlag, Regex, Transition, Turn, Value

WORDS = st.text('ab9_/,"()\\ -:*[]>Ä', min_size=1, max_size=10).map(lambda text: " ".join(text.split())).filter(bool)
ADDRESSES = st.sampled_from(["jane@x.org", "@x.org", "Joe@y.org"])
SLUGS = st.sampled_from(["new", "under-review", "accepted", "needs-ack"])
SIDES = SLUGS | st.just("*")
BOUNDS = st.builds(Bound, st.sampled_from(["=", ">=", "<=", ">", "<"]), st.integers(2, 99_999))
REGEXES = st.sampled_from(["a", "a/b", r"a\\", '"(a|b), [/"]+ \\(', r"\\/", "^(a+)+$", "//", " x"]).map(Regex)
CONTEXTS = st.none() | st.sampled_from(["build", "build*", "a/b c", "x,(y)", '"']) | st.just("[!a-c]?*")

VALUES: dict[Key, st.SearchStrategy[Value]] = {
    Key.PATH: st.sampled_from(
        ["a", "a/", "hw/*.[ch]", "**/x.c", "a,b", "a b/(c)", '"', "-x", "[,]", "a[\\]b", "[[]x]", "!a", "'q"]
    ),
    Key.MAINT: st.sampled_from(["virtio", "VIRTIO SOUND", "jane@x.org", "a/b", "/x/"]),
    Key.FROM: ADDRESSES | st.sampled_from(["jane", "Jane Doe", '"J", (x)', "/x/"]),
    Key.TO: ADDRESSES,
    Key.CC: ADDRESSES,
    Key.SUBJECT: WORDS | REGEXES,
    Key.PREFIX: st.sampled_from(["RFC", "net-next", "(x)", '"', "/a/"]),
    Key.VERSION: BOUNDS,
    Key.PATCHES: BOUNDS,
    Key.PROJECT: WORDS,
    Key.SERVER: WORDS,
    Key.STATE: SLUGS | st.builds(Transition, SIDES, SIDES),
    Key.DELEGATE: WORDS,
    Key.CHECK: st.builds(CheckCondition, st.sampled_from(CheckState), CONTEXTS),
    Key.IS: st.sampled_from(IsFlag),
    Key.STALE: st.builds(Age, st.integers(1, 9999)),
    Key.TURN: st.sampled_from(Turn),
    Key.TEXT: WORDS | REGEXES,
}
TERMS = st.sampled_from(Key).flatmap(
    lambda key: st.lists(VALUES[key], min_size=1, max_size=3, unique=True).map(lambda each: Term(key, tuple(each)))
)


def _grown(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=1, max_size=4)
    with_excludes = st.builds(
        lambda wanted, excluded: all_of([*wanted, *map(Not, excluded)]), several, st.lists(nodes, max_size=2)
    )
    return with_excludes | several.map(any_of)


NODES: st.SearchStrategy[Node] = st.recursive(TERMS, _grown, max_leaves=12)
DIGESTS = st.builds(
    DigestTimes, st.frozensets(st.integers(0, 6), min_size=1), hour=st.integers(0, 23), minute=st.integers(0, 59)
)
ONS = st.sets(st.sampled_from(OnKind)).map(lambda chosen: tuple(on for on in OnKind if on in chosen))
FORMS = st.none() | st.sampled_from(CardForm)
OPTIONS = st.builds(SubscriptionOptions, on=ONS, form=FORMS, digest=st.none() | DIGESTS) | st.builds(
    SubscriptionOptions, on=ONS, digest=st.none() | DIGESTS, as_queue=st.booleans()
)
QUERIES = st.builds(Query, NODES, OPTIONS)
