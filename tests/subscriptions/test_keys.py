"""Each key of the query language is described once, with all of its aspects."""

import ast
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
from hypothesis import given
from inline_snapshot import snapshot

from bot.ids import ProjectName, ServerName
from bot.patchwork.model import Person
from bot.query.facts import ExtraFacts, FactName, Facts, PatchView
from bot.query.index.path_trie import PathTrie
from bot.query.key_spec import Handle, KeySpec
from bot.query.keys import Key, key_named, likely_key
from bot.query.options import OptionKind
from bot.query.parser import parse
from bot.query.query import Term, patterns_of, terms_of
from bot.store.patch_scan import STORED_FACTS
from support.index_samples import FACTS, VALUES
from support.program_trees import PROGRAM, program_trees

TERMS = [term for key, values in VALUES.items() for value in values for term in terms_of(parse(f"{key}:{value}").tree)]
TERMS_OF = {key: [term for term in TERMS if term.key is key] for key in Key}
NOTHING = Facts(
    server=ServerName(""),
    project=ProjectName(""),
    submitter=Person("", ""),
    subjects=(),
    prefixes=(),
    paths=(),
)


def seen_by(term: Term, facts: Facts) -> PatchView:
    """The patch as the term looks at it."""
    patterns: PathTrie[str] = PathTrie()
    for pattern in patterns_of(term):
        patterns.add(pattern, pattern)
    return PatchView(facts, patterns)


def only(names: frozenset[FactName], facts: Facts) -> Facts:
    """The *facts* of these *names*; the others are those of a patch of which nothing is known."""
    of_more = {field.name for field in fields(ExtraFacts)}
    more = {name: getattr(facts.more, name) for name in names if name in of_more}
    rest = {name: getattr(facts, name) for name in names if name not in of_more}
    return replace(NOTHING, more=ExtraFacts(**more), **rest)


def has(patch: PatchView, handle: Handle) -> bool:
    """Whether it is a handle of the patch."""
    field, name = handle
    names = field.names(patch)
    return any(name in text for text in names) if field.are_parts else name in names


