"""Wire format of Patchwork's responses, and its conversion into the model.

Parsing is lenient where servers differ (a field that a version lacks, a null) and strict where an error would otherwise
go unnoticed.
API 1.1 to 1.4; the shapes are those of tests/samples/patchwork-shapes.json.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from bot.ids import PatchId, PatchworkEventId, ProjectName, SeriesId
from bot.patchwork import diff
from bot.patchwork.dependencies import dependencies_at, dependencies_in
from bot.patchwork.diff import hash_of
from bot.patchwork.diff_lines import fingerprint_of
from bot.patchwork.mails import addresses, ancestors, mail_text, own_words, trailers_of
from bot.patchwork.model import Check, CheckState, Comment, CoverPage, Patch, PatchPage, PatchRef, Person, Series
from bot.patchwork.references import msgid_of
from bot.text import one_line


@dataclass(frozen=True, slots=True)
class EventHint:
    """An event: its category, its date by the server's own clock, and the objects that it names."""

    id: PatchworkEventId
    category: str  # an open set
    date: str  # naive, in the server's own time zone; never compared with our clock
    project: ProjectName
    series: SeriesId | None = None
    patch: PatchRef | None = None
    cover: PatchRef | None = None
    current_state: str | None = None  # only "patch-state-changed" has it
    previous_delegate: str | None = None  # only "patch-delegated" may have it; None: nobody
    current_delegate: str | None = None
    check: Check | None = None  # only "check-created" has it, without its description
    comment: int | None = None  # only "*-comment-created" have it
    actor: str | None = None  # the account that caused it; None if unknown, as before API 1.2


_CATEGORIES = frozenset(
    {
        "cover-created",
        "patch-created",
        "patch-completed",
        "patch-state-changed",
        "patch-relation-changed",
        "patch-delegated",
        "check-created",
        "series-created",
        "series-completed",
        "cover-comment-created",
        "patch-comment-created",
    }
)


def known_category(event: EventHint) -> str:
    """Return the event's category if Patchwork 3.2 has it, otherwise "other"."""
    return event.category if event.category in _CATEGORIES else "other"


_DATE = re.compile(r"(?:19[7-9]\d|2\d{3})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z?", re.ASCII)


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _line_or_none(value: str | None) -> str | None:
    return one_line(value) or None if value else None


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """Return the validated value, or None if it is invalid, so that a bad field does not hide the event."""
    try:
        return read(value)
    except ValidationError:
        return None


def _date(value: str) -> str:
    """Return *value* if it is a date, because the cursor depends on an event's date."""
    if not _DATE.fullmatch(value):
        raise ValueError("not a date")
    datetime.fromisoformat(value)
    return value


Id = Annotated[int, Field(ge=0, lt=2**63)]  # what a database can hold
Count = Annotated[int, Field(ge=0, lt=2**31)]
Line = Annotated[str, BeforeValidator(_or_empty), AfterValidator(one_line)]
LineOrNone = Annotated[str | None, AfterValidator(_line_or_none)]
Text = Annotated[str, BeforeValidator(_or_empty)]
_LENIENT = WrapValidator(_or_none)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class ProjectRow(_Wire):
    """A project, as other objects name it."""

    id: Id
    link_name: Line


class MaintainersRow(ProjectRow):
    """A project with its maintainers."""

    maintainers: list["_User"] = []


class _Person(_Wire):
    name: Line = ""
    email: Line = ""

    def model(self) -> Person:
        return Person(name=self.name, email=self.email)


class _User(_Wire):
    username: Line = ""

    @property
    def name(self) -> str | None:
        """The account's name; None if the server does not return it."""
        return self.username or None


class _Ref(_Wire):
    id: Id
    name: Line = ""
    msgid: Line = ""
    list_archive_url: LineOrNone = None

    def model(self) -> PatchRef:
        return PatchRef(id=PatchId(self.id), msgid=msgid_of(self.msgid), name=self.name)


class _Check(_Wire):
    id: Id
    state: CheckState
    context: Line = ""
    description: Line = ""
    target_url: LineOrNone = None
    date: Line = ""

    def by(self, user: _User | None) -> Check:
        name = user.username if user else ""
        return Check(self.id, self.state, self.context, name, self.description, self.target_url, self.date)


class _Comment(_Wire):
    id: Id


class _Payload(_Wire):
    series: _Ref | None = None
    patch: _Ref | None = None
    cover: _Ref | None = None
    current_state: LineOrNone = None
    previous_delegate: Annotated[_User | None, _LENIENT] = None
    current_delegate: Annotated[_User | None, _LENIENT] = None
    check: Annotated[_Check | None, _LENIENT] = None
    comment: Annotated[_Comment | None, _LENIENT] = None


class EventRow(_Wire):
    """A row of /events/."""

    id: Id
    category: Line
    date: Annotated[str, AfterValidator(_date)]
    project: ProjectRow
    payload: _Payload
    actor: Annotated[_User | None, _LENIENT] = None  # API 1.1 has none

    def model(self) -> EventHint:
        """Return the event as an `EventHint`."""
        payload = self.payload
        series, patch = payload.series, payload.patch
        return EventHint(
            id=PatchworkEventId(self.id),
            category=self.category,
            date=self.date,
            project=ProjectName(self.project.link_name),
            series=SeriesId(series.id) if series else None,
            patch=patch.model() if patch else None,
            cover=payload.cover.model() if payload.cover else None,
            current_state=payload.current_state,
            previous_delegate=payload.previous_delegate.name if payload.previous_delegate else None,
            current_delegate=payload.current_delegate.name if payload.current_delegate else None,
            check=payload.check.by(self.actor) if payload.check else None,
            comment=payload.comment.id if payload.comment else None,
            actor=self.actor.name if self.actor else None,
        )


