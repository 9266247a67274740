"""Links to patches and series, and message-ids as Patchwork's URLs carry them."""

from urllib.parse import quote

from bot.ids import Msgid, ProjectName, SeriesId
from bot.patchwork.model import Patch

_PLAIN = "@:!$&'()*+,;="  # what a path may hold unquoted (RFC 3986, pchar)
_LONGEST = 1_000


def msgid_of(text: str) -> Msgid:
    """The message-id without its angle brackets."""
    return Msgid(text.strip().removeprefix("<").removesuffix(">"))


def series_url(base: str, project: ProjectName, series: SeriesId) -> str:
    """The page of a series with all its patches, done and archived ones too."""
    return f"{base}/project/{quote(project)}/list/?series={series}&state=*&archive=both"


def patch_url(base: str, patch: Patch, *, by_msgid: bool) -> str:
    """The page of a patch; servers before API 1.2 know it by its id only.

    Patchwork turns a "/" of the message-id into "%2F" before the whole is quoted
    (its Patch.encoded_msgid), hence the "%252F".
    """
    msgid = quote(patch.msgid.replace("/", "%2F"), safe=_PLAIN)
    if not by_msgid or not msgid or len(msgid) > _LONGEST:
        return f"{base}/patch/{patch.id}/"
    return f"{base}/project/{quote(patch.project)}/patch/{msgid}/"


def archive_link(template: str, msgid: Msgid) -> str:
    """The operator's archive URL with the message-id put in."""
    return template.replace("{msgid}", quote(msgid, safe=_PLAIN))
