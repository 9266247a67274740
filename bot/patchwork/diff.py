"""The files that a diff touches.

The text may be a bare diff, several in a row, a patch mail or an mbox. It is read once, line by line
outside of hunks (see `hunks`), and whatever is no diff is skipped.

A diff pasted into a commit message looks like any other. It is taken for a quotation where a "---" line
below it is followed by a diffstat, or by nothing, and then by another diff: that is where git itself ends
the message. In doubt a file counts as touched.
"""

import re
from dataclasses import dataclass, replace

from bot.patchwork.hunks import Page, tally
from bot.patchwork.model import FileChange
from bot.patchwork.quoting import name_in_header, name_of, name_of_pair, new_name_in_header, unquote

MAX_FILES = 20_000
"""No more files are returned; Linux treewide patches touch about 10,000."""

_GIT = "diff --git "
_COMBINED = ("diff --cc ", "diff --combined ")
_EXTENDED = (
    "index ",
    "old mode ",
    "new mode ",
    "mode ",
    "new file mode ",
    "deleted file mode ",
    "similarity index ",
    "dissimilarity index ",
    "rename from ",
    "rename to ",
    "copy from ",
    "copy to ",
    "GIT binary patch",
    "Binary file",
)
_MOVED = re.compile(r"(?:rename|copy) (from|to) (.+)")
_NOTABLE = re.compile(r"[dF-]")  # a diff, a mail or the end of a message may begin with these
_MAIL = re.compile(r"From \S+ +\w{3} +\w{3} +\d{1,2} \d\d:\d\d:\d\d \d{4}")
_STAT = re.compile(r" (?:\d+ files? changed|[^|]*\| +(?:\d|Bin))")


@dataclass(frozen=True, slots=True)
class _Section:
    """One file's part of a diff, before its hunks are counted."""

    path: str
    old_path: str | None
    body: int  # the number of the line where hunks may begin


@dataclass(frozen=True, slots=True)
class _Mail:
    """The mail being read: where it starts, and whether the files found may be quotations."""

    start: int  # its first line
    files_before: int
    in_message: bool = True
    separator: int | None = None  # a "---" line that may have ended the message


def changed_files(diff: str) -> tuple[FileChange, ...]:
    """The files that *diff* touches, in its order; one that several diffs touch comes as often.

    Never raises; takes time linear in the text; at most MAX_FILES files.
    """
    page = Page.of(diff)
    files: list[FileChange] = []
    mail = _Mail(start=0, files_before=0)
    at = 0
    while len(files) < MAX_FILES and (notable := _NOTABLE.search(page.firsts, at)):
        at = notable.start()
        if section := _section(page, at):
            mail = _at_diff(page, at, mail, files)
            added, removed, at = tally(page, section.body)
            files.append(FileChange(section.path, section.old_path, added, removed))
        else:
            mail = _at_text(page.lines[at], at, mail, len(files))
            at += 1
    return tuple(files)


def _at_text(line: str, at: int, mail: _Mail, files: int) -> _Mail:
    """What is known of the mail after a line outside of any diff."""
    if _MAIL.match(line):
        return _Mail(start=at, files_before=files)
    if mail.in_message and mail.separator is None and line.rstrip() == "---":
        return replace(mail, separator=at)
    return mail


def _at_diff(page: Page, at: int, mail: _Mail, files: list[FileChange]) -> _Mail:
    """What is known of the mail where a diff starts; takes back the *files* that its message quoted."""
    if not mail.in_message:
        return mail
    is_first = len(files) == mail.files_before
    if is_first and not any(map(str.strip, page.lines[mail.start : at])):
        return replace(mail, in_message=False)  # no message at all
    if mail.separator is None:
        return mail
    if not _ends_message(page.lines[mail.separator + 1 : at]):
        return replace(mail, separator=None)
    del files[mail.files_before :]
    return replace(mail, in_message=False)


def _ends_message(between: list[str]) -> bool:
    """Whether what stands between a "---" and a diff shows that git wrote both."""
    return any(map(_STAT.match, between)) or not any(map(str.strip, between))


def _section(page: Page, at: int) -> _Section | None:
    """The part of a file that starts at line *at*, by whichever header."""
    line = page.lines[at].removesuffix("\r")
    if line.startswith(_GIT):
        return _git_section(page, at, line.removeprefix(_GIT))
    if line.startswith(_COMBINED):
        return _combined_section(page, at, line.split(" ", 2)[2])
    if line.startswith("--- ") and page.starts_with(at + 2, "@@ -"):
        return _plain_section(page, at)
    return None


def _git_section(page: Page, at: int, names: str) -> _Section | None:
    """A "diff --git" header with what belongs to it; alone it says nothing, and git skips it too."""
    end = _after_extended(page, at + 1)
    shown = _shown_path(page, end)
    if end == at + 1 and shown is None:
        return None
    moved = _moved(page.lines[at + 1 : end])
    path = moved.get("to") or name_in_header(names) or shown or new_name_in_header(names)
    if not path:
        return None
    old = moved.get("from") or path
    return _Section(path, old if old != path else None, body=end if shown is None else end + 2)


def _combined_section(page: Page, at: int, name: str) -> _Section | None:
    """A merge's "diff --cc" header; it names the file without a prefix."""
    end = _after_extended(page, at + 1)
    shown = _shown_path(page, end)
    path = unquote(name)
    if not path or (end == at + 1 and shown is None):
        return None
    return _Section(path, None, body=end if shown is None else end + 2)


def _plain_section(page: Page, at: int) -> _Section | None:
    """A diff without any header but its "---" and "+++" lines."""
    path = _shown_path(page, at)
    return _Section(path, None, body=at + 2) if path else None


def _after_extended(page: Page, at: int) -> int:
    """The number of the first line from *at* that is no extended header line."""
    while page.starts_with(at, _EXTENDED):
        at += 1
    return at


def _shown_path(page: Page, at: int) -> str | None:
    """The file named by a "---" line at *at* and the "+++" line below it; None where there are none."""
    if not (page.starts_with(at, "--- ") and page.starts_with(at + 1, "+++ ")):
        return None
    old, new = (name_of(line[4:].removesuffix("\r")) for line in page.lines[at : at + 2])
    return name_of_pair(old, new)


def _moved(extended: list[str]) -> dict[str, str]:
    """The names of a rename or copy under "from" and "to"; they carry no prefix."""
    found = map(_MOVED.match, extended)
    return {match[1]: unquote(match[2].removesuffix("\r")) for match in found if match}
