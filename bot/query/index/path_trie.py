"""Path patterns of users, and a trie that matches a hundred thousand of them at once.

The syntax is that of gitignore, anchored at the root of the tree:

    migration         the file, or everything below the directory
    migration/        everything below the directory
    hw/*.c  hw/x*     `*`, `?` and `[…]` match within one component; in the last one they match files
    hw/*/virtio       in others they match directories
    **/x.c  a/**/b    `**` is any number of components, also none; at the end everything below

Theory of operation of the trie. Its nodes are directories, its edges path components. The last component of a pattern
is stored at the node of the directory before it: plain names in a dict, globs with a literal beginning or end by its
first or last letters, the few others by their longest literal run. On the way from the root to a path, several nodes
can be active at once, because a wildcard edge may match besides a plain one, and the part after a `**` remains active
at every depth. The set of active nodes depends only on the directory, and patches touch the same directories again and
again, so it is computed once per directory and cached: a file then takes one look-up for its directory and a few for
its name, whatever the number of patterns. Every change clears the cache.

Nearly all patterns have one id, and a tuple takes a quarter of a set's memory; so ids are a tuple of one, or a set
after there were more.
"""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from bot.query.index.globs import PatternError, check_glob, glob_matches, has_wildcard, longest_run

MAX_PATTERN_CHARACTERS = 256

_MAX_STATES = 32_768  # cached directories
_MAX_REMEMBERED_CHARACTERS = 256  # longer directory names are not cached
_ANY_DEPTH = "**"
_IMPOSSIBLE = frozenset({"", ".", ".."})  # components that no path has

_MAX_RUNS_TRIED = 24  # of a directory; more are looked up by their first letters
_RUN_LETTERS = 3  # at most
_WILDCARD = re.compile(r"[*?\[]")

_EVERYTHING = ""  # used as a name: everything below the directory

Id = TypeVar("Id", bound=Hashable)
Ids: TypeAlias = tuple[Id, ...] | set[Id]  # a tuple has one, or none


class Pattern(NamedTuple):
    """A valid path pattern; *last* is None if it matches everything below *folders*."""

    text: str  # canonical: without a leading slash, but with a trailing one
    folders: tuple[str, ...]
    last: str | None


