from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.errors import QueryError
from bot.ids import Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.patchwork.model import FileChange, Patch, Person, Series
from bot.subscriptions.parser import MAX_QUERY_CHARACTERS, MAX_TERM_CHARACTERS, MAX_TERMS, parse
from bot.subscriptions.query import And, Key, Not, Query, Term
from bot.subscriptions.verdict import MAX_SEEN, Facts, Outcome, Reason, decide, facts_of

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


def refusal(text: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(text)
    return caught.value


def attempt(text: str) -> tuple[Query | None, QueryError | None]:
    try:
        return parse(text), None
    except QueryError as mistake:
        return None, mistake


# --- reading and writing ---


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
        ("path:a\\b", "path:a\\b"),
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
    ],
)
def test_a_query_is_written_back_in_its_canonical_form(typed: str, canonical: str) -> None:
    assert str(parse(typed)) == canonical


def test_a_query_is_read_into_a_tree() -> None:
    query = parse("path:hw/,migration -from:@x.org")

    assert query == Query(And((Term(Key.PATH, ("hw/", "migration")), Not(Term(Key.FROM, ("@x.org",))))))


ANY_VALUE = st.text(max_size=20) | st.text('ab/,"()\\ -:@*[]“”', max_size=12)
SPELLED = ANY_VALUE | ANY_VALUE.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
TERMS = st.builds(
    lambda minus, key, values: minus + key + ",".join(values),
    st.sampled_from(["", "", "-"]),
    st.sampled_from(["", "path:", "dfn:", "f:", "from:", "s:", "subject:", "prefix:", "project:", "maint:"]),
    st.lists(SPELLED, min_size=1, max_size=3),
)
TEXTS = st.text(max_size=60) | st.lists(TERMS, max_size=5).map(" ".join)
QUOTED_TERMS = st.builds(
    lambda key, value: f'{key}:"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    st.sampled_from(["path", "from", "subject", "prefix", "project"]),
    st.text(min_size=1, max_size=15) | st.text('a,"()\\ -:[]', min_size=1, max_size=8),
)


@given(TEXTS)
@example('path:"')
@example("-")
@example(",")
def test_any_text_is_a_query_or_a_mistake_with_its_place(text: str) -> None:
    query, mistake = attempt(text)

    if query is not None:
        assert parse(str(query)) == query
    if mistake is not None:
        assert mistake.text == text
        assert 0 <= mistake.start <= mistake.end <= len(text)
        assert mistake.reason


@given(st.lists(QUOTED_TERMS, min_size=1, max_size=4).map(" ".join))
@example('prefix:"[[RFC]]"')
@example('subject:" /x"')
@example('path:" a"')
def test_a_canonical_text_reads_as_itself(text: str) -> None:
    query, _ = attempt(text)
    assume(query is not None)

    assert parse(str(query)) == query
    assert str(parse(str(query))) == str(query)


@given(ANY_VALUE)
def test_a_quoted_value_is_never_split(value: str) -> None:
    spelled = value.replace("\\", "\\\\").replace('"', '\\"')
    assume(value.strip() and not any(quote in value for quote in "“”„"))

    assert parse(f'project:"{spelled}"').tree == And((Term(Key.PROJECT, (value.strip(),)),))


# --- mistakes ---


