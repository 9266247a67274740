"""Serves the sample Patchwork's pages outside the API: mboxes, and plain pages as targets of links."""

import re
from collections.abc import Callable, Sequence
from html import escape
from urllib.parse import parse_qs

from bot.sample_patchwork.mbox_export import mail_mbox, series_mbox
from bot.sample_patchwork.records import CoverRecord, PatchRecord
from bot.sample_patchwork.request import Request, Response, moved, page, slash_added
from bot.sample_patchwork.tables import Snapshot
from bot.sample_patchwork.views import page_path

_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_ROUTE = re.compile(
    r"/series/(?P<series>\d{1,18})/mbox/"
    r"|/project/(?P<list>[^/]+)/list/"
    r"|/project/(?P<project>[^/]+)/(?P<kind>patch|cover)/(?P<msgid>[^/]+)/(?P<mbox>mbox/)?"
    r"|/(?P<short>patch|cover)/(?P<id>\d{1,18})/(?P<short_mbox>mbox/)?"
)


def web_answer(request: Request, rows: Snapshot, path: str, states: Sequence[str]) -> Response:
    """Return the response to a request outside /api/; *path* is percent-decoded once, *states* are all state names."""
    match = _ROUTE.fullmatch(path if path.endswith("/") else f"{path}/")
    if match is None:
        return page(404, "Page not found")
    if not path.endswith("/"):
        return slash_added(request)
    answers: dict[str, Callable[[], Response | None]] = {
        "series": lambda: _series(rows, int(match["series"])),
        "list": lambda: _list(rows, match["list"], request.query, states),
        "project": lambda: _mail(rows, _by_msgid(rows, match), mbox=match["mbox"] is not None),
        "short": lambda: _short(rows, match),
    }
    return next(answers[name]() for name in answers if match[name] is not None) or page(404, "Page not found")


def _series(rows: Snapshot, series: int) -> Response | None:
    return (
        _mbox(f"{_file_name(rows.series[series].name)}.patch", series_mbox(rows, series))
        if series in rows.series
        else None
    )


def _mail(rows: Snapshot, mail: PatchRecord | CoverRecord | None, *, mbox: bool) -> Response | None:
    if mail is None:
        return None
    if mbox:
        return _mbox(
            f"{_file_name(mail.name)}.{'patch' if isinstance(mail, PatchRecord) else 'mbox'}", mail_mbox(rows, mail)
        )
    diff = (mail.diff or "") if isinstance(mail, PatchRecord) else ""
    return page(200, mail.name, f"<pre>{escape(mail.content)}</pre><pre>{escape(diff)}</pre>")


def _short(rows: Snapshot, match: re.Match[str]) -> Response | None:
    table = rows.patches if match["short"] == "patch" else rows.covers
    mail = table.get(int(match["id"]))
    if mail is None:
        return None
    path = page_path(rows.projects[mail.project], match["short"], mail.msgid)
    return moved(302, path + (match["short_mbox"] or ""))


def _list(rows: Snapshot, link_name: str, query: str, states: Sequence[str]) -> Response | None:
    projects = [project.id for project in rows.projects.values() if project.link_name == link_name]
    if not projects:
        return None
    asked = parse_qs(query)
    series, words = asked.get("series", [None])[-1], asked.get("q", [""])[-1].lower()
    patches = [patch for patch in rows.patches.values() if patch.project in projects]
    shown = [patch for patch in patches if series in {None, str(patch.series)} and words in patch.name.lower()]
    items = [
        f'<li><a href="{escape(page_path(rows.projects[patch.project], "patch", patch.msgid))}">'
        f"{escape(patch.name)}</a> ({escape(patch.state)})</li>"
        for patch in shown
    ]
    return page(200, link_name, f"<form>{_state_filter(states)}</form><ul>{''.join(items)}</ul>")


def _state_filter(states: Sequence[str]) -> str:
    """Return the select element for states, as in Patchwork's own form."""
    any_state = '<option  value="*">any</option><option selected value="">Action Required</option>'
    options = (f'<option value="{number}" >{escape(name)}</option>' for number, name in enumerate(states, 1))
    return f'<select name="state" class="form-control">{any_state}{"".join(options)}</select>'


def _by_msgid(rows: Snapshot, match: re.Match[str]) -> PatchRecord | CoverRecord | None:
    msgid = match["msgid"].replace("%2F", "/")
    table = rows.patches if match["kind"] == "patch" else rows.covers
    for mail in table.values():
        if mail.msgid == msgid and rows.projects[mail.project].link_name == match["project"]:
            return mail
    return None


def _file_name(name: str | None) -> str:
    return _NO_FILE_NAME.sub("-", name or "").strip("-")


def _mbox(file: str, text: str) -> Response:
    headers = {"content-type": "text/plain", "content-disposition": f"attachment; filename={file}"}
    return Response(200, headers, text.encode("utf-8", "replace"))
