"""Splits a JSON document as it arrives, with a memory limit for each of its parts.

Theory of operation. A plan says which lists and objects are opened, and how many bytes each value in them may have. The
splitter follows the structure only where the plan opens it. It scans any other value for its end, by counting brackets
outside of strings, and keeps its bytes only up to the limit. At any time it holds one such value and the bytes just
fed. It looks at each byte a fixed number of times, mostly in the regular expression engine.

The values are not parsed, so an invalid one is only noticed when it is read.
"""

import json
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

ANY: Final = "*"  # any member that the plan does not name
MAX_KEY_BYTES = 1024
_PLAIN = rb'[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*"'  # text without brackets, and complete strings
_OUTSIDE = re.compile(rb'(?:%s|[\[{](?:%s)*[\]}])*([\[{]+|[\]}]+|")' % (_PLAIN, _PLAIN), re.DOTALL)
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*', re.DOTALL)
_SCALAR = re.compile(rb"[^\]},\s]*+")
_SPACE = re.compile(rb"[ \t\r\n]*+")

Path: TypeAlias = tuple[str | int, ...]  # names of members, and 0 for items of lists


@dataclass(frozen=True, slots=True)
class Items:
    """The plan for a list whose items are read one by one."""

    plan: "Plan"


Plan: TypeAlias = "int | Items | Mapping[str, Plan]"  # a maximum of bytes; a list; the members of an object


