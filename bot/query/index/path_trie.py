"""Path patterns as users write them, and a hundred thousand of them at once.

The dialect is gitignore's, anchored at the root of the tree:

    migration         the file, or everything below the directory
    migration/        everything below the directory
    hw/*.c  hw/x*     `*`, `?` and `[…]` stay inside one component; in the last one they name files
    hw/*/virtio       and before that directories
    **/x.c  a/**/b    `**` is any number of components, also none; at the end everything below

Theory of operation of the trie. Its nodes are directories, its edges path components; what a pattern says about
the last component of a path hangs on the node of the directory before it: plain names in a dict, `*suffix` and
`prefix*` in a dict per length, the few other globs by the longest plain run in them. Walking a path down from
the root, several nodes can be active at once, since a wildcard edge may match beside a plain one and what
follows a `**` stays active at every depth. That set of nodes depends on the directory alone and patches touch
the same ones again and again, so it is worked out once per directory and kept: a file then costs one look-up for
its directory and a few for its name, whatever the number of patterns. Every change drops what is kept.

Nearly all patterns have one id, and a tuple takes a quarter of a set's memory; so ids are a tuple of one, or a
set once there were more.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from bot.query.index.globs import PatternError, check_glob, glob_matches, has_wildcard, longest_run

MAX_PATTERN_CHARACTERS = 256

_MAX_STATES = 32_768  # directories remembered at once
_MAX_REMEMBERED_CHARACTERS = 256  # a longer directory name is walked each time
_ANY_DEPTH = "**"
_IMPOSSIBLE = frozenset({"", ".", ".."})  # as a component

_EVERYTHING = ""  # in the place of a name: all below the directory

Id = TypeVar("Id", bound=Hashable)
_Ids: TypeAlias = tuple[Id] | set[Id]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path pattern, checked; *last* is None where it means everything below *folders*."""

    text: str  # canonical: no leading slash, a trailing one kept
    folders: tuple[str, ...]
    last: str | None


def read_pattern(text: str) -> Pattern:
    """The pattern that *text* says.

    Raises:
        PatternError: it is empty, too long, has a component that no path has, or a bracket left open.
    """
    canonical = text.removeprefix("/")
    if not canonical.strip():
        raise PatternError("is empty")
    if len(canonical) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"has {len(canonical)} characters; at most {MAX_PATTERN_CHARACTERS}")
    components = canonical.removesuffix("/").split("/")
    _check_names(components)
    if has_wildcard(canonical):
        _check_globs(components)

    is_below = canonical.endswith("/") or components[-1] == _ANY_DEPTH
    last = None if is_below else components.pop()
    while is_below and components and components[-1] == _ANY_DEPTH:
        components.pop()
    return Pattern(canonical, _without_repeats(components), last)


class PathTrie(Generic[Id]):
    """Many path patterns, each with the ids of those who gave it."""

    def __init__(self) -> None:
        self._root: _Node[Id] = _Node()
        self._states: dict[str, _State[Id]] = {}

    def add(self, pattern: str, id_: Id) -> None:
        """Let *id_* be found by *pattern*; twice is as good as once.

        Raises:
            PatternError: the pattern cannot be used.
        """
        read = read_pattern(pattern)
        node = self._root
        for folder in read.folders:
            node = node.enter(folder)
        table, key = node.table(read.last)
        table[key] = _with(table.get(key), id_)
        self._states.clear()

    def remove(self, pattern: str, id_: Id) -> None:
        """Undo `add`; what was never added is left alone."""
        read = read_pattern(pattern)
        trail = [self._root]
        for folder in read.folders:
            node = trail[-1].folder(folder)
            if node is None:
                return
            trail.append(node)

        trail[-1].discard(read.last, id_)
        self._states.clear()
        for folder in reversed(read.folders):
            if not trail.pop().is_empty:
                return
            trail[-1].drop_folder(folder)

    def matches(self, path: str) -> set[Id]:
        """The ids of all patterns that match *path*."""
        folder, _, name = path.rpartition("/")
        state = self._states.get(folder) or self._remember(folder)
        found: set[Id] = set().union(*state.below)
        for node in state.nodes:
            if (ids := node.names.get(name)) is not None:
                found.update(ids)
            if node.wild is not None:
                node.wild.collect(name, found)
        return found

    def _remember(self, folder: str) -> "_State[Id]":
        """Work out the state of *folder*, from the nearest directory above it whose state is known."""
        above = folder
        missing: list[str] = []
        while above and above not in self._states:
            missing.append(above)
            above = above.rpartition("/")[0]
        state = self._states.get(above) or _entered([self._root], (), ())
        if len(self._states) + len(missing) >= _MAX_STATES:
            self._states.clear()
        if not above:
            self._states[above] = state
        for place in reversed(missing):
            state = _step(state, place.rpartition("/")[2])
            if len(place) <= _MAX_REMEMBERED_CHARACTERS:
                self._states[place] = state
        return state


