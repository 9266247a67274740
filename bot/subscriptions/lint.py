"""Detection of likely mistakes in a query, such as sections and paths that do not exist; none is an error."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Final

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
USUAL_STATES: Final = (  # of each new Patchwork
    "new",
    "under-review",
    "accepted",
    "rejected",
    "rfc",
    "not-applicable",
    "changes-requested",
    "awaiting-upstream",
    "superseded",
    "deferred",
)
_STATES_ELSEWHERE: Final = {
    **dict.fromkeys(("merged", "applied", "committed", "queued", "upstream", "landed", "done", "accept"), "accepted"),
    **dict.fromkeys(("open", "pending", "todo", "unreviewed", "waiting", "needs-review"), "new"),
    **dict.fromkeys(("reviewing", "in-review", "review"), "under-review"),
    **dict.fromkeys(("declined", "nacked", "nak", "nack", "closed", "refused", "denied"), "rejected"),
    **dict.fromkeys(("obsolete", "outdated", "replaced", "old"), "superseded"),
    **dict.fromkeys(("changes", "rework", "needs-changes", "needs-work", "revise"), "changes-requested"),
    **dict.fromkeys(("draft", "wip"), "rfc"),
}
_NOT_KNOWN: Final = ("is not known to have a", "are not known to have a")
_ADDRESS = re.compile(r"[^\s@<>]+@[\w-]+(?:\.[\w-]+)+")
_EVERYTHING: Final = frozenset({"all", "everything", "anything", "any"})
_PREFIX_WORDS: Final = frozenset({"RFC", "RFT", "RESEND", "PULL", "WIP"})
_ALIKE = 0.6  # of 1, as difflib measures it
_ONLY_NAMED = "only the configured files are read."
_MANY = 1_000  # paths; where so many are known, one that is not is likely a mistake


def hints(query: Query) -> tuple[str, ...]:
    """Return the notes on *query* for its author, each once."""
    of_terms = (hint for term in terms_of(query.tree) for hint in _of_term(term))
    return tuple(dict.fromkeys((*_of_contradictions(query), *of_terms)))


def name_doubts(query: Query, servers: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return notes on projects and servers in a *query* that are not watched; *servers* has the projects of each."""
    projects = sorted({project for names in servers.values() for project in names})
    known = {Key.PROJECT: projects, Key.SERVER: sorted(servers)}
    found: list[str] = []
    for term in terms_of(query.tree):
        names = known.get(term.key, [])
        folded_names = {name.casefold(): name for name in names}
        found += [
            _name_doubt(term.key, str(value), folded_names)
            for value in term.values
            if term.key in known and str(value).casefold() not in folded_names
        ]
    return tuple(dict.fromkeys(found))


def _name_doubt(key: Key, name: str, known: Mapping[str, str]) -> str:
    typed = name.casefold()[:_SHOWN]
    near = get_close_matches(typed, known, n=1) or [each for each in known if typed in each or each in typed]
    guess = f"did you mean {key}:{spelled(known[near[0]])}?" if near else f"watched: {_listed(list(known.values()))}."
    return f"{key}:{spelled(name)} is not watched; {guess}"


def state_doubts(query: Query, servers: Mapping[str, States]) -> tuple[str, ...]:
    """Return notes on states in a *query* that none of the *servers* (by name) has, each once.

    Of a server whose states are not known yet, those are expected that each Patchwork begins with.
    """
    slugs = [slug for term in terms_of(query.tree) if term.key is Key.STATE for slug in _slugs(term)]
    unknown = [slug for slug in slugs if servers and not any(_has_state(states, slug) for states in servers.values())]
    return tuple(dict.fromkeys(_state_doubt(slug, servers) for slug in unknown))


def known_states(servers: Collection[States]) -> frozenset[str]:
    """Return the states that *servers* have, or are expected to have as long as nobody knows."""
    return frozenset(slug for states in servers for slug in _slugs_of(states)) or frozenset(USUAL_STATES)


def _slugs_of(states: States) -> Collection[str]:
    return states.names if states.is_complete else {**dict.fromkeys(USUAL_STATES), **states.names}


def _has_state(states: States, slug: str) -> bool:
    return states.has(slug) or (not states.is_complete and slug in USUAL_STATES)


def _slugs(term: Term) -> Iterator[str]:
    for value in term.values:
        sides = (value.before, value.after) if isinstance(value, Transition) else (str(value),)
        yield from (slug for slug in sides if slug != ANY_STATE)


def _state_doubt(slug: str, servers: Mapping[str, States]) -> str:
    known = sorted(known_states(servers.values()))
    meant = [_STATES_ELSEWHERE[slug]] if _STATES_ELSEWHERE.get(slug) in known else get_close_matches(slug, known, 1)
    guess = f"; did you mean {Key.STATE}:{meant[0]}?" if meant else "."
    verbs = ("has no", "have no") if all(each.is_complete for each in servers.values()) else _NOT_KNOWN
    have = f"{' and '.join(servers)} {verbs[len(servers) > 1]}"
    return f"{have} state {slug}{guess} Known: {', '.join(known)}"


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
        if _ADDRESS.fullmatch(str(regex)):
            yield f"{regex} is looked for in the subject; for what they sent, use {Key.FROM}:{regex}"
        if str(regex).upper() in _PREFIX_WORDS:
            yield f"{regex} is looked for in the subject's words; for the prefix, use {Key.PREFIX}:{str(regex).upper()}"
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


def word_hints(query: Query, projects: Collection[str], directories: Collection[str]) -> tuple[str, ...]:
    """Return notes on words that are looked for in subjects, and are the names of *projects* or top *directories*."""
    found: list[str] = []
    for term in terms_of(query.tree):
        for word in map(str, term.values) if term.key is Key.SUBJECT else ():
            if word.casefold() in {project.casefold() for project in projects}:
                found.append(f"{word} is looked for in the subject; for the whole project, use {Key.PROJECT}:{word}")
            elif word in directories:
                found.append(f"{word} is looked for in the subject; for the directory, use {Key.PATH}:{word}/")
            elif word.casefold() in _EVERYTHING:
                name = next(iter(projects), "NAME")
                found.append(f"{word} is looked for in the subject; for all of a project, use {Key.PROJECT}:{name}")
    return tuple(dict.fromkeys(found))


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
