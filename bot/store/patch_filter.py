"""Conditions on patches as SQL, for the patches joined with their series.

Texts are compared in lower case, which databases do reliably for ASCII only. So a text with any other character meets
each condition on texts; in JSON, which spells such characters as escapes, a backslash does.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias, assert_never

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from bot.patchwork.model import TrailerKind
from bot.query.facts import FactName
from bot.query.prefilter import (
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
)
from bot.store import schema
from bot.store.columns import Utc

_Text: TypeAlias = sa.ColumnElement[str]
_Filter: TypeAlias = sa.ColumnElement[bool]
_PATCH, _SERIES = schema.patch.c, schema.series.c
_ESCAPE: Final = "!"
_WILD: Final = str.maketrans({each: _ESCAPE + each for each in "%_" + _ESCAPE})


class _WithoutCase(FunctionElement[str]):
    """A text for LIKE with lower-case patterns, which ASCII letters match in any case, whatever the language."""

    type = sa.Text()
    inherit_cache = True


class _HasOthers(FunctionElement[bool]):
    """Whether a text has characters beside those of ASCII."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(_WithoutCase, "sqlite")
def _without_case_in_sqlite(element: _WithoutCase, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)  # LIKE itself ignores the case of ASCII, and of nothing else


@compiles(_WithoutCase, "postgresql")
def _without_case_in_postgres(element: _WithoutCase, compiler: SQLCompiler, **options: Any) -> str:
    return f'lower(({compiler.process(element.clauses, **options)}) COLLATE "C")'


@compiles(_HasOthers, "sqlite")
def _has_others_in_sqlite(element: _HasOthers, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(length({text}) <> length(CAST({text} AS BLOB)))"


@compiles(_HasOthers, "postgresql")
def _has_others_in_postgres(element: _HasOthers, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(char_length({text}) <> octet_length({text}))"


def filter_of(condition: Condition, now: datetime) -> _Filter:
    """Return the SQL of a *condition* at the time *now* (UTC)."""
    match condition:
        case AllOf(parts):
            return sa.and_(sa.true(), *(filter_of(part, now) for part in parts))
        case AnyOf(parts):
            return sa.or_(sa.false(), *dict.fromkeys(each for part in parts for each in _alternatives(part, now)))
        case NoneOf(part):
            return sa.not_(sa.func.coalesce(filter_of(part, now), sa.false()))
        case IsIdle(time):
            moment = sa.func.coalesce(_PATCH.changed_at, _PATCH.read_at, type_=Utc)
            return moment <= sa.literal(now - time, Utc())
        case _:
            return _of_fact(condition)


def _alternatives(condition: Condition, now: datetime) -> tuple[_Filter, ...]:
    """Return filters of which one must hold; those that several conditions share are the same objects."""
    if isinstance(condition, HasText):
        return tuple(each for has in _TEXTS[condition.fact] for each in has(condition.parts))
    return (filter_of(condition, now),)


def _of_fact(condition: HasText | HasPath | IsOneOf | IsTrue | IsBetween) -> _Filter:
    match condition:
        case HasText(fact, parts):
            return sa.or_(*(each for has in _TEXTS[fact] for each in has(parts)))
        case HasPath():
            return _has_path(condition)
        case IsOneOf(fact, values):
            return _VALUES[fact].in_(values)
        case IsTrue(fact):
            return _FLAGS[fact]
        case IsBetween(fact, low, high):
            return _NUMBERS[fact](low, high)
        case _:
            assert_never(condition)


def _packed(column: sa.Column[Any]) -> _Text:
    return sa.cast(column, sa.Text)


class _HasWords:
    """Filters of which one must hold for a *text* that has some words; *undecided* where the database cannot tell.

    The first of them is the same object for all words, so that it need not be asked for each.
    """

    def __init__(self, text: _Text, undecided: _Filter) -> None:
        self._text = _WithoutCase(text)
        self._undecided = undecided

    def __call__(self, parts: tuple[str, ...]) -> tuple[_Filter, ...]:
        if not all(map(str.isascii, parts)):
            return (self._undecided,)
        return self._undecided, sa.and_(sa.true(), *(_contains(self._text, part) for part in parts))


def _has_words(column: _Text) -> _HasWords:
    return _HasWords(column, _HasOthers(column))


def _has_address(column: sa.Column[Any]) -> _HasWords:
    """Return the filters for a list in JSON that has the words of one address."""
    packed = _packed(column)
    return _HasWords(packed, _contains(packed, "\\"))


def _contains(text: _Text, part: str) -> _Filter:
    return text.like(f"%{part.translate(_WILD)}%", escape=_ESCAPE)


def _has_path(condition: HasPath) -> _Filter:
    runs = "%".join(json.dumps(run)[1:-1].translate(_WILD) for run in condition.runs)
    start = '"' if condition.begins else ""
    return _packed(_PATCH.files).like(f"%{start}{runs}%", escape=_ESCAPE)


def _has_version(low: int, high: int) -> _Filter:
    version = _SERIES.version
    return sa.or_(version.is_(None), version.between(low, high))  # without a series, its subject may tell


def _has_total(low: int, high: int) -> _Filter:
    """Return whether a patch may count so many: itself, as in [2/10] or [2 of 10], or its series."""
    total, name = sa.func.coalesce(_SERIES.total, 1), _PATCH.name
    if low <= 1:
        return total <= high
    digits = "_" * len(str(low))
    counted = (name.like(f"%[%{sign}{digits}%]%") for sign in ("/", " of "))
    return sa.and_(total <= high, sa.or_(total >= low, *counted))


def _has_reviews(column: sa.Column[Any]) -> _Filter:
    return _contains(_packed(column), f'"{TrailerKind.REVIEWED.value}"')


_IN_NAMES: Final = (_has_words(_PATCH.name), _has_words(_SERIES.name))
_TEXTS: Final[Mapping[FactName, tuple[_HasWords, ...]]] = {
    FactName.SUBMITTER: (_has_words(_PATCH.submitter_name), _has_words(_PATCH.submitter_email)),
    FactName.TO: (_has_address(_PATCH.to),),
    FactName.CC: (_has_address(_PATCH.cc),),
    FactName.SUBJECTS: _IN_NAMES,
    FactName.PREFIXES: _IN_NAMES,
    FactName.DELEGATE: (_has_words(_PATCH.delegate),),
    FactName.PROJECT: (_has_words(_PATCH.project),),
}
_VALUES: Final[Mapping[FactName, _Text]] = {
    FactName.STATE: sa.func.replace(_PATCH.state, "_", "-"),
    FactName.CHECK: _PATCH.check,
}
_FLAGS: Final[Mapping[FactName, _Filter]] = {
    FactName.IS_PULL: _PATCH.pull_url.is_not(None),
    FactName.IS_ARCHIVED: _PATCH.archived.is_(True),
    FactName.IS_COMPLETE: sa.or_(_SERIES.received_all.is_(None), _SERIES.received_all.is_(True)),
    FactName.REVIEWERS: sa.or_(_has_reviews(_PATCH.trailers), _has_reviews(_SERIES.trailers)),
}
_NUMBERS: Final[Mapping[FactName, Callable[[int, int], _Filter]]] = {
    FactName.VERSION: _has_version,
    FactName.TOTAL: _has_total,
}