class _Node(Generic[Id]):
    """A directory that patterns name."""

    __slots__ = ("folders", "names", "wild")

    def __init__(self) -> None:
        self.folders: dict[str, _Node[Id]] = {}
        self.names: dict[str, _Ids[Id]] = {}  # a file or a whole directory in here, or _EVERYTHING
        self.wild: _Wild[Id] | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.folders or self.names or self.wild)

    def folder(self, name: str) -> "_Node[Id] | None":
        if not has_wildcard(name):
            return self.folders.get(name)
        return self.wild.folders.get(name) if self.wild else None

    def enter(self, name: str) -> "_Node[Id]":
        """The node of a component, made where it is missing."""
        folders = self._wild().folders if has_wildcard(name) else self.folders
        node = folders.get(name)
        if node is None:
            node = folders[name] = _Node()
        return node

    def drop_folder(self, name: str) -> None:
        if self.wild is not None and has_wildcard(name):
            del self.wild.folders[name]
            self.wild = self.wild.without(name)
        else:
            del self.folders[name]

    def table(self, last: str | None) -> tuple[dict[str, _Ids[Id]], str]:
        """Where the ids of a last component are kept, and under which key."""
        if last is None:
            return self.names, _EVERYTHING
        return self._wild().table(last) if has_wildcard(last) else (self.names, last)

    def discard(self, last: str | None, id_: Id) -> None:
        table, key = self.table(last)
        left = _without(table.get(key), id_)
        if left is not None:
            table[key] = left
        else:
            table.pop(key, None)
            if self.wild is not None and last is not None and has_wildcard(last):
                self.wild = self.wild.without(last)

    def _wild(self) -> "_Wild[Id]":
        if self.wild is None:
            self.wild = _Wild()
        return self.wild


class _Wild(Generic[Id]):
    """What patterns with wildcards want of one directory; most directories have none."""

    __slots__ = ("folders", "globs", "prefixes", "suffixes")

    def __init__(self) -> None:
        self.folders: dict[str, _Node[Id]] = {}  # by glob, or `**`
        self.prefixes: dict[int, dict[str, _Ids[Id]]] = {}  # `x*` by the length of x
        self.suffixes: dict[int, dict[str, _Ids[Id]]] = {}  # `*x` by the length of x
        self.globs: dict[str, dict[str, _Ids[Id]]] = {}  # others by their longest plain run

    def without(self, glob: str) -> "_Wild[Id] | None":
        """Itself without an empty table that *glob* left behind, or None where nothing is left."""
        self.prefixes = {length: table for length, table in self.prefixes.items() if table}
        self.suffixes = {length: table for length, table in self.suffixes.items() if table}
        if not self.globs.get(run := longest_run(glob), True):
            del self.globs[run]
        return self if self.folders or self.prefixes or self.suffixes or self.globs else None

    def table(self, glob: str) -> tuple[dict[str, _Ids[Id]], str]:
        """Where the ids of a last component are kept, and under which key."""
        stem = glob.strip("*")
        if len(stem) == len(glob) - 1 and not has_wildcard(stem):
            tables = self.prefixes if glob.endswith("*") else self.suffixes
            return tables.setdefault(len(stem), {}), stem
        return self.globs.setdefault(longest_run(glob), {}), glob

    def collect(self, name: str, found: set[Id]) -> None:
        """Add to *found* the ids of every glob that the file *name* matches."""
        for length, table in self.prefixes.items():
            if (ids := table.get(name[:length])) is not None:
                found.update(ids)
        for length, table in self.suffixes.items():
            if (ids := table.get(name[-length:])) is not None:
                found.update(ids)
        for run, table in self.globs.items():
            if run in name:
                for glob, ids in table.items():
                    if glob_matches(glob, name):
                        found.update(ids)


