"""What people type from other tools and on phones: understood, or refused with the right spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import QueryError
from bot.ids import ProjectName, ServerName
from bot.patchwork.model import Person
from bot.query.evaluate import decide
from bot.query.facts import Facts
from bot.query.index.index import Index, Subscription
from bot.query.parser import parse
from bot.query.query import Query
from bot.query.values import folded
from bot.subscriptions.lint import hints


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("subject:'dirty limit'", 'subject:"dirty limit"'),
        ("subject:‘dirty limit’", 'subject:"dirty limit"'),
        ("subject:‚dirty limit‘", 'subject:"dirty limit"'),
        ("subject:«dirty limit»", 'subject:"dirty limit"'),
        ("subject:»dirty limit«", 'subject:"dirty limit"'),
        ("subject:＂dirty limit＂", 'subject:"dirty limit"'),
        ("subject:`dirty limit`", 'subject:"dirty limit"'),
        ("subject:´dirty limit´", 'subject:"dirty limit"'),
        ("subject:′dirty limit′", 'subject:"dirty limit"'),
        ("subject:〝dirty limit〞", 'subject:"dirty limit"'),
        (r"subject:\"dirty limit\"", 'subject:"dirty limit"'),
        (r"subject:\'dirty limit\',x", 'subject:"dirty limit",x'),
        ("subject:'a b',“c d”,e", 'subject:"a b","c d",e'),
        ("(from:'Ada Blank')", 'from:"Ada Blank"'),
        ("from:'O'Brien'", "from:O'Brien"),
        ("from:O'Brien", "from:O'Brien"),
        ("subject:'tis", 'subject:"\'tis"'),
        ("path:a/ –prefix:RFC", "path:a/ -prefix:RFC"),
        ("path:a/ —prefix:RFC", "path:a/ -prefix:RFC"),
        ("path:a/ −prefix:RFC", "path:a/ -prefix:RFC"),
        ("path:a/ ‑(prefix:RFC)", "path:a/ -prefix:RFC"),
        ("path:a/ ⁃prefix:RFC", "path:a/ -prefix:RFC"),
        ("path:a/ ➖prefix:RFC", "path:a/ -prefix:RFC"),
        ("path:a/\u200b", "path:a/"),
        ("\ufeffpath:a/ \u200b-prefix:RFC", "path:a/ -prefix:RFC"),
        ("path:a/ digest:“Mon–Fri 09：00”", 'path:a/ digest:"Mon-Fri 09:00"'),
        ('path:"a/{b,c}.c"', 'path:"a/{b,c}.c"'),
        (r"path:a/\{b\,c\}*.c", 'path:"a/[{]b,c}*.c"'),
        ("path:{{cookiecutter.name}}/", 'path:"{{cookiecutter.name}}/"'),
        ('path:"-x","!y","^z","a;b","a/..."', 'path:"-x","!y","^z","a;b","a/..."'),
        ("subject:-Wall", 'subject:"-Wall"'),
        ('from:"Ada*"', 'from:"Ada*"'),
        ("path：net/", "path:net/"),
        ("path:a/，b/、c/", "path:a/,b/,c/"),
        (r"path:Path\ With\ Space.cs", 'path:"Path With Space.cs"'),
        (r"path:a\,b.c", 'path:"a,b.c"'),
        (r"path:a/\[b\].c", "path:a/[[]b].c"),
        (r"path:a/\*.c", "path:a/[*].c"),
        (r"path:a/what\?", "path:a/what[?]"),
        ("path:x/[[:digit:]]*.c", "path:x/[0-9]*.c"),
        ("path:x/[![:alpha:]_]", "path:x/[!A-Za-z_]"),
        ("path:./net//core/", "path:net/core/"),
        ("from:'Ada Blank <ada@example.org>'", "from:ada@example.org"),
        ("from:mailto:ada@example.org", "from:ada@example.org"),
        ("cc:<netdev@vger.kernel.org>", "cc:netdev@vger.kernel.org"),
        ("to:*@example.org", "to:@example.org"),
        ("fix and clean", "subject:fix subject:and subject:clean"),
        ("do not merge", "subject:do subject:not subject:merge"),
        ("修复：x", "subject:修复：x"),
    ],
)
def test_other_spellings_are_understood(typed: str, canonical: str) -> None:
    query = parse(typed)

    assert str(query) == canonical
    assert parse(canonical) == query


@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        ("path:a/ not path:b/", "-path:b/"),
        ("path:a/ Not -path:b/", "-"),
        ("path:a/ and path:b/", "leave “and” out"),
        ("path:a/ And fix", "leave “and” out"),
        ("fix and path:a/", "leave “and” out"),
        ("path:a/ Or path:b/", "OR"),
        ("path:a/ – prefix:RFC", "-path:docs/"),
        ("path:**/*.{c,h}", "path:**/*.c,**/*.h"),
        ("path:{hw,net}/virtio/", "path:hw/virtio/,net/virtio/"),
        ("from:{ada,bob}", "from:ada,bob"),
        ("path:{a,b}/{c,d}", "path:a/c,a/d,b/c,b/d"),
        ("path:a/{b,c{d,e}}", "path:a/b,a/cd,a/ce"),
        ("path:x/,**/*.{c|h}", "path:x/,**/*.c,**/*.h"),
        ('path:"**/*.{c,h}"', 'path:"**/*.c","**/*.h"'),
        ('path:"x",a/{b,c}', 'path:"x",a/b,a/c'),
        ("path:" + 9 * "{a,b}", "path:**/*.c,**/*.h"),
        ("path:**/*.{c, h}", "path:**/*.c,**/*.h"),
        ("path:**/*.{c,h", "path:**/*.c,**/*.h"),
        ("path:！docs/", "-path:docs/"),
        ("path:–docs/", "-path:docs/"),
        ("path:a/,-docs/", "-path:docs/"),
        ("path::!docs/", "-path:docs/"),
        ("path::^docs/", "-path:docs/"),
        ("path::/docs/", " path:docs/"),
        ("path:^docs/$", " path:docs/"),
        ("path:a/;path:b/", "path:a/,b/"),
        ("path:a/|b/", "path:a/,b/"),
        ("path:docs/...", " path:docs/"),
        ("path:https://git.example.org/a", "root of the tree"),
        ("path:a/ +prefix:RFC", " prefix:RFC"),
        ("path:a/ ~prefix:RFC", " prefix:RFC"),
        ("path:a/ ！prefix:RFC", "-prefix:RFC"),
        ("path:a/ not fix", "-fix"),
        ("path:a/ without path:b/", "-path:b/"),
        ('path:a/ not path:"b c"', "-path:docs/"),
        ("path:a/ not (path:b/ OR path:c/)", "-path:docs/"),
        ("path:a/ & path:b/", "leave it out"),
        ("path:a/ ; path:b/", "leave it out"),
        ("from:Ada*", "from:Ada"),
        ("prefix:net*", "prefix:net"),
        ("*overflow*", "subject:overflow"),
        ("path:!docs/", "-path:docs/"),
        ("path:a/,!docs/", "-path:docs/"),
        ("prefix:!RFC", "-prefix:RFC"),
        (r"path:drivers\net\core.c", "path:drivers/net/core.c"),
        ("path:[[:print:]]", "a-z or 0-9"),
        ("'path:net/'", "path:net/"),
        ("from:@*.example.org", "@domain"),
        ("prefix:PATCH", "prefix:RFC"),
        ("version:0", "version:>=2"),
        ("patches:<1", "patches:>30"),
    ],
)
def test_a_spelling_that_would_never_match_is_refused_with_the_right_one(typed: str, instead: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(typed)

    assert instead in caught.value.pointed()


@pytest.mark.parametrize(
    ("typed", "remark"),
    [
        ("project:a project:b", "for either: project:a,b"),
        ("state:new state:accepted path:x/", "for either: state:new,accepted"),
        ("version:2 v:3", "for either: version:2,3"),
        ("path:a/ -path:a/", "path:a/ is both required and excluded"),
        ("from:redhat.com", "from:@redhat.com"),
    ],
)
def test_terms_that_exclude_each_other_are_remarked(typed: str, remark: str) -> None:
    assert any(remark in each for each in hints(parse(typed)))


@pytest.mark.parametrize(
    "typed", ["project:a,b project:b", "state:new state:new->accepted", "v:>2 v:<9", "from:a from:b"]
)
def test_terms_that_go_together_are_not_remarked(typed: str) -> None:
    assert hints(parse(typed)) == ()


def a_patch(name: str, subject: str = "migration: tidy", delegate: str | None = None) -> Facts:
    return Facts(
        server=ServerName("ozlabs"),
        project=ProjectName("qemu-devel"),
        submitter=Person(name, "someone@example.org"),
        subjects=(subject,),
        prefixes=(),
        paths=("a.c",),
        delegate=delegate,
    )


def is_found(query: Query, facts: Facts) -> bool:
    """Whether it matches, alone and in an index."""
    index = Index()
    index.add(Subscription(1, "!room:hs", query))  # type: ignore[arg-type]  # plain ids will do here
    alone = decide(query, facts).matched
    assert alone == bool(index.match(facts))
    return alone


DECOMPOSED = "Jo\u0308rg Mu\u0308ller"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ('from:"Jörg Müller"', DECOMPOSED),
        (f'from:"{DECOMPOSED}"', "Jörg Müller"),
        ('from:"Ada Blank"', "Ada  Blank"),
        ('from:"Ada Blank"', "Ada\u00a0Blank"),
        ('from:"Ada\u00a0Blank"', "Ada Blank"),
        ("from:O’Brien", "O'Brien"),
        ("from:O'Brien", "O’Brien"),
        ('from:"O’Brien"', "Conan O’Brien"),
        ("from:O´Brien", "O'Brien"),
        ('from:"Ada Blank"', "Ada\u2003\u00a0Blank"),
        ('from:"Ada Blank"', "\ufeffAda\u200b Blank"),
        ('from:"Anna-Lena"', "Anna‑Lena"),
        ('from:"Øystein"', "ØYSTEIN"),
    ],
)
def test_names_are_compared_without_regard_to_composition_blanks_and_apostrophes(typed: str, name: str) -> None:
    assert is_found(parse(typed), a_patch(name))


def test_subjects_and_delegates_are_compared_as_names_are() -> None:
    assert is_found(parse("subject:don't"), a_patch("Ada", "mm: don’t panic"))
    assert is_found(parse('subject:"Müller"'), a_patch("Ada", "fix for Mu\u0308ller"))
    assert is_found(parse("delegate:müller"), a_patch("Ada", delegate="Mu\u0308ller"))
    assert is_found(parse("subject:/M[üx]ller/"), a_patch("Ada", "fix for Mu\u0308ller"))
    assert is_found(parse("subject:/Mu\u0308ller/"), a_patch("Ada", "fix for Müller"))


@given(st.text())
def test_folding_is_stable(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(alphabet="a:'‘’«»`\\[]{}!,，–- ()/*\"path", max_size=30))
def test_odd_signs_are_read_or_refused_and_what_is_read_reads_as_itself(text: str) -> None:
    try:
        query = parse(text)
    except QueryError:
        return
    assert parse(str(query)) == query
