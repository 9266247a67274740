"""Streaming parser of the homeserver's responses that keeps only the parts in use, up to a limit.

The size of a response is up to others: a room's state, an invitation from another server, a user's devices. Therefore
the response is split, values that are too large or not used are dropped at once, and if the rest is still too large,
the largest rooms or users are left out first: a sender of too much loses only their own part.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.errors import Permanent, Temporary
from bot.json_reader import read_json
from bot.json_splitter import JsonSplitter, OpenedContainer, OversizedValue, Path, Plan, Value
from bot.matrix.model import MatrixResponse, OmittedPart

MAX_STREAMED_BYTES = 256 * 1024 * 1024
MAX_KEPT_BYTES = 32 * 1024 * 1024
MAX_OWNERS_LEFT_OUT = 10_000  # beyond this number, all parts with an owner are left out
MAX_VALUES_LEFT_OUT = 100  # the maximum that is reported
_VALUE_BYTES = 64  # approximate overhead of a value
_CONTAINER_BYTES = 256
_LARGE_BYTES = 1024 * 1024


def _any(_: Path, __: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A plan for reading a response: its parts, the *wanted* values in them, and their owners.

    *owners* has the length of the path to an owner (a room, a user) by the first member of the path; any other member
    is its own owner. *is_whole* is true if an incomplete response is worse than none.
    """

    plan: Plan
    wanted: Callable[[Path, object], bool] = _any
    owners: Mapping[str | int, int] = field(default_factory=dict)
    is_whole: bool = False


class MatrixResponseTooLarge(Temporary):
    """A response that does not end within the limits; *largest* are the paths of its largest parts, if any."""

    def __init__(self, reason: str, largest: tuple[Path, ...] = ()) -> None:
        super().__init__(reason)
        self.largest = largest


class MatrixResponseReader:
    """A streaming parser of one response."""

    def __init__(self, reading: ReadPlan) -> None:
        self._reading = reading
        self._splitter = JsonSplitter(reading.plan)
        self._content: dict[str | int, object] = {}
        self._streamed: Counter[Path] = Counter()
        self._sizes: Counter[Path] = Counter()
        self._sizes_bytes = 0
        self._left_out: dict[Path, int] = {}  # owners
        self._too_large: dict[Path, int] = {}  # single values
        self._bytes = 0
        self._is_object = False

    @property
    def largest(self) -> tuple[Path, ...]:
        """The owner of the largest part so far, if that part is large."""
        return self._large()[:1]

    def _large(self) -> tuple[Path, ...]:
        """Return the owners of large parts, the largest first, that make up three quarters of the response."""
        owners: list[Path] = []
        rest = self._bytes
        for owner, size in self._streamed.most_common():
            if size < _LARGE_BYTES or rest <= self._bytes // 4:
                break
            owners.append(owner)
            rest -= size
        return tuple(owners)

    def feed(self, data: bytes) -> None:
        """Parse the next bytes.

        Raises:
            ValueError: they are not JSON.
            MatrixResponseTooLarge: the response has more bytes than can be read in time.
        """
        for part in self._splitter.feed(data):
            self._take(part)
        self._bytes += len(data)
        self._streamed[self._owner(self._splitter.path)] += len(data)
        if self._bytes > MAX_STREAMED_BYTES:
            raise MatrixResponseTooLarge(
                f"the answer is larger than {MAX_STREAMED_BYTES // 1024 // 1024} MiB", self._large()
            )

    def answer(self) -> MatrixResponse:
        """Return the parts within the limits, after the last byte.

        Raises:
            ValueError: the response is incomplete, or not a JSON object.
            Permanent: a required part is missing.
        """
        self._splitter.close()
        if not self._is_object:
            raise ValueError("the answer is no JSON object")
        content = {str(name): value for name, value in self._content.items()}
        missing = (*self._left_out.items(), *self._too_large.items())
        if missing and self._reading.is_whole:
            raise Permanent("the response is too large to be read completely")
        return MatrixResponse(content, tuple(OmittedPart(path, size) for path, size in missing), self._sizes_bytes)

    def _take(self, part: OpenedContainer | Value | OversizedValue) -> None:
        if not part.path:
            self._is_object = isinstance(part, OpenedContainer) and not part.is_list
            return
        owner = self._owner(part.path)
        if owner in self._left_out or (len(self._left_out) > MAX_OWNERS_LEFT_OUT and len(owner) > 1):
            return
        match part:
            case OpenedContainer(path, is_list):
                self._keep(path, [] if is_list else {}, _CONTAINER_BYTES)
            case Value(path, body):
                value = read_json(body)
                if self._reading.wanted(path, value):
                    self._keep(path, value, _VALUE_BYTES + len(body))
            case OversizedValue(path, size) if path in self._too_large or len(self._too_large) < MAX_VALUES_LEFT_OUT:
                self._too_large[path] = self._too_large.get(path, 0) + size
            case _:
                pass  # enough are reported

    def _keep(self, path: Path, value: object, size: int) -> None:
        self._place(path, value)
        self._sizes[self._owner(path)] += size
        self._sizes_bytes += size
        if self._sizes_bytes > MAX_KEPT_BYTES:
            self._make_room()

    def _place(self, path: Path, value: object) -> None:
        """Insert a value at its path; the containers around it were inserted before."""
        around = self._node(path[:-1])
        if isinstance(around, list):
            around.append(value)
        elif isinstance(around, dict):
            around[path[-1]] = value

    def _node(self, path: Path) -> object:
        node: object = self._content
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return node

    def _make_room(self) -> None:
        """Drop the largest owners' parts until a quarter of the limit is free."""
        for owner, size in self._sizes.most_common():
            if self._sizes_bytes <= MAX_KEPT_BYTES * 3 // 4:
                break
            del self._sizes[owner]
            self._sizes_bytes -= size
            self._left_out[owner] = size
            around = self._node(owner[:-1])
            if isinstance(around, dict):
                around.pop(owner[-1], None)

    def _owner(self, path: Path) -> Path:
        return path[: self._reading.owners.get(path[0], 1)] if path else ()
