"""Parser of a series mbox.

Patchwork writes one part per patch, in the order of their numbers: a line "From patchwork <date>", mail headers with
X-Patchwork-Id and X-Patchwork-Submitter, an empty line, the commit message with the trailers of its comments, then the
diff. Body lines that begin with "From " are not escaped, so a mail can contain text that looks like a part of its own,
and a mail's own X-Patchwork-* headers follow Patchwork's. Therefore the first header of a name wins, headers that
Patchwork may omit are taken only from its own headers, and the mbox is accepted only if its ids are exactly those of
the series, each once.
"""

import re
from itertools import takewhile

from bot.ids import PatchId
from bot.patchwork import diff
from bot.patchwork.diff import hash_of
from bot.patchwork.mail_text import addresses, ancestors, mail_text, person, trailers_of
from bot.patchwork.model import Patch, PatchRef, Series
from bot.text import one_line

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
    changed = diff.without_message(body)
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
        files=diff.changed_files(body),
        to=addresses([headers.get("to", "")]),
        cc=addresses([headers.get("cc", "")]),
        trailers=trailers_of(body[: start.start()] if start else body),
        text=mail_text(ref.name, body),
        replies_to=ancestors([headers.get("references", "")], [headers.get("in-reply-to", "")]),
    )


def _delegate(headers: dict[str, str]) -> str | None:
    own = takewhile(_BY_PATCHWORK.__contains__, headers)
    return one_line(headers["x-patchwork-delegate"]) or None if "x-patchwork-delegate" in own else None


def _slug(state: str) -> str:
    """Return the slug of a state's name, as Patchwork forms it: "Under Review" is "under-review"."""
    return _STATE_SLUG.sub("-", one_line(state, 100).lower()).strip("-")
