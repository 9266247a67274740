"""From text to a tree and back."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.errors import QueryError
from bot.patchwork.model import CheckState
from bot.query.keys import Key
from bot.query.options import CardForm, DigestTimes, OnKind, OptionKind, SubscriptionOptions
from bot.query.parser import MAX_DEPTH, MAX_QUERY_CHARACTERS, MAX_TERMS, parse
from bot.query.query import And, Node, Not, Or, Query, Term, depth_of, resolved, terms_of
from bot.query.terms import MAX_TERM_CHARACTERS
from bot.query.values import Age, Bound, CheckCondition, IsFlag, Regex, Transition
from bot.subscriptions.lint import hints
from bot.text import visible
from support.query_trees import NODES, QUERIES


def attempt(text: str) -> tuple[Query | None, QueryError | None]:
    try:
        return parse(text), None
    except QueryError as mistake:
        return None, mistake


def nodes_of(node: Node) -> list[Node]:
    match node:
        case Term():
            return [node]
        case Not(part):
            return [node, *nodes_of(part)]
        case And(parts) | Or(parts):
            return [node, *(below for part in parts for below in nodes_of(part))]


def is_within_limits(query: Query) -> bool:
    terms = list(terms_of(query.tree))
    return (
        len(str(query)) <= MAX_QUERY_CHARACTERS
        and len(terms) <= MAX_TERMS
        and depth_of(query.tree) <= MAX_DEPTH
        and all(len(term.spelled_values) <= MAX_TERM_CHARACTERS for term in terms)
    )


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("path:migration", "path:migration"),
        ("path:/migration/", "path:migration/"),
        ("dfn:a/b,/c", "path:a/b,c"),
        ("PATH:a", "path:a"),
        ("path:a path:a", "path:a"),
        ("path:a,a", "path:a"),
        ('path:"a,b"', 'path:"a,b"'),
        ('path:"a,b",c', 'path:"a,b",c'),
        ('path:"plain"', "path:plain"),
        ("path:Kconfig,hw/", "path:Kconfig,hw/"),
        ("path:a\\*b", "path:a[*]b"),
        ("path:hw/*.[ch] -path:hw/arm/", "path:hw/*.[ch] -path:hw/arm/"),
        ("f:peterx@redhat.com", "from:peterx@redhat.com"),
        ('from:"Peter Xu"', 'from:"Peter Xu"'),
        ("from:@redhat.com,@suse.de", "from:@redhat.com,@suse.de"),
        ("dirty limit", "subject:dirty subject:limit"),
        ('"dirty  limit"', 'subject:"dirty limit"'),
        ("s:dirty,limit", "subject:dirty,limit"),
        ("dirty,limit", "subject:dirty,limit"),
        ('"hw/arm: fix"', 'subject:"hw/arm: fix"'),
        ('"OR"', "subject:OR"),
        ('subject:"say \\"hi\\" \\\\ a\\b"', 'subject:"say \\"hi\\" \\\\ a\\\\b"'),
        ('subject:"/x/"', 'subject:"/x/"'),
        ('subject:"memcpy()"', 'subject:"memcpy()"'),
        ("subject:“dirty limit”", 'subject:"dirty limit"'),
        ("prefix:[RFC]", "prefix:RFC"),
        ("prefix:net-next,PULL", "prefix:net-next,PULL"),
        ("project:qemu-devel -dirty", "project:qemu-devel -subject:dirty"),
        ("  path:a\n\tpath:b\u00a0", "path:a path:b"),
        ("path:a OR from:@x.org", "path:a OR from:@x.org"),
        ("path:a path:b OR path:c", "(path:a path:b) OR path:c"),
        ("path:a (path:b OR path:c)", "path:a (path:b OR path:c)"),
        ("(path:a (path:b)) path:c", "path:a path:b path:c"),
        ("(path:a OR (path:b OR path:c))", "path:a OR path:b OR path:c"),
        ("path:a OR path:a", "path:a"),
        ("(path:a path:b) OR (path:a path:b)", "path:a path:b"),
        ("path:a OR(path:b)", "path:a OR path:b"),
        ("path:a OR path:b -from:@x.org", "(path:a OR path:b) -from:@x.org"),
        ("-from:@x.org path:a OR path:b", "(path:a OR path:b) -from:@x.org"),
        ("path:a OR (path:b -from:@x.org)", "path:a OR (path:b -from:@x.org)"),
        ("path:a -(path:b OR from:@x.org)", "path:a -(path:b OR from:@x.org)"),
        ("path:a -((path:b))", "path:a -path:b"),
        ("path:a -(path:b -path:b/c)", "path:a -(path:b -path:b/c)"),
        ("/^net: (a|b), c/", "subject:/^net: (a|b), c/"),
        ("s:/a\\/b/,c k:/x/", "subject:/a\\/b/,c text:/x/"),
        ('/["]/ OR fix', 'subject:/["]/ OR subject:fix'),
        ('v:2 v:v3 version:=4 v:">= 2" n:>30', "version:2 version:3 version:4 version:>=2 patches:>30"),
        ('state:Accepted,"Under Review"', "state:accepted,under-review"),
        ("state:under_review->*", "state:under-review->*"),
        (
            'state:new->accepted,*->rejected state:"New → Under Review"',
            "state:new->accepted,*->rejected state:new->under-review",
        ),
        ("check:FAIL,fail/build*", "check:fail,fail/build*"),
        ('check:"success/a, b"', 'check:"success/a, b"'),
        ("is:Pull,complete", "is:pull,complete"),
        ("stale:14d,2w,36h,48h", "stale:14d,36h,2d"),
        ("maint:virtio maint:jane@x.org", "maint:virtio maint:jane@x.org"),
        ("to:a@x.org cc:@y.org server:ozlabs delegate:jane", "to:a@x.org cc:@y.org server:ozlabs delegate:jane"),
        ("as:Compact path:a on:states,new", "path:a on:new,state as:compact"),
        ("path:a on:comments,news,checks,revisions", "path:a on:new,revision,check,comment"),
        ('digest:"mon,tue,wed,fri 9:05" path:a', 'path:a digest:"Mon-Wed,Fri 09:05"'),
        ('digest:"Fri-Mon 09:00" path:a', 'path:a digest:"Mon,Fri-Sun 09:00"'),
        ('digest:"sun-sat 00:00" path:a', 'path:a digest:"daily 00:00"'),
    ],
)
def test_a_query_is_written_back_in_its_canonical_form(typed: str, canonical: str) -> None:
    assert str(parse(typed)) == canonical


def test_a_query_is_read_into_a_tree() -> None:
    query = parse("path:hw/,migration -from:@x.org")

    assert query == Query(And((Term(Key.PATH, ("hw/", "migration")), Not(Term(Key.FROM, ("@x.org",))))))


def test_or_binds_looser_than_side_by_side_and_an_exclude_counts_for_its_whole_group() -> None:
    a, b, c, d = (Term(Key.PATH, (name,)) for name in "abcd")

    assert parse("path:a path:b OR path:c -path:d").tree == And((Or((And((a, b)), c)), Not(d)))
    assert parse("path:a path:b OR (path:c -path:d)").tree == Or((And((a, b)), And((c, Not(d)))))


def test_what_is_no_plain_text_is_read_into_values() -> None:
    text = "v:>=2 state:new->accepted,new check:fail/build* is:mine stale:2w /a/"

    assert [term.values for term in terms_of(parse(text).tree)] == [
        (Bound(">=", 2),),
        (Transition("new", "accepted"), "new"),
        (CheckCondition(CheckState.FAIL, "build*"),),
        (IsFlag.MINE,),
        (Age(14 * 24),),
        (Regex("a"),),
    ]


def test_options_are_kept_beside_the_tree() -> None:
    query = parse('on:state path:a OR path:b as:card digest:"Mon-Fri 09:30"')

    assert query.tree == parse("path:a OR path:b").tree
    assert query.options == SubscriptionOptions((OnKind.STATE,), CardForm.CARD, DigestTimes(frozenset(range(5)), 9, 30))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("path:a", {OnKind.NEW, OnKind.REVISION}),
        ("path:a on:state", {OnKind.STATE}),
        ("state:accepted", {OnKind.NEW, OnKind.REVISION, OnKind.STATE}),
        ("path:a OR (path:b check:fail) on:new", {OnKind.NEW, OnKind.CHECK}),
        ("delegate:jane on:comment", {OnKind.COMMENT, OnKind.STATE}),
        ("is:reviewed on:new", {OnKind.NEW, OnKind.STATE}),
        ("is:pull,archived on:new", {OnKind.NEW, OnKind.STATE}),
        ("is:pull on:new", {OnKind.NEW}),
        ("path:a -state:rejected -(check:fail) on:new", {OnKind.NEW}),
    ],
)
def test_what_is_wanted_implies_what_is_heard(text: str, kinds: set[OnKind]) -> None:
    assert parse(text).news_kinds == kinds


ANY_VALUE = st.text(max_size=20) | st.text('ab/,"()\\ -:@*[]“”', max_size=12)
SPELLED = ANY_VALUE | ANY_VALUE.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
KEYS = sorted({*Key, *OptionKind, "dfn", "f", "s", "v", "n", "k", "bogus"})
TERMS = st.builds(
    lambda minus, key, values, close: minus + key + ",".join(values) + close,
    st.sampled_from(["", "", "-", "(", "-("]),
    st.just("") | st.sampled_from(KEYS).map("{}:".format),
    st.lists(
        SPELLED | st.sampled_from(["/a/", "2", "new", "fail", "new->*", "pull", "14d", "jane@x.org"]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["", "", ")", " OR", "))"]),
)
TEXTS = st.text(max_size=60) | st.lists(TERMS, max_size=6).map(" ".join) | QUERIES.map(str)
QUOTED_TERMS = st.builds(
    lambda key, value: f'{key}:"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    st.sampled_from(Key),
    st.text(min_size=1, max_size=15) | st.text('a,"()\\ -:[]/>', min_size=1, max_size=8),
)


@given(TEXTS)
@example('path:"')
@example("-")
@example(",")
def test_any_text_is_a_query_or_a_mistake_with_its_place(text: str) -> None:
    query, mistake = attempt(text)

    if query is not None:
        assert parse(str(query)) == query
        assert str(parse(str(query))) == str(query)
    if mistake is not None:
        assert mistake.text == visible(text)
        assert 0 <= mistake.start <= mistake.end <= len(mistake.text)
        assert mistake.reason


@given(st.lists(QUOTED_TERMS, min_size=1, max_size=4).map(" ".join))
@example('prefix:"[[RFC]]"')
@example('subject:" /x"')
@example('path:" a"')
@example('path:"/ "')
def test_a_canonical_text_reads_as_itself(text: str) -> None:
    query, _ = attempt(text)
    assume(query is not None)

    assert parse(str(query)) == query


@given(ANY_VALUE)
def test_a_quoted_value_is_never_split(value: str) -> None:
    spelled = value.replace("\\", "\\\\").replace('"', '\\"')
    assume(visible(value).strip() and not any(quote in value for quote in "“”„"))

    assert parse(f'project:"{spelled}"').tree == Term(Key.PROJECT, (visible(value).strip(),))


@given(QUERIES)
def test_every_tree_is_written_so_that_it_reads_as_itself(query: Query) -> None:
    assume(is_within_limits(query))

    assert parse(str(query)) == query


@given(QUERIES, QUERIES)
def test_texts_are_equal_just_when_the_queries_are(one: Query, other: Query) -> None:
    assert (str(one) == str(other)) == (one == other)


@given(NODES)
def test_a_tree_has_nothing_twice_and_nothing_to_flatten(node: Node) -> None:
    for each in nodes_of(node):
        if isinstance(each, And | Or):
            assert len(each.parts) >= 2
            assert len(set(each.parts)) == len(each.parts)
            assert not any(isinstance(part, type(each)) for part in each.parts)


def test_mine_is_from_the_addresses_of_the_owner() -> None:
    addresses = ["jane@x.org", "j@y.org"]

    assert str(resolved(parse("is:mine on:state"), addresses)) == "from:jane@x.org,j@y.org on:state"
    assert str(resolved(parse("path:a -is:pull,mine"), addresses)) == "path:a -(from:jane@x.org,j@y.org OR is:pull)"
    assert str(resolved(parse("(path:a OR is:mine,pull) b"), addresses)) == (
        "(path:a OR from:jane@x.org,j@y.org OR is:pull) subject:b"
    )
    assert resolved(parse("path:a"), addresses) == parse("path:a")
    assert resolved(parse("is:mine"), []) == parse("is:mine")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("path:*.rst", "path:*.rst names files at the top of the tree only; for any depth, use path:**/*.rst"),
        ("path:colo.c", "path:colo.c is a file at the top of the tree; for any depth, use path:**/colo.c"),
        ("path:hw/net/,virtio", "path:virtio is at the top of the tree; below hw/net/, use path:hw/net/virtio"),
        ("-path:hw/net,virtio x", "path:virtio is at the top of the tree; below hw/net/, use path:hw/net/virtio"),
        ("v2", "v2 is looked for in the subject's words; for a version, use version:2"),
        ("/migration/", "/migration/ searches the subject; for the directory, use path:migration/"),
    ],
)
def test_what_is_probably_meant_otherwise_is_remarked(text: str, hint: str) -> None:
    assert hints(parse(text)) == (hint,)


@pytest.mark.parametrize(
    "text",
    [
        "path:hw/,Makefile",
        "path:hw/,migration",
        "path:Kconfig",
        "path:hw/net/,.gitignore",
        "path:**/*.rst,docs/*.rst",
        "path:a/b/,c/",
        "path:**",
        "path:*",
        "/^net: /",
        "subject:a,-b",
        "path:hw/*.c",
        "path:hw/*/x/,*",
    ],
)
def test_what_may_well_be_right_is_not_remarked(text: str) -> None:
    assert hints(parse(text)) == ()
