"""Finds likely mistakes in a query, none of them a reason to refuse it."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from bot.patchwork.states import States
from bot.query.contradictions import contradiction
from bot.query.index.globs import has_wildcard
from bot.query.query import Key, Query, Term, terms_of
from bot.query.values import ANY_STATE, Regex, Transition

_ANY_DEPTH = "**"
_FILE_NAME = re.compile(r"[\w-]+\.[\w.-]+")  # with an ending
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}")
_VERSION = re.compile(r"[vV][1-9][0-9]{0,2}")
_FOLDER_NAME = re.compile(r"[a-z][a-z0-9_-]*")


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
    """What can never match."""
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
    """Remarks about words of the subject."""
    for regex in term.values:
        if str(regex) == "*":
            yield f"{Key.SUBJECT}:* looks for a star in the subject; for a whole project, use {Key.PROJECT}:NAME"
        if _VERSION.fullmatch(str(regex)):
            yield f"{regex} is looked for in the subject's words; for a version, use {Key.VERSION}:{str(regex)[1:]}"
        if isinstance(regex, Regex) and _FOLDER_NAME.fullmatch(regex.source):
            yield f"{regex} searches the subject; for the directory, use {Key.PATH}:{regex.source}/"


def _of_path(path: str, folder: str) -> Iterator[str]:
    """Remarks about one path, which stands after the directory *folder*, if after any that lies deeper."""
    if path.startswith("-"):
        yield f"path:{path} selects a file of that name; to exclude it: -path:{path[1:]}"
    elif "/" in path:
        return
    elif has_wildcard(path) and path.strip("*"):
        yield f"path:{path} names files at the top of the tree only; for any depth, use path:{_ANY_DEPTH}/{path}"
    elif _FILE_NAME.fullmatch(path):
        yield f"path:{path} is a file at the top of the tree; for any depth, use path:{_ANY_DEPTH}/{path}"
    elif folder and _FOLDER_NAME.fullmatch(path):
        below = folder.removesuffix("/")
        yield f"path:{path} is at the top of the tree; below {below}/, use path:{below}/{path}"
