"""What Patchwork servers are asked when their answers are recorded, and what is kept of an answer.

Dates of events and checks are the server's own: `{date:7}` in a request is the date of its event 7.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

Ask: TypeAlias = Callable[[str, dict[str, str]], tuple[int, Mapping[str, str], bytes]]

ORIGIN = "http://pw"
_HEADERS = ("content-type", "vary", "link", "location", "content-disposition")
_DATE = re.compile(r"\{date:(\d+)\}")
_DATED = re.compile(r"(?:since|before)=\d{4}[0-9T%A:.-]+(?=[&>])")
_USUAL = {"content-type": "application/json", "vary": "Accept, Cookie"}  # is not kept
_PRINTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?")
_LINK = re.compile(r"(?:[?&]page=(\d+)[^>]*)?>; rel=\"(\w+)\"")
_NAMED = re.compile(r"\{(patch|cover|series):([^}]+)\}")
_OUTLINED = ("id", "category", "name", "state", "archived", "check", "total", "received_total")
_ACCEPTS = {"xml": "application/xml"}

_MAILS = ("lone", "with/slash%25and+plus", "a1", "e1", "pull", "pull0", "quoted")
_CATEGORIES = (
    "series-created",
    "series-completed",
    "cover-created",
    "patch-created",
    "patch-completed",
    "patch-state-changed",
    "patch-delegated",
    "patch-relation-changed",
    "check-created",
    "patch-comment-created",
    "cover-comment-created",
)

WHOLE = (
    "/",
    "/projects/",
    "/projects/sample-devel/",
    *(f"/events/?category={category}&per_page=1" for category in _CATEGORIES),
    "/patches/?order=-id&per_page=2",
    *(f"/patches/{{patch:{name}}}/" for name in _MAILS),
    "/series/?order=-id&per_page=2",
    *(f"/series/{{series:{name}}}/" for name in ("a1", "b1", "d1", "e1", "pull1")),
    "/covers/?order=-id&per_page=1",
    "/covers/{cover:b0}/",
    *(f"/patches/{{patch:{name}}}/checks/" for name in ("a1", "a2", "b1")),
    *(f"/patches/{{patch:{name}}}/comments/" for name in ("a1", "lone", "b1")),
    *(f"/covers/{{cover:{name}}}/comments/" for name in ("a0", "b0")),
    "/patches/{patch:a1}/checks/1/",
    "/patches/{patch:a2}/checks/1/",
    "/patches/{patch:a1}/comments/1/",
    "/patches/{patch:a2}/comments/1/",
    "/covers/{cover:a0}/comments/1/",
    "/bundles/",
    "/people/",
    "/users/",
    "/users/1/",
)
"""Asked of the newest version, for all that they say; of the others what `SOME` names."""

SOME = (
    "/",
    "/projects/2/",
    *(f"/events/?category={category}&per_page=1" for category in _CATEGORIES),
    "/patches/?order=-id&per_page=1",
    "/patches/{patch:a1}/",
    "/series/?order=-id&per_page=1",
    "/series/{series:a1}/",
    "/covers/?order=-id&per_page=1",
    "/covers/{cover:a0}/",
    "/patches/{patch:a1}/checks/",
    "/patches/{patch:a1}/comments/",
    "/covers/{cover:a0}/comments/",
    "/patches/{patch:a1}/comments/1/",
    "/covers/{cover:a0}/comments/1/",
)

OUTLINES = (
    "/events/?order=date&per_page=250",
    "/series/?per_page=250",
    "/patches/?per_page=250",
    "/covers/?per_page=250",
)
"""Asked of the newest version, for each row without what says the same of every row."""

LISTS = (
    "/projects/SAMPLE-DEVEL/",
    "/projects/nosuch/",
    "/projects/1/",
    *(f"/patches/?archived={value}" for value in ("true", "false", "True", "1", "0", "maybe", "")),
    *(f"/patches/?state={value}" for value in ("accepted", "3", "nosuch", "new&state=accepted", "under-review")),
    *(f"/patches/?delegate={value}" for value in ("bruno", "2", "nosuch", "99")),
    *(
        f"/{kind}/?submitter={who}"
        for kind in ("patches", "series", "covers")
        for who in ("1", "BRUNO@example.com", "x@y")
    ),
    *(f"/patches/?series={value}" for value in ("{series:a1}", "{series:a1}&series={series:c1}", "999", "x")),
    *(f"/covers/?series={value}" for value in ("{series:a1}",)),
    *(
        f"/{kind}/?project={value}"
        for kind in ("patches", "series", "covers", "events")
        for value in (
            "sample-devel",
            "SAMPLE-DEVEL",
            "1",
            "nosuch",
            "sample-devel&project=sample-docs",
            "sample-devel&project=nosuch",
        )
    ),
    "/patches/?msgid=lone%40example.org",
    "/patches/?msgid=lone%40example.org&project=sample-docs",
    "/patches/?msgid=%3Clone%40example.org%3E",
    "/patches/?msgid=a0%40example.org",
    "/patches/?msgid=with%2Fslash%2525and%2Bplus%40example.org",
    "/covers/?msgid=a0%40example.org",
    "/covers/?msgid=lone%40example.org",
    "/patches/?hash=da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "/patches/?hash=DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
    "/patches/?hash=x",
    *(
        f"/patches/?since={value}"
        for value in ("2026-01-05T10:12:00", "2026-01-05", "2026-01-06", "garbage", "1767607200", "")
    ),
    "/patches/?before=2026-01-05T10:12:00",
    "/series/?since=2026-01-05T10:12:00",
    "/covers/?before=2026-01-05T10:12:00",
    *(f"/patches/?q={value}" for value in ("part", "part%202", "PART", "part,again", "odd", "nothing-like-it")),
    "/series/?q=migration",
    "/covers/?q=pci",
    *(f"/patches/?order={value}" for value in ("id", "-id", "name", "-name", "date", "-date", "nosuch")),
    *(f"/series/?order={value}" for value in ("-id", "name", "-date", "version", "nosuch")),
    *(f"/covers/?order={value}" for value in ("-id", "-name", "date")),
    *(f"/events/?order={value}" for value in ("date", "-date", "id", "-id", "nosuch")),
    *(
        f"/events/?per_page=250&category={value}"
        for value in (
            "cover-created",
            "check-created",
            "series-completed&category=cover-created",
            "nosuch",
            "patch-state-changed",
            "patch-delegated",
            "patch-relation-changed",
            "patch-comment-created",
            "cover-comment-created",
        )
    ),
    *(
        f"/events/?per_page=250&{value}"
        for value in (
            "series={series:a1}",
            "series=999",
            "patch={patch:a1}",
            "patch=999",
            "cover={cover:a0}",
            "cover=999",
            "actor=1",
            "actor=2",
            "actor=bruno",
            "actor=99",
            "patch={patch:lone}&patch={patch:a1}",
        )
    ),
    "/events/?since={date:20}&order=date",
    "/events/?before={date:20}&order=date&per_page=250",
    "/events/?since={date:20}&before={date:24}",
    "/events/?since=garbage",
    "/events/?nosuch=1&per_page=3",
    *(f"/events/?per_page={size}" for size in (0, -5, 1, 251, 999, "x")),
    *(f"/events/?per_page=40&page={page}" for page in (1, 2, 3, "last", 0, -1, 99, "x")),
    "/patches/?per_page=10&page=2",
)
"""Asked of the newest version, for the ids of the rows."""

ODD = (
    "/patches/999/",
    "/patches/0/",
    "/covers/999/",
    "/series/999/",
    "/patches/999/checks/",
    "/patches/999/comments/",
    "/covers/999/comments/",
    "/patches/{patch:a1}/checks/99/",
    "/patches/{patch:a1}/comments/99/",
    "/nosuch/",
    "/patches",
    "/patches?project=1",
    "/events/?format=xml",
    "/events/?format=api",
)

OUTSIDE = (
    "/api",
    "/api/",
    "/api/events/?per_page=1",
    "/api/1.0/",
    "/api/1.1/",
    "/api/1.2/",
    "/api/1.3/",
    "/api/1.9/",
    "/elsewhere/",
    "/series/{series:a1}/mbox/",
    "/series/{series:c1}/mbox/",
    "/series/999/mbox/",
    "/patch/{patch:a1}/",
    "/patch/{patch:a1}/mbox/",
    "/patch/999/",
    "/cover/{cover:a0}/",
    "/project/sample-devel/patch/lone@example.org/mbox/",
    "/project/sample-docs/patch/lone@example.org/mbox/",
    "/project/sample-devel/patch/a1@example.org/mbox/",
    "/project/sample-devel/patch/pull@example.org/mbox/",
    "/project/sample-devel/patch/quoted@example.org/mbox/",
    "/project/sample-devel/cover/a0@example.org/mbox/",
    "/project/sample-devel/cover/a0@example.org/",
    "/project/sample-devel/list/",
    "/project/sample-devel/list/?series={series:a1}",
    "/project/nosuch/list/",
)


@dataclass(frozen=True, slots=True)
class Recorder:
    """Asks a server, whose addresses begin with *origin*, and keeps what is compared."""

    ask: Ask
    versions: Sequence[str]
    origin: str

    def record(self) -> list[dict[str, Any]]:
        """All answers."""
        return [self.answer({**request, "ask": self._named(request["ask"])}) for request in self._requests()]

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request, which it begins with."""
        asked = {key: request[key] for key in ("ask", "accept", "keep") if key in request}
        headers = {"Accept": _ACCEPTS.get(request.get("accept", ""), "application/json")}
        status, given, body = self.ask(_DATE.sub(self._date, request["ask"]), headers)
        kept = {name: _DATED.sub("DATE", self._own(given[name])) for name in _HEADERS if name in given}
        kept = {name: value for name, value in kept.items() if _USUAL.get(name) != value}
        if request["keep"] == "ids" and "link" in kept:
            kept["link"] = " ".join(f"{rel}:{page or 1}" for page, rel in _LINK.findall(kept["link"]))
        return {**asked, "status": status, "headers": kept, **self._body(request["keep"], given["content-type"], body)}

    def _requests(self) -> Iterator[dict[str, str]]:
        *older, newest = (version for version in self.versions if version > "1.0")
        for paths, keep in ((WHOLE, "body"), (OUTLINES, "outline"), (LISTS, "ids"), (ODD, "body")):
            yield from ({"ask": f"/api/{newest}{path}", "keep": keep} for path in paths)
        for version in older:
            yield from ({"ask": f"/api/{version}{path}", "keep": "body"} for path in SOME)
            yield from (
                {"ask": f"/api/{version}{path}", "keep": "ids"}
                for path in (
                    "/patches/?msgid=lone%40example.org",
                    "/patches/?hash=x",
                    "/events/?per_page=250&category=patch-comment-created",
                    "/events/?per_page=250&actor=2",
                )
            )
        for accept in _ACCEPTS:
            yield {"ask": f"/api/{newest}/events/?per_page=1", "accept": accept, "keep": "body"}
        yield from ({"ask": path, "keep": "body"} for path in OUTSIDE)

    def _body(self, keep: str, content_type: str, body: bytes) -> dict[str, Any]:
        if content_type.startswith("text/plain"):
            return {"text": self._own(body.decode())}
        if content_type != "application/json":
            return {}
        found = json.loads(self._own(body.decode()))
        if keep == "ids" and isinstance(found, list):
            return {"ids": [row["id"] for row in found]}
        if keep == "outline":
            return {"rows": [_outline(row) for row in found]}
        return {"body": found}

    def _named(self, ask: str) -> str:
        """The request with the ids of the mails that it names."""
        return _NAMED.sub(lambda match: str(self._id(match[1], match[2])), ask)

    def _id(self, kind: str, name: str) -> int:
        listed = "covers" if kind == "cover" else "patches"
        path = f"/api/{self.versions[-1]}/{listed}/?project=sample-devel&msgid={quote(f'{name}@example.org', safe='')}"
        row = json.loads(self.ask(path, {"Accept": "application/json"})[2])[0]
        number = row["series"][0]["id"] if kind == "series" else row["id"]
        assert isinstance(number, int)
        return number

    def _own(self, text: str) -> str:
        return text.replace(self.origin, ORIGIN)

    def _date(self, match: re.Match[str]) -> str:
        path = f"/api/{self.versions[-1]}/events/?per_page=250"
        events = json.loads(self.ask(path, {"Accept": "application/json"})[2])
        return quote(next(event["date"] for event in events if str(event["id"]) == match[1]))


