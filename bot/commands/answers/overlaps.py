"""Composes the answer about open submissions that touch the same files. Pure."""

from collections.abc import Sequence
from typing import Final

from bot.notices import fact_lines as facts
from bot.notices.card import ServerLinks, submission_title
from bot.notices.markup import Bullets, Code, Document, Line, Link, Title, lines, words
from bot.patchwork.model import version_of
from bot.submission import Submission
from bot.text import cut

_MAX_TITLE: Final = 100
_MAX_PATHS: Final = 3
_MAX_PATH: Final = 60


def overlaps_shown(title: Title, files: int, total: int, listed: Sequence[Line], more: tuple[Line, ...]) -> Document:
    """Return *listed* submissions, of *total*, that touch some of the *files* of the one with this *title*."""
    told = f"{total} other open submissions touch" if total > 1 else "1 other open submission touches"
    its = "its file" if files == 1 else f"some of its {files} files"
    head = (
        f"{told} {its}:" if total else f"No other open submission touches {'its file' if files == 1 else 'its files'}."
    )
    return (title, lines([words(head)]), Bullets(tuple(line for line in listed if line)), lines(more))


def overlap_line(submission: Submission, paths: Sequence[str], site: ServerLinks) -> Line:
    """Return a line with a submission, and which files it has in common with the other."""
    title, series = submission_title(submission, site), submission.series
    person = series.submitter if series else submission.patches[0].submitter
    version = f"v{version_of(series).number}" if series and series.version > 1 else ""
    states = facts.state_words(submission.patches, site.states)
    told = facts.joined([facts.submitter_name(person), version])
    rest = len(paths) - _MAX_PATHS
    named: list[str | Code] = []
    for path in paths[:_MAX_PATHS]:
        named += [", " if named else "", Code(cut(path, _MAX_PATH))]
    return words(
        Link(cut(title.text, _MAX_TITLE), title.url, spelled=False),
        f" · {told} · ",
        *states,
        f" · {facts.counted(len(paths), 'file')}: ",
        *named,
        f" and {rest} more" if rest > 0 else "",
    )
