"""Complete changes as JSON, stored until they can be handled, because the store has only the current state."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.ids import PatchId, ServerName
from bot.notices.changes import ChangedSubmission
from bot.patchwork.model import CheckState, Patch, Series
from bot.store import queued_change_book as queued
from bot.store import rows
from bot.submission import Contexts, SubmissionKind, SubmissionRef

_NO_TIME = datetime.min.replace(tzinfo=UTC)  # the rows have one, which is not kept


def of_changed(changed: ChangedSubmission) -> dict[str, Any]:
    """Return *changed* as JSON."""
    return {
        "kind": changed.about.kind,
        "object": changed.about.id,
        "rebuilds": changed.about.rebuilds,
        "series": _of_series(changed.series),
        "former": _of_series(changed.former),
        "before": [_of_patch(patch) for patch in changed.before],
        "after": [_of_patch(patch) for patch in changed.after],
        "changes": [queued.of_change(change) for change in changed.changes],
        "checks": _of_checks(changed.checks),
        "former_checks": _of_checks(changed.former_checks),
    }


def to_changed(server: ServerName, kept: Mapping[str, Any]) -> ChangedSubmission:
    """Return the stored change of *server*.

    Raises:
        KeyError, TypeError, ValueError: it has another shape than this program writes.
    """
    return ChangedSubmission(
        about=SubmissionRef(server, SubmissionKind(kept["kind"]), kept["object"], kept["rebuilds"]),
        series=rows.to_series(kept["series"]) if kept["series"] else None,
        before=tuple(map(rows.to_patch, kept["before"])),
        after=tuple(map(rows.to_patch, kept["after"])),
        changes=tuple(map(queued.to_change, kept["changes"])),
        checks=_to_checks(kept["checks"]),
        former_checks=_to_checks(kept["former_checks"]),
        former=rows.to_series(kept["former"]) if kept["former"] else None,
    )


def _of_series(series: Series | None) -> dict[str, object] | None:
    if series is None:
        return None
    row = {"id": series.id, "trailers": rows.of_trailers(series.trailers), **rows.of_series(series, _NO_TIME)}
    return {name: value for name, value in row.items() if value is not _NO_TIME}


def _of_patch(patch: Patch) -> dict[str, object]:
    row = {"id": patch.id, **rows.of_patch(patch, _NO_TIME)}
    return {name: value for name, value in row.items() if value is not _NO_TIME}


def _of_checks(checks: Mapping[PatchId, Contexts]) -> list[list[object]]:
    return [[patch, [list(context) for context in contexts]] for patch, contexts in checks.items()]


def _to_checks(kept: Sequence[Sequence[Any]]) -> dict[PatchId, Contexts]:
    return {
        PatchId(patch): tuple((context, CheckState(state)) for context, state in contexts) for patch, contexts in kept
    }
