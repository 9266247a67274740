"""Reads untrusted JSON; a value that is nested too deeply or too long does not make the rest unreadable.

Python's own reader rejects a whole document because of one value that is nested a thousand levels deep, or one number
of more than 4,300 digits. This reader returns None for such a value, and reads everything around it.
"""

import json
import math
import re
from itertools import accumulate

MAX_LEVELS = 64  # nested lists and objects; users of a value may recurse into it
_NOT_BRACKETS = bytes(each for each in range(256) if each not in b'[]{}"')
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord('"'): 0}
_STRING = re.compile(rb'"[^"]*"')
_TOKEN = re.compile(rb'"[^"]*+"?|[\[{]+|[\]}]+')  # an unterminated string matches, too


def read_json(body: bytes) -> object:
    """Return the value of a JSON document; the last of several members with the same name counts.

    None stands for lists and objects below 64 levels (whose contents are not examined), for integers that Python
    refuses to convert, and for NaN and infinities. Strings may have lone surrogates in them.

    Raises:
        ValueError: it is not JSON.
    """
    text = (_without_deep_values(body) if _levels(body) > MAX_LEVELS else body).decode("utf-8-sig", "replace")
    try:
        try:
            return json.loads(text, parse_float=_float, parse_constant=_nothing)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer with too many digits; checking each integer is slower
            return json.loads(text, parse_float=_float, parse_constant=_nothing, parse_int=_integer)
    except RecursionError as error:  # the call stack was almost full already
        raise ValueError("no room to read JSON") from error


def _levels(body: bytes) -> int:
    """Return how deeply a document is nested."""
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")  # now every quote begins or ends a string
    brackets = _STRING.sub(b"", body.translate(None, _NOT_BRACKETS))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _without_deep_values(body: bytes) -> bytes:
    """Return *body* with `null` for each list and object that is nested too deeply."""
    parts: list[bytes] = []
    level, copied, start = 0, 0, 0
    escaped = body.replace(rb"\\", b"__").replace(rb"\"", b"__")  # same length, and every quote is a delimiter
    for token in _TOKEN.finditer(escaped):
        begin, end = token.span()
        first = escaped[begin]
        if first in b"[{":
            if level <= MAX_LEVELS < level + end - begin:
                start = begin + MAX_LEVELS - level
            level += end - begin
        elif first in b"]}":
            if level > MAX_LEVELS >= level - (end - begin):
                parts += (body[copied:start], b"null")
                copied = begin + level - MAX_LEVELS
            level -= end - begin
    if level > MAX_LEVELS:
        raise ValueError("a list or an object does not end")
    return b"".join((*parts, body[copied:]))


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _integer(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None


def _nothing(_: str) -> None:
    return None