@dataclass(eq=False, slots=True)
class _State(Generic[Id]):
    """What is active in one directory; *lasting* is what stays so further down. Never changed once made."""

    nodes: tuple[_Node[Id], ...]
    lasting: tuple[_Node[Id], ...]
    below: tuple[_Ids[Id], ...]  # the ids of patterns that took the directory as a whole


def _step(state: _State[Id], name: str) -> _State[Id]:
    """The state of the directory *name* inside that of *state*."""
    entered: list[_Node[Id]] = []
    taken: list[_Ids[Id]] = []
    for node in state.nodes:
        if (ids := node.names.get(name)) is not None:
            taken.append(ids)
        if (child := node.folders.get(name)) is not None:
            entered.append(child)
        if node.wild is not None:
            entered += [
                child for glob, child in node.wild.folders.items() if glob != _ANY_DEPTH and glob_matches(glob, name)
            ]
    if not entered and not taken and len(state.nodes) == len(state.lasting):
        return state
    return _entered(entered, state.lasting, (*state.below, *taken))


def _entered(nodes: list[_Node[Id]], lasting: tuple[_Node[Id], ...], below: tuple[_Ids[Id], ...]) -> _State[Id]:
    """The state with *nodes* newly active, and after them what follows a `**` of theirs."""
    last = dict.fromkeys(lasting)
    taken: dict[int, _Ids[Id]] = {id(ids): ids for ids in below}
    for node in nodes:
        if (everything := node.names.get(_EVERYTHING)) is not None:
            taken[id(everything)] = everything
        if node.wild is not None and (deep := node.wild.folders.get(_ANY_DEPTH)) is not None:
            last[deep] = None
    return _State((*nodes, *last), tuple(last), tuple(taken.values()))


def _with(ids: _Ids[Id] | None, id_: Id) -> _Ids[Id]:
    if isinstance(ids, set):
        ids.add(id_)
        return ids
    return {*ids, id_} if ids and ids != (id_,) else (id_,)


def _without(ids: _Ids[Id] | None, id_: Id) -> _Ids[Id] | None:
    """The rest of *ids*; None where that is nothing."""
    if isinstance(ids, set):
        ids.discard(id_)
        return ids or None
    return None if ids == (id_,) else ids


def _check_names(components: list[str]) -> None:
    if not _IMPOSSIBLE.isdisjoint(components):
        found = next(component for component in components if component in _IMPOSSIBLE)
        if not found:
            raise PatternError("has two slashes in a row")
        raise PatternError(f"has {found} in it; paths start at the root of the tree")


def _check_globs(components: list[str]) -> None:
    for component in components:
        if component != _ANY_DEPTH:
            check_glob(component)


def _without_repeats(folders: list[str]) -> tuple[str, ...]:
    """The *folders* with each run of `**` as one."""
    if _ANY_DEPTH not in folders:
        return tuple(folders)
    return tuple(
        folder
        for index, folder in enumerate(folders)
        if folder != _ANY_DEPTH or folders[index - 1 : index] != [_ANY_DEPTH]
    )
