"""The lines of a patch that matter when it is compared with another version of it, and their fingerprint. Pure.

As in `git range-diff`, line numbers and blob ids are left out, since they change with every rebase; each file and each
hunk has a heading with the file's name. Of the message, what `git am` drops is left out, and the trailers that
reviewers gave, which Patchwork adds to the mails of the former version, too.

A fingerprint is a digest of all lines, then four bytes for each of them, its CRC-32. It is all that the store has of
a diff: enough to decide how much two diffs have in common, and too little to show anything. Only digests decide that
two diffs are equal, so nobody gains anything from different lines with the same CRC.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bot.patchwork.diff import FileSection, file_sections

MAX_LINES: Final = 4_000  # of a diff that is compared with others by its lines; one patch in two hundred is longer
MAX_SHOWN_LINES: Final = 40_000  # of a diff whose changes are shown
MAX_WIDTH: Final = 1_000  # characters of a line that are compared and shown
MAX_MESSAGE: Final = 400  # lines
_DIGEST: Final = 8  # bytes
_HUNK = re.compile(r"@@ -[\d,]+ \+[\d,]+ @@")
_MODE = re.compile(r"^(old|new) mode (\d{6})", re.MULTILINE)
_REVIEW = re.compile(r"(?:acked|reviewed|tested)-by:", re.IGNORECASE)
_END_OF_MESSAGE = re.compile(r"^---\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PatchLines:
    """The lines of a patch's message, and of its diff with headings."""

    message: tuple[str, ...]
    diff: tuple[str, ...]


def read_lines(mail: str) -> PatchLines:
    """Return the lines of the message and the diff in the body of a patch's mail; never raises, takes linear time."""
    before, sections = file_sections(mail)
    message = _END_OF_MESSAGE.split(before, maxsplit=1)[0].strip()
    told = [line.rstrip()[:MAX_WIDTH] for line in message.split("\n", MAX_MESSAGE)[:MAX_MESSAGE]]
    kept = [line for line in told if not _REVIEW.match(line)]
    while kept and not kept[-1]:
        kept.pop()
    return PatchLines(tuple(kept), tuple(islice(_diff_lines(sections), MAX_SHOWN_LINES)))


def fingerprint_of(diff: str) -> bytes:
    """Return the fingerprint of a diff, which a message may precede; b"" if there is none, or it is too long."""
    return fingerprint(list(islice(_diff_lines(file_sections(diff)[1]), MAX_LINES + 1)))


def fingerprint(lines: Sequence[str]) -> bytes:
    """Return the fingerprint of *lines*; b"" if there are none, or more than `MAX_LINES`."""
    if not lines or len(lines) > MAX_LINES:
        return b""
    encoded = [line.encode("utf-8", "replace") for line in lines]
    digest = hashlib.blake2b(b"\n".join(encoded), digest_size=_DIGEST)
    return digest.digest() + b"".join(zlib.crc32(line).to_bytes(4, "little") for line in encoded)


def line_numbers(mark: bytes) -> Sequence[int]:
    """Return the numbers of the lines in a fingerprint; equal lines have equal numbers."""
    body = mark[_DIGEST:]
    return struct.unpack(f"<{len(body) // 4}I", body[: len(body) // 4 * 4])


def is_same(mark: bytes, other: bytes) -> bool:
    """Return whether two fingerprints are those of equal diffs."""
    return bool(mark) and mark[:_DIGEST] == other[:_DIGEST]


def _diff_lines(sections: Sequence[FileSection]) -> Iterator[str]:
    for section in sections:
        yield f" ## {_heading(section)} ##"
        for line in section.hunks.split("\n")[1:]:
            if heading := _HUNK.match(line):
                yield f"@@ {section.path}:{line[heading.end() :]}"[:MAX_WIDTH].rstrip()
            else:
                yield line[:MAX_WIDTH].removesuffix("\r") or " "


def _heading(section: FileSection) -> str:
    """Return the name of a file, and what happened to it besides its lines."""
    name = f"{section.old_path} => {section.path}" if section.old_path else section.path
    if "\nnew file mode " in section.header or "\n--- /dev/null" in section.header:
        return f"{name} (new)"
    if "\ndeleted file mode " in section.header or "\n+++ /dev/null" in section.header:
        return f"{name} (deleted)"
    modes = [mode for _, mode in _MODE.findall(section.header)]
    return f"{name} (mode change {' => '.join(modes)})" if modes else name
