"""What a query names that nobody knows: sections that are not there, paths that nothing was ever seen of. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.subscriptions.following import sections_named
from bot.subscriptions.globs import has_wildcard
from bot.subscriptions.maintainers import Maintainers
from bot.subscriptions.maintainers_file import Rule, RuleKind
from bot.subscriptions.paths import PathTrie
from bot.subscriptions.query import Query, patterns_of

MAX_CANDIDATES = 5
_MAX_CHOICES = 20_000  # looking for near names takes long among more
_ALIKE = 0.75  # of 1, as difflib measures it
_MANY = 1_000  # paths; where so many are known, one that is not is likely a mistake


@dataclass(frozen=True, slots=True)
class Trees:
    """What is known of the trees that a query looks at: their MAINTAINERS, and paths that patches touched."""

    maintainers: tuple[Maintainers, ...] = ()
    seen: Collection[str] = ()


def doubts(query: Query, trees: Trees) -> tuple[str, ...]:
    """A sentence for each section and path in *query* that *trees* do not know, with what may be meant.

    A path that is like none that is known is doubted only where many are known.
    """
    return (*_about_sections(query, trees.maintainers), *_about_paths(query, trees))


def _about_sections(query: Query, maintainers: Sequence[Maintainers]) -> Iterator[str]:
    for value in sections_named(query):
        if not maintainers:
            yield f"maint:{_quoted(value)} matches nothing yet: no MAINTAINERS file of the project is known."
            continue
        found = dict.fromkeys(section.name for each in maintainers for section in each.find(value))
        if len(found) > 1 and "@" not in value:
            yield f"maint:{_quoted(value)} is part of several names: {_listed(list(found))}. It takes them all."
        elif not found:
            near = dict.fromkeys(name for each in maintainers for name in each.nearest(value))
            guess = f"; did you mean {' or '.join(f'maint:{_quoted(name)}' for name in near)}?" if near else "."
            yield f"maint:{_quoted(value)} is no section of MAINTAINERS{guess}"


def _about_paths(query: Query, trees: Trees) -> Iterator[str]:
    plain = {rule.pattern.strip("/") for rule in _files(trees.maintainers) if not has_wildcard(rule.pattern)}
    many = len(trees.seen) + len(plain) >= _MANY
    for pattern in patterns_of(query.tree):
        if has_wildcard(pattern) or _is_known(pattern, trees.seen) or _lies_at(pattern.strip("/"), plain):
            continue
        near = get_close_matches(pattern.strip("/"), _places(pattern, trees.seen, plain), n=1, cutoff=_ALIKE)
        if near:
            yield f"path:{pattern} matches no file that was seen so far; did you mean path:{near[0]}?"
        elif many:
            yield f"path:{pattern} matches no file that was seen so far; is it spelled as in the tree?"


def _files(maintainers: Iterable[Maintainers]) -> Iterator[Rule]:
    for section in (section for each in maintainers for section in each.sections):
        yield from (rule for rule in section.rules if rule.kind is RuleKind.FILES)


def _is_known(pattern: str, seen: Collection[str]) -> bool:
    trie: PathTrie[str] = PathTrie()
    trie.add(pattern, pattern)
    return any(trie.matches(path) for path in seen)


def _lies_at(path: str, places: Iterable[str]) -> bool:
    """Whether *path* is one of *places*, or above or below one."""
    return any(path == place or place.startswith(f"{path}/") or path.startswith(f"{place}/") for place in places)


def _places(pattern: str, seen: Iterable[str], named: Iterable[str]) -> list[str]:
    """Files and directories as deep as *pattern*."""
    depth = pattern.strip("/").count("/") + 1
    cut = ("/".join(path.split("/")[:depth]) for path in (*seen, *named))
    return list(dict.fromkeys(cut))[:_MAX_CHOICES]


def _listed(names: list[str]) -> str:
    rest = len(names) - MAX_CANDIDATES
    return ", ".join(names[:MAX_CANDIDATES]) + (f" and {rest} more" if rest > 0 else "")


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value
