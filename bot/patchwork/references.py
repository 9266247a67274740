"""References to patches: links to their pages, and a parser of ids, message-ids, and addresses of pages and archives.

Only ids are taken from an address; it is never fetched. The parser never raises: text that is not a reference is None.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import ip_address
from urllib.parse import parse_qs, quote, unquote, urlsplit

from bot.ids import Msgid, ProjectName, SeriesId
from bot.patchwork.model import Patch

_PLAIN = "@:!$&'()*+,;="  # characters that a path may contain unquoted (RFC 3986, pchar)
_LONGEST = 1_000
_BRACKETED = re.compile(r"<([^<>]+)>")
MAX_LENGTH = 1_000
MAX_ID = 2**31 - 1  # the largest that Patchwork's databases can store; a larger one causes a server error
_MAX_PARTS = 20
_NUMBER = re.compile(r"[1-9][0-9]{0,9}\Z")
_SCOPED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([1-9][0-9]{0,9})\Z")
_LABEL = re.compile(
    r"\A(?:(?:message-id|msgid|mid|news|link):\s*|id:(?=.*@))", re.IGNORECASE
)  # as used in mails and search boxes
_B4 = re.compile(r"(?:[$#%]\s*)?b4\s+(?=\S)")
_GIT_PW = re.compile(r"(?:[$#%]\s*)?git[- ]pw\s+(patch|series)\s+\w+\s(?:.*\s)?([0-9]+)\Z")
_KIND_AND_NUMBER = re.compile(
    r"(patch|series|cover(?:\s+letter)?)\s*(?:id|no\.?|number|nr\.?)?\s*[:#]?\s*([0-9]+)\Z", re.IGNORECASE
)
_MARKDOWN_LINK = re.compile(r"\[[^\[\]]*\]\(([^()\s]+)\)")
_WRAPPERS = "<>()[]{}`*_'\"“”„‘’«»‹›（）［］【】「」『』《》〈〉＜＞ "
_PUNCTUATION = ".,;:!?…。、，；：！？．" + _WRAPPERS
_ENTITIES = {"&lt;": "<", "&gt;": ">"}  # of a page's source
_WITHOUT_SCHEME = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?::\d{1,5})?/")
_ATTACHMENT = re.compile(r"\d{1,3}(?:\.\d{1,3})*-[^/@]*\Z")  # of public-inbox, behind the message-id: "2-config.gz"
_WEB = re.compile(r"(?:https?:/{1,2}|//)(?=[^/])", re.IGNORECASE)
_DEFAULT_PORT = re.compile(r":(?:80|443)?\Z")
_THREAD_VIEWS = frozenset({"T", "t", "raw", "R", "t.mbox.gz", "t.atom"})  # of public-inbox, behind the message-id


def msgid_of(text: str) -> Msgid:
    """Return the message-id: the text between the first angle brackets, or all of *text* if there are none.

    Mail servers add notes behind it, which do not count:
    `<20260101.abc@example.org> (added by postmaster@example.org)`.
    """
    if bracketed := _BRACKETED.search(text):
        return Msgid(bracketed[1].strip())
    word, note, _ = text.strip().partition(" (")
    return Msgid((word if note else text).strip().removeprefix("<").removesuffix(">"))


def series_url(base: str, project: ProjectName, series: SeriesId) -> str:
    """Return the URL of a series' page with all patches, including closed and archived ones."""
    return f"{base}/project/{_quoted(project)}/list/?series={series}&state=*&archive=both"


def list_url(base: str, project: ProjectName) -> str:
    """Return the URL of the page with all patches of a project, including closed and archived ones."""
    return f"{base}/project/{_quoted(project)}/list/?state=*&archive=both"


def patch_url(base: str, patch: Patch, *, by_msgid: bool) -> str:
    """Return the URL of a patch's page, which on servers before API 1.2 has the patch's id."""
    part = url_part(patch.msgid)
    if not by_msgid or not part or len(part) > _LONGEST:
        return f"{base}/patch/{patch.id}/"
    return f"{base}/project/{_quoted(patch.project)}/patch/{part}/"


def url_part(msgid: Msgid) -> str:
    """Return a message-id in the form used in Patchwork's URLs.

    A "/" becomes "%2F" before the whole is quoted (Patchwork's Patch.encoded_msgid), hence the "%252F".
    """
    return _quoted(msgid.replace("/", "%2F"))


def msgid_of_url_part(part: str) -> Msgid:
    """Return the message-id in a part of a URL: unquoted once, then only "%2F" again (Patchwork's decode_msgid)."""
    return Msgid(unquote(part).replace("%2F", "/"))


def archive_link(template: str, msgid: Msgid) -> str:
    """Return the operator's archive URL with the message-id filled in."""
    return template.replace("{msgid}", _quoted(msgid))


def _quoted(text: str) -> str:
    return quote(text, safe=_PLAIN, errors="replace")


class RefKind(Enum):
    """The kind of object that an id belongs to."""

    PATCH = "patch"
    SERIES = "series"
    COVER = "cover letter"


