"""Subjects as they were mailed, as far as Patchwork keeps them: prefixes in one pair of brackets, then the title. Pure.

Patchwork drops "PATCH" and the list's own prefix, and puts commas between the others. A series' own name lacks them
all, so they are taken from the cover letter, or from the patches.
"""

from collections.abc import Collection, Iterable

from bot.patchwork.model import Patch, Series, bare_subject, number_of, prefixes_of
from bot.patchwork.versions import Version, version_of


def series_subject(series: Series) -> str:
    """Return the subject of a series' cover letter: "[RFC v3 0/3] title".

    Without one it is the series' name, with the prefixes that its patches have in common. Versions from 2 on are always
    among them.
    """
    name = series.cover_name or series.name
    tokens = prefixes_of(name) or common_prefixes(ref.name for ref in series.patches)
    return _written(name, with_version(tokens, version_of(series)))


def patch_subject(patch: Patch, series: Series | None = None) -> str:
    """Return the subject of a patch; *series* is the one that it is the only patch of, whose version it then has."""
    tokens = prefixes_of(patch.name)
    return _written(patch.name, with_version(tokens, Version(series.version)) if series else tokens)


def short_subject(patch: Patch, prefixes: Collection[str]) -> str:
    """Return the subject of a patch below that of its series, whose *prefixes* it does not repeat: "3/5 title"."""
    known = {prefix.casefold() for prefix in prefixes}
    tokens = [token for token in prefixes_of(patch.name) if token.casefold() not in known]
    number = patch.number
    shown = [token for token in tokens if number is None or number_of(f"[{token}]") is None]
    brackets = f"[{' '.join(shown)}] " if shown else ""
    return f"{f'{number[0]}/{number[1]} ' if number else ''}{brackets}{bare_subject(patch.name)}"


def common_prefixes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the bracket tokens that all *names* have, without numbers, in the order of the first."""
    all_of_them = [[token for token in prefixes_of(name) if number_of(f"[{token}]") is None] for name in names]
    if not all_of_them:
        return ()
    return tuple(token for token in all_of_them[0] if all(token in other for other in all_of_them))


def with_version(tokens: tuple[str, ...], version: Version) -> tuple[str, ...]:
    """Return *tokens* with the version in front of the number, if it is 2 or more and not among them."""
    name = str(version)
    if version <= Version(1) or any(token.casefold() == name for token in tokens):
        return tokens
    at = next((place for place, token in enumerate(tokens) if number_of(f"[{token}]")), len(tokens))
    return (*tokens[:at], name, *tokens[at:])


def _written(name: str, tokens: tuple[str, ...]) -> str:
    title = bare_subject(name)
    is_all_brackets = bool(prefixes_of(name)) and title == name
    return name if is_all_brackets or not tokens else f"[{' '.join(tokens)}] {title}"
