"""What people point at a patch with: ids, message-ids, and addresses of pages and archives.

Only ids are taken out of an address; it is never fetched. Reading is total: what is no reference is None.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from bot.ids import Msgid

MAX_LENGTH = 1_000
_NUMBER = re.compile(r"[1-9][0-9]{0,17}\Z")
_SCOPED = re.compile(r"([A-Za-z0-9][\w.-]{0,63}):([1-9][0-9]{0,17})\Z")
_MSGID = re.compile(r"<?([^\s<>@]{1,300}@[^\s<>@]{1,255})>?\Z")


@dataclass(frozen=True, slots=True)
class Ref:
    """What is meant: an id or a message-id; *server* and *host* narrow it down where they were given.

    *is_series* is None where a bare number may be either.
    """

    number: int | None = None
    msgid: Msgid | None = None
    is_series: bool | None = None
    server: str | None = None
    host: str | None = None


def read_ref(text: str) -> Ref | None:
    """The reference that *text* is, None when it is none."""
    word = text.strip()
    if len(word) > MAX_LENGTH:
        return None
    if _NUMBER.match(word):
        return Ref(number=int(word))
    if scoped := _SCOPED.match(word):
        return Ref(number=int(scoped[2]), server=scoped[1])
    if word.startswith(("http://", "https://", "<http://", "<https://")):
        return _of_address(word.strip("<>"))
    if msgid := _MSGID.match(word):
        return Ref(msgid=Msgid(msgid[1]))
    return None


def _of_address(address: str) -> Ref | None:
    try:
        split = urlsplit(address)
    except ValueError:
        return None
    parts = [part for part in split.path.split("/") if part]
    if parts[:1] == ["api"]:
        parts = parts[2:] if re.match(r"\d\.\d\Z", "".join(parts[1:2])) else parts[1:]
    return _of_path(parts, split) or _of_archive(parts, split)


def _of_path(parts: list[str], split: SplitResult) -> Ref | None:
    """Patchwork's own addresses, of every generation."""
    match parts:
        case ["patch" | "patches" | "cover" | "covers", number, *_] if _NUMBER.match(number):
            return Ref(number=int(number), is_series=False, host=split.netloc)
        case ["series", number, *_] if _NUMBER.match(number):
            return Ref(number=int(number), is_series=True, host=split.netloc)
        case ["project", _, "patch" | "cover", msgid, *_]:
            return Ref(msgid=Msgid(unquote(msgid).replace("%2F", "/")), host=split.netloc)
        case ["project", _, "list"]:
            number = next(iter(parse_qs(split.query, max_num_fields=50).get("series", [])), "")
            return Ref(number=int(number), is_series=True, host=split.netloc) if _NUMBER.match(number) else None
        case _:
            return None


def _of_archive(parts: list[str], split: SplitResult) -> Ref | None:
    """The message-id in an archive's address, as lore.kernel.org/LIST/MSGID/ has it."""
    for part in reversed(parts):
        if found := _MSGID.match(unquote(part)):
            return Ref(msgid=Msgid(found[1]), host=split.netloc)
    return None
