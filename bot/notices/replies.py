"""What is answered to a command, as documents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.notices.card import Site, state_name, trailer_counts
from bot.notices.markup import Bullets, Code, Document, Lines, Link, Title, lines, words
from bot.patchwork.model import FileChange, Patch, Series
from bot.patchwork.refs import patch_url, series_url


@dataclass(frozen=True, slots=True)
class Usage:
    """One command as `help` lists it."""

    verb: str
    parameters: str
    summary: str


def said(*sentences: str) -> Document:
    """Plain sentences, a line each."""
    return (Lines(tuple(words(sentence) for sentence in sentences)),)


def usage(commands: Iterable[Usage], prefix: str) -> Document:
    """What can be typed, a line each."""
    return (
        Lines((words("What you can type:"),)),
        Bullets(tuple(words(Code(_spelled(command, prefix)), f" — {command.summary}") for command in commands)),
    )


def patch_shown(patch: Patch, series: Series | None, site: Site, remark: str = "") -> Document:
    """One patch: what it is, how it stands, what it touches."""
    title = Title(patch.name, patch_url(site.url, patch, by_msgid=site.by_msgid))
    who = patch.submitter.name or patch.submitter.email or "an unknown submitter"
    state = state_name(patch.state) if patch.state else "state unknown"
    standing = " · ".join(part for part in (who, state, trailer_counts([patch])) if part)
    of_series = (
        words("in ", Link(series.name, series_url(site.url, series.project, series.id), spelled=False))
        if series is not None
        else ()
    )
    apply = words(Code(f"b4 am {patch.msgid}")) if patch.msgid else ()
    facts = lines([words(standing), of_series, words(remark) if remark else (), apply])
    return (title, *([files_listed(patch.files)] if patch.files else []), facts)


def files_listed(files: Sequence[FileChange]) -> Bullets:
    """The files with the lines added and removed."""
    return Bullets(tuple(words(Code(_file(file)), f" +{file.added} −{file.removed}") for file in files))


def _file(file: FileChange) -> str:
    return f"{file.old_path} → {file.path}" if file.old_path else file.path


def _spelled(command: Usage, prefix: str) -> str:
    return " ".join(part for part in (prefix, command.verb, command.parameters) if part)
