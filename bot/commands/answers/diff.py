"""What a patch changes, as far as it fits into a message."""

from collections.abc import Iterable, Sequence

from bot.commands.answers.patch import files_listed
from bot.notices import fact_lines as facts
from bot.notices.card import Site, patch_title, series_title
from bot.notices.markup import MAX_BODY_BYTES, Block, Document, Link, cut, lines, longest, words
from bot.patchwork.model import FileChange, Patch, Series

_LONGEST_LINE = 300


def diff_shown(patch: Patch, diff: str, site: Site) -> Document:
    """The beginning of a patch's diff, whole lines; where something is missing, how much, and where it is."""
    shown = _first_lines(diff)
    total = diff.count("\n") + (not diff.endswith("\n"))

    def first(count: int) -> Document:
        rest = total - count
        more = words(f"… {rest:,} more {'line' if rest == 1 else 'lines'}: ", Link("the patch", site.patch(patch)))
        head = (patch_title(patch, site), lines([words(facts.size(patch.files or ()))]))
        return (*head, Block("\n".join(shown[:count])), lines([more] if rest else []))

    return longest(first, len(shown), site.allowed)


def _first_lines(diff: str) -> list[str]:
    """The first lines, long ones cut, as many as may fit at all: a diff can have megabytes."""
    found: list[str] = []
    start, room = 0, MAX_BODY_BYTES
    while start < len(diff) and room > 0:
        end = diff.find("\n", start)
        end = len(diff) if end == -1 else end
        found.append(cut(diff[start:end].removesuffix("\r"), _LONGEST_LINE))
        start, room = end + 1, room - len(found[-1]) - 1
    return found


def diffstat_shown(series: Series, patches: Sequence[Patch], site: Site) -> Document:
    """The files that a series touches, those with most lines first."""
    files = summed(file for patch in patches for file in patch.files or ())
    count = f"{len(patches)} {'patch' if len(patches) == 1 else 'patches'}"
    told = words(facts.joined([count, facts.size(files) or "no files"]))
    return (series_title(series, site), lines([told]), files_listed(files))


def summed(files: Iterable[FileChange]) -> list[FileChange]:
    """One entry a file, with the lines of all patches, the most first."""
    found: dict[str, FileChange] = {}
    for file in files:
        known = found.get(file.path, FileChange(file.path))
        old = known.old_path or file.old_path
        found[file.path] = FileChange(file.path, old, known.added + file.added, known.removed + file.removed)
    return sorted(found.values(), key=lambda file: (-file.added - file.removed, file.path))