_PAGES = {
    "patch": RefKind.PATCH,
    "patches": RefKind.PATCH,
    "cover": RefKind.COVER,
    "covers": RefKind.COVER,
    "series": RefKind.SERIES,
}


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed reference: an id or a message-id, narrowed down by *server*, *host* and *project* if they were given.

    *kind* is None if unknown: a bare number may be a patch or a series, a message-id any mail. *host* is in lower case,
    with the port unless it is the default one. A number with a "#" *may_be_row* of a list.
    """

    number: int | None = None
    msgid: Msgid | None = None
    kind: RefKind | None = None
    server: str | None = None
    host: str | None = None
    project: str | None = None
    may_be_row: bool = False


def read_ref(text: str) -> Ref | None:
    """Return the reference in *text*, without any quotes or brackets around it; None if it is not a reference.

    A command line of b4 or git-pw is read as the mail or the id in it, and "patch 5" as the patch with this id.
    """
    word = " ".join(text.split())
    if len(word) > MAX_LENGTH or not word.isprintable():
        return None
    bare = word.strip(_WRAPPERS)
    if named := _KIND_AND_NUMBER.match(bare.rstrip(_PUNCTUATION)) or _GIT_PW.match(bare):
        return _numbered(named[2], Ref(kind=_PAGES[named[1].split()[0].lower()]))
    if command := _B4.match(bare):
        word = next((each for each in bare[command.end() :].split() if "@" in each), "")
    return _of_word(word)


def _of_word(word: str) -> Ref | None:
    """Return the reference that is *word*, an address, an id or a message-id; None if it is none."""
    for entity, sign in _ENTITIES.items():
        word = word.replace(entity, sign)
    if link := _MARKDOWN_LINK.match(word):
        word = link[1]
    word = _LABEL.sub("", word.strip(_WRAPPERS).rstrip(_PUNCTUATION), count=1).strip(_WRAPPERS)
    if (web := _WEB.match(word)) or _WITHOUT_SCHEME.match(word):
        return _of_address(f"https://{word[web.end() :] if web else word}")
    may_be_row = word.startswith("#")
    word = word.removeprefix("#")
    if _NUMBER.match(word):
        return _numbered(word, Ref(may_be_row=may_be_row))
    if scoped := _SCOPED.match(word):
        return _numbered(scoped[2], Ref(server=scoped[1]))
    return _of_mail(msgid_of(word), Ref()) if _has_a_domain(word) else None


def host_of(address: str) -> str | None:
    """Return the host of a web address in the form of `Ref.host`; None if there is none."""
    try:
        netloc = urlsplit(address).netloc
    except ValueError:
        return None
    return _DEFAULT_PORT.sub("", netloc.rpartition("@")[2].lower()) or None


def is_private(url: str) -> bool:
    """Return whether traffic to *url* cannot be read on the network: it uses https, or stays on this machine."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        return parts.scheme == "https" or ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")  # RFC 6761, section 6.3


def _numbered(number: str, ref: Ref) -> Ref | None:
    """Return *ref* with the id in *number*; None if that is not a valid id."""
    if not _NUMBER.match(number) or int(number) > MAX_ID:
        return None
    return replace(ref, number=int(number))


def _of_mail(msgid: Msgid, ref: Ref) -> Ref | None:
    """Return *ref* with a message-id; None if that is not a valid one."""
    if not msgid or not msgid.isprintable() or any(char in msgid for char in " <>"):
        return None
    return Ref(msgid=msgid, kind=ref.kind, host=ref.host, project=ref.project)


def _has_a_domain(word: str) -> bool:
    """Return whether *word* resembles a message-id."""
    left, _, right = word.rpartition("@")
    return bool(left and right)


def _of_address(address: str) -> Ref | None:
    try:
        split = urlsplit(address)
    except ValueError:
        return None
    host = host_of(address)
    if host is None:
        return None
    parts = [part for part in split.path.split("/") if part][:_MAX_PARTS]
    for start in range(len(parts)):  # Patchwork may be installed below a path, and its API is below /api/1.3/
        if (ref := _of_page(parts[start:], split.query, host)) is not None:
            return ref
    return _of_archive(parts, host) or _of_search(split.query, host)


def _of_page(parts: Sequence[str], query: str, host: str) -> Ref | None:
    """Return the reference in one of Patchwork's own addresses, of any generation; None if it is not one."""
    match parts:
        case [page, number, *_] if page in _PAGES and _NUMBER.match(number):
            return _numbered(number, Ref(kind=_PAGES[page], host=host))
        case ["project", project, "patch" | "cover" as page, part, *_]:
            return _of_mail(msgid_of_url_part(part), Ref(kind=_PAGES[page], host=host, project=unquote(project)))
        case ["project", _, "list"]:
            return _numbered(_parameter(query, "series"), Ref(kind=RefKind.SERIES, host=host))
        case ["patches"]:
            return _of_mail(msgid_of(_parameter(query, "msgid")), Ref(kind=RefKind.PATCH, host=host))
        case _:
            return None


def _parameter(query: str, name: str) -> str:
    """Return the value of the query parameter *name*; "" if there is none."""
    try:
        return next(iter(parse_qs(query, max_num_fields=50).get(name, [])), "")
    except ValueError:
        return ""


def _of_archive(parts: Sequence[str], host: str) -> Ref | None:
    """Return the message-id at the end of an archive's address, such as lore.kernel.org/LIST/MSGID/T/.

    Other archives have the list's own address further to the front, which is not a message-id.
    """
    ends = parts
    while ends and (ends[-1] in _THREAD_VIEWS or ends[-1].strip(".,;:!?") == "" or _ATTACHMENT.match(ends[-1])):
        ends = ends[:-1]
    word = unquote(ends[-1]) if ends else ""
    return _of_mail(msgid_of(word), Ref(host=host)) if _has_a_domain(word) else None


def _of_search(query: str, host: str) -> Ref | None:
    """Return the message-id in an archive's query: `i=` for marc.info, `q=` for mail-archive.com and public-inbox."""
    for name in ("i", "q"):
        value = _LABEL.sub("", _parameter(query, name), count=1).removeprefix("m:")
        word = value.replace(" () ", "@").replace(" ! ", ".")  # the form in which marc.info hides addresses
        if _has_a_domain(word) and (ref := _of_mail(msgid_of(word), Ref(host=host))) is not None:
            return ref
    return None
