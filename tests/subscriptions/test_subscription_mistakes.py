"""What cannot be read is shown with its place and a way out."""

import pytest

from bot.errors import QueryError
from bot.query.parser import (
    MAX_DEPTH,
    MAX_QUERY_CHARACTERS,
    MAX_TERMS,
    parse,
    parse_subscription,
)
from bot.query.query import terms_of
from bot.query.terms import MAX_TERM_CHARACTERS
from bot.query.values import Regex


def refusal(text: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    "pointed",
    [
        """\
path:
^^^^^
path: needs a value, e.g. path:drivers/net/""",
        """\
path:a from: subject:x
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
tag:net
^^^^
tag: is not a key. Did you mean prefix:?""",
        """\
author:jane
^^^^^^^
author: is not a key. Did you mean from:?""",
        """\
submitter:jane
^^^^^^^^^^
submitter: is not a key. Did you mean from:?""",
        """\
label:net
^^^^^^
label: is not a key. Did you mean prefix:?""",
        """\
file:hw/
^^^^^
file: is not a key. Did you mean path:?""",
        """\
mant:x
^^^^^
mant: is not a key. Did you mean maint:?""",
        """\
OR path:a
^^
OR needs something wanted on both sides, e.g. path:hw/ OR path:migration/ -from:@redhat.com""",
        """\
path:a OR
       ^^
OR needs something wanted on both sides, e.g. path:hw/ OR path:migration/ -from:@redhat.com""",
        """\
path:a OR -path:b
       ^^
OR needs something wanted on both sides, e.g. path:hw/ OR path:migration/ -from:@redhat.com""",
        """\
path:a OR OR path:b
          ^^
OR needs something wanted on both sides, e.g. path:hw/ OR path:migration/ -from:@redhat.com""",
        """\
path:a or path:b
       ^^
Did you mean OR? It is written in capital letters. In quotes it is a word of the subject: "or\"""",
        """\
path:a || path:b
       ^^
|| is written as OR. e.g. path:hw/ OR from:@redhat.com""",
        """\
path:x ()
       ^^
There is nothing in these parentheses. Say what is wanted in them, e.g. (path:hw/ -path:hw/arm/), or leave them out.""",
        """\
path:x -(-path:y)
        ^^^^^^^^^
These parentheses only exclude. Say what is wanted in them, e.g. (path:hw/ -path:hw/arm/), or leave them out.""",
        """\
path:x (path:a
       ^
This parenthesis is not closed. One that belongs to a name goes in quotes with it.""",
        """\
path:x) path:a
      ^
This parenthesis closes nothing. One that belongs to a name goes in quotes with it.""",
        """\
memcpy()
      ^
Parentheses go around whole terms. One that belongs to a name goes in quotes with it: "memcpy(…)\"""",
        """\
path:(hw/ OR docs/)
     ^
Parentheses go around whole terms. Between values a comma means either: path:hw/,migration/""",
        """\
/drivers/net/ fix
^^^^^^^^^^^^^
A /regex/ ends at its second slash; one inside it is written \\/. For a path: path:drivers/net/""",
        """\
subject:/a b/c
        ^^^^^^
A /regex/ ends at its second slash; one inside it is written \\/.""",
        """\
subject:/fix
        ^^^^
This /regex/ is not closed. End it with a /. In quotes it is searched literally: subject:"/fix\"""",
        """\
from:/jane/
     ^^^^^^
from: takes no /regex/; subject: and text: do. In quotes it is searched literally: from:"/jane/\"""",
        """\
subject:/(a/
        ^^^^
This regex cannot be used: missing ): (a.""",
        """\
subject:/a(?=b)/ x
        ^^^^^^^^
This regex cannot be used: invalid perl operator: (?=.""",
        """\
version:new
        ^^^
version: takes a number, with >=, <=, > or < in front, e.g. version:>=2""",
        """\
state:new->
      ^^^^^
state: takes a state, or two with -> between them, e.g. state:accepted or state:new->accepted""",
        """\
check:failure
      ^^^^^^^
check: takes pending, success, warning or fail. Did you mean check:fail?""",
        """\
check:fail/[a
      ^^^^^^^
This check name has a [ without its ].""",
        """\
is:reviewd
   ^^^^^^^
is: takes mine, pull, complete, reviewed or archived. Did you mean is:reviewed?""",
        """\
stale:soon
      ^^^^
stale: takes a number of hours, days or weeks, e.g. stale:36h, stale:14d or stale:2w""",
        """\
to:jane
   ^^^^
to: takes a whole address or @domain, e.g. to:netdev@vger.kernel.org""",
        """\
maint:"<a@b@c>"
      ^^^^^^^^^
maint: takes a whole address, @domain, or part of a section's name, e.g. maint:jane@example.org""",
        """\
on:new,stat path:a
       ^^^^
on: takes new, revision, state, check or comment. Did you mean on:state?""",
        """\
as:carb path:a
   ^^^^
as: takes card, compact or queue. Did you mean as:card?""",
        """\
digest:hourly path:a
       ^^^^^^
“hourly” is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun, daily or weekly.""",
        """\
digest:"Mon 24:00" path:a
       ^^^^^^^^^^^
“24:00” is not a time of day; e.g. 09:00 or 18:30""",
        """\
digest:"Mun 09:00" path:a
       ^^^^^^^^^^^
“Mun” is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun, daily or weekly.""",
        """\
-on:new path:a
^^^^^^^
on: excludes nothing; it says how you want to hear. Leave out the -.""",
        """\
(path:a on:new)
        ^^^^^^
on: is for the whole query. Put it outside the parentheses.""",
        """\
path:a on:new on:state
              ^^^^^^^^
on: stands twice. Once is enough, e.g. on:new,state""",
        """\
path:a as:card,compact
          ^^^^^^^^^^^^
as: takes one value, e.g. as:compact""",
        """\
path:a on:,new
          ^
A comma needs a value on both sides. Write no space after it, or put the whole value in quotes.""",
        """\
on:new -path:a
^^^^^^^^^^^^^^
This matches nearly everything: add what you want to hear of, e.g. project:qemu-devel -path:a""",
        """\
on:new
^^^^^^
An empty query; say what you want to hear of, e.g. path:drivers/net/""",
        """\
path:a AND path:b
       ^^^
AND is not needed. Terms side by side must all match: leave it out.""",
        """\
path:a NOT path:b
       ^^^
NOT is written as a minus sign. e.g. path:hw/ -path:hw/arm/""",
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
from:"Peter p@x.org"
     ^^^^^^^^^^^^^^^
from: takes a whole address, @domain, or part of a name, e.g. from:jane@example.org""",
        """\
prefix:"PATCH RFC"
       ^^^^^^^^^^^
prefix: takes one word from the brackets of the subject, e.g. prefix:RFC""",
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
    assert str(refusal("a" * 257)) == "This term has 257 characters; at most 256 are allowed."
    two = "path:" + "a" * 200 + "," + "b" * 200
    assert str(refusal(two)) == "This term has 401 characters; at most 256 are allowed."
    assert str(refusal("path:" + "a" * 257)) == "This path has 257 characters; at most 256."


def test_a_query_has_a_largest_number_of_terms() -> None:
    words = [f"w{number}" for number in range(MAX_TERMS)]

    assert len([*terms_of(parse(" ".join(words)).tree)]) == MAX_TERMS
    error = refusal(" ".join([*words, "more", "and"]))
    assert str(error) == "More than 64 terms; at most 64."
    assert error.text[error.start : error.end] == "more and"


def test_the_terms_in_parentheses_count_too() -> None:
    words = " ".join(f"w{number}" for number in range(MAX_TERMS))

    assert str(refusal(f"({words}) OR more")) == "More than 64 terms; at most 64."


def test_parentheses_have_a_deepest_nesting() -> None:
    deepest = "(path:a OR path:b) path:c" if MAX_DEPTH % 2 else "path:a path:b"
    for level in range(MAX_DEPTH):
        deepest = f"({deepest}) {'OR ' if level % 2 == 0 else ''}path:{level}"

    assert str(parse(deepest)) == deepest
    error = refusal(f"-({deepest}) path:a")
    assert str(error) == "Parentheses more than 20 deep; at most 20."
    assert error.text[error.start :].startswith("(")


def test_the_parentheses_that_the_canonical_text_adds_count_too() -> None:
    typed = "path:a path:b OR path:c -path:d"
    for level in range(MAX_DEPTH):
        typed = f"({typed}) {'OR ' if level % 2 == 0 else ''}path:{level}"

    assert str(refusal(typed)) == "Parentheses more than 20 deep; at most 20."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(" * 10_000, "A query of 10,000 characters; at most 2,000."),
        ("(" * 2_000, "Parentheses more than 20 deep; at most 20."),
        ("-" * 10_000, "A query of 10,000 characters; at most 2,000."),
        ("-" * 2_000, "A minus sign excludes the term right after it, e.g. -path:docs/"),
        ("-(" * 1_000, "Parentheses more than 20 deep; at most 20."),
        (")" * 2_000, "This parenthesis closes nothing. One that belongs to a name goes in quotes with it."),
        (" OR ".join(["path:a"] * 1_000), "A query of 9,996 characters; at most 2,000."),
        (" OR ".join("a" * 400), "More than 64 terms; at most 64."),
        ('"' + "\\" * 1_999, 'This quote is not closed. End it with a ".'),
        ("a" * 257, "This term has 257 characters; at most 256 are allowed."),
    ],
)
def test_no_text_is_too_much(text: str, reason: str) -> None:
    assert str(refusal(text)) == reason


def test_a_regex_that_ruins_others_takes_linear_time() -> None:
    assert not Regex("(a+)+$").finds(b"a" * 100_000 + b"!")
    assert Regex("(a+)+$").finds(b"a" * 100_000)


def test_a_regex_too_large_to_compile_is_refused() -> None:
    assert str(refusal("/((a{100}){100}){100}/")).startswith("This regex cannot be used: ")
    assert str(refusal("/(((a{90}){10})b){50}/")).startswith("This regex cannot be used: ")


@pytest.mark.parametrize(
    ("text", "pointed"),
    [
        (
            "path:a stale:14d",
            """\
path:a stale:14d
       ^^^^^^^^^
Nothing arrives when something becomes stale: add a digest, or look with find; e.g. stale:14d digest:"Mon-Fri 09:00\"""",  # noqa: E501  # as it is said
        ),
        (
            "path:a turn:ready",
            """\
path:a turn:ready
       ^^^^^^^^^^
Nothing arrives when it becomes somebody's turn: add a digest, or look with queue or find; e.g. turn:ready digest:"Mon-Fri 09:00\"""",  # noqa: E501  # as it is said
        ),
        (
            "path:a as:queue",
            """\
path:a as:queue
       ^^^^^^^^
as:queue needs the times at which the queue is posted, e.g. digest:"Mon-Fri 09:00\"""",
        ),
        (
            "path:a as:queue on:comment digest:daily",
            """\
path:a as:queue on:comment digest:daily
                ^^^^^^^^^^
A queue lists what is open, and no news; on: has no meaning in it. Leave it out, or make two subscriptions.""",
        ),
        (
            "path:a OR (x -is:pull,mine)",
            """\
path:a OR (x -is:pull,mine)
              ^^^^^^^^^^^^
is:mine needs addresses of yours, which you name with “me” in a direct chat. Here, name the submitter: from:jane@example.org""",  # noqa: E501  # as it is said
        ),
        ("path:", "path:\n^^^^^\npath: needs a value, e.g. path:drivers/net/"),
    ],
)
def test_a_room_cannot_subscribe_to_what_it_would_never_hear(text: str, pointed: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_subscription(text, has_addresses=False)

    assert caught.value.pointed() == pointed


def test_a_digest_may_tell_what_is_stale_and_a_person_what_is_theirs() -> None:
    text = 'is:mine stale:14d digest:"Mon 09:00"'

    assert parse_subscription(text, has_addresses=True) == parse(text)


def test_a_queue_posts_no_news() -> None:
    for text in ('path:a as:queue digest:"Mon 09:00"', 'path:a turn:review digest:"Mon 09:00"'):
        query = parse_subscription(text, has_addresses=False)

        assert (query.is_queue, query.news_kinds, str(query)) == (True, frozenset(), text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("turn:Review", "turn:review"),
        ("turn:waiting,reviewed", "turn:author,ready"),
        ('turn:"needs review"', "turn:review"),
        ("turn:needs-review -turn:fail", "turn:review -turn:failing"),
    ],
)
def test_whose_turn_is_read_in_the_words_of_the_sections(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("/^colo: crash", "A regular expression ends with a slash, too,"),
        ("!path:docs/", "To exclude something, put a minus sign before it, e.g. -path:docs/"),
        ("path=migration/", "A key ends with a colon, e.g. path:migration/"),
        ("from:Ada Sample <ada@example.org>", "An address stands behind a key, e.g. from:ada@example.org"),
        ("[RFC] migration", "The words in the brackets of a subject are its prefixes, e.g. prefix:RFC or version:2"),
        ("[PATCH v2]", "The words in the brackets of a subject are its prefixes, e.g. prefix:RFC or version:2"),
        ("[net-next,v3]", "The words in the brackets of a subject are its prefixes, e.g. prefix:net-next or version:2"),
        ("s:x :migration/", "Write the value directly after the key and its colon, e.g. path:migration/"),
    ],
)
def test_a_slip_of_the_hand_is_told_as_one(query: str, said: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse(query)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("query", "words"),
    [("a=b", ["a=b"]), ("size=5 path:x", ["size=5", "x"]), ('"!path:x"', ["!path:x"]), ("foo", ["foo"])],
)
def test_what_may_well_be_a_word_is_one(query: str, words: list[str]) -> None:
    assert [str(value) for term in terms_of(parse(query).tree) for value in term.values] == words


def test_of_a_long_query_the_part_around_the_mistake_is_shown() -> None:
    good = " ".join(f"path:a{number}/" for number in range(30))
    with pytest.raises(QueryError) as refused:
        parse(f"{good} pth:x {good}")

    shown, carets, reason = refused.value.pointed().split("\n")
    assert (shown[0], shown[-1], len(shown)) == ("…", "…", 202)
    assert shown[carets.index("^") : len(carets)] == "pth:"
    assert reason.startswith("pth: is not a key.")


def test_a_query_that_is_far_too_long_says_so_in_few_characters() -> None:
    with pytest.raises(QueryError) as refused:
        parse("a" * 10_000)

    assert len(refused.value.pointed()) < 700
    assert refused.value.pointed().endswith("A query of 10,000 characters; at most 2,000.")
