"""Determines the files that a diff touches.

The text may be a bare diff, several in a row, a patch mail or an mbox; anything that is not a diff is skipped.

Theory of operation. The scanner jumps from one notable line to the next: one that may start a file's part of the diff,
start a mail or end its message. No hunk can contain two of these, "diff --git" and "From", so the part before them is
skipped without parsing its hunks. A "---" line may be a removed line: in that case the hunks are parsed to find their
end (see `hunks`), and the scanner continues from there. Lines are counted afterwards, part by part.

A diff pasted into a commit message looks like any other. It counts as a quotation if a "---" line below it is followed
by a diffstat, or by nothing, and then by another diff, because that is how git itself ends a message. In doubt a file
counts as touched.
"""

import re
from typing import NamedTuple

from bot.patchwork.diff.headers import read_header
from bot.patchwork.diff.hunks import count_lines, end_of_hunks
from bot.patchwork.model import FileChange

MAX_FILES = 20_000
"""The maximum number of files returned; Linux treewide patches touch about 10,000."""

# The usual headers of git and of plain diffs are matched as a whole, with the name of the file as a group.
_NOTABLE = re.compile(
    r"""
    \n(?:
        diff\ --(?:
            git\ a/([^\s/]\S*)\ b/\1
            (?:\n(?:new|deleted)\ file\ mode\ .*)? \nindex\ .* \n---\ .* \n\+\+\+\ .*
        |) |
        ---(?:\ a/([^\s/]\S*) \n\+\+\+\ b/\2 (?=\n@@\ -) | \s) |
        From[ ]
    )
    """,
    re.VERBOSE,
)
_MAIL = re.compile(r"From \S+ +\w{3} +\w{3} +\d{1,2} \d\d:\d\d:\d\d \d{4}")
_SEPARATOR = re.compile(r"---\s*\n")
_STAT = re.compile(r"^ (?:\d+ files? changed|[^|\n]*\| +(?:\d|Bin))", re.MULTILINE)


_Section = tuple[str, str | None, int, int]
"""One file's part of a diff: its path, its old path if that differs, and the start and end of its hunks."""


class _Mail(NamedTuple):
    """The mail being scanned, whose message may quote the files found since its start."""

    start: int  # offset of its first line
    files_before: int
    separator: int | None = None  # a "---" line that may have ended the message


_AT_START = _Mail(start=0, files_before=0)
_PAST_MESSAGE = _Mail(start=-1, files_before=0)  # files found from here on are final


def changed_files(diff: str) -> tuple[FileChange, ...]:
    """Return the files that *diff* touches, in its order, with repetitions if several diffs touch the same file.

    Never raises; takes time linear in the text; returns at most MAX_FILES files.
    """
    text = _framed(diff)
    return tuple(
        [FileChange(path, old_path, *count_lines(text, start, end)) for path, old_path, start, end in _sections(text)]
    )


def touched_paths(diff: str) -> list[str]:
    """Return the old and new names of the files that *diff* touches, in order; much faster than `changed_files`."""
    names: list[str] = []
    for path, old_path, _, _ in _sections("\n" + diff):
        if old_path is not None:
            names.append(old_path)
        names.append(path)
    return names


def without_message(body: str) -> str:
    """Return the diff at the end of a mail written by Patchwork, whose message has none; "" if there is no diff."""
    text = _framed(body)
    for notable in _NOTABLE.finditer(text):
        if read_header(text, notable.start()):
            return text[notable.start() + 1 :]
    return ""


def _framed(diff: str) -> str:
    """Return *diff* with a line feed before and after each line, and without empty lines at the end."""
    return "\n" + diff.rstrip("\n") + "\n"


def _sections(text: str) -> list[_Section]:
    sections: list[_Section] = []
    mail = _AT_START
    search = _NOTABLE.search
    notable = search(text)
    while notable and len(sections) < MAX_FILES:
        at = notable.start()
        path, old_path, start = notable[1] or notable[2], None, notable.end()
        if not path or "./" in path or "//" in path:
            header = None if notable[0] == "\n---\n" else read_header(text, at)
            if header is None:
                mail = _at_text(text, at + 1, mail, len(sections))
                notable = search(text, at + 1)
                continue
            path, old_path, start = header
        if mail is not _PAST_MESSAGE:
            mail = _at_diff(text, at, mail, sections)
        notable = search(text, start)
        end = notable.start() if notable else len(text) - 1
        if notable and text[end + 1] == "-":  # possibly a removed line
            limit, end = end, end_of_hunks(text, start, end)
            if end != limit:
                notable = search(text, end)
        sections.append((path, old_path, start, end))
    return sections


def _at_text(text: str, at: int, mail: _Mail, files: int) -> _Mail:
    """Return the state of the mail after a notable line outside any diff."""
    if text[at] == "F":
        return _Mail(start=at, files_before=files) if _MAIL.match(text, at) else mail
    if mail is not _PAST_MESSAGE and mail.separator is None and _SEPARATOR.match(text, at):
        return _Mail(mail.start, mail.files_before, separator=at)
    return mail


def _at_diff(text: str, at: int, mail: _Mail, sections: list[_Section]) -> _Mail:
    """Return the state of the mail at the start of a diff, and drop the files that its message only quoted."""
    if mail.separator is None:
        is_first = len(sections) == mail.files_before
        return _PAST_MESSAGE if is_first and not text[mail.start : at].strip() else mail  # there was no message
    if not _ends_message(text, mail.separator + 3, at):
        return _Mail(mail.start, mail.files_before)
    del sections[mail.files_before :]
    return _PAST_MESSAGE


def _ends_message(text: str, start: int, end: int) -> bool:
    """Return whether the text between a "---" line and a diff shows that git wrote both."""
    between = text[start:end]
    return _STAT.search(between) is not None or not between.strip()