def read_pattern(text: str) -> Pattern:
    """Parse a path pattern.

    Raises:
        PatternError: it is empty or too long, has a component that no path has, or a bracket is not closed.
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
    """Many path patterns, each with ids."""

    def __init__(self) -> None:
        self._root: _Node[Id] = _Node()
        self._states: dict[str, _State[Id]] = {}

    def add(self, pattern: str, id_: Id) -> None:
        """Add *id_* to *pattern*; adding it again has no effect.

        Raises:
            PatternError: the pattern cannot be used.
        """
        read = read_pattern(pattern)
        node = self._root
        for folder in read.folders:
            node = node.enter(folder)
        table, key = node.table(read.last)
        table[key] = with_id(table.get(key, ()), id_)
        self._states.clear()

    def remove(self, pattern: str, id_: Id) -> None:
        """Remove *id_* from *pattern*; do nothing if it was not added."""
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
        """Return the ids of all patterns that match *path*."""
        folder, _, name = path.rpartition("/")
        state = self._states.get(folder) or self._remember(folder)
        ids_found: set[Id] = set().union(*state.below)
        for node in state.nodes:
            if (ids := node.names.get(name)) is not None:
                ids_found.update(ids)
            if node.wild is not None:
                node.wild.collect(name, ids_found)
        return ids_found

    def _remember(self, folder: str) -> "_State[Id]":
        """Compute and cache the state of *folder*, starting from the nearest directory above with a cached state."""
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
        for folder_above in reversed(missing):
            state = _step(state, folder_above.rpartition("/")[2])
            if len(folder_above) <= _MAX_REMEMBERED_CHARACTERS:
                self._states[folder_above] = state
        return state


class _Node(Generic[Id]):
    """A node of the trie: a directory in patterns."""

    __slots__ = ("folders", "names", "wild")

    def __init__(self) -> None:
        self.folders: dict[str, _Node[Id]] = {}
        self.names: dict[str, Ids[Id]] = {}  # by the name of a file or a whole directory, or _EVERYTHING
        self.wild: _Wild[Id] | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.folders or self.names or self.wild)

    def folder(self, name: str) -> "_Node[Id] | None":
        if not has_wildcard(name):
            return self.folders.get(name)
        return self.wild.folders.get(name) if self.wild else None

    def enter(self, name: str) -> "_Node[Id]":
        """Return the node of a component, which is created if it is missing."""
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

    def table(self, last: str | None) -> tuple[dict[str, Ids[Id]], str]:
        """Return the table that stores the ids of a last component, and the key there."""
        if last is None:
            return self.names, _EVERYTHING
        return (self._wild().table(last) if has_wildcard(last) else self.names), last

    def discard(self, last: str | None, id_: Id) -> None:
        table, key = self.table(last)
        left = without_id(table.get(key, ()), id_)
        if left:
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
    """The wildcard patterns for one directory; most directories have none."""

    __slots__ = ("_letters", "folders", "heads", "runs", "tails")

    def __init__(self) -> None:
        self.folders: dict[str, _Node[Id]] = {}  # by glob, or `**`
        self.heads: dict[str, dict[str, Ids[Id]]] = {}  # `x*` and others with a literal beginning, by its first letters
        self.tails: dict[str, dict[str, Ids[Id]]] = {}  # `*x`, by its last letters
        self.runs: dict[str, dict[str, Ids[Id]]] = {}  # others by their longest literal run
        self._letters: dict[int, dict[str, list[str]]] | None = None  # the runs by their first letters; None if stale

    def without(self, glob: str) -> "_Wild[Id] | None":
        """Remove the table of *glob* if it is empty; return this object, or None if it is empty as a whole."""
        tables, key = self._place(glob)
        if not tables.get(key, True):
            del tables[key]
            self._letters = None
        return self if self.folders or self.heads or self.tails or self.runs else None

    def table(self, glob: str) -> dict[str, Ids[Id]]:
        """Return the table that stores the ids of a last component."""
        tables, key = self._place(glob)
        table = tables.get(key)
        if table is None:
            table = tables[key] = {}
            self._letters = None
        return table

    def collect(self, name: str, matches: set[Id]) -> None:
        """Add the ids of all globs that match the file *name* to *matches*."""
        for letters in (name[:8], name[:4], name[:2]):
            if (table := self.heads.get(letters)) is not None:
                _collect(table, name, matches)
        for letters in (name[-8:], name[-4:], name[-2:]):
            if (table := self.tails.get(letters)) is not None:
                _collect(table, name, matches)
        for run in self.runs if len(self.runs) <= _MAX_RUNS_TRIED else self._runs_near(name):
            if run in name:
                _collect(self.runs[run], name, matches)

    def _place(self, glob: str) -> tuple[dict[str, dict[str, Ids[Id]]], str]:
        """Return the tables that one for *glob* belongs to, and its key there."""
        if len(head := _WILDCARD.split(glob, 1)[0]) >= 2:
            return self.heads, head[: _letters(head)]
        if len(tail := glob[1:]) >= 2 and glob[0] == "*" and not has_wildcard(tail):
            return self.tails, tail[-_letters(tail) :]
        return self.runs, longest_run(glob)

    def _runs_near(self, name: str) -> Iterator[str]:
        """Return the runs whose first letters occur in *name*: all that occur in it themselves, and few others."""
        if self._letters is None:
            self._letters = {}
            for run in self.runs:
                letters = run[:_RUN_LETTERS]
                self._letters.setdefault(len(letters), {}).setdefault(letters, []).append(run)
        for length, runs in self._letters.items():
            for letters in runs.keys() & {name[start : start + length] for start in range(len(name) - length + 1)}:
                yield from runs[letters]


def _letters(literal: str) -> int:
    """Return the number of letters of its *literal* beginning or end by which a glob is looked up: 2, 4 or 8."""
    return 8 if len(literal) >= 8 else 4 if len(literal) >= 4 else 2


def _collect(table: dict[str, Ids[Id]], name: str, matches: set[Id]) -> None:
    """Add the ids of the globs in *table* that match *name* to *matches*."""
    for glob, ids in table.items():
        if glob_matches(glob, name):
            matches.update(ids)


@dataclass(eq=False, slots=True)
class _State(Generic[Id]):
    """The nodes active in one directory; those in *lasting* are also active below it. Immutable."""

    nodes: tuple[_Node[Id], ...]
    lasting: tuple[_Node[Id], ...]
    below: tuple[Ids[Id], ...]  # the ids of patterns that match the whole directory


def _step(state: _State[Id], name: str) -> _State[Id]:
    """Return the state of the directory *name* within the directory with *state*."""
    entered: list[_Node[Id]] = []
    matched: list[Ids[Id]] = []
    for node in state.nodes:
        if (ids := node.names.get(name)) is not None:
            matched.append(ids)
        if (child := node.folders.get(name)) is not None:
            entered.append(child)
        if node.wild is not None:
            entered += [
                child for glob, child in node.wild.folders.items() if glob != _ANY_DEPTH and glob_matches(glob, name)
            ]
    if not entered and not matched and len(state.nodes) == len(state.lasting):
        return state
    return _entered(entered, state.lasting, (*state.below, *matched))


def _entered(nodes: list[_Node[Id]], lasting: tuple[_Node[Id], ...], below: tuple[Ids[Id], ...]) -> _State[Id]:
    """Return the state with *nodes* newly active, and with the nodes after their `**`."""
    last = dict.fromkeys(lasting)
    by_identity: dict[int, Ids[Id]] = {id(ids): ids for ids in below}
    for node in nodes:
        if (everything := node.names.get(_EVERYTHING)) is not None:
            by_identity[id(everything)] = everything
        if node.wild is not None and (deep := node.wild.folders.get(_ANY_DEPTH)) is not None:
            last[deep] = None
    return _State((*nodes, *last), tuple(last), tuple(by_identity.values()))


def with_id(ids: Ids[Id], id_: Id) -> Ids[Id]:
    """Return *ids* with one more; a set is changed in place."""
    if isinstance(ids, set):
        ids.add(id_)
        return ids
    return {*ids, id_} if ids and ids != (id_,) else (id_,)


def without_id(ids: Ids[Id], id_: Id) -> Ids[Id]:
    """Return *ids* without *id_*; a set is changed in place."""
    if isinstance(ids, set):
        ids.discard(id_)
        return ids or ()
    return () if ids == (id_,) else ids


def _check_names(components: list[str]) -> None:
    if not _IMPOSSIBLE.isdisjoint(components):
        found = next(component for component in components if component in _IMPOSSIBLE)
        if not found:
            raise PatternError("has two slashes in a row")
        raise PatternError(f"has {found} in it; paths start at the root of the tree")


def _check_globs(components: list[str]) -> None:
    for component in components:
        if component != _ANY_DEPTH and has_wildcard(component):
            check_glob(component)


def _without_repeats(folders: list[str]) -> tuple[str, ...]:
    """Return *folders* with each run of `**` reduced to one."""
    if _ANY_DEPTH not in folders:
        return tuple(folders)
    return tuple(
        folder
        for index, folder in enumerate(folders)
        if folder != _ANY_DEPTH or folders[index - 1 : index] != [_ANY_DEPTH]
    )
