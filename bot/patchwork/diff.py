"""The files that a diff touches, with the lines it adds and removes, and the digest that Patchwork computes of it.

The text may be a bare diff, several in a row, a patch mail or an mbox; anything that is not a diff is skipped.

Theory of operation. The scanner jumps from one notable line to the next: one that may start a file's part of the diff,
start a mail or end its message. No hunk can contain two of these, "diff --git" and "From", so the part before them is
skipped without parsing its hunks. A "---" line may be a removed line: in that case the hunks are parsed to find their
end, and the scanner continues from there. Lines are counted afterwards, part by part.

Only the counts in its header tell where a hunk ends. A removed line may read "--- a/x", an added one "+++ b/x", and a
patch that adds a patch contains whole diffs; trusting the counts keeps all of them inside the hunk. Nearly always the
hunks fill their part of the diff to its last line. Then the first characters of all lines are counted at once, and the
last hunk is checked against its header; an earlier hunk ends where the next one starts, because no line of a hunk
begins with "@" (other lines between two hunks are counted with them). Otherwise the hunks are parsed line by line.

A diff pasted into a commit message looks like any other. It counts as a quotation if a "---" line below it is followed
by a diffstat, or by nothing, and then by another diff, because that is how git itself ends a message. In doubt a file
counts as touched.

The digest, the "hash" of Patchwork's API, ignores what a rebase changes: line numbers, blob ids, the names of the two
trees. A series mbox lacks it, so it is computed by the server's own algorithm for each diff that is read, which makes
all of them comparable.
"""

import hashlib
import re
from itertools import chain, takewhile
from typing import Final, NamedTuple

from bot.patchwork.diff_headers import read_header
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
_HUNK = re.compile(r"\n@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@.*")
# Git merges at most 16 parents in practice; the limit bounds the work per line.
_MERGED_HUNK = re.compile(r"\n(@{3,17})((?: -\d{1,9}(?:,\d{1,9})?){2,16}) \+\d{1,9}(?:,(\d{1,9}))? \1.*")
_OLD_COUNT = re.compile(r"-\d+(?:,(\d+))?")
_NO_LINE = re.compile(r"\n[^ +\-\\\r\n]")  # the start of a line that no hunk can contain
_SIGNATURE = "\n-- \n"  # of a mail
OF_NOTHING: Final = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
_NAME = re.compile(r"(---|\+\+\+) (\S+)")
_HUNK_LINE = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", re.ASCII)
_CHANGED_IN_DIGEST = re.compile(r"\n(?:(?:---|\+\+\+) .*|(?![ +\-]).*)")  # lines that do not enter the digest unchanged


_Section = tuple[str, str | None, int, int]
"""One file's part of a diff: its path, its old path if that differs, and the start and end of its hunks."""


class FileSection(NamedTuple):
    """One file's part of a diff: its names as in `FileChange`, the lines of its header, and those of its hunks."""

    path: str
    old_path: str | None
    header: str
    hunks: str


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
        [FileChange(path, old_path, *_count_lines(text, start, end)) for path, old_path, start, end in _sections(text)]
    )


def file_sections(diff: str) -> tuple[str, list[FileSection]]:
    """Return the text before the first file's part of a diff, such as the commit message, and the part of each file.

    Never raises; takes time linear in the text. The lines of hunks end where their headers say.
    """
    text = _framed(diff)
    found: list[FileSection] = []
    before, last = "", 0
    for path, old_path, start, end in _sections(text):
        at = max(text.rfind("\ndiff --", last, start), last)
        if at == last:  # a plain diff begins with its names
            at = max(text.rfind("\n--- ", last, start), last)
        before = before if found else text[:at]
        is_binary = text.endswith("\nGIT binary patch", last, start)
        stop = _end_of_binary(text, start, end) if is_binary else _end_of_hunks(text, start, end)
        found.append(FileSection(path, old_path, text[at:start], text[start:stop]))
        last = stop
    return (before if found else text).strip("\n"), found


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
            limit, end = end, _end_of_hunks(text, start, end)
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


class _Tally(NamedTuple):
    """The numbers of added and removed lines, and the end of the last of them."""

    added: int
    removed: int
    end: int


def _count_lines(text: str, at: int, limit: int) -> tuple[int, int]:
    """Return how many lines the consecutive hunks below the line that ends at *at* add and remove.

    *limit* is the end of the last line that can belong to a hunk, unless a hunk needs more lines.
    """
    last = text.rfind("\n@@ -", at, limit)
    filled = _filled(text, at, last, limit)
    if filled is None:
        return _walk(text, at)[:2]
    added, removed, _ = filled
    if last > at:
        added, removed = added + text.count("\n+", at, last), removed + text.count("\n-", at, last)
    return added, removed


def _end_of_hunks(text: str, at: int, limit: int) -> int:
    """Return the end of the last line of the hunks that `_count_lines` counts."""
    filled = _filled(text, at, text.rfind("\n@@ -", at, limit), limit)
    return _walk(text, at).end if filled is None else filled[2]