@pytest.mark.parametrize(
    "pointed",
    [
        """\
path:
^^^^^
path: needs a value, e.g. path:drivers/net/""",
        """\
path:a from: migration
       ^^^^^
from: needs a value, e.g. from:@redhat.com""",
        """\
prefix:""
^^^^^^^^^
prefix: needs a value, e.g. prefix:RFC""",
        """\
path:a pth:b
       ^^^^
pth: is not a key. Did you mean path:?""",
        """\
-form:x
 ^^^^^
form: is not a key. Did you mean from:?""",
        """\
migration: fix
^^^^^^^^^^
migration: is not a key. To look for it in the subject, put it in quotes: "migration:\"""",
        """\
path:a maint:virtio
       ^^^^^^
maint: is not supported yet.""",
        """\
path:a V:2
       ^^
v: is not supported yet.""",
        """\
path:a OR path:b
       ^^
OR is not supported yet. A comma means it between the values of one key: path:hw/,migration/""",
        """\
path:a AND path:b
       ^^^
AND is not needed. Terms side by side must all match: leave it out.""",
        """\
path:a NOT path:b
       ^^^
NOT is written as a minus sign. e.g. path:hw/ -path:hw/arm/""",
        """\
path:x (path:a)
       ^
Parentheses are not supported yet. One that belongs to a name goes in quotes with it.""",
        """\
memcpy()
      ^
Parentheses are not supported yet. One that belongs to a name goes in quotes with it.""",
        """\
subject:/fix.*/
        ^^^^^^^
/regex/ is not supported yet. In quotes it is looked for as it stands: subject:"/fix.*/\"""",
        """\
fix drivers/net/
    ^^^^^^^^^^^^
A word without a key is looked for in the subject, and this looks like a path. Did you mean path:drivers/net/?""",
        """\
-drivers/net/,hw/
 ^^^^^^^^^^^^^^^^
A word without a key is looked for in the subject, and this looks like a path. Did you mean path:drivers/net/,hw/?""",
        """\
path:"a b
     ^^^^
This quote is not closed. End it with a ".""",
        """\
path:“a b
     ^^^^
This quote is not closed. End it with a ".""",
        """\
path:"a"b
        ^
A quote starts right after a key or a comma, and ends before a space or a comma. Inside quotes, write it as \\".""",
        """\
path:a, b
      ^
A comma needs a value on both sides. Write no space after it, or put the whole value in quotes.""",
        """\
path:,a
     ^
A comma needs a value on both sides. Write no space after it, or put the whole value in quotes.""",
        """\
path:a,"  "
       ^^^^
There is nothing between these quotes.""",
        """\
path:hw/ - foo
         ^
A minus sign excludes the term right after it, e.g. -path:docs/""",
        """\
path:hw/ --foo
         ^
A minus sign excludes the term right after it, e.g. -path:docs/""",
        """\
path:hw/,../x
         ^^^^
This path has .. in it; paths start at the root of the tree.""",
        """\
path:hw/[a,b].c
     ^^^^^
This path has a [ without its ]. Put the whole path in quotes if a comma belongs to it.""",
        """\
from:"Peter <p@x.org>"
     ^^^^^^^^^^^^^^^^^
from: takes a whole address, @domain, or part of a name, e.g. from:jane@example.org""",
        """\
prefix:"PATCH RFC"
       ^^^^^^^^^^^
prefix: takes one word out of the subject's brackets, e.g. prefix:RFC""",
        """\
-path:docs/ -foo
^^^^^^^^^^^^^^^^
This matches nearly everything: add what you want to hear of, e.g. project:qemu-devel -path:docs/ -subject:foo""",
        """\
  \n^^
An empty query; say what you want to hear of, e.g. path:drivers/net/""",
    ],
)
def test_a_mistake_is_shown_with_a_caret_and_a_way_out(pointed: str) -> None:
    text = pointed.split("\n", maxsplit=1)[0]

    assert refusal(text).pointed() == pointed


def test_a_query_has_a_longest_length() -> None:
    words = " ".join(["path:" + "a" * 44] * 40)
    assert len(words) == MAX_QUERY_CHARACTERS - 1

    assert str(parse(words + " ")) == "path:" + "a" * 44
    assert str(refusal(words + "  ")) == "A query of 2,001 characters; at most 2,000."


def test_the_canonical_text_of_a_query_keeps_to_the_length_too() -> None:
    bare = " ".join(f"{number:02}" + "a" * 37 for number in range(49))
    assert len(bare) < MAX_QUERY_CHARACTERS

    assert str(refusal(bare)) == "A query of 2,351 characters; at most 2,000."


def test_a_term_has_a_longest_length() -> None:
    longest = "subject:" + "a" * MAX_TERM_CHARACTERS

    assert str(parse(longest)) == longest
    assert str(refusal("a" * 257)) == "A term of 257 characters; at most 256."
    assert str(refusal("path:" + "a" * 200 + "," + "b" * 200)) == "A term of 401 characters; at most 256."
    assert str(refusal("path:" + "a" * 257)) == "This path has 257 characters; at most 256."


def test_a_query_has_a_largest_number_of_terms() -> None:
    words = [f"w{number}" for number in range(MAX_TERMS)]

    assert len(parse(" ".join(words)).tree.parts) == MAX_TERMS
    error = refusal(" ".join([*words, "more", "and"]))
    assert str(error) == "More than 64 terms; at most 64."
    assert error.text[error.start : error.end] == "more and"


# --- deciding ---


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
    assert [reason.outcome for reason in verdict.reasons] == [Outcome.FOUND]


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

    assert verdict.reasons == (Reason(Outcome.FOUND, "path:a/,b/,**/x.c", ("b/x.c", "a/x.c")),)


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
