"""Parser of mails: addresses and people in headers, trailers, the author's own words in a reply, and a series' mbox.

The standard library's parsers of addresses differ between versions of Python: newer ones reject a whole header because
of one malformed entry, older ones make up addresses from it. Here a malformed entry affects only itself, and an address
is never assembled from pieces: it is the text between `<` and `>`, or an entry that consists of nothing else.

Quotations, the attribution line and the signature are not part of a reply's own words. All text is bounded.

In the mbox of a series, Patchwork writes one part per patch, in the order of their numbers: a line
"From patchwork <date>", mail headers with X-Patchwork-Id and X-Patchwork-Submitter, an empty line, the commit message
with the trailers of its comments, then the diff. Body lines that begin with "From " are not escaped, so a mail can
contain text that looks like a part of its own, and a mail's own X-Patchwork-* headers follow Patchwork's. Therefore the
first header of a name wins, headers that Patchwork may omit are taken only from its own headers, and the mbox is
accepted only if its ids are exactly those of the series, each once.
"""

import email.header
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile

from bot.ids import Msgid, PatchId
from bot.patchwork.dependencies import dependencies_in
from bot.patchwork.diff import changed_files, hash_of, without_message
from bot.patchwork.diff_lines import fingerprint_of
from bot.patchwork.model import Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.patchwork.references import msgid_of
from bot.text import MAX_LINE, one_line, storable

MAX_ADDRESSES = 200
MAX_ANCESTORS = 20
_MAX_NAME = 100
MAX_TEXT = 64 * 1024  # characters of a mail; fewer than 2 % of patches are longer
_TRAILER = re.compile(r"^(acked|reviewed|tested)-by:[^\S\r\n]*(\S[^\r\n]{0,300})", re.IGNORECASE | re.MULTILINE)
_MSGID = re.compile(r"<([^<>\s]{1,1000})>")
_KINDS = {"acked": TrailerKind.ACKED, "reviewed": TrailerKind.REVIEWED, "tested": TrailerKind.TESTED}
_MAX_TRAILER_TEXT = 64 * 1024
_NOTE = re.compile(r"\s+#.*")
MAX_LINES = 6
MAX_CHARACTERS = 400
_MAX_READ = 64 * 1024
_SIGNATURE = re.compile(r"^-- ?\r?$", re.MULTILINE)
_ATTRIBUTION_END = re.compile(r"\b(?:wrote|writes|schrieb|escribió|a écrit)\s*:\Z", re.IGNORECASE)
_ATTRIBUTION_LINES = 3  # the maximum into which clients break "On …, … wrote:"
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
# Blanks of all kinds, and what nobody sees: copied along with an address, they are no part of it.
_AROUND = " \t\r\n\f\v\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_Token = tuple[str, str]  # kind and text
_PART = re.compile(r"^From patchwork [^\n]{0,80}\r?\n", re.MULTILINE)
_FOLD = re.compile(r"\r?\n[ \t]+")
_STATE_SLUG = re.compile(r"[^a-z0-9]+")
_MAX_PARTS = 5_000
_DIFF_START = re.compile(r"^(?:diff --git |--- \S|Index: )", re.MULTILINE)
_BY_PATCHWORK = frozenset(
    {
        "content-type",
        "mime-version",
        "content-transfer-encoding",
        "x-patchwork-submitter",
        "x-patchwork-id",
        "x-patchwork-delegate",
    }
)  # written before the mail's own headers
_FIRST_STATE = "new"  # Patchwork's default unless the mail requests another state


def decoded(header: str) -> str:
    """Return a mail header with its encoded words (RFC 2047) decoded, or unchanged if that fails."""
    try:
        return str(email.header.make_header(email.header.decode_header(header)))
    except (LookupError, ValueError, email.errors.MessageError):
        return header