def _filled(text: str, at: int, last: int, limit: int) -> tuple[int, int, int] | None:
    """Return the tally of the hunk at *last*; None unless hunks fill the text from *at* to *limit* or a signature."""
    header = _HUNK.match(text, last) if last == at or (last > at and text.startswith("\n@@ -", at)) else None
    if header is None:
        return None
    start, end = header.end(), limit
    old, new = header.groups("1")  # "@@ -3 +3 @@" omits a count of one
    while end >= 0:
        added, removed = text.count("\n+", start, end), text.count("\n-", start, end)
        if text.count("\n", start, end) == int(old) + added == int(new) + removed:
            return added, removed, end
        end = text.rfind(_SIGNATURE, start, limit) if end == limit else -1
    return None


def _end_of_binary(text: str, start: int, limit: int) -> int:
    """Return the end of a binary patch, which the signature of a mail may follow."""
    signature = text.find(_SIGNATURE, start, limit)
    return start + len(text[start : limit if signature == -1 else signature].rstrip("\n"))


def _walk(text: str, at: int) -> _Tally:
    """Return the tally of the hunks from *at*, parsed line by line."""
    added = removed = 0
    while hunk := _hunk(text, at):
        added, removed, at = added + hunk.added, removed + hunk.removed, hunk.end
    return _Tally(added, removed, at)


def _hunk(text: str, at: int) -> _Tally | None:
    """Return the tally of the hunk whose header starts at *at*; None if there is no header."""
    header = _HUNK.match(text, at) or _MERGED_HUNK.match(text, at)
    if not header:
        return None
    start = header.end()
    below = _NO_LINE.search(text, start)
    lines = text[start : below.start() if below else len(text)].split("\n")[1:]
    if header.re is _HUNK:
        added, removed, used = _plain(lines, _count(header[1]), _count(header[2]))
    else:
        old = [_count(match[1]) for match in _OLD_COUNT.finditer(header[2])]
        added, removed, used = _merged(lines, old, _count(header[3]))
    remarks = takewhile(lambda line: line.startswith("\\"), lines[used:])  # "\ No newline at end of file"
    return _Tally(added, removed, start + sum(len(line) + 1 for line in chain(lines[:used], remarks)))


def _count(digits: str | None) -> int:
    return int(digits or 1)  # "@@ -3 +3 @@" omits a count of one


def _plain(lines: list[str], old: int, new: int) -> tuple[int, int, int]:
    """Return the added and removed lines of a hunk of *old* and *new* lines, and how many of *lines* it has.

    Each line counts as an old line, a new line or both, so the next max(old, new) lines certainly belong to the hunk:
    whole slices are counted at once, and few rounds are needed.
    """
    firsts = "".join([line[:1] or " " for line in lines])  # an empty line is a blank context line without its space
    added = removed = used = 0
    while (sure := max(old, new)) > 0:
        signs = firsts[used : used + sure]
        plus, minus = signs.count("+"), signs.count("-")
        both = len(signs) - plus - minus - signs.count("\\")
        added, removed, used = added + plus, removed + minus, used + len(signs)
        old, new = old - minus - both, new - plus - both
        if len(signs) < sure:
            break
    return added, removed, used


def _merged(lines: list[str], old: list[int], new: int) -> tuple[int, int, int]:
    """Return the added and removed lines of a merge's hunk, with a column of signs per parent, and its length."""
    added = removed = used = 0
    while used < len(lines) and (new > 0 or max(old) > 0):
        signs = lines[used][: len(old)].removesuffix("\r").ljust(len(old))
        if not signs.startswith("\\"):
            if signs.strip(" +-"):
                break
            gone = "-" in signs
            mark = "-" if gone else " "  # the sign of a parent that has the line
            old = [left - (sign == mark) for left, sign in zip(old, signs, strict=True)]
            added, removed, new = added + ("+" in signs and not gone), removed + gone, new - (not gone)
        used += 1
    return added, removed, used


def hash_of(diff: str) -> str:
    """Return the SHA-1 of the file names, hunk sizes and hunk lines of *diff*.

    A name ends at white space, and its first component becomes "a" or "b". Nothing else enters the digest, so that of a
    pure rename, a mode change or a binary file is the digest of nothing.
    """
    lines = _CHANGED_IN_DIGEST.sub(_digest_line, "\n" + diff.replace("\r", "").strip())
    text = f"{lines[1:]}\n" if lines else ""
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def proves(digest: str | None) -> bool:
    """Return whether two diffs with this *digest* are certainly equal, which the digest of nothing does not prove."""
    return digest is not None and digest != OF_NOTHING


def _digest_line(notable: re.Match[str]) -> str:
    """Return the part of a line that enters the digest, with the line feed before it; "" if there is none."""
    line = notable[0][1:]
    if name := _NAME.match(line):
        tree = "a" if name[1] == "---" else "b"
        return f"\n{name[1]} {tree}/{name[2].partition('/')[2]}"
    if hunk := _HUNK_LINE.match(line):
        return f"\n@@ -{_digest_count(hunk[1])} +{_digest_count(hunk[2])} @@"
    return notable[0] if line.startswith(("-", "+")) else ""


def _digest_count(digits: str | None) -> str:
    """Return a count without leading zeros, 1 if it is left out, as text because it may exceed any integer."""
    return "1" if digits is None else digits.lstrip("0") or "0"