def tables_of_keys(tree: ast.Module) -> Iterator[str]:
    """The names of the tables in a module, or in a class of it, that have an entry for some keys."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef):
            continue
        for statement in node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                if any(map(_is_table_of_keys, ast.walk(statement.value))):
                    yield from map(ast.unparse, targets)


def _is_table_of_keys(node: ast.AST) -> bool:
    if isinstance(node, ast.DictComp | ast.SetComp | ast.ListComp | ast.GeneratorExp):
        return any(isinstance(each.iter, ast.Name) and each.iter.id == "Key" for each in node.generators)
    entries = {ast.Dict: "keys", ast.Set: "elts", ast.Tuple: "elts", ast.List: "elts"}.get(type(node))
    return entries is not None and any(map(_is_key, getattr(node, entries)))


def _is_key(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Key"


def test_no_module_has_a_second_table_of_keys() -> None:
    tables = {
        str(path.relative_to(PROGRAM)): names
        for path, tree in program_trees().items()
        if (names := list(tables_of_keys(tree)))
    }

    assert tables == {"query/keys.py": ["_SHORT_NAMES", "_NAMES", "_NAMES_ELSEWHERE"]}  # made of the keys


@pytest.mark.parametrize(
    "table",
    [
        "_COLUMNS: Mapping[Key, str] = {Key.PATH: 'files'}",
        "_ONE = frozenset({Key.STATE})",
        "_EFFORT = {**dict.fromkeys((Key.IS, Key.TO), 2)}",
        "class A:\n    LOOKS = {key: 1 for key in Key}",
    ],
)
def test_a_second_table_would_be_noticed(table: str) -> None:
    assert list(tables_of_keys(ast.parse(table)))


def test_a_kind_of_key_that_lacks_an_aspect_cannot_be_made() -> None:
    assert KeySpec.__abstractmethods__ == snapshot(frozenset({"fields", "find", "handle", "instead", "read"}))
    with pytest.raises(TypeError, match="abstract"):
        KeySpec(name="new", example="new:1", meaning="what is new", facts=())  # type: ignore[abstract]


@pytest.mark.parametrize("key", Key)
def test_every_key_has_samples_in_these_tests(key: Key) -> None:
    assert TERMS_OF[key]


@pytest.mark.parametrize("key", Key)
def test_every_key_reads_its_own_example(key: Key) -> None:
    for example in key.example.split(" or "):
        assert {term.key for term in terms_of(parse(example).tree)} == {key}


@pytest.mark.parametrize("key", Key)
def test_every_name_of_a_key_means_that_key_alone(key: Key) -> None:
    spec = key.spec

    assert key_named(spec.name) is key
    assert spec.short_name is None or key_named(spec.short_name) is key
    assert all(likely_key(name) is key for name in spec.names_elsewhere)
    assert all(key_named(name) is None for name in spec.names_elsewhere)


def test_every_key_and_option_has_a_meaning_of_its_own() -> None:
    meanings = [each.meaning for each in (*Key, *OptionKind)]

    assert all(meanings)
    assert len(set(meanings)) == len(meanings)


def test_each_fact_is_named_as_its_field() -> None:
    assert set(FactName) == {field.name for of in (Facts, ExtraFacts) for field in fields(of)} - {"more"}


@given(FACTS)
def test_the_facts_of_a_term_decide_alone_whether_it_matches(facts: Facts) -> None:
    for term in TERMS:
        known = seen_by(term, only(term.facts, facts))

        matches = term.key.spec.matches

        assert matches(known, term.values) == matches(seen_by(term, facts), term.values)


@pytest.mark.parametrize("key", Key)
def test_a_key_names_exactly_the_facts_of_its_values(key: Key) -> None:
    assert set(key.spec.facts) == {fact for term in TERMS_OF[key] for fact in term.facts}


@given(FACTS)
def test_a_term_matches_just_when_it_finds_something_and_otherwise_says_what_there_is(facts: Facts) -> None:
    for term in TERMS:
        patch = seen_by(term, facts)

        assert term.key.spec.matches(patch, term.values) == bool(term.key.spec.find_all(patch, term.values))
        assert all(isinstance(thing, str) for thing in term.key.spec.instead(facts, term.values))


@given(FACTS)
def test_a_patch_that_a_value_matches_has_its_handle_and_no_other_has_one_that_decides(facts: Facts) -> None:
    for term in TERMS:
        patch = seen_by(term, facts)
        for value in term.values:
            handle = term.key.spec.handle(value)
            matches = term.key.spec.matches(patch, (value,))

            if handle is not None:
                assert handle.handle[0] in term.key.spec.fields
                assert has(patch, handle.handle) or not matches
                assert matches or not handle.decides or not has(patch, handle.handle)


def test_the_keys_that_are_not_indexed() -> None:
    unindexed = [key for key in Key if not key.spec.fields]

    assert unindexed == snapshot([Key.VERSION, Key.PATCHES, Key.STALE, Key.TURN, Key.TEXT])
    assert all(term.key.spec.handle(value) is None for term in TERMS if term.key in unindexed for value in term.values)


def test_every_indexed_key_has_a_value_with_a_handle() -> None:
    indexed = {term.key for term in TERMS for value in term.values if term.key.spec.handle(value) is not None}

    assert indexed == {key for key in Key if key.spec.fields}


def test_no_two_fields_of_the_index_have_one_rank() -> None:
    ranks = [field.rank for key in Key for field in key.spec.fields]

    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize("term", TERMS, ids=str)
def test_past_patches_can_be_asked_for_every_term_whose_facts_are_kept_and_no_other(term: Term) -> None:
    refusals = [term.key.spec.past_refusal(str(term), value) for value in term.values]
    is_kept = term.facts <= STORED_FACTS.keys() and str(term) != "is:mine"  # whose addresses a search does not know

    assert all((refusal is None) == is_kept for refusal in refusals)
    assert all(refusal.startswith(str(term.key)) for refusal in refusals if refusal is not None)


def test_what_is_not_made_of_columns_is_what_a_search_adds() -> None:
    added = {fact for fact, kept in STORED_FACTS.items() if kept.read is None}

    assert added == {
        FactName.SERVER,
        FactName.PROJECT,
        *map(FactName, (field.name for field in fields(ExtraFacts))),
    } - {
        FactName.FORMER_STATE,
        FactName.CHECKS,
        FactName.TURN,
    }
    assert STORED_FACTS.keys() - added <= {field.name for field in fields(Facts)}
