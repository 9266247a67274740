"""Changes of patches by the sample Patchwork's REST API, with the errors of the real one.

Measured on Patchwork 2.1.6, 2.2.6, 3.1.3 and main: a state is given by its slug or name, before 2.2 by its name, in
which blanks may be written as hyphens; a delegate by the id of a user who maintains the project; unknown fields are
ignored; all values are judged before one is written. Events name the account since 2.2.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.sample_patchwork.records import PatchRecord, PersonRecord, UserRecord
from bot.sample_patchwork.request import Request
from bot.sample_patchwork.site import NewEvent, Site
from bot.sample_patchwork.tables import Snapshot

_SEPARATORS = re.compile(r"[\s_-]+")
_NOT_NULL = "This field may not be null."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is no success."""

    status: int
    told: Mapping[str, object]


class _InvalidValue(Exception):
    """A value that a field does not take; the text is the server's."""


def users_like(rows: Snapshot, words: str) -> Sequence[UserRecord]:
    """Return the accounts whose name or address contains *words*."""
    found = words.lower()
    return [user for user in rows.users.values() if found in f"{user.username}\n{user.username}@example.org".lower()]


def people_like(rows: Snapshot, words: str) -> Sequence[PersonRecord]:
    """Return the senders whose name or address contains *words*."""
    return [person for person in rows.people.values() if words.lower() in f"{person.name}\n{person.email}".lower()]


def write(site: Site, patch: PatchRecord, request: Request, user: int | None) -> Refusal | None:
    """Change *patch* as *request* says, in the name of *user*; return the refusal, or None if it was done."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return Refusal(415, {"detail": f'Unsupported media type "{request.headers.get("content-type")}" in request.'})
    try:
        asked = json.loads(request.body)
    except ValueError as error:
        return Refusal(400, {"detail": f"JSON parse error - {error}"})
    if not isinstance(asked, dict):
        return Refusal(400, {"detail": f"Invalid data. Expected a dictionary, but got {type(asked).__name__}."})
    changed, mistakes = patch, dict[str, object]()
    for name, read in _FIELDS.items():
        if name in asked:
            try:
                changed = read(site, changed, asked[name])
            except _InvalidValue as error:
                mistakes[name] = [str(error)]
    if mistakes:
        return Refusal(400, mistakes)
    _tell(site, patch, changed, user if site.newest >= "1.2" else None)
    site.tables.patches.put(changed)
    return None


def _tell(site: Site, before: PatchRecord, after: PatchRecord, actor: int | None) -> None:
    """Raise the events of a change; none tells of the archive."""
    changes = (
        ("patch-state-changed", before.state, after.state),
        ("patch-delegated", before.delegate, after.delegate),
    )
    for category, old, new in changes:
        if old != new:
            site.raise_event(
                NewEvent(
                    category=category, project=before.project, actor=actor, patch=before.id, previous=old, current=new
                )
            )


def _with_state(site: Site, patch: PatchRecord, value: object) -> PatchRecord:
    if value is None or value == "":
        raise _InvalidValue(_NOT_NULL)
    if not isinstance(value, str):
        raise _InvalidValue(f"Incorrect type. Expected string value, received {type(value).__name__}.")
    known = {_slug(name): name for name in site.states}
    if (slug := _slug(value)) in known:
        return replace(patch, state=slug)
    is_by_name = site.newest < "1.2"
    name = value.replace("-", " ") if is_by_name else slug
    raise _InvalidValue(f"Invalid state {name}. Expected one of: {', '.join(known.values() if is_by_name else known)}.")


def _with_delegate(site: Site, patch: PatchRecord, value: object) -> PatchRecord:
    if value is None or value == "":
        return replace(patch, delegate=None)
    if not isinstance(value, int | str) or isinstance(value, bool) or not str(value).isdecimal():
        raise _InvalidValue(f"Incorrect type. Expected pk value, received {type(value).__name__}.")
    user = site.tables.users.rows.get(int(value))
    if user is None:
        raise _InvalidValue(f'Invalid pk "{value}" - object does not exist.')
    project = site.tables.projects.rows[patch.project]
    if user.id not in project.maintainers:
        raise _InvalidValue(f"User '{user.username}' is not a maintainer for project '{project.name}'")
    return replace(patch, delegate=user.id)


def _with_archived(site: Site, patch: PatchRecord, value: object) -> PatchRecord:
    if value is None:
        raise _InvalidValue(_NOT_NULL)
    if value not in (True, False):
        old = site.newest < "1.2"
        raise _InvalidValue(f'"{value}" is not a valid boolean.' if old else "Must be a valid boolean.")
    return replace(patch, archived=bool(value))


_FIELDS = {"state": _with_state, "delegate": _with_delegate, "archived": _with_archived}


def _slug(name: str) -> str:
    return _SEPARATORS.sub("-", name.strip().lower())
