"""Text from outside made fit to keep: no NUL, no lone surrogates, one line where one is meant, a bounded size."""

import email.header
import email.utils
import re
from collections.abc import Iterable

from bot.ids import Msgid
from bot.patchwork.model import Person, Trailer, TrailerKind
from bot.patchwork.refs import msgid_of

MAX_LINE = 1_000
MAX_ADDRESSES = 200
MAX_ANCESTORS = 20
MAX_TEXT = 64 * 1024  # characters of a mail; of a hundred patches, fewer than two are longer
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TRAILER = re.compile(r"^(acked|reviewed|tested)-by:[ \t]*(\S[^\r\n]{0,300})", re.IGNORECASE | re.MULTILINE)
_MSGID = re.compile(r"<([^<>\s]{1,1000})>")
_KINDS = {"acked": TrailerKind.ACKED, "reviewed": TrailerKind.REVIEWED, "tested": TrailerKind.TESTED}
_MAX_TRAILER_TEXT = 64 * 1024
_MAX_HEADER = 64 * 1024
_MAX_NESTING = 20  # of comments in a header; the standard library's parser recurses into them


def valid(text: str) -> str:
    """*text* as a database and a homeserver take it: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")


def line(text: str, limit: int = MAX_LINE) -> str:
    """*text* as one line of valid Unicode without control characters, *limit* characters at most."""
    return valid(_CONTROLS.sub(" ", text[: limit * 4])).strip()[:limit]


def decoded(header: str) -> str:
    """A mail header with its encoded words (RFC 2047) decoded; as it stands where that fails."""
    try:
        return str(email.header.make_header(email.header.decode_header(header)))
    except (LookupError, ValueError, email.errors.MessageError):
        return header


def addresses(headers: Iterable[str]) -> tuple[str, ...]:
    """The addresses of To or Cc headers, in lower case, in order, each once."""
    pairs = email.utils.getaddresses([_flat(header[:_MAX_HEADER]) for header in headers])
    found = dict.fromkeys(line(address).lower() for _, address in pairs if "@" in address)
    return tuple(found)[:MAX_ADDRESSES]


def ancestors(references: Iterable[str], in_reply_to: Iterable[str]) -> tuple[Msgid, ...]:
    """The message-ids of the mails above one in its thread, as its headers name them, the parent last."""
    named = [msgid for header in (*references, *in_reply_to) for msgid in _MSGID.findall(header[:_MAX_HEADER])]
    latest = dict.fromkeys(msgid_of(valid(msgid)) for msgid in reversed(named))
    return tuple(reversed(tuple(latest)[:MAX_ANCESTORS]))


def person(header: str) -> Person:
    """The name and address of a From-like header."""
    name, address = email.utils.parseaddr(_flat(header[:MAX_LINE]))
    return Person(name=line(decoded(name)), email=line(address))


def mail_text(name: str, body: str) -> str:
    """What a patch's mail says: its subject as a header line, the message and the diff; the beginning of a long one."""
    return f"Subject: {line(name)}\n\n{valid(body[:MAX_TEXT])}"


def trailers_of(text: str) -> frozenset[Trailer]:
    """The Acked-by, Reviewed-by and Tested-by lines of a commit message, one per person and kind."""
    found = _TRAILER.finditer(text[:_MAX_TRAILER_TEXT])
    return frozenset(Trailer(_KINDS[match[1].lower()], _signer(match[2])) for match in found)


def _signer(value: str) -> str:
    address = email.utils.parseaddr(_flat(value))[1]
    return line(address if "@" in address else value).lower()


def _flat(header: str) -> str:
    """*header* without its comments or groups where it has more than any honest one: reading them recurses."""
    if header.count("(") > _MAX_NESTING:
        header = header.replace("(", " ").replace(")", " ")
    return header if header.count(":") <= _MAX_NESTING else header.replace(":", " ").replace(";", ",")