def _outline(row: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from row to row; of what a row refers to, the ids."""
    outline = {key: row[key] for key in _OUTLINED if key in row}
    return outline | {key: _ids(row[key]) for key in ("series", "patches", "cover_letter", "payload") if key in row}


def _ids(value: Any) -> Any:
    match value:
        case {"id": number}:
            return number
        case dict():
            return {key: _ids(each) for key, each in value.items()}
        case list():
            return [_ids(each) for each in value]
        case _:
            return value


def comparable(value: Any, *, comment_urls: bool = True) -> Any:
    """*value* without what is each server's own: dates of events and checks, a refusal's words, a plain text's charset.

    That dates are dates is seen to. Without *comment_urls*, comments have none: 3.1 forgets them.
    """
    match value:
        case dict():
            own = _own_keys(value, comment_urls=comment_urls)
            return {key: comparable(each, comment_urls=comment_urls) for key, each in value.items() if key not in own}
        case list():
            return [comparable(each, comment_urls=comment_urls) for each in value]
        case "text/plain; charset=utf-8":
            return "text/plain"
        case _:
            return value


def _own_keys(row: Mapping[str, Any], *, comment_urls: bool) -> set[str]:
    """What of an object another server says otherwise."""
    is_dated = "date" in row and ("payload" in row or "context" in row)
    if is_dated:
        assert _PRINTED.fullmatch(row["date"]), row
    is_comment = "subject" in row and "submitter" in row
    dates, urls = {"date"} if is_dated else set(), {"url"} if is_comment and not comment_urls else set()
    return dates | urls | ({"detail"} if isinstance(row.get("detail"), str) else set())


def key_of(answer: Mapping[str, Any]) -> tuple[str, str]:
    """What was asked."""
    return answer["ask"], answer.get("accept", "")
