"""What a query names that nobody knows: sections that are not there, paths that nothing was ever seen of. Pure."""

from collections.abc import Collection, Iterable, Iterator
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


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known of a project's tree: its MAINTAINERS, and paths that patches touched."""

    maintainers: Maintainers | None = None
    seen: Collection[str] = ()


def doubts(query: Query, tree: Tree) -> tuple[str, ...]:
    """A sentence for each section and path in *query* that *tree* does not know, with what may be meant."""
    return (*_about_sections(query, tree.maintainers), *_about_paths(query, tree))


def _about_sections(query: Query, maintainers: Maintainers | None) -> Iterator[str]:
    for value in sections_named(query):
        if maintainers is None:
            yield f"maint:{_quoted(value)} matches nothing yet: no MAINTAINERS file of the project is known."
            continue
        found = maintainers.find(value)
        if len(found) > 1 and "@" not in value:
            names = [section.name for section in found]
            yield f"maint:{_quoted(value)} is part of several names: {_listed(names)}. It takes them all."
        elif not found:
            near = maintainers.nearest(value)
            guess = f"; did you mean {' or '.join(f'maint:{_quoted(name)}' for name in near)}?" if near else "."
            yield f"maint:{_quoted(value)} is no section of MAINTAINERS{guess}"


def _about_paths(query: Query, tree: Tree) -> Iterator[str]:
    """Paths are only doubted where many are known."""
    named = [rule.pattern for rule in _files(tree.maintainers)]
    if not tree.seen and not named:
        return
    plain = {pattern.strip("/") for pattern in named if not has_wildcard(pattern)}
    for pattern in patterns_of(query.tree):
        if has_wildcard(pattern) or _is_known(pattern, tree.seen) or _lies_at(pattern.strip("/"), plain):
            continue
        near = get_close_matches(pattern.strip("/"), _places(pattern, tree.seen, plain), n=1, cutoff=0.75)
        guess = f"did you mean path:{near[0]}?" if near else "is it spelled as in the tree?"
        yield f"path:{pattern} matches no file that was seen so far; {guess}"


def _files(maintainers: Maintainers | None) -> Iterator[Rule]:
    for section in maintainers.sections if maintainers else ():
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
