"""Conversion of rows to the model and back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import sqlalchemy as sa

from bot.ids import EventId, Msgid, PatchId, ProjectName, SeriesId, ServerName
from bot.notices.chart import chart_of
from bot.notices.notice import Message, NoticeKind, Tag
from bot.patchwork.model import Check, CheckState, FileChange, Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.poll import Baseline, Pending, PendingKind
from bot.submission import SubmissionKind, SubmissionRef

MAX_ADDRESS = 255
Row: TypeAlias = sa.RowMapping | Mapping[str, Any]


def packed(table: sa.Table, without: Mapping[str, str] = MappingProxyType({})) -> sa.Select[Any]:
    """Return the query for the rows of *table* with their JSON as text, which `unpacked` can decode elsewhere.

    The columns *without* are not read; their values here, in JSON, stand for them.
    """
    return sa.select(*(_packed(column, without.get(column.name)) for column in columns_of(table)))


def _packed(column: sa.Column[Any], instead: str | None) -> sa.ColumnElement[Any]:
    if instead is not None:
        return sa.literal(instead, sa.Text).label(column.name)
    return sa.cast(column, sa.Text).label(column.name) if _is_json(column) else column


def columns_of(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns of *table* that make up its model objects: all but the fingerprint of a patch's diff."""
    return [column for column in table.c if not isinstance(column.type, sa.LargeBinary)]


def unpacked(row: sa.RowMapping, table: sa.Table) -> dict[str, Any]:
    """Return a `packed` row of *table* with its JSON decoded."""
    return {**row, **{column.name: _loaded(row[column.name]) for column in columns_of(table) if _is_json(column)}}


def to_baseline(row: sa.RowMapping) -> Baseline:
    """Return the baseline in a project row."""
    return Baseline(
        project=ProjectName(row["name"]),
        event=row["baseline_event"],
        date=row["baseline_date"],
        patch=row["baseline_patch"],
        series=row["baseline_series"],
        unread_from=row["unread_from"],
    )


def of_baseline(base: Baseline, now: datetime) -> dict[str, object]:
    """Return the columns of a project row, except for its key."""
    return {
        "baseline_event": base.event,
        "baseline_date": base.date,
        "baseline_patch": base.patch,
        "baseline_series": base.series,
        "known_since": now,
        "unread_from": base.unread_from,
    }


def to_pending(row: sa.RowMapping) -> Pending:
    """Return the pending object in a row."""
    return Pending(
        kind=PendingKind(row["kind"]),
        id=row["id"],
        project=ProjectName(row["project"]),
        name=row["name"],
        first_seen=row["first_seen"],
        due=row["due"],
        deadline=row["deadline"],
        attempts=row["attempts"],
        unreadable_since=row["unreadable_since"],
        missing_since=row["missing_since"],
    )


def of_pending(server: ServerName, item: Pending) -> dict[str, object]:
    """Return the row of a pending object."""
    return {"server": server, **asdict(item)}


def to_series(row: Row) -> Series:
    """Return the series in a row."""
    return Series(
        id=SeriesId(row["id"]),
        project=ProjectName(row["project"]),
        name=row["name"],
        version=row["version"],
        submitter=Person(row["submitter_name"], row["submitter_email"]),
        date=row["date"],
        total=row["total"],
        received_total=row["received_total"],
        received_all=row["received_all"],
        cover=Msgid(row["cover"]) if row["cover"] is not None else None,
        cover_id=row["cover_id"],
        cover_name=row["cover_name"],
        archive_url=row["archive_url"],
        patches=tuple(PatchRef(PatchId(number), Msgid(msgid), name) for number, msgid, name in row["patches"]),
        trailers=to_trailers(row["trailers"] or ()),
    )


def of_series(series: Series, now: datetime) -> dict[str, object]:
    """Return the columns of a series row, except for its key and separately stored data: trailers, former version."""
    return {
        "project": series.project,
        "name": series.name,
        "version": series.version,
        "submitter_name": series.submitter.name,
        "submitter_email": series.submitter.email,
        "submitter": folded_address(series.submitter.email),
        "date": series.date,
        "total": series.total,
        "received_total": series.received_total,
        "received_all": series.received_all,
        "cover": series.cover,
        "cover_id": series.cover_id,
        "cover_name": series.cover_name,
        "archive_url": series.archive_url,
        "patches": [[ref.id, ref.msgid, ref.name] for ref in series.patches],
        "evaluated_at": now,
    }


