"""Mutations of mails: an mbox, or the diff in it, as mail programs, archives and hostile people write them. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Final

LONG: Final = 1_000_000
_HEADERS: Final = re.compile(r"^(?:From patchwork|[A-Z][\w-]*:).*$", re.MULTILINE)
_SUBJECT: Final = re.compile(r"^Subject: .*$", re.MULTILINE)
_HUNK: Final = re.compile(r"^@@ .*$", re.MULTILINE)


def _sub(pattern: str, new: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda text: compiled.sub(lambda _: new, text)


def _file_diff(path: str) -> str:
    return f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n"


BODIES: Final[Mapping[str, Callable[[str], str]]] = {
    "nothing": lambda _: "",
    "no headers": lambda text: _HEADERS.sub("", text),
    "no From line": _sub(r"^From patchwork.*\n", ""),
    "no id": _sub(r"^X-Patchwork-Id:.*\n", ""),
    "another id": _sub(r"^X-Patchwork-Id:.*$", "X-Patchwork-Id: 1"),
    "an id that is no number": _sub(r"^X-Patchwork-Id:.*$", "X-Patchwork-Id: one"),
    "an id over 64 bits": _sub(r"^X-Patchwork-Id:.*$", f"X-Patchwork-Id: {2**63}"),
    "an id over all digits": _sub(r"^X-Patchwork-Id:.*$", f"X-Patchwork-Id: {'9' * 5_000}"),
    "each header twice": lambda text: _HEADERS.sub(lambda found: f"{found[0]}\n{found[0]}", text),
    "an unknown encoding": _sub(r'charset="utf-8"', 'charset="x-klingon"'),
    "base64 that is none": _sub(r"^Content-Transfer-Encoding:.*$", "Content-Transfer-Encoding: base64"),
    "quoted-printable that is none": _sub(
        r"^Content-Transfer-Encoding:.*$", "Content-Transfer-Encoding: quoted-printable"
    ),
    "encoded words that are none": _sub(r"^Subject: .*$", "Subject: =?x?Q?=ff=?= =?utf-8?B?!?= =?utf-8?Q?=ED=A0=80?="),
    "a subject of 1 MB": _sub(r"^Subject: .*$", "Subject: " + "x" * LONG),
    "a subject with NUL and bidi": _sub(r"^Subject: .*$", "Subject: a\0b \u202e\u2066 c"),
    "many folded lines": lambda text: _SUBJECT.sub(lambda found: found[0] + "\n folded" * 20_000, text),
    "many recipients": _sub(r"^To: .*$", "To: " + ", ".join(f"a{n} <a{n}@example.org>" for n in range(20_000))),
    "an address that is none": _sub(r"^From: .*$", 'From: "<<@@,;:\\" <a@b@c>>'),
    "a date that is none": _sub(r"^Date: .*$", "Date: Thu, 99 Foo 99999 99:99:99 +9999"),
    "a multipart without parts": _sub(r"^Content-Type: .*$", "Content-Type: multipart/mixed; boundary="),
    "forged mails inside": lambda text: text.replace(
        "\n---\n", "\n\nFrom patchwork Thu Jan  1 00:00:00 2026\nX-Patchwork-Id: 1\n\n---\n"
    ),
    "escaped From lines": lambda text: text.replace("\n", "\n>From me\nFrom you Thu Jan  1 00:00:00 2026\n", 5),
    "only line feeds": lambda text: text + "\n" * LONG,
    "lone carriage returns": lambda text: text.replace("\n", "\r"),
    "line ends of another system": lambda text: text.replace("\n", "\r\n"),
    "NUL": lambda text: text.replace(" ", "\0"),
    "bytes of no encoding": lambda text: text.replace("e", "\udcff"),
    "a line of 1 MB": lambda text: text + "+" + "x" * LONG + "\n",
    "a million short lines": lambda text: text + "+\n" * (LONG // 2),
    "cut in the middle": lambda text: text[: len(text) // 2],
    "no diff": lambda text: text.partition("diff --git")[0],
    "a diff without hunks": lambda text: _HUNK.sub("", text),
    "hunks of wrong length": _sub(r"^@@ .*$", "@@ -1,1 +1,99999 @@"),
    "hunks over all digits": _sub(r"^@@ .*$", f"@@ -{'9' * 5_000},1 +{'9' * 5_000},1 @@"),
    "hunks of negative length": _sub(r"^@@ .*$", "@@ --1,-1 +-1,-1 @@"),
    "names that are quoted wrong": _sub(r"^diff --git .*$", 'diff --git "a/\\777\\x "b/\\'),
    "names with NUL and bidi": _sub(r"^diff --git .*$", "diff --git a/m\0\u202e b/m\0\u202e"),
    "names of 1 MB": _sub(r"migration/ram\.c", "migration/" + "x" * LONG),
    "names that are deep": _sub(r"migration/ram\.c", "migration/" + "a/" * 10_000 + "x"),
    "names that lead out": _sub(r"migration/ram\.c", "../../etc/passwd"),
    "a binary patch that is none": lambda text: text.replace("@@", "GIT binary patch\nliteral 99999999999\nzzzz\n@@"),
    "ten thousand files": lambda text: text + "".join(_file_diff(f"migration/{n}") for n in range(10_000)),
}


def mutated_mail(text: str, kind: str) -> str:
    """*text* made wrong; bytes of no encoding stand in it as Python's surrogates."""
    return BODIES[kind](text)
