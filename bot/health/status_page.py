"""Renders the status page for people as one HTML page of bounded size without external resources. Pure."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape

from bot.notices.status import BotStatus, RoomStatus, StatusDetails, WatchedServer, moment, outages, remarks, span
from bot.text import one_line, visible

MAX_ROOMS = 100
_SUSPENDED = "suspended: their rooms do not let the bot speak"
_DEAD = "dead: the homeserver refused them for good"
MAX_SENTENCES = 100
MAX_PROJECTS = 100  # of a server
_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d232a; --faint: #5b6570; --line: #d5dae0; --good: #1a7f37;
  --bad: #b42318; --head: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --back: #14181d; --text: #dfe4ea; --faint: #98a2ad; --line: #303841;
  --good: #4ac26b; --bad: #ff7b72; --head: #1c2228; } }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 3rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, ul { margin: .5rem 0; } ul { padding-left: 1.25rem; }
.faint { color: var(--faint); } .good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem; text-align: left; vertical-align: top; overflow-wrap: anywhere;
  unicode-bidi: isolate; min-width: 4rem; }
thead th { background: var(--head); font-weight: 600; white-space: nowrap; overflow-wrap: normal; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.number { text-align: right; } .time { white-space: nowrap; overflow-wrap: normal; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page(now: BotStatus, more: StatusDetails) -> str:
    """Return the status page."""
    return "\n".join(
        (
            _head("patchwork-matrix-bot"),
            *_standing(now),
            *_servers(now),
            *_outbox(now, more),
            *_rooms(more.rooms),
            *_versions(now, more),
            "</body></html>\n",
        )
    )


def silent_page(sentence: str) -> str:
    """Return the page to show if the status cannot be determined."""
    return f'{_head("patchwork-matrix-bot")}\n<p class="bad">{_text(sentence)}</p>\n</body></html>\n'


def _head(title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>"
    )


def _standing(now: BotStatus) -> Iterable[str]:
    yield f'<p class="faint">As of {now.now:%Y-%m-%d %H:%M:%S} UTC; running since {moment(now.started)}.</p>'
    if wrong := outages(now):
        yield '<p class="bad">Not ready</p>'
        yield from _list(wrong)
    else:
        yield f'<p class="good">{"Standing by" if now.stands_by else "Ready"}</p>'
    yield from _list(remarks(now))


def _servers(now: BotStatus) -> Iterable[str]:
    yield "<h2>Patchwork servers</h2>"
    yield from _table(
        map(_title, ("Server", "Project", "Known since", "Last poll (UTC)", "Lag", "Next poll (UTC)")),
        (row for server in now.servers for row in _server(now, server)),
    )


def _server(now: BotStatus, server: WatchedServer) -> Iterable[str]:
    shown = server.known_since[:MAX_PROJECTS]
    polls = (
        _when(server.health.last_success, "never"),
        f'<td class="time">{span(now.lag(server))}</td>',
        _when(server.next_poll, "soon"),
    )
    for project, since in shown:
        yield _row(_cell(server.name), _cell(project), f'<td class="time">{since:%Y-%m-%d}</td>', *polls)
    if not shown:
        yield _row(_cell(server.name), _cell("none yet"), _cell(""), *polls)
    if rest := len(server.known_since) - len(shown):
        yield _row(_cell(server.name), _cell(f"and {rest} more"), *[_cell("")] * 4)


def _outbox(now: BotStatus, more: StatusDetails) -> Iterable[str]:
    yield "<h2>Outbox</h2>"
    if (queue := now.queue) is None:
        yield '<p class="bad">Unknown: the database does not answer.</p>'
        return
    ages = [(_age(age, before), count) for (age, count), before in zip(more.ages, _before(more), strict=True)]
    counts = (*ages, (_SUSPENDED, queue.suspended), (_DEAD, queue.dead))
    titles = (_title("Messages"), _title("Count", _NUMBER))
    yield from _table(titles, (_row(_cell(what), _number(count)) for what, count in counts))
    if queue.oldest is not None:
        yield f"<p>The oldest message has been waiting for {span(now.now - queue.oldest)}.</p>"


def _before(more: StatusDetails) -> list[timedelta | None]:
    """Return the preceding age for each age."""
    return [None, *(age for age, _ in more.ages)][: len(more.ages)]


def _age(age: timedelta | None, before: timedelta | None) -> str:
    if age is None:
        return f"waiting longer than {span(before or timedelta())}"
    return f"waiting up to {span(age)}"


def _rooms(rooms: Sequence[RoomStatus]) -> Iterable[str]:
    yield f"<h2>Rooms ({len(rooms)})</h2>"
    if not rooms:
        yield "<p>None yet.</p>"
        return
    titles = (_title("Room"), _title("Subscriptions", _NUMBER), _title("Cards in 24 h", _NUMBER), _title("Notes"))
    yield from _table(titles, map(_room, rooms[:MAX_ROOMS]))
    if (rest := len(rooms) - MAX_ROOMS) > 0:
        yield f"<p>… and {rest} more</p>"


def _room(room: RoomStatus) -> str:
    ids = filter(None, (room.alias, room.room))
    faint = " ".join(f'<bdi class="faint">{_text(each)}</bdi>' for each in ids)
    name = f"<bdi>{_text(room.name)}</bdi> {faint}" if room.name else _text(room.room)
    notes = ", ".join(filter(None, ("direct chat" if room.is_direct else "", room.state)))
    return _row(
        f"<td>{name}</td>", _number(room.subscriptions), _number(room.cards), f'<td class="time">{_text(notes)}</td>'
    )


def _versions(now: BotStatus, more: StatusDetails) -> Iterable[str]:
    apis = [(f"API of {server.name}", server.api) for server in now.servers if server.api]
    yield "<h2>Versions</h2>"
    yield from _table(
        map(_title, ("What", "Version")),
        (_row(_cell(what), _cell(version)) for what, version in (("bot", now.version), *more.versions, *apis)),
    )


def _list(sentences: Sequence[str]) -> Iterable[str]:
    if not sentences:
        return
    items = "".join(f"<li>{_text(sentence)}</li>" for sentence in sentences[:MAX_SENTENCES])
    rest = len(sentences) - MAX_SENTENCES
    yield f"<ul>{items}{f'<li>… and {rest} more</li>' if rest > 0 else ''}</ul>"


def _table(titles: Iterable[str], rows: Iterable[str]) -> Iterable[str]:
    yield f'<div class="wide"><table><thead><tr>{"".join(titles)}</tr></thead><tbody>'
    yield from rows
    yield "</tbody></table></div>"


_NUMBER = ' class="number"'


def _title(text: str, kind: str = "") -> str:
    return f'<th scope="col"{kind}>{text}</th>'


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _cell(text: str) -> str:
    return f"<td>{_text(text)}</td>"


def _number(count: int) -> str:
    return f"<td{_NUMBER}>{count:,}</td>"


def _when(time: datetime | None, otherwise: str) -> str:
    return f'<td class="time">{f"{time:%Y-%m-%d %H:%M:%S}" if time else otherwise}</td>'


def _text(text: str) -> str:
    """Return untrusted text, escaped, on one line and in one direction."""
    return escape(visible(one_line(text)))