class SeriesRow(_Wire):
    """A series; its fields are the same in a list and on its own page."""

    id: Id
    project: ProjectRow
    name: Line = ""
    version: Count = 1
    date: Line = ""
    submitter: _Person = _Person()
    total: Count = 1
    received_total: Count = 0
    received_all: bool = False
    cover_letter: _Ref | None = None
    patches: list[_Ref] = []
    dependencies: object = None  # API 1.4, unless the project hides them

    def model(self) -> Series:
        """Return the series with its patches in the order of their numbers (the server sorts by mail date)."""
        refs = sorted((ref.model() for ref in self.patches), key=lambda ref: (ref.number or (0, 0), ref.id))
        return Series(
            id=SeriesId(self.id),
            project=ProjectName(self.project.link_name),
            name=self.name or (refs[0].name if refs else f"series {self.id}"),
            version=self.version,
            submitter=self.submitter.model(),
            date=self.date,
            total=self.total,
            received_total=self.received_total,
            received_all=self.received_all,
            cover=self.cover_letter.model().msgid if self.cover_letter else None,
            cover_id=self.cover_letter.id if self.cover_letter else None,
            cover_name=self.cover_letter.name if self.cover_letter else "",
            archive_url=self._archive_url(),
            patches=tuple(refs),
            needs=dependencies_at(self.dependencies),
        )

    def _archive_url(self) -> str | None:
        """Return the archive's address of the thread: that of the cover letter, or of the first mail that has one."""
        mails = [*([self.cover_letter] if self.cover_letter else []), *self.patches]
        return next((mail.list_archive_url for mail in mails if mail.list_archive_url), None)


class _SeriesOfPatch(_Wire):
    id: Id
    name: Line = ""
    version: Count = 1


class CoverRow(_Wire):
    """A cover letter with the series that it opens; only its own page has the content."""

    id: Id
    project: ProjectRow
    msgid: Line = ""
    series: list[_SeriesOfPatch] = []
    content: Text = ""

    def model(self) -> CoverPage:
        """Return what the cover letter opens and needs."""
        opened = SeriesId(self.series[0].id) if self.series else None
        return CoverPage(opened, dependencies_in(self.content))


class PatchRow(_Wire):
    """A patch; only its own page has the headers, the content and the diff."""

    id: Id
    project: ProjectRow
    msgid: Line = ""
    name: Line = ""
    date: Line = ""
    submitter: _Person = _Person()
    state: Line = ""
    archived: bool = False
    hash: LineOrNone = None
    delegate: _User | None = None
    check: LineOrNone = None
    pull_url: LineOrNone = None
    commit_ref: LineOrNone = None
    list_archive_url: LineOrNone = None
    series: list[_SeriesOfPatch] = []
    headers: dict[str, str | list[str]] | None = None
    content: Text = ""
    diff: Text = ""

    @property
    def series_id(self) -> SeriesId | None:
        """The series that the patch belongs to; None for a pull request."""
        return SeriesId(self.series[0].id) if self.series else None

    def model(self) -> Patch:
        """Return the patch, with files, addresses and trailers if it comes from its own page."""
        read_whole = self.headers is not None
        return Patch(
            id=PatchId(self.id),
            project=ProjectName(self.project.link_name),
            msgid=msgid_of(self.msgid),
            name=self.name,
            submitter=self.submitter.model(),
            date=self.date,
            series=self.series_id,
            state=self.state or None,
            delegate=self.delegate.name if self.delegate else None,
            check=_check(self.check),
            archived=self.archived,
            hash=hash_of(self.diff) if read_whole and self.diff else self.hash,
            pull_url=self.pull_url,
            commit_ref=self.commit_ref,
            archive_url=self.list_archive_url,
            files=diff.changed_files(self.diff) if read_whole else None,
            to=addresses(self.header("To")),
            cc=addresses(self.header("Cc")),
            trailers=trailers_of(self.content),
            text=mail_text(self.name, f"{self.content}\n{self.diff}") if read_whole else "",
            fingerprint=fingerprint_of(self.diff) if read_whole else b"",
            replies_to=ancestors(self.header("References"), self.header("In-Reply-To")),
            needs=dependencies_in(self.content),
        )

    def page(self) -> PatchPage:
        """Return the contents of the patch's own page."""
        return PatchPage(self.model(), self.series_model(), self.diff)

    def series_model(self) -> Series | None:
        """Return the patch's series with the fields that a patch's response has; None if it belongs to none."""
        if not self.series:
            return None
        series = self.series[0]
        return Series(
            id=SeriesId(series.id),
            project=ProjectName(self.project.link_name),
            name=series.name or self.name,
            version=series.version,
            submitter=self.submitter.model(),
        )

    def header(self, name: str) -> Sequence[str]:
        """Return all values of the mail header *name*, in any case."""
        values: list[str] = []
        for key, value in (self.headers or {}).items():
            if key.lower() == name.lower():
                values += [value] if isinstance(value, str) else value
        return values


class CheckRow(_Check):
    """A check of a patch."""

    user: _User | None = None

    def model(self) -> Check:
        """Return the check as a model object."""
        return self.by(self.user)


class CommentRow(_Wire):
    """A comment on a patch or a cover letter."""

    id: Id
    date: Line = ""
    submitter: _Person = _Person()
    content: Text = ""

    def model(self) -> Comment:
        """Return the comment as a model object."""
        words, trailers = own_words(self.content), trailers_of(self.content)
        return Comment(self.id, self.submitter.model(), self.date, words, trailers)


def _check(value: str | None) -> CheckState | None:
    return CheckState(value) if value in set(CheckState) else None