def folded_address(address: str) -> str:
    """Return an address in the form in which it is indexed: in lower case, and cut to `MAX_ADDRESS`."""
    return address.lower()[:MAX_ADDRESS]


def to_patch(row: Row) -> Patch:
    """Return the patch in a row."""
    return Patch(
        id=PatchId(row["id"]),
        project=ProjectName(row["project"]),
        msgid=Msgid(row["msgid"]),
        name=row["name"],
        submitter=Person(row["submitter_name"], row["submitter_email"]),
        date=row["date"],
        series=SeriesId(row["series"]) if row["series"] is not None else None,
        state=row["state"],
        delegate=row["delegate"],
        check=CheckState(row["check"]) if row["check"] else None,
        archived=row["archived"],
        hash=row["hash"],
        pull_url=row["pull_url"],
        former_state=row["former_state"],
        commit_ref=row["commit_ref"],
        archive_url=row["archive_url"],
        files=tuple(FileChange(*file) for file in row["files"]) if row["files"] is not None else None,
        to=tuple(row["to"]),
        cc=tuple(row["cc"]),
        trailers=to_trailers(row["trailers"]),
    )


def of_patch(patch: Patch, now: datetime) -> dict[str, object]:
    """Return the columns of a patch row, except for its key."""
    return {
        "project": patch.project,
        "series": patch.series,
        "msgid": patch.msgid,
        "name": patch.name,
        "submitter_name": patch.submitter.name,
        "submitter_email": patch.submitter.email,
        "date": patch.date,
        "state": patch.state,
        "delegate": patch.delegate,
        "check": None if patch.check is CheckState.PENDING else patch.check,  # which Patchwork also uses for no check
        "archived": patch.archived,
        "hash": patch.hash,
        "pull_url": patch.pull_url,
        "former_state": patch.former_state,
        "commit_ref": patch.commit_ref,
        "archive_url": patch.archive_url,
        "files": _of_files(patch.files),
        "to": list(patch.to),
        "cc": list(patch.cc),
        "trailers": of_trailers(patch.trailers),
        "read_at": now,
        "fingerprint": patch.fingerprint or None,
    }


def to_ref(row: Row) -> SubmissionRef:
    """Return the submission that the patch in a row belongs to."""
    if row["series"] is None:
        return SubmissionRef(ServerName(row["server"]), SubmissionKind.PATCH, row["id"])
    return SubmissionRef(ServerName(row["server"]), SubmissionKind.SERIES, row["series"])


def to_check(row: Row) -> Check:
    """Return the check in a row."""
    return Check(row["id"], CheckState(row["state"]), row["context"], row["user"], row["description"] or "")


def of_trailers(trailers: Iterable[Trailer]) -> list[list[str]]:
    """Return trailers as a column value."""
    return sorted([trailer.kind.value, trailer.person, trailer.name] for trailer in trailers)


def to_trailers(stored: Iterable[Sequence[str]]) -> frozenset[Trailer]:
    """Return the trailers in a column; those of earlier program versions have no names."""
    return frozenset(Trailer(TrailerKind(kind), person, *name) for kind, person, *name in stored)


def _of_files(files: tuple[FileChange, ...] | None) -> list[list[object]] | None:
    """Return files as a column value: None if the diff was not read, an empty list if it touches no file."""
    return None if files is None else [[file.path, file.old_path, file.added, file.removed] for file in files]


def _loaded(text: str | None) -> object:
    """Return the decoded value of a column; None if it is empty."""
    if text is None or text == "null":
        return None
    return [] if text == "[]" else json.loads(text)


def _is_json(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def message_of(stored: dict[str, object]) -> Message:
    """Return a stored message; fields that earlier program versions did not write have their defaults."""
    match stored:
        case {"body": str(body), "html": str(html), "tag": dict(tag), "rings": bool(rings)}:
            return Message(
                body=body,
                html=html,
                tag=Tag(**{**tag, "kind": NoticeKind(tag["kind"])}),
                rings=rings,
                thread=_event(stored, "thread"),
                replies_to=_event(stored, "replies_to"),
                reaction=_event(stored, "reaction"),
                edits=_event(stored, "edits"),
                chart=chart_of(stored["chart"]) if stored.get("chart") is not None else None,
            )
        case _:
            raise TypeError("a stored notice has another shape than this program writes")


def _event(stored: Mapping[str, object], name: str) -> EventId | None:
    value = stored.get(name)
    return EventId(value) if isinstance(value, str) else None
