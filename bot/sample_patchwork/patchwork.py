"""A sample Patchwork server in memory: its users' actions, and its responses.

It imitates the measured behaviour of real servers, including their pitfalls, without sockets, files, or a clock of its
own.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from bot.clock import Clock
from bot.sample_patchwork.mail import SAMPLE_SUBMITTER, Mail, NewSeries
from bot.sample_patchwork.mail_intake import Arrival, MailIntake, comment_created
from bot.sample_patchwork.recorded import Recorded, read_recorded
from bot.sample_patchwork.records import CheckRecord, CoverRecord, PatchRecord, ProjectRecord
from bot.sample_patchwork.request import Request, Response
from bot.sample_patchwork.routes import ServerOptions, answer
from bot.sample_patchwork.site import NewEvent, Site
from bot.sample_patchwork.tables import Snapshot, TableTransaction

_API_VERSIONS = ("1.0", "1.1", "1.2", "1.3")


@dataclass(frozen=True, slots=True)
class PostedSeries:
    """The ids of a posted series; *patches* are in the order of their numbers."""

    series: int
    cover: int | None
    patches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NewCheck:
    """The result of a tool for a patch; *state* is pending, success, warning or fail."""

    state: str
    context: str = "build"
    description: str = ""
    target_url: str | None = "https://ci.example.org/build/1"
    user: str = "ci-bot"


class SamplePatchwork:
    """A Patchwork server without a socket.

    *base_url* begins the URLs in responses; None uses http and the Host header, as behind a proxy that does not
    announce itself. `requests` lists method, path and query of each request. `old_events` imitates 2.1, where events
    are always newest first.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        time_zone: str = "Australia/Canberra",
        api_versions: Sequence[str] = _API_VERSIONS,
        base_url: str | None = None,
    ) -> None:
        self._site = Site(clock, time_zone, max(api_versions))
        self._tables = self._site.tables
        self._arrivals = MailIntake(self._site)
        self._threads = 0
        self._failures: list[Response] = []
        self._api_versions = tuple(api_versions)
        self.base_url = base_url
        self.old_events = False
        self.requests: list[tuple[str, str, str]] = []
        self.fault: Callable[[str], Response | None] = _no_fault

    @property
    def api_versions(self) -> tuple[str, ...]:
        """The supported API versions; up to "1.2" the server is a 2.2, which raises no events for comments."""
        return self._api_versions

    @api_versions.setter
    def api_versions(self, versions: Sequence[str]) -> None:
        self._api_versions = tuple(versions)
        self._site.newest = max(versions)

    @property
    def rows(self) -> Snapshot:
        """The committed rows of the database."""
        return self._tables.snapshot()

    # Responses

    def answer(
        self,
        method: str,
        path: str,
        query_string: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Return the response to a request; *path* is percent-encoded, as sent."""
        self.requests.append((method, path, query_string))
        failure = self._failures.pop(0) if self._failures else self.fault(path)
        if failure is not None:
            return failure
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        origin = None if self.base_url is None else self.base_url.rstrip("/")
        settings = ServerOptions(self.api_versions, origin, self.old_events)
        response = answer(Request(method, path, query_string, lowered, body), self._site, settings)
        return replace(response, body=b"") if method == "HEAD" else response

    def fail_next(
        self,
        requests: int,
        status: int = 502,
        body: bytes = b"<html><body>Bad Gateway</body></html>",
        content_type: str = "text/html",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Return this response for the next *requests*, whatever they are; for finer faults set `fault`."""
        failure = Response(status, {"content-type": content_type, **(headers or {})}, body)
        self._failures += [failure] * requests

    # The site

    def set_time_zone(self, name: str) -> None:
        """Change TIME_ZONE, as with a restart: the dates of all events, even past ones, are shown in the new zone."""
        self._site.zone = ZoneInfo(name)

    def add_state(self, name: str) -> None:
        """Add a patch state, as an administrator can."""
        self._site.states.append(name)

    def set_event_step(self, step: timedelta) -> None:
        """Set the difference between the dates of simultaneous events; zero gives them the same date."""
        self._site.event_step = step

    def start_ids_at(self, first: int) -> None:
        """Make the next id of each kind *first* or higher."""
        for table in self._tables.every:
            table.last_id = max(table.last_id, first - 1)

    def transaction(self) -> AbstractContextManager[TableTransaction]:
        """Return a context whose writes become visible at its end, all at once."""
        return self._tables.transaction()

    def begin(self, *, events_at_once: bool = False) -> TableTransaction:
        """Return a transaction that stays open: write inside `with transaction:`, and call `commit` later.

        *events_at_once* makes its events visible before the objects in them, as in a REST PATCH.
        """
        return TableTransaction(self._tables, events_at_once=events_at_once)

    def add_project(
        self,
        link_name: str,
        name: str | None = None,
        *,
        archive_url_format: str = "",
        maintainers: Sequence[str] = ("maintainer",),
        show_dependencies: bool = False,
    ) -> int:
        """Add a project, and return its id; *show_dependencies* counts from API 1.4 on."""
        project = ProjectRecord(
            id=self._tables.projects.next_id(),
            link_name=link_name,
            name=name or link_name,
            list_id=f"{link_name}.example.org",
            list_email=f"{link_name}@example.org",
            list_archive_url_format=archive_url_format,
            maintainers=tuple(self._site.account(name) for name in maintainers),
            show_dependencies=show_dependencies,
        )
        return self._tables.projects.put(project).id

    # Accounts

    def add_token(self, username: str, *, is_submitter: str = "") -> str:
        """Make an API token for an account, which is added if it is unknown; the submitter's if an address is given."""
        user = self._site.account(username)
        if is_submitter:
            self._site.accounts.owners[self._site.person(is_submitter)] = user
        return self._site.accounts.new_token(user)

    def revoke_tokens(self, username: str) -> None:
        """Make all tokens of an account invalid, as when it is given a new one."""
        self._site.accounts.revoke(self._site.account(username))

    def set_profiles_ahead(self, ids: int) -> None:
        """Make the ids of profiles, which are in lists of maintainers, so much higher than those of users."""
        self._site.accounts.profiles_ahead = ids

    def deactivate(self, username: str) -> None:
        """Make an account inactive."""
        self._site.accounts.inactive.add(self._site.account(username))

    # Mails

    def mails_of(self, series: NewSeries, *, age: timedelta = timedelta(0)) -> tuple[Mail, ...]:
        """Return the mails of a series sent *age* ago, the cover first; each call creates new message-ids."""
        self._threads += 1
        sent = (self._site.now() - age).replace(microsecond=0)
        return series.mails(f"{sent:%Y%m%d%H%M%S}.{self._threads}", sent)

    def receive(self, project: str, mail: Mail) -> Arrival | None:
        """Receive a mail; return None if it is dropped, because it is a duplicate or a reply to an unknown mail."""
        return self._arrivals.receive(self._project(project), mail)

    def post_series(self, project: str, series: NewSeries, *, age: timedelta = timedelta(0)) -> PostedSeries:
        """Receive all mails of a series now, in order, as sent *age* ago."""
        arrivals = [self.receive(project, mail) for mail in self.mails_of(series, age=age)]
        patches = [arrival for arrival in arrivals if isinstance(arrival, PatchRecord)]
        covers = [arrival.id for arrival in arrivals if isinstance(arrival, CoverRecord)]
        series_id = patches[0].series
        if series_id is None:
            raise AssertionError("a patch with a diff has a series")
        return PostedSeries(series_id, covers[0] if covers else None, tuple(patch.id for patch in patches))

    def post_pull_request(  # noqa: PLR0913  # the fields of a mail
        self,
        project: str,
        name: str,
        pull_url: str,
        *,
        patches: int = 1,
        has_series: bool = False,
        submitter: str = SAMPLE_SUBMITTER,
    ) -> int:
        """Receive a "[PULL 0/N]" mail, which becomes a patch without diff and series, and return its id.

        With *has_series* it is a "[GIT PULL]", which creates a series that patches in reply to it join.
        """
        self._threads += 1
        now = self._site.now().replace(microsecond=0)
        mail = Mail(
            subject=f"[{'GIT PULL' if has_series else f'PULL 0/{patches}'}] {name}",
            msgid=f"{now:%Y%m%d%H%M%S}.{self._threads}-0-pull@example.org",
            date=now,
            submitter=submitter,
            content=f"The following changes are available in the Git repository at:\n\n  {pull_url}\n",
            pull_url=pull_url,
            to=(f"{project}@example.org",),
        )
        return self._filed(self.receive(project, mail)).id

    def add_comment(self, patch: int, text: str, *, submitter: str = "Rey Viewer <rey@example.com>") -> int:
        """Receive a reply to a patch, and return the comment's id."""
        return self._reply(self._tables.patches.rows[patch], text, submitter)

    def add_cover_comment(self, cover: int, text: str, *, submitter: str = "Rey Viewer <rey@example.com>") -> int:
        """Receive a reply to a cover letter, and return the comment's id."""
        return self._reply(self._tables.covers.rows[cover], text, submitter)

    def add_recorded(self, recorded: object) -> int:
        """Add a recorded patch, with its project and series as far as the response has them, and return its id.

        Raises:
            ValueError: it is not the response for a patch, or the server already has the patch; the text is for the
                user.
        """
        patch = read_recorded(recorded)
        if patch.id in self._tables.patches.rows:
            raise ValueError(f"the sample server has a patch {patch.id} already")
        self._refuse_another_series(patch)
        return self._arrivals.arrive(self._project_of(patch), patch).id

    # Changes that raise an event

    def set_state(self, patch: int, slug: str, actor: str | None = None) -> None:
        """Set the state of a patch; setting it to the current one raises no event."""
        row = self._tables.patches.rows[patch]
        if row.state != slug:
            self._tables.patches.put(replace(row, state=slug))
            self._tell(row, "patch-state-changed", actor, (row.state, slug))

    def set_delegate(self, patch: int, username: str | None, actor: str | None = None) -> None:
        """Delegate a patch to a user, or to none."""
        row, user = self._tables.patches.rows[patch], self._site.user(username)
        if row.delegate != user:
            self._tables.patches.put(replace(row, delegate=user))
            self._tell(row, "patch-delegated", actor, (row.delegate, user))

    def add_check(self, patch: int, check: NewCheck) -> int:
        """Add a check to a patch, and return the check's id."""
        user = self._site.account(check.user)
        row = self._tables.checks.put(
            CheckRecord(
                id=self._tables.checks.next_id(),
                patch=patch,
                user=user,
                date=self._site.stamp(),
                state=check.state,
                context=check.context,
                description=check.description,
                target_url=check.target_url,
            )
        )
        project = self._tables.patches.rows[patch].project
        self._site.raise_event(
            NewEvent(category="check-created", project=project, actor=user, patch=patch, check=row.id)
        )
        return row.id

    def relate(self, patches: Sequence[int], actor: str | None = None) -> None:
        """Relate patches to each other; each raises an event, of which only the last patch's has the *actor*."""
        for patch in patches:
            row = self._tables.patches.rows[patch]
            others = tuple(other for other in patches if other != patch)
            self._tables.patches.put(replace(row, related=others))
            self._tell(row, "patch-relation-changed", actor if patch == patches[-1] else None, (None, None))

    def mark_addressed(self, comment: int, *, addressed: bool = True) -> None:
        """Mark a comment on a patch as addressed; this raises the event of its creation again."""
        row = self._tables.patch_comments.put(replace(self._tables.patch_comments.rows[comment], addressed=addressed))
        self._site.raise_event(comment_created(self._tables.patches.rows[row.parent], row))

    def mark_cover_addressed(self, comment: int, *, addressed: bool = True) -> None:
        """Mark a comment on a cover letter as addressed; this raises the event of its creation again."""
        row = self._tables.cover_comments.put(replace(self._tables.cover_comments.rows[comment], addressed=addressed))
        self._site.raise_event(comment_created(self._tables.covers.rows[row.parent], row))

    # Changes that raise no event

    def edit_patch(
        self,
        patch: int,
        *,
        archived: bool | None = None,
        commit_ref: str | None = None,
        pull_url: str | None = None,
        name: str | None = None,
    ) -> None:
        """Change fields without raising an event; None leaves a field unchanged."""
        row = self._tables.patches.rows[patch]
        self._tables.patches.put(
            replace(
                row,
                archived=row.archived if archived is None else archived,
                commit_ref=commit_ref or row.commit_ref,
                pull_url=pull_url or row.pull_url,
                name=name or row.name,
            )
        )

    def edit_check(self, check: int, state: str) -> None:
        """Change the state of a check."""
        self._tables.checks.put(replace(self._tables.checks.rows[check], state=state))

    def rename_series(self, series: int, name: str) -> None:
        """Change the name of a series."""
        self._tables.series.put(replace(self._tables.series.rows[series], name=name))

    def change_silently(self, patch: int, slug: str) -> None:
        """Set the state of a patch without an event, as direct SQL does."""
        self._tables.patches.put(replace(self._tables.patches.rows[patch], state=slug))

    def delegate_silently(self, patch: int, username: str) -> None:
        """Delegate a patch without an event, as a delegation rule does when the patch arrives."""
        row = self._tables.patches.rows[patch]
        self._tables.patches.put(replace(row, delegate=self._site.account(username)))

    def delete_patch(self, patch: int) -> None:
        """Delete a patch with its checks, comments and events."""
        tables = self._tables
        for event in list(tables.events.rows.values()):
            if event.patch == patch:
                tables.events.remove(event.id)
        for check in list(tables.checks.rows.values()):
            if check.patch == patch:
                tables.checks.remove(check.id)
        for comment in list(tables.patch_comments.rows.values()):
            if comment.parent == patch:
                tables.patch_comments.remove(comment.id)
        tables.patches.remove(patch)

    def _project(self, link_name: str) -> ProjectRecord:
        for project in self._tables.projects.rows.values():
            if project.link_name == link_name:
                return project
        raise KeyError(link_name)

    def _filed(self, arrival: Arrival | None) -> Arrival:
        if arrival is None:
            raise ValueError("the mail was dropped")
        return arrival

    def _reply(self, parent: PatchRecord | CoverRecord, text: str, submitter: str) -> int:
        self._threads += 1
        now = self._site.now().replace(microsecond=0)
        subject = next(value for name, value in parent.headers if name.lower() == "subject")
        mail = Mail(
            subject=f"Re: {subject}",
            msgid=f"{now:%Y%m%d%H%M%S}.{self._threads}-reply@example.com",
            date=now,
            submitter=submitter,
            content=text,
            references=(parent.msgid,),
            to=(self._tables.people.rows[parent.submitter].email,),
        )
        project = self._tables.projects.rows[parent.project]
        return self._filed(self._arrivals.receive(project, mail)).id

    def _tell(
        self, patch: PatchRecord, category: str, actor: str | None, change: tuple[str | int | None, str | int | None]
    ) -> None:
        self._site.raise_event(
            NewEvent(
                category=category,
                project=patch.project,
                actor=self._site.user(actor),
                patch=patch.id,
                previous=change[0],
                current=change[1],
            )
        )

    def _refuse_another_series(self, patch: Recorded) -> None:
        known = None if patch.series is None else self._tables.series.rows.get(patch.series.id)
        if known is None or patch.series is None:
            return
        link_name = self._tables.projects.rows[known.project].link_name
        told = (patch.link_name.lower(), patch.series.version, patch.series.date)
        if told != (link_name.lower(), known.version, known.date):
            raise ValueError(f"the sample server has another series {known.id} already: {known.name}")

    def _project_of(self, patch: Recorded) -> ProjectRecord:
        rows = self._tables.projects.rows
        for project in rows.values():
            if project.link_name.lower() == patch.link_name.lower():
                return project
        return self._tables.projects.put(
            ProjectRecord(
                id=self._tables.projects.next_id() if patch.project_id in rows else patch.project_id,
                link_name=patch.link_name,
                name=patch.project_name,
                list_id=patch.list_id,
                list_email=patch.list_email,
            )
        )


def _no_fault(path: str) -> Response | None:  # noqa: ARG001 - the signature of a fault
    return None
