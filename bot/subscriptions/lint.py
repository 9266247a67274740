"""Detection of likely mistakes in a query, such as sections and paths that do not exist; none is an error."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from bot.patchwork.states import States
from bot.query.index.globs import has_wildcard
from bot.query.keys import Key
from bot.query.maintainers.file import RuleKind, Section
from bot.query.maintainers.maintainers import Maintainers
from bot.query.query import Query, Term, patterns_of, spelled, terms_of
from bot.query.terms import contradiction
from bot.query.values import ANY_STATE, Regex, Transition
from bot.subscriptions.section_changes import sections_named
from bot.text import one_line

_ANY_DEPTH = "**"
_FILE_NAME = re.compile(r"[\w-]+\.[\w.-]+")  # with an ending
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}")
_VERSION = re.compile(r"[vV][1-9][0-9]{0,2}")
_FOLDER_NAME = re.compile(r"[a-z][a-z0-9_-]*")
MAX_CANDIDATES = 5
_MAX_CHOICES = 2_000  # names of one directory; looking for near ones takes long among more
_SHOWN = 200  # characters of a path
_ALIKE = 0.6  # of 1, as difflib measures it
_ONLY_NAMED = "only the configured files are read."
_MANY = 1_000  # paths; where so many are known, one that is not is likely a mistake


def hints(query: Query) -> tuple[str, ...]:
    """Return the notes on *query* for its author, each once."""
    of_terms = (hint for term in terms_of(query.tree) for hint in _of_term(term))
    return tuple(dict.fromkeys((*_of_contradictions(query), *of_terms)))


def state_doubts(query: Query, servers: Mapping[str, States]) -> tuple[str, ...]:
    """Return notes on states in a *query* that none of the *servers* (by name) has, each once."""
    known = {name: states for name, states in servers.items() if states.is_complete}
    slugs = [slug for term in terms_of(query.tree) if term.key is Key.STATE for slug in _slugs(term)]
    if not known or len(known) < len(servers):
        return ()
    unknown = [slug for slug in slugs if not any(states.has(slug) for states in known.values())]
    return tuple(dict.fromkeys(_state_doubt(slug, name, states) for slug in unknown for name, states in known.items()))


def _slugs(term: Term) -> Iterator[str]:
    for value in term.values:
        sides = (value.before, value.after) if isinstance(value, Transition) else (str(value),)
        yield from (slug for slug in sides if slug != ANY_STATE)


def _state_doubt(slug: str, server: str, states: States) -> str:
    near = get_close_matches(slug, states.names, 1)
    guess = f"; did you mean {Key.STATE}:{near[0]}?" if near else "."
    return f"{server} has no state {slug}{guess} It has {', '.join(sorted(states.names))}"


def _of_contradictions(query: Query) -> Iterator[str]:
    """Yield a note if the query contradicts itself."""
    if (pair := contradiction(query.tree)) is None:
        return
    first, second = pair
    if first == second:
        yield f"{first} is both required and excluded, so nothing matches"
    else:
        either = f"{first.key}:{first.spelled_values},{second.spelled_values}"
        yield f"nothing is both {first} and {second}, so nothing matches; for either: {either}"


def _of_term(term: Term) -> Iterator[str]:
    if term.key is Key.PATH:
        folder = ""
        for value in map(str, term.values):
            yield from _of_path(value, folder)
            folder = value if "/" in value.removesuffix("/") and not has_wildcard(value) else ""
    elif term.key is Key.FROM:
        for name in map(str, term.values):
            if _DOMAIN.fullmatch(name):
                yield f"{Key.FROM}:{name} searches names; for everybody at a domain, use {Key.FROM}:@{name}"
    elif term.key is Key.SUBJECT:
        yield from _of_subject(term)


def _of_subject(term: Term) -> Iterator[str]:
    """Yield notes on subject terms."""
    for regex in term.values:
        if str(regex) == "*":
            yield f"{Key.SUBJECT}:* looks for a star in the subject; for a whole project, use {Key.PROJECT}:NAME"
        if _VERSION.fullmatch(str(regex)):
            yield f"{regex} is looked for in the subject's words; for a version, use {Key.VERSION}:{str(regex)[1:]}"
        if isinstance(regex, Regex) and _FOLDER_NAME.fullmatch(regex.source):
            yield f"{regex} searches the subject; for the directory, use {Key.PATH}:{regex.source}/"


def _of_path(path: str, folder: str) -> Iterator[str]:
    """Yield notes on one path, which follows the directory *folder* if that is not ""."""
    if "/" in path:
        return
    if has_wildcard(path) and path.strip("*"):
        yield f"path:{path} names files at the top of the tree only; for any depth, use path:{_ANY_DEPTH}/{path}"
    elif _FILE_NAME.fullmatch(path):
        yield f"path:{path} is a file at the top of the tree; for any depth, use path:{_ANY_DEPTH}/{path}"
    elif folder and _FOLDER_NAME.fullmatch(path):
        below = folder.removesuffix("/")
        yield f"path:{path} is at the top of the tree; below {below}/, use path:{below}/{path}"


@dataclass(frozen=True)
class KnownTrees:
    """The known part of the trees of a query: their MAINTAINERS, and paths that patches touched."""

    maintainers: tuple[Maintainers, ...] = ()
    seen: Collection[str] = ()

    @cached_property
    def named(self) -> frozenset[str]:
        """The files and directories that rules name without wildcards."""
        rules = (rule for each in self.maintainers for section in each.sections for rule in section.rules)
        plain = (rule.pattern.strip("/") for rule in rules if rule.kind is RuleKind.FILES)
        return frozenset(path for path in plain if path and not has_wildcard(path))

    @cached_property
    def entries(self) -> dict[str, set[str]]:
        """The known entries of each directory; "" is the top."""
        found: dict[str, set[str]] = {}
        for path in (*self.seen, *self.named):
            below = path
            while below:
                folder, _, name = below.rpartition("/")
                entries = found.setdefault(folder, set())
                if name in entries:
                    break
                entries.add(name)
                below = folder
        return found

    def has(self, path: str) -> bool:
        """Return whether *path* is a known file or directory, or is below one that a rule names."""
        folder, _, name = path.rpartition("/")
        if name in self.entries.get(folder, ()):
            return True
        above = path.split("/")
        return any("/".join(above[:length]) in self.named for length in range(1, len(above)))

    def nearest(self, path: str) -> str:
        """Return *path* with its first unknown name replaced by the most similar known one; "" if none is similar."""
        known, names = "", path.split("/")
        for place, name in enumerate(names):
            entries = self.entries.get(known, set())
            if name not in entries:
                near = get_close_matches(name, sorted(entries)[:_MAX_CHOICES], n=1, cutoff=_ALIKE)
                meant = "/".join([*([known] if known else []), *near, *names[place + 1 :]])
                return meant if near and self.has(meant) else ""
            known = f"{known}/{name}" if known else name
        return ""


def doubts(query: Query, trees: KnownTrees) -> tuple[str, ...]:
    """Return a sentence for each section and path in *query* that *trees* lack, with similar ones.

    A path without similar ones is reported only if many paths are known.
    """
    return (*_about_sections(query, trees.maintainers), *_about_paths(query, trees))


def _about_sections(query: Query, maintainers: Sequence[Maintainers]) -> Iterator[str]:
    for value in sections_named(query):
        if not maintainers:
            yield f"maint:{spelled(value)} matches nothing yet: no MAINTAINERS file of the project is known."
            continue
        sections = [(each, section) for each in maintainers for section in each.find(value)]
        found = dict.fromkeys(section.name for _, section in sections)
        if len(found) > 1 and "@" not in value:
            names = _listed(list(found))
            yield f"maint:{spelled(value)} is part of several section names: {names}; it matches them all."
        elif not found:
            near = [] if "@" in value else [name for each in maintainers for name in each.nearest(value)]
            guess = f"did you mean {' or '.join(f'maint:{spelled(name)}' for name in near)}?" if near else _ONLY_NAMED
            what = "not an address in" if "@" in value else "not a section of"
            yield f"maint:{spelled(value)} is {what} MAINTAINERS; {guess}"
        yield from _unusable(sections)


def _unusable(sections: Sequence[tuple[Maintainers, Section]]) -> Iterator[str]:
    """Yield a note for each of *sections* with rules that match nothing, because the bot cannot use them."""
    for file, section in sections[:MAX_CANDIDATES]:
        if rules := [one_line(str(rule), _SHOWN) for rule in file.unusable(section)]:
            what, they = ("the rule", "it matches") if len(rules) == 1 else ("the rules", "they match")
            yield f"the bot cannot use {what} {_listed(rules)} of {section.name}; {they} nothing."


def _about_paths(query: Query, trees: KnownTrees) -> Iterator[str]:
    many = len(trees.seen) + len(trees.named) >= _MANY
    for pattern in patterns_of(query.tree):
        path = pattern.strip("/")
        if has_wildcard(pattern) or trees.has(path):
            continue
        if near := one_line(trees.nearest(path), _SHOWN):
            yield f"path:{pattern} matches no file that was seen so far; did you mean path:{spelled(near)}?"
        elif many:
            yield f"path:{pattern} matches no file that was seen so far; is it spelled as in the tree?"


def _listed(names: list[str]) -> str:
    rest = len(names) - MAX_CANDIDATES
    return ", ".join(names[:MAX_CANDIDATES]) + (f" and {rest} more" if rest > 0 else "")
