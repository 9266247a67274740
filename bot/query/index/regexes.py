"""Regular expressions that take linear time: a typed interface to RE2.

None of them matches a line break, so that a text of many lines can be searched at once.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

_BYTES_FOR_ONE = 2**20
_BYTES_FOR_MANY = 2**24  # more than for one expression, so that each fits into a set


class ExpressionError(ValueError):
    """An expression that RE2 rejects; the text is RE2's reason."""


class Expression(Protocol):
    """A compiled expression."""

    def search(self, text: bytes, /) -> object | None:
        """Return a true value if it matches anywhere in *text*."""


class _Set(Protocol):
    def Match(self, text: bytes, /) -> list[int] | None: ...  # noqa: N802  # RE2's name


def compile_expression(expression: str) -> Expression:
    """Compile an expression.

    Raises:
        ExpressionError: it is not in RE2's syntax, or too large.
    """
    try:
        return cast("Expression", re2.compile(as_utf_8(expression), _options(_BYTES_FOR_ONE)))
    except re2.error as error:
        reason = error.args[0]
        raise ExpressionError(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason) from error


class ExpressionSet:
    """Many expressions, valid for `compile_expression`, that are searched in one pass over a text."""

    def __init__(self, expressions: Sequence[str]) -> None:
        self._parts = list(_parts([as_utf_8(expression) for expression in expressions], 0))

    def matches(self, text: bytes) -> Iterator[int]:
        """Yield the indices of the expressions that match anywhere in *text*."""
        for first, part in self._parts:
            for position in part.Match(text) or ():
                yield first + position


def as_utf_8(text: str) -> bytes:
    """Return the composed form of *text* as bytes to search in, with a question mark for each lone surrogate."""
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace")


def _parts(expressions: list[bytes], first: int) -> Iterator[tuple[int, _Set]]:
    """Yield as few sets as can hold the expressions, each with the index of its first expression."""
    if not expressions:
        return
    many = re2.Set.SearchSet(_options(_BYTES_FOR_MANY))
    for expression in expressions:
        many.Add(expression)
    try:
        many.Compile()
    except re2.error:
        if len(expressions) == 1:
            raise
        half = len(expressions) // 2
        yield from _parts(expressions[:half], first)
        yield from _parts(expressions[half:], first + half)
    else:
        yield first, many


def _options(max_bytes: int) -> object:
    options = re2.Options()
    options.max_mem = max_bytes
    options.never_nl = True
    options.log_errors = False
    return options