def addresses(headers: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses in To or Cc headers, in lower case, in order, each once."""
    return tuple(dict.fromkeys(map(storable, addresses_in(headers))))[:MAX_ADDRESSES]


def ancestors(references: Iterable[str], in_reply_to: Iterable[str]) -> tuple[Msgid, ...]:
    """Return the message-ids of a mail's ancestors in its thread, according to its headers, the parent last."""
    named = [msgid for header in (*references, *in_reply_to) for msgid in _MSGID.findall(header[:_MAX_HEADER])]
    latest = dict.fromkeys(msgid_of(storable(msgid)) for msgid in reversed(named))
    return tuple(reversed(tuple(latest)[:MAX_ANCESTORS]))


def person(header: str) -> Person:
    """Return the name and address in a From-like header; if no address is trustworthy, all of it is the name."""
    sender = mailbox(header[:MAX_LINE]) or Person(header, "")
    return Person(name=one_line(decoded(sender.name)), email=one_line(sender.email))


def mail_text(name: str, body: str) -> str:
    """Return the text of a patch's mail: the subject as a header line, the message and the diff, cut at `MAX_TEXT`."""
    return f"Subject: {one_line(name)}\n\n{storable(body[:MAX_TEXT])}"


def trailers_of(text: str) -> frozenset[Trailer]:
    """Return the Acked-by, Reviewed-by and Tested-by lines of a commit message, one per person and kind."""
    matches = _TRAILER.finditer(text[:_MAX_TRAILER_TEXT])
    return frozenset(
        Trailer(_KINDS[match[1].lower()], person, name) for match in matches for person, name in _signers(match[2])
    )


def _signers(value: str) -> Iterable[tuple[str, str]]:
    """Return the address and name of each person in a trailer's value, without notes; without an address, all of it."""
    named = _NOTE.sub("", value, count=1).rstrip(" \t.,;")
    signers = [(storable(each.email.lower()), one_line(decoded(each.name), _MAX_NAME)) for each in mailboxes(named)]
    if signers or not named:
        return signers
    address = lone_address(named) or ""  # of somebody who forgot a bracket
    name = named.replace(address, "").strip(" <>()") if address else named
    return ((one_line(address or named).lower(), one_line(name, _MAX_NAME)),)


def own_words(mail: str) -> str:
    """Return the first lines that the author of *mail* wrote, with an ellipsis if more follow; "" if there are none.

    A quotation is recognized by its ">", its attribution by the blank or quoted line after it.
    """
    body = _SIGNATURE.split(storable(mail[:_MAX_READ]), maxsplit=1)[0]
    lines = [line.rstrip() for line in body.splitlines()]
    own_lines = [line for line in _without_quotations(lines) if line.strip()]
    text = "\n".join(own_lines[:MAX_LINES])
    if len(text) > MAX_CHARACTERS:
        return text[:MAX_CHARACTERS].rstrip() + "…"
    return f"{text}\n…" if len(own_lines) > MAX_LINES else text


def _without_quotations(lines: list[str]) -> list[str]:
    own_lines: list[str] = []
    for line in lines:
        if not line.lstrip().startswith(">"):
            own_lines.append(line)
        elif own_lines:
            _drop_attribution(own_lines)
    return own_lines


def _drop_attribution(lines: list[str]) -> None:
    """Remove the "On …, … wrote:" before a quotation from the end of *lines*."""
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and _ATTRIBUTION_END.search(lines[-1]):
        last = len(lines) - 1
        start = next((at for at in range(last, max(-1, last - _ATTRIBUTION_LINES), -1) if _opens(lines[at])), last)
        del lines[start:]


def _opens(line: str) -> bool:
    return line.startswith(("On ", "Am ", "Le ", "El "))


def mailboxes(header: str) -> Iterator[Person]:
    """Yield the people named in a To, Cc or From header, in order, without entries that have no trustworthy address."""
    for entry in _entries(header[:_MAX_HEADER]):
        if (person := _mailbox(entry)) is not None:
            yield person


def mailbox(header: str) -> Person | None:
    """Return the one person whom a header names, even if the name has commas; None without a trustworthy address."""
    return _mailbox([(str(token.lastgroup), token[0]) for token in _TOKEN.finditer(header[:_MAX_HEADER])])


def lone_address(text: str) -> str | None:
    """Return the address in a short *text*, even without its brackets; None if there is none, or more than one @."""
    found = _ADDRESS.search(text) if text.count("@") == 1 and len(text) <= _MAX_ADDRESS else None
    return found[0] if found else None


def addresses_in(headers: Iterable[str]) -> Iterator[str]:
    """Return the addresses in *headers*, in order and in lower case."""
    return (person.email.lower() for header in headers for person in mailboxes(header))


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
        address, name = bracketed[0][1:-1].strip(_AROUND), _name(before)
    else:
        address, name = "".join(text for kind, text in entry if kind != "comment").strip(_AROUND), _comment(entry)
    address = address.removeprefix("mailto:")
    if len(address) > _MAX_ADDRESS or not address.isprintable() or _ADDRESS.fullmatch(address) is None:
        return None
    return Person(name, address)


def _name(tokens: list[_Token]) -> str:
    """Return the words before an address as one string."""
    named = takewhile(lambda token: token != ("stray", "<"), tokens)  # what follows is the address, another time
    words = (_unquoted(text) if kind == "quoted" else text for kind, text in named if kind != "comment")
    return " ".join("".join(words).split())


def _comment(tokens: list[_Token]) -> str:
    """Return the name in a comment behind a bare address: "ada@example.org (Ada)"."""
    return " ".join(" ".join(text[1:-1] for kind, text in tokens if kind == "comment").split())


def _unquoted(text: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", text[1:-1])


def read_series_mbox(text: str, series: Series) -> dict[PatchId, Patch] | None:
    """Return the patches of *series* with their diffs; None if the mbox does not match the series exactly."""
    refs = {ref.id: ref for ref in series.patches}
    read: dict[PatchId, Patch] = {}
    for headers, body in _parts(text):
        ref = refs.get(_patch_id(headers))
        if ref is None or ref.id in read:
            return None
        read[ref.id] = _patch(series, ref, headers, body)
    return read if len(read) == len(refs) else None


def read_series_bodies(text: str, series: Series) -> dict[PatchId, str] | None:
    """Return the body of each patch's mail in a series mbox; None if the mbox does not match the series exactly."""
    ids = {ref.id for ref in series.patches}
    bodies: dict[PatchId, str] = {}
    for headers, body in _parts(text):
        number = _patch_id(headers)
        if number not in ids or number in bodies:
            return None
        bodies[number] = body
    return bodies if len(bodies) == len(ids) else None


def _parts(text: str) -> list[tuple[dict[str, str], str]]:
    starts = [match for _, match in zip(range(_MAX_PARTS), _PART.finditer(text), strict=False)]
    edges = [*(match.start() for match in starts), len(text)]
    return [_split(text[match.end() : end]) for match, end in zip(starts, edges[1:], strict=True)]


def _split(part: str) -> tuple[dict[str, str], str]:
    """Return the headers by lower-case name (the first of each) and the body."""
    head, _, body = part.replace("\r\n", "\n").partition("\n\n") if "\r\n\r\n" in part else part.partition("\n\n")
    headers: dict[str, str] = {}
    for field in _FOLD.sub(" ", head).split("\n"):
        name, colon, value = field.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers, body


def _patch_id(headers: dict[str, str]) -> PatchId:
    value = headers.get("x-patchwork-id", "")
    return PatchId(int(value) if value.isascii() and value.isdigit() and len(value) < 19 else -1)


def _patch(series: Series, ref: PatchRef, headers: dict[str, str], body: str) -> Patch:
    start = _DIFF_START.search(body)
    message = body[: start.start()] if start else body
    changed = without_message(body)
    return Patch(
        id=ref.id,
        project=series.project,
        msgid=ref.msgid,
        name=ref.name,
        submitter=person(headers["x-patchwork-submitter"]) if "x-patchwork-submitter" in headers else series.submitter,
        date=series.date,
        series=series.id,
        state=_slug(headers.get("x-patchwork-state", "")) or _FIRST_STATE,
        delegate=_delegate(headers),
        hash=hash_of(changed) if changed else None,
        files=changed_files(body),
        to=addresses([headers.get("to", "")]),
        cc=addresses([headers.get("cc", "")]),
        trailers=trailers_of(message),
        text=mail_text(ref.name, body),
        fingerprint=fingerprint_of(body),
        replies_to=ancestors([headers.get("references", "")], [headers.get("in-reply-to", "")]),
        needs=dependencies_in(message),
    )


def _delegate(headers: dict[str, str]) -> str | None:
    own = takewhile(_BY_PATCHWORK.__contains__, headers)
    return one_line(headers["x-patchwork-delegate"]) or None if "x-patchwork-delegate" in own else None


def _slug(state: str) -> str:
    """Return the slug of a state's name, as Patchwork forms it: "Under Review" is "under-review"."""
    return _STATE_SLUG.sub("-", one_line(state, 100).lower()).strip("-")
