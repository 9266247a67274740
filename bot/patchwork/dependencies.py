"""Parser of "Depends-on:" lines, in which a mail names the series and patches that it needs. Pure, total and bounded.

Patchwork reads `Depends-on: <message-id>` and `Depends-on: https://…`, each alone on its line, in the cover letter and
in the patches (`parse_depends_on` of its parser). DPDK's mails name ids of their server, each with a title that says no
more: `Depends-on: series-1234 ("title")`.
"""

import re
from collections.abc import Iterator
from typing import Final

from bot.patchwork.model import Dependency, DependencyKind
from bot.patchwork.references import MAX_ID, Ref, RefKind, read_ref

MAX_OF_MAIL: Final = 50
_MAX_TEXT: Final = 64 * 1024  # characters of a message
_MAX_MSGID: Final = 255  # characters, as in Patchwork's database
_MAX_HOST: Final = 100
_LINE: Final = re.compile(r"^depends-on:[ \t]*(\S[^\r\n]{0,1000})", re.IGNORECASE | re.MULTILINE)
_TITLE: Final = re.compile(r'\("[^"\n]*"\)')
_ID: Final = re.compile(r"(series|patch)[-\s]\s*#?([1-9][0-9]{0,9})\b", re.IGNORECASE)
_OF_SERIES: Final = re.compile(r"/series/([1-9][0-9]{0,9})/?(?:\?.*)?\Z")
_KINDS: Final = {RefKind.SERIES: DependencyKind.SERIES, RefKind.PATCH: DependencyKind.PATCH}


def dependencies_in(message: str) -> tuple[Dependency, ...]:
    """Return what the "Depends-on:" lines of a mail name, each once, in order, at most `MAX_OF_MAIL`.

    *message* is the mail without its headers and its diff. Lines that name nothing that Patchwork could have are left
    out, such as a commit, or a change in another tool.
    """
    found: dict[Dependency, None] = {}
    for line in _LINE.finditer(message[:_MAX_TEXT]):
        found |= dict.fromkeys(_named(line[1].strip()))
        if len(found) >= MAX_OF_MAIL:
            break
    return tuple(found)[:MAX_OF_MAIL]


def dependencies_at(urls: object) -> tuple[Dependency, ...] | None:
    """Return the series at *urls*, which the API lists of a series since version 1.4; None if it lists none.

    A project may hide them, and other than addresses of series may be anything.
    """
    if not isinstance(urls, list):
        return None
    ids = (_OF_SERIES.search(url) for url in urls[:MAX_OF_MAIL] if isinstance(url, str) and len(url) < _MAX_TEXT)
    return tuple(dict.fromkeys(Dependency(DependencyKind.SERIES, each[1]) for each in ids if each and _is_id(each[1])))


def _named(text: str) -> Iterator[Dependency]:
    """Yield what one line names: ids with their kind, or else an address or a message-id."""
    bare = _TITLE.sub(" ", text)
    if _ID.match(bare):
        for each in _ID.finditer(bare):
            if _is_id(each[2]):
                yield Dependency(DependencyKind(each[1].lower()), each[2])
        return
    word = bare.split()[0] if bare.split() else ""
    ref = read_ref(word) if "@" in word or "://" in word else None
    if ref is not None and (dependency := _dependency(ref)) is not None:
        yield dependency


def _dependency(ref: Ref) -> Dependency | None:
    if ref.msgid is not None:
        return Dependency(DependencyKind.MAIL, ref.msgid) if len(ref.msgid) <= _MAX_MSGID else None
    if ref.kind not in _KINDS or ref.number is None or ref.host is None or len(ref.host) > _MAX_HOST:
        return None
    return Dependency(_KINDS[ref.kind], str(ref.number), ref.host)


def _is_id(text: str) -> bool:
    return int(text) <= MAX_ID
