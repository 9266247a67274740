"""What a query needs of every patch, as the database is asked for it; that nothing is missed, `test_search` shows."""

from datetime import timedelta

import pytest

from bot.query.facts import FactName
from bot.query.maintainers.maintainers import read
from bot.query.parser import parse
from bot.query.prefilter import (
    ANYTHING,
    MOST_PARTS,
    AllOf,
    AnyOf,
    Condition,
    HasPath,
    HasText,
    IsBetween,
    IsIdle,
    IsOneOf,
    IsTrue,
    NoneOf,
    prefilter_of,
)


def subject(*parts: str) -> HasText:
    return HasText(FactName.SUBJECTS, parts)


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("path:hw/*/x*.c", HasPath(("hw/", "/x", ".c"), begins=True)),
        ("path:hw/**/b.c", HasPath(("hw/", "b.c"), begins=True)),
        ("path:**/b.c", HasPath(("b.c",), begins=False)),
        ("path:?", ANYTHING),
        ("from:Jane@Example.org", HasText(FactName.SUBMITTER, ("jane@example.org",))),
        ("subject:dirty,limit", AnyOf((subject("dirty"), subject("limit")))),
        ('subject:"Dirty Limit"', subject("dirty", "limit")),
        (r"subject:/^net: a+b?c\.(x|y)zz/", subject("net:", "a", "c.", "zz")),
        ("subject:/foo|ba[rz]/", AnyOf((subject("foo"), subject("ba")))),
        ("subject:/(?i)foo/", ANYTHING),
        ("subject:/foo((a|b))/", ANYTHING),
        ("patches:>30", IsBetween(FactName.TOTAL, 31, 2**31 - 1)),
        ("state:new check:fail", AllOf((IsOneOf(FactName.STATE, ("new",)), IsOneOf(FactName.CHECK, ("fail",))))),
        ("stale:2d -is:archived", AllOf((IsIdle(timedelta(days=2)), NoneOf(IsTrue(FactName.IS_ARCHIVED))))),
        ("state:new OR is:pull", AnyOf((IsOneOf(FactName.STATE, ("new",)), IsTrue(FactName.IS_PULL)))),
    ],
)
def test_a_query_becomes_a_condition_on_what_is_stored(query: str, condition: Condition) -> None:
    assert prefilter_of(parse(query).tree) == condition


@pytest.mark.parametrize("query", ["state:new -subject:a", "state:new -path:hw/", "state:new -(is:pull from:jane)"])
def test_an_exclude_is_left_to_the_evaluation_unless_its_condition_is_exact(query: str) -> None:
    assert prefilter_of(parse(query).tree) == IsOneOf(FactName.STATE, ("new",))


def test_one_alternative_that_cannot_be_narrowed_leaves_all_of_them_open() -> None:
    assert prefilter_of(parse("from:jane OR path:?").tree) == ANYTHING


def test_a_section_of_maintainers_stands_for_its_patterns() -> None:
    file = read(
        "Net\nM: Ann <ann@example.org>\nF: net/\nF: */net/*.c\nN: ram[0-9]+_bank\nX: net/x/\n\nBlock\nF: block/\n"
    )

    condition = prefilter_of(parse("maint:ann@example.org").tree, [file])

    assert condition == AnyOf(
        (
            HasPath(("net/",), begins=True),
            HasPath(("/net/", ".c"), begins=False),
            HasPath(("ram", "_bank"), begins=False),
        )
    )


def test_a_section_with_a_keyword_that_is_in_any_text_is_left_open() -> None:
    file = read("Net\nF: net/\nK: x*\n")

    assert prefilter_of(parse("maint:net").tree, [file]) == ANYTHING


def test_very_many_parts_are_left_away_but_not_those_beside_them() -> None:
    many = ",".join(f"d{number}/" for number in range(MOST_PARTS + 1))

    assert prefilter_of(parse(f"path:{many}").tree) == ANYTHING
    assert prefilter_of(parse(f"path:{many} state:new").tree) == IsOneOf(FactName.STATE, ("new",))
