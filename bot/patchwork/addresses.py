"""Mail addresses in headers and trailers, parsed entry by entry.

The standard library's parsers differ between versions of Python: newer ones reject a whole header because of one
malformed entry, older ones make up addresses from it. Here a malformed entry affects only itself, and an address is
never assembled from pieces: it is the text between `<` and `>`, or an entry that consists of nothing else.
"""

import re
from collections.abc import Iterable, Iterator

from bot.patchwork.model import Person

_MAX_HEADER = 64 * 1024  # characters
_MAX_ADDRESS = 320  # characters (RFC 5321, section 4.5.3.1: 64 and 255, and the @)
# A quoted name, a comment, an address in brackets, a separator, or a run of anything else. An unpaired delimiter is
# a token of its own. Comments can nest in theory; an inner one is treated as text.
_TOKEN = re.compile(
    r"""
    (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<comment>\([^()]*\)) | (?P<bracketed><[^<>]*>) | (?P<separator>[,;]) |
    (?P<group>:) | (?P<text>(?:[^"()<>,;:\\]|\\.)+) | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ADDRESS = re.compile(r'(?:"(?:[^"\\]|\\.)+"|[^\s@"()<>,;:\\]+)@(?:\[[^\s\[\]@]+\]|[^\s@"()<>,;:\\\[\]]+)')
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def mailboxes(header: str) -> Iterator[Person]:
    """Yield the people named in a To, Cc or From header, in order, without entries that have no trustworthy address."""
    for entry in _entries(header[:_MAX_HEADER]):
        if (person := _mailbox(entry)) is not None:
            yield person


def mailbox(header: str) -> Person | None:
    """Return the one person whom a header names, even if the name has commas; None without a trustworthy address."""
    return _mailbox([(str(token.lastgroup), token[0]) for token in _TOKEN.finditer(header[:_MAX_HEADER])])


def addresses_in(headers: Iterable[str]) -> Iterator[str]:
    """Return the addresses in *headers*, in order and in lower case."""
    return (person.email.lower() for header in headers for person in mailboxes(header))


_Token = tuple[str, str]  # kind and text


def _entries(header: str) -> Iterator[list[_Token]]:
    """Yield the tokens of each entry; group names belong to no entry."""
    entry: list[_Token] = []
    for token in _TOKEN.finditer(header):
        match token.lastgroup:
            case "separator":
                yield entry
                entry = []
            case "group" if _is_group_name(entry):
                entry = []
            case str(kind):
                entry.append((kind, token[0]))
    yield entry


def _is_group_name(entry: list[_Token]) -> bool:
    """Return whether the tokens before a colon are the name of a group ("undisclosed-recipients:;")."""
    return all(kind != "bracketed" for kind, _ in entry) and "@" not in "".join(text for _, text in entry)


def _mailbox(entry: list[_Token]) -> Person | None:
    """Return the person in an entry; None if it has no address, or an ambiguous one."""
    bracketed = [text for kind, text in entry if kind == "bracketed"]
    if len(bracketed) > 1:
        return None
    if bracketed:
        before = entry[: next(place for place, (kind, _) in enumerate(entry) if kind == "bracketed")]
        address, name = bracketed[0][1:-1].strip(), _name(before)
    else:
        address, name = "".join(text for kind, text in entry if kind != "comment").strip(), _comment(entry)
    address = address.removeprefix("mailto:")
    if len(address) > _MAX_ADDRESS or not address.isprintable() or _ADDRESS.fullmatch(address) is None:
        return None
    return Person(name, address)


def _name(tokens: list[_Token]) -> str:
    """Return the words before an address as one string."""
    words = (_unquoted(text) if kind == "quoted" else text for kind, text in tokens if kind != "comment")
    return " ".join("".join(words).split())


def _comment(tokens: list[_Token]) -> str:
    """Return the name in a comment behind a bare address: "ada@example.org (Ada)"."""
    return " ".join(" ".join(text[1:-1] for kind, text in tokens if kind == "comment").split())


def _unquoted(text: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", text[1:-1])
