"""What is answered to a command, as documents."""

from collections.abc import Sequence

from bot.notices import fact_lines as facts
from bot.notices.card import Shown, Site, card, patch_title
from bot.notices.markup import Bullets, Code, Document, Line, Lines, Link, lines, words
from bot.patchwork.model import FileChange, Patch, Series


def said(*sentences: str) -> Document:
    """Plain sentences, a line each."""
    return (Lines(tuple(words(sentence) for sentence in sentences)),)


def patch_shown(patch: Patch, series: Series | None, site: Site) -> Document:
    """One patch: what it is, how it stands, what it touches."""
    size = facts.size(patch.files) if patch.files and len(patch.files) > 1 else ""
    told = [
        words(facts.joined([facts.submitter_name(patch.submitter), patch.date[:10], _kind(patch)])),
        _of_series(series, site) if series else (),
        facts.standing([patch], [facts.state_name(patch.state, site.states)] if patch.state else []),
        facts.pull_source(patch),
        words(size) if size else (),
    ]
    is_pull = bool(patch.pull_url)
    more = [
        facts.archive(site.archive, patch.archive_url, patch.msgid, site.allowed),
        facts.apply_command(patch.msgid, is_pull=is_pull),
        () if is_pull else facts.git_pw_command("patch", patch.id),
    ]
    return (patch_title(patch, site), lines(told), files_listed(patch.files or ()), lines(more))


def series_shown(series: Series, patches: Sequence[Patch], site: Site) -> Document:
    """One series, as its card has it."""
    shown = Shown(tuple(patches), series)
    return (*card(shown, site), *((lines([facts.git_pw_command("series", series.id)]),) if not shown.pull else ()))


def files_listed(files: Sequence[FileChange]) -> Bullets:
    """The files with the lines added and removed."""
    return Bullets(tuple(words(Code(_file(file)), f" +{file.added} −{file.removed}") for file in files))


def _kind(patch: Patch) -> str:
    return facts.PULL_REQUEST if patch.pull_url else ""


def _of_series(series: Series, site: Site) -> Line:
    return words("in ", Link(facts.named(series.name, f"series {series.id}"), site.series(series)))


def _file(file: FileChange) -> str:
    return f"{file.old_path} → {file.path}" if file.old_path else file.path