@dataclass(frozen=True, slots=True)
class OpenedContainer:
    """The beginning of a list or an object that the plan opens."""

    path: Path
    is_list: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A value that the plan keeps."""

    path: Path
    body: bytes


@dataclass(frozen=True, slots=True)
class OversizedValue:
    """A value that the plan would keep if it were smaller."""

    path: Path
    size: int


Part: TypeAlias = OpenedContainer | Value | OversizedValue


class JsonSplitter:
    """Splits one document; *path* is the current position, *offset* the number of bytes consumed."""

    def __init__(self, plan: Plan) -> None:
        self.path: Path = ()
        self._data = b""
        self._at = 0
        self._before = 0  # bytes in the chunks before this one
        self._parts: list[Part] = []
        self._run: Generator[None, None, None] = self._document(plan)
        self._ended = False

    @property
    def offset(self) -> int:
        """The number of bytes consumed."""
        return self._before + self._at

    def feed(self, data: bytes) -> Iterator[Part]:
        """Consume the next bytes of the document, and return the parts that end in them.

        Raises:
            ValueError: the document is not JSON.
        """
        self._before += len(self._data)
        self._data, self._at = data, 0
        if data and not self._ended:
            self._ended = next(self._run, True) is True
        if self._ended and self._data[self._at :].strip(b" \t\r\n"):
            raise ValueError("unexpected data after the JSON document")
        parts, self._parts = self._parts, []
        return iter(parts)

    def close(self) -> None:
        """End the document.

        Raises:
            ValueError: the document is incomplete.
        """
        if not self._ended:
            raise ValueError("the JSON document does not end")

    def _document(self, plan: Plan) -> Generator[None, None, None]:
        if (yield from self._peek()) != ord("{") and isinstance(plan, Mapping):
            raise ValueError("the JSON document is no object")
        yield from self._value(plan)

    def _value(self, plan: Plan) -> Generator[None, None, None]:
        """Consume one value at `path` according to *plan*."""
        first = yield from self._peek()
        if first == ord("{") and isinstance(plan, Mapping):
            self._parts.append(OpenedContainer(self.path, is_list=False))
            yield from self._object(plan)
        elif first == ord("[") and isinstance(plan, Items):
            self._parts.append(OpenedContainer(self.path, is_list=True))
            yield from self._list(plan.plan)
        else:
            limit = plan if isinstance(plan, int) else 0
            body, size = yield from self._whole(limit)
            if body is not None and limit:
                self._parts.append(Value(self.path, body))
            elif limit:
                self._parts.append(OversizedValue(self.path, size))

    def _object(self, plan: Mapping[str, Plan]) -> Generator[None, None, None]:
        around, end = self.path, (yield from self._begin())
        while end != ord("}"):
            key = yield from self._key()
            yield from self._expect(b":")
            self.path = (*around, "" if key is None else key)
            yield from self._value(0 if key is None else plan.get(key, plan.get(ANY, 0)))
            end = yield from self._expect(b",}")
        self.path = around

    def _list(self, plan: Plan) -> Generator[None, None, None]:
        around, end = self.path, (yield from self._begin())
        self.path = (*around, 0)
        while end != ord("]"):
            yield from self._value(plan)
            end = yield from self._expect(b",]")
        self.path = around

    def _begin(self) -> Generator[None, None, int]:
        """Enter a list or an object; return its first byte, which is consumed if it is the closing bracket."""
        self._at += 1
        first = yield from self._peek()
        if first in b"]}":
            self._at += 1
        return first

    def _key(self) -> Generator[None, None, str | None]:
        """Return the name of a member, or None if it is too long or invalid."""
        if (yield from self._peek()) != ord('"'):
            raise ValueError("a member of a JSON object has no name")
        body, _ = yield from self._whole(MAX_KEY_BYTES)
        key = None if body is None else json.loads(body.decode("utf-8", "replace"))
        return key if isinstance(key, str) else None

    def _expect(self, wanted: bytes) -> Generator[None, None, int]:
        found = yield from self._peek()
        if found not in wanted:
            raise ValueError(f"JSON has {bytes([found])!r} where one of {wanted!r} belongs")
        self._at += 1
        return found

    def _peek(self) -> Generator[None, None, int]:
        """Return the next byte that is not white space, without consuming it."""
        while True:
            if (space := _SPACE.match(self._data, self._at)) is not None:
                self._at = space.end()
            if self._at < len(self._data):
                return self._data[self._at]
            yield

    def _whole(self, limit: int) -> Generator[None, None, tuple[bytes | None, int]]:
        """Consume a whole value; return its bytes (None if there are more than *limit*) and their number."""
        parts: list[bytes] = []
        scan, size, is_over = _Scan(self._data[self._at]), 0, False
        while not is_over:
            if self._at == len(self._data):
                yield
            start = self._at
            self._at, is_over = scan.end(self._data, start)
            size += self._at - start
            if size <= limit:
                parts.append(self._data[start : self._at])
            else:
                parts.clear()
        if size == 0:
            raise ValueError("JSON has no value where one belongs")
        return (b"".join(parts) if size <= limit else None), size


class _Scan:
    """A scan for the end of a value that begins with the byte *first*."""

    def __init__(self, first: int) -> None:
        self._is_scalar = first not in b'"[{'
        self._in_string = first == ord('"')
        self._level = int(first in b"[{")
        self._passed = int(not self._is_scalar)  # bytes to skip: the first one, and an escaped one

    def end(self, data: bytes, at: int) -> tuple[int, bool]:
        """Return the end of the value's part in *data* from *at*, and whether the value ends there."""
        if self._is_scalar:
            match = _SCALAR.match(data, at)
            end = match.end() if match is not None else at
            return end, end < len(data)
        at, self._passed = at + self._passed, 0
        while at < len(data):
            at, is_over = self._string(data, at) if self._in_string else self._structure(data, at)
            if is_over:
                return at, True
        return at, False

    def _string(self, data: bytes, at: int) -> tuple[int, bool]:
        """Continue the scan inside a string."""
        match = _INSIDE.match(data, at)
        end = match.end() if match is not None else at
        if end == len(data):
            return end, False
        if data[end] == ord("\\"):  # the last byte; the byte it escapes comes later
            self._passed = 1
            return end + 1, False
        self._in_string = False
        return end + 1, self._level == 0

    def _structure(self, data: bytes, at: int) -> tuple[int, bool]:
        """Continue the scan outside strings, up to a string that does not end in *data*."""
        while (token := _OUTSIDE.match(data, at)) is not None:
            start, at = token.span(1)
            if data[start] in b"[{":
                self._level += at - start
            elif data[start] in b"]}":
                if at - start >= self._level:
                    return start + self._level, True
                self._level -= at - start
            else:
                self._in_string = True
                return at, False
        return len(data), False
