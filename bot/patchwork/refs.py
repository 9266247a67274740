"""Links to patches and series, and message-ids in Patchwork's URLs."""

import re
from urllib.parse import quote, unquote

from bot.ids import Msgid, ProjectName, SeriesId
from bot.patchwork.model import Patch

_PLAIN = "@:!$&'()*+,;="  # characters that a path may contain unquoted (RFC 3986, pchar)
_LONGEST = 1_000
_BRACKETED = re.compile(r"<([^<>]+)>")


def msgid_of(text: str) -> Msgid:
    """Return the message-id: the text between the first angle brackets, or all of *text* if there are none.

    Mail servers add notes behind it: `<20260101.abc@example.org> (added by postmaster@example.org)`.
    """
    found = _BRACKETED.search(text)
    return Msgid(found[1].strip() if found else text.strip().removeprefix("<").removesuffix(">"))


def series_url(base: str, project: ProjectName, series: SeriesId) -> str:
    """Return the URL of a series' page with all patches, including closed and archived ones."""
    return f"{base}/project/{_quoted(project)}/list/?series={series}&state=*&archive=both"


def list_url(base: str, project: ProjectName) -> str:
    """Return the URL of the page with all patches of a project, including closed and archived ones."""
    return f"{base}/project/{_quoted(project)}/list/?state=*&archive=both"


def patch_url(base: str, patch: Patch, *, by_msgid: bool) -> str:
    """Return the URL of a patch's page; servers before API 1.2 know it only by its id."""
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
