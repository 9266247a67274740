"""Renders the rows of the sample Patchwork as JSON, for each version of its REST API.

`Views` renders one snapshot for one request, whose version and host, with the server's time zone, determine the output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from urllib.parse import quote

from bot.sample_patchwork.dependencies import dependencies_of, dependents_of
from bot.sample_patchwork.mail import read_subject
from bot.sample_patchwork.records import (
    CheckRecord,
    CommentRecord,
    CoverRecord,
    EventRecord,
    Headers,
    PatchRecord,
    PersonRecord,
    ProjectRecord,
    SeriesRecord,
    UserRecord,
)
from bot.sample_patchwork.site import Site
from bot.sample_patchwork.tables import Snapshot

Json: TypeAlias = dict[str, object]

_PATH_SAFE = "!$&'()*+,;=/~:@"  # as in Django
_CHECK_ORDER = ("success", "pending", "warning", "fail")


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """The properties of a request that affect the output; URLs begin with *origin* and *prefix*."""

    version: str
    prefix: str  # "/api/1.3", or "/api" if the request names no version
    origin: str  # scheme and host as seen by the application
    from_2_2: bool  # page URLs contain message-ids, and events have an actor in every API version


class Views:
    """The JSON objects for one request."""

    def __init__(self, site: Site, snapshot: Snapshot, asked: ViewRequest) -> None:
        self._site = site
        self._rows = snapshot
        self._asked = asked

    def since(self, version: str) -> bool:
        """Return whether the requested API version is *version* or newer."""
        return self._asked.version >= version

    def index(self) -> Json:
        """Return the list of resources."""
        names = ("people", "users", "projects", "patches", "covers", "series", "bundles", "events")
        return {name: self._api(f"/{name}/") for name in names}

    def project(self, project: ProjectRecord) -> Json:
        """Return a project, the same in lists and on its own page."""
        view = self._project(project.id)
        if self.since("1.1"):
            view["subject_match"] = ""
        if self.since("1.4"):
            view["show_dependencies"] = project.show_dependencies
        return view | {"maintainers": [self._profile(user) for user in project.maintainers]}

    def patch(self, patch: PatchRecord) -> Json:
        """Return a patch in a list."""
        view = self._patch_ref(patch.id)
        archive = {key: view.pop(key) for key in ("list_archive_url",) if key in view}
        ends = {key: view.pop(key) for key in ("date", "name", "mbox")}
        view |= {"project": self._project(patch.project), "msgid": view.pop("msgid"), **archive}
        view |= {
            "date": ends["date"],
            "name": ends["name"],
            "commit_ref": patch.commit_ref,
            "pull_url": patch.pull_url,
            "state": patch.state,
            "archived": patch.archived,
            "hash": patch.hash,
            "submitter": self._person(patch.submitter),
            "delegate": self._user(patch.delegate),
            "mbox": ends["mbox"],
            "series": [] if patch.series is None else [self._series_ref(patch.series)],
        }
        if self.since("1.1"):
            view["comments"] = self._unversioned(f"/patches/{patch.id}/comments/")
        view |= {
            "check": self._combined_check(patch.id),
            "checks": self._unversioned(f"/patches/{patch.id}/checks/"),
            "tags": {},
        }
        if self.since("1.2"):
            view["related"] = [self._patch_ref(other) for other in patch.related if other in self._rows.patches]
        return view

    def patch_detail(self, patch: PatchRecord) -> Json:
        """Return a patch on its own page, with headers, text and diff."""
        return self.patch(patch) | {
            "headers": _headers(patch.headers),
            "content": patch.content,
            "diff": patch.diff,
            "prefixes": list(read_subject(patch.name).prefixes),
        }

    def cover(self, cover: CoverRecord) -> Json:
        """Return a cover letter in a list."""
        view = self._cover_ref(cover.id)
        view |= {
            "project": self._project(cover.project),
            "submitter": self._person(cover.submitter),
            "series": [self._series_ref(cover.series)],
        }
        if self.since("1.1"):
            view["comments"] = self._unversioned(f"/covers/{cover.id}/comments/")
        return view

    def cover_detail(self, cover: CoverRecord) -> Json:
        """Return a cover letter on its own page."""
        return self.cover(cover) | {"headers": _headers(cover.headers), "content": cover.content}

    def series(self, series: SeriesRecord) -> Json:
        """Return a series, the same in lists and on its own page."""
        view = self._series_ref(series.id)
        patches = self._rows.patches_of(series.id)
        cover = self._rows.cover_of(series.id)
        return view | {
            "project": self._project(series.project),
            "submitter": self._person(series.submitter),
            "total": series.total,
            "received_total": len(patches),
            "received_all": len(patches) >= series.total,
            "cover_letter": None if cover is None else self._cover_ref(cover.id),
            "patches": [self._patch_ref(patch.id) for patch in patches],
            **self._dependencies(series),
        }

    def _dependencies(self, series: SeriesRecord) -> Json:
        """Return what a series depends on and the reverse, as addresses, if the project shows that."""
        if not self.since("1.4") or not self._rows.projects[series.project].show_dependencies:
            return {}
        found = {
            "dependencies": dependencies_of(self._rows, series),
            "dependents": dependents_of(self._rows, series),
        }
        return {name: [self._api(f"/series/{number}/") for number in numbers] for name, numbers in found.items()}

    def check(self, check: CheckRecord) -> Json:
        """Return a check in the list of its patch."""
        view = self._check_ref(check)
        return view | {"user": self._user(check.user), "description": check.description or None}

    def comment(self, comment: CommentRecord, kind: str) -> Json:
        """Return a comment; *kind* is "patches" or "covers"."""
        view = self._comment_ref(comment, kind)
        if not self.since("1.3"):
            view.pop("url", None)
        view |= {
            "subject": comment.subject,
            "submitter": self._person(comment.submitter),
            "content": comment.content,
            "headers": _headers(comment.headers),
        }
        if self.since("1.3"):
            view["addressed"] = comment.addressed
        return view

    def event(self, event: EventRecord) -> Json:
        """Return an event; the objects in it are shown in their current state."""
        view: Json = {
            "id": event.id,
            "category": event.category,
            "project": self._project(event.project),
            "date": self._local(event.date),
        }
        if self._asked.from_2_2:
            view["actor"] = self._user(event.actor)
        return view | {"payload": self._payload(event)}

    def _payload(self, event: EventRecord) -> Json:
        payload: Json = {}
        if event.patch is not None:
            payload["patch"] = self._patch_ref(event.patch)
        if event.cover is not None:
            payload["cover"] = self._cover_ref(event.cover)
        if event.series is not None:
            payload["series"] = self._series_ref(event.series)
        if event.check is not None:
            payload["check"] = self._check_ref(self._rows.checks[event.check])
        if event.category == "patch-comment-created" and event.comment is not None:
            payload["comment"] = self._comment_ref(self._rows.patch_comments[event.comment], "patches")
        if event.category == "cover-comment-created" and event.comment is not None:
            payload["comment"] = self._comment_ref(self._rows.cover_comments[event.comment], "covers")
        if event.category == "patch-state-changed":
            payload |= {"previous_state": event.previous, "current_state": event.current}
        if event.category == "patch-delegated":
            payload |= {
                "previous_delegate": self._user(event.previous),
                "current_delegate": self._user(event.current),
            }
        if event.category == "patch-relation-changed":
            payload |= {"previous_relation": None, "current_relation": None}
        return payload

    def _project(self, project_id: int) -> Json:
        project = self._rows.projects[project_id]
        view: Json = {
            "id": project.id,
            "url": self._api(f"/projects/{project.id}/"),
            "name": project.name,
            "link_name": project.link_name,
            "list_id": project.list_id,
            "list_email": project.list_email,
            "web_url": "",
            "scm_url": "",
            "webscm_url": "",
        }
        if self.since("1.2"):
            view |= {
                "list_archive_url": "",
                "list_archive_url_format": project.list_archive_url_format,
                "commit_url_format": "",
            }
        return view

    def _patch_ref(self, patch_id: int) -> Json:
        patch = self._rows.patches[patch_id]
        page = self._page(patch.project, "patch", patch.msgid, patch.id)
        view: Json = {"id": patch.id, "url": self._api(f"/patches/{patch.id}/")}
        if self.since("1.1"):
            view["web_url"] = page
        view |= self._mail(patch.project, patch.msgid)
        return view | {"date": _text(patch.date), "name": patch.name, "mbox": f"{page}mbox/"}

    def _cover_ref(self, cover_id: int) -> Json:
        cover = self._rows.covers[cover_id]
        page = self._page(cover.project, "cover", cover.msgid, cover.id)
        view: Json = {"id": cover.id, "url": self._api(f"/covers/{cover.id}/")}
        if self.since("1.1"):
            view["web_url"] = page
        view |= self._mail(cover.project, cover.msgid)
        view |= {"date": _text(cover.date), "name": cover.name}
        if self.since("1.1"):
            view["mbox"] = f"{page}mbox/"
        return view

    def _series_ref(self, series_id: int) -> Json:
        series = self._rows.series[series_id]
        link_name = self._rows.projects[series.project].link_name
        view: Json = {"id": series.id, "url": self._api(f"/series/{series.id}/")}
        if self.since("1.1"):
            view["web_url"] = f"{self._asked.origin}/project/{link_name}/list/?series={series.id}"
        return view | {
            "date": _text(series.date),
            "name": series.name,
            "version": series.version,
            "mbox": f"{self._asked.origin}/series/{series.id}/mbox/",
        }

    def _check_ref(self, check: CheckRecord) -> Json:
        return {
            "id": check.id,
            "url": self._api(f"/patches/{check.patch}/checks/{check.id}/"),
            "date": self._local(check.date),
            "state": check.state,
            "target_url": check.target_url,
            "context": check.context,
        }

    def _comment_ref(self, comment: CommentRecord, kind: str) -> Json:
        parents = self._rows.patches if kind == "patches" else self._rows.covers
        return {
            "id": comment.id,
            "web_url": f"{self._asked.origin}/comment/{comment.id}/",
            **self._mail(parents[comment.parent].project, comment.msgid),
            "date": _text(comment.date),
            "url": self._api(f"/{kind}/{comment.parent}/comments/{comment.id}/"),
        }

    def _mail(self, project_id: int, msgid: str) -> Json:
        view: Json = {"msgid": f"<{msgid}>"}
        if self.since("1.2"):
            template = self._rows.projects[project_id].list_archive_url_format
            view["list_archive_url"] = template.format(msgid) if template else None
        return view

    def _person(self, person_id: int) -> Json:
        person = self._rows.people[person_id]
        url = self._api(f"/people/{person.id}/")
        return {"id": person.id, "url": url, "name": person.name, "email": person.email}

    def user(self, user: UserRecord, *, of: int | None = None) -> Json:
        """Return an account; the one with the id *of* has its settings with it, because it is the reader's own."""
        view = self._user(user.id) or {}
        is_own = user.id == of and self.since("1.2")
        return view | {"settings": {"send_email": False, "items_per_page": 100, "show_ids": False}} if is_own else view

    def person(self, person: PersonRecord) -> Json:
        """Return a sender of mails, with the account that belongs to the address."""
        return self._person(person.id) | {"user": self._user(self._site.accounts.owners.get(person.id))}

    def _profile(self, user_id: int) -> Json:
        """Return an account as in the list of maintainers, with the id of its profile, which may not be the user's.

        So does Patchwork up to 3.3: its UserProfileSerializer has the profile's own key.
        """
        profile = user_id + self._site.accounts.profiles_ahead
        return {**(self._user(user_id) or {}), "id": profile, "url": self._api(f"/users/{profile}/")}

    def _user(self, user_id: str | int | None) -> Json | None:
        user = self._rows.users.get(user_id) if isinstance(user_id, int) else None
        if user is None:
            return None
        return {
            "id": user.id,
            "url": self._api(f"/users/{user.id}/"),
            "username": user.username,
            "first_name": "",
            "last_name": "",
            "email": f"{user.username}@example.org",
        }

    def _combined_check(self, patch_id: int) -> str:
        latest: Mapping[tuple[int, str], str] = {
            (check.user, check.context): check.state for check in self._rows.checks_of(patch_id)
        }
        return max(latest.values(), key=_CHECK_ORDER.index, default="pending")

    def _page(self, project_id: int, kind: str, msgid: str, row_id: int) -> str:
        if not self._asked.from_2_2:
            return f"{self._asked.origin}/{kind}/{row_id}/"
        slash = "%2F" if self._site.newest >= "1.3" else "/"
        return self._asked.origin + page_path(self._rows.projects[project_id], kind, msgid, slash)

    def _api(self, path: str) -> str:
        return f"{self._asked.origin}{self._asked.prefix}{path}"

    def _unversioned(self, path: str) -> str:
        """Return a URL without the API version, which real servers omit for comments and checks."""
        return f"{self._asked.origin}/api{path}"

    def _local(self, instant: datetime) -> str:
        return _text(self._site.local(instant))


def page_path(project: ProjectRecord, kind: str, msgid: str, slash: str = "%2F") -> str:
    """Return the path of the page of a patch or cover; a slash in the message-id is quoted twice, except by 2.2."""
    return f"/project/{quote(project.link_name)}/{kind}/{quote(msgid.replace('/', slash), safe=_PATH_SAFE)}/"


def _text(naive: datetime) -> str:
    return naive.isoformat()


def _headers(headers: Headers) -> Json:
    view: dict[str, str | list[str]] = {}
    for name, value in headers:
        former = view.get(name)
        if former is None:
            view[name] = value
        elif isinstance(former, list):
            former.append(value)
        else:
            view[name] = [former, value]
    return dict(view)
