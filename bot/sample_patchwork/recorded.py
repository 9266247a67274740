"""Reads a patch recorded from a real server as a mail that is new to the sample server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.sample_patchwork.mail import read_subject
from bot.sample_patchwork.records import Headers

_MSGID = re.compile(r"<([^<>\s]{1,998})>")
_LONGEST_TEXT = 16_000_000


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """The series in a patch's response; *total* is the "m" of "n/m"."""

    id: int
    name: str | None
    version: int
    total: int
    date: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """The patch in a recorded response; dates are naive UTC, message-ids have no brackets."""

    id: int
    project_id: int
    link_name: str
    project_name: str
    list_id: str
    list_email: str
    submitter: str  # "Name <address>"
    msgid: str
    name: str
    number: int
    date: datetime
    headers: Headers
    content: str
    diff: str | None
    hash: str | None
    pull_url: str | None
    commit_ref: str | None
    state: str
    archived: bool
    series: RecordedSeries | None

    @property
    def references(self) -> tuple[str, ...]:
        """The message-ids of the thread, the direct parent last."""
        wanted = ("references", "in-reply-to")
        values = [value for header in wanted for name, value in self.headers if name.lower() == header]
        return tuple(dict.fromkeys(_MSGID.findall(" ".join(values))))


def read_recorded(answer: object) -> Recorded:
    """Read a response of `/api/patches/N/` of any API version.

    Raises:
        ValueError: it is something else; the text explains this to the person who saved the file.
    """
    fields = _Fields(_patch_object(answer), "")
    project = fields.object("project")
    submitter = fields.object("submitter")
    name = fields.text("name")
    subject = read_subject(name)
    date = fields.date("date")
    return Recorded(
        id=fields.number("id"),
        project_id=project.number("id"),
        link_name=project.text("link_name"),
        project_name=project.optional("name") or project.text("link_name"),
        list_id=project.optional("list_id") or "",
        list_email=project.optional("list_email") or "",
        submitter=f"{submitter.optional('name') or ''} <{submitter.text('email')}>".strip(),
        msgid=fields.text("msgid").strip().removeprefix("<").removesuffix(">"),
        name=name,
        number=subject.number or 1,
        date=date,
        headers=_headers(fields.value("headers")),
        content=fields.optional("content") or "",
        diff=fields.optional("diff"),
        hash=fields.optional("hash"),
        pull_url=fields.optional("pull_url"),
        commit_ref=fields.optional("commit_ref"),
        state=fields.optional("state") or "new",
        archived=fields.value("archived") is True,
        series=_series(fields.value("series"), subject.total or 1),
    )


def _patch_object(answer: object) -> Mapping[object, object]:
    fields: Mapping[object, object] = answer if isinstance(answer, dict) else {}
    if mistake := _mistaken_for(answer, fields):
        raise ValueError(f"{mistake}; save the answer for one patch, /api/patches/N/")
    return fields


def _mistaken_for(answer: object, fields: Mapping[object, object]) -> str | None:
    """Return what the file is instead of a response for a patch, or None if it looks like one."""
    mistakes = [
        (isinstance(answer, list), "this is a list"),
        (not isinstance(answer, dict), "this is not a JSON object"),
        ("detail" in fields and "id" not in fields, f"this is a server's error ({_short(fields.get('detail'))})"),
        ("category" in fields and "payload" in fields, "this is an event"),
        ("received_total" in fields, "this is a series"),
        ("diff" not in fields and "state" in fields, "this is an entry of a list, without its diff"),
        ("diff" not in fields, "this is not a patch"),
    ]
    return next((text for mistaken, text in mistakes if mistaken), None)


def _short(value: object) -> str:
    return str(value)[:200]


def _series(value: object, total: int) -> RecordedSeries | None:
    if not isinstance(value, list) or not value:
        return None
    fields = _Fields(value[0], "series ")
    return RecordedSeries(
        id=fields.number("id"),
        name=fields.optional("name"),
        version=fields.number("version"),
        total=total,
        date=fields.date("date"),
    )


def _headers(value: object) -> Headers:
    pairs: list[tuple[str, str]] = []
    for name, content in value.items() if isinstance(value, dict) else ():
        values = content if isinstance(content, list) else [content]
        pairs += [(str(name), line) for line in values if isinstance(line, str)]
    return tuple(pairs)


class _Fields:
    """The fields of an object, read with the type that each must have."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"this is not a patch: its {where.strip() or 'answer'} is not an object")  # noqa: TRY004 - the file's content is wrong, not a caller's type
        self._fields: Mapping[object, object] = value
        self._where = where

    def value(self, key: str) -> object:
        """Return the value of *key*, or None if it is missing."""
        return self._fields.get(key)

    def object(self, key: str) -> "_Fields":
        """Return the object at *key*."""
        return _Fields(self._fields.get(key), f"{key} ")

    def number(self, key: str) -> int:
        """Return a positive id or version that fits into a database column."""
        value = self._fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise ValueError(f"this is not a patch: its {self._where}{key} is not a positive number")
        return value

    def text(self, key: str) -> str:
        """Return a required text."""
        value = self.optional(key)
        if not value:
            raise ValueError(f"this is not a patch: it has no {self._where}{key}")
        return value

    def optional(self, key: str) -> str | None:
        """Return a text, or None if it is missing."""
        value = self._fields.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise ValueError(f"this is not a patch: its {self._where}{key} is not text")
        return value

    def date(self, key: str) -> datetime:
        """Return a date as naive UTC."""
        text = self.text(key)
        try:
            date = datetime.fromisoformat(text)
            return date if date.tzinfo is None else date.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"this is not a patch: its {self._where}{key} is not a date: {text[:40]!r}") from error
