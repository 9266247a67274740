"""Links to patches and series, and message-ids as Patchwork's URLs carry them."""

import re
from urllib.parse import quote, unquote

from bot.ids import Msgid, ProjectName, SeriesId
from bot.patchwork.model import Patch

_PLAIN = "@:!$&'()*+,;="  # what a path may hold unquoted (RFC 3986, pchar)
_LONGEST = 1_000
_BRACKETED = re.compile(r"<([^<>]+)>")


def msgid_of(text: str) -> Msgid:
    """The message-id: what stands between the first angle brackets, else all of *text*.

    Mail servers add notes behind it: `<20260101.abc@example.org> (added by postmaster@example.org)`.
    """
    found = _BRACKETED.search(text)
    return Msgid(found[1].strip() if found else text.strip().removeprefix("<").removesuffix(">"))


def series_url(base: str, project: ProjectName, series: SeriesId) -> str:
    """The page of a series with all its patches, done and archived ones too."""
    return f"{base}/project/{_quoted(project)}/list/?series={series}&state=*&archive=both"


def list_url(base: str, project: ProjectName) -> str:
    """The page of all patches of a project, done and archived ones too."""
    return f"{base}/project/{_quoted(project)}/list/?state=*&archive=both"


def patch_url(base: str, patch: Patch, *, by_msgid: bool) -> str:
    """The page of a patch; servers before API 1.2 know it by its id only."""
    part = url_part(patch.msgid)
    if not by_msgid or not part or len(part) > _LONGEST:
        return f"{base}/patch/{patch.id}/"
    return f"{base}/project/{_quoted(patch.project)}/patch/{part}/"


def url_part(msgid: Msgid) -> str:
    """A message-id as Patchwork's URLs carry it.

    A "/" becomes "%2F" before the whole is quoted (Patchwork's Patch.encoded_msgid), hence the "%252F".
    """
    return _quoted(msgid.replace("/", "%2F"))


def msgid_of_url_part(part: str) -> Msgid:
    """The message-id of a URL's part: unquoted once, and then only "%2F" again (Patchwork's decode_msgid)."""
    return Msgid(unquote(part).replace("%2F", "/"))


def archive_link(template: str, msgid: Msgid) -> str:
    """The operator's archive URL with the message-id put in."""
    return template.replace("{msgid}", _quoted(msgid))


def _quoted(text: str) -> str:
    return quote(text, safe=_PLAIN, errors="replace")
