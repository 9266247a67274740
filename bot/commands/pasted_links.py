"""Finds links to patches, series and mails in what people write to each other. Pure, in bounded time.

Only a link that names its host counts: an id or a message-id in a sentence may be anything. Quoted lines do not count,
because what they link to was answered, or ignored, when it was first written.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from bot.patchwork.references import MAX_LENGTH, Ref, read_ref

MOST_READ: Final = 50  # links of a message
MOST_REFS: Final = 12  # different references in a message that are looked up
ARCHIVES: Final = frozenset({"lore.kernel.org", "patch.msgid.link"})  # of all projects that the kernel's lists are for
_BEGIN: Final = re.compile(r"https?://", re.IGNORECASE)
_ADDRESS: Final = re.compile(rf"https?://[^\s<>\"\[\]`\\]{{1,{MAX_LENGTH}}}", re.IGNORECASE)


def links_in(body: str, servers: Collection[str], archives: Collection[str]) -> list[Ref]:
    """Return the different references in *body*, in its order, that links to *servers* or *archives* make.

    Both are hosts as in `Ref.host`. An archive has no ids of Patchwork, so only message-ids count there.
    """
    if _BEGIN.search(body) is None:
        return []
    found: dict[Ref, None] = {}
    for address in _addresses(body):
        ref = read_ref(address)
        if ref is None or not (ref.host in servers or (ref.host in archives and ref.msgid is not None)):
            continue
        found.setdefault(ref if ref.host in servers else replace(ref, host=None))
        if len(found) >= MOST_REFS:
            break
    return list(found)


def _addresses(body: str) -> Iterator[str]:
    """Yield the first addresses in the lines that are not quoted."""
    read = 0
    for line in body.split("\n"):
        if line.startswith(">"):
            continue
        for address in _ADDRESS.finditer(line):
            if read >= MOST_READ:
                return
            read += 1
            yield address[0]
