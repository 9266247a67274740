"""Receives mails for the sample Patchwork: stores covers, patches, pull requests and comments, and raises events."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TypeAlias

from bot.patchwork.diff import hash_of
from bot.sample_patchwork.mail import Mail, Subject, read_subject
from bot.sample_patchwork.recorded import Recorded, RecordedSeries
from bot.sample_patchwork.records import CommentRecord, CoverRecord, PatchRecord, ProjectRecord, SeriesRecord
from bot.sample_patchwork.site import NewEvent, Site

Arrival: TypeAlias = PatchRecord | CoverRecord | CommentRecord


@dataclass(frozen=True, slots=True)
class _Read:
    """A mail with its parsed subject and its submitter."""

    project: ProjectRecord
    mail: Mail
    subject: Subject
    submitter: int


class MailIntake:
    """Stores each mail in its series or thread, in whatever order they arrive."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tables = site.tables
        self._known: dict[tuple[int, str], PatchRecord | CoverRecord] = {}
        self._threads: dict[tuple[int, str], list[int]] = defaultdict(list)  # series by the message-ids in their mails
        self._members: dict[int, list[int]] = defaultdict(list)  # patches by series
        self._covers: dict[int, int] = {}  # by series

    def receive(self, project: ProjectRecord, mail: Mail) -> Arrival | None:
        """Store a mail; return None if it is dropped, because it is a duplicate or a reply to an unknown mail."""
        if self.filed(project.id, mail.msgid) is not None:
            return None
        subject = read_subject(mail.subject)
        read = _Read(project, mail, subject, self._site.person(mail.submitter))
        arrival: Arrival | None
        if subject.reply or (mail.diff is None and mail.pull_url is None and subject.number != 0):
            arrival = self._comment(read)
        elif subject.number == 0 and mail.pull_url is None:
            arrival = self._cover(read)
        else:
            arrival = self._patch(read)
        if arrival is not None and not isinstance(arrival, CommentRecord):
            self.know(project.id, mail.msgid, arrival)
        return arrival

    def arrive(self, project: ProjectRecord, recorded: Recorded) -> PatchRecord:
        """Store a recorded patch under its own id, in its own series if it names one."""
        patch = self._tables.patches.put(
            PatchRecord(
                id=recorded.id,
                project=project.id,
                submitter=self._site.person(recorded.submitter),
                msgid=recorded.msgid,
                name=recorded.name,
                date=recorded.date,
                headers=recorded.headers,
                content=recorded.content,
                diff=recorded.diff,
                hash=recorded.hash,
                series=None,
                number=recorded.number,
                state=recorded.state,
                archived=recorded.archived,
                commit_ref=recorded.commit_ref,
                pull_url=recorded.pull_url,
            )
        )
        self.know(project.id, patch.msgid, patch)
        self._raise("patch-created", project.id, patch=patch.id)
        if recorded.series is None:
            return patch
        series = self._recorded_series(patch, recorded.series)
        self.join(project.id, series.id, (recorded.msgid, *recorded.references))
        return self.add_to_series(patch, series)

    def filed(self, project: int, msgid: str) -> PatchRecord | CoverRecord | None:
        """Return the patch or cover that a mail became or comments on, or None if it is unknown or deleted."""
        arrival = self._known.get((project, msgid))
        if isinstance(arrival, PatchRecord):
            return self._tables.patches.rows.get(arrival.id)
        return None if arrival is None else self._tables.covers.rows.get(arrival.id)

    def know(self, project: int, msgid: str, filed: PatchRecord | CoverRecord) -> None:
        """Register a stored mail, or the object that a comment is on, under a message-id for later replies."""
        self._known[project, msgid] = filed

    def join(self, project: int, series: int, msgids: tuple[str, ...]) -> None:
        """Register a series for later mails that reference one of *msgids*."""
        for msgid in msgids:
            if series not in self._threads[project, msgid]:
                self._threads[project, msgid].append(series)

    def _comment(self, read: _Read) -> CommentRecord | None:
        for msgid in reversed(read.mail.references):
            parent = self.filed(read.project.id, msgid)
            if parent is not None:
                self.know(read.project.id, read.mail.msgid, parent)
                return self._comment_on(parent, read)
        return None

    def _comment_on(self, parent: PatchRecord | CoverRecord, read: _Read) -> CommentRecord:
        on_patch = isinstance(parent, PatchRecord)
        table = self._tables.patch_comments if on_patch else self._tables.cover_comments
        comment = table.put(
            CommentRecord(
                id=self._site.mail_id(table),
                parent=parent.id,
                submitter=read.submitter,
                msgid=read.mail.msgid,
                subject=read.mail.subject,
                date=read.mail.date,
                headers=read.mail.headers,
                content=(read.mail.content + (read.mail.diff or "")).strip(),
            )
        )
        if self._site.newest >= "1.3":
            self._site.raise_event(comment_created(parent, comment))
        return comment

    def _cover(self, read: _Read) -> CoverRecord:
        series = self._series_for(read)
        cover = self._tables.covers.put(
            CoverRecord(
                id=self._site.mail_id(self._tables.covers),
                project=read.project.id,
                submitter=read.submitter,
                series=series.id,
                msgid=read.mail.msgid,
                name=read.subject.name,
                date=read.mail.date,
                headers=read.mail.headers,
                content=read.mail.content.strip(),
            )
        )
        self._covers[series.id] = cover.id
        self._tables.series.put(replace(series, name=read.subject.title[:255]))
        self._raise("cover-created", cover.project, cover=cover.id)
        return cover

    def _patch(self, read: _Read) -> PatchRecord:
        mail = read.mail
        patch = PatchRecord(
            id=self._site.mail_id(self._tables.patches),
            project=read.project.id,
            submitter=read.submitter,
            msgid=mail.msgid,
            name=read.subject.name,
            date=mail.date,
            headers=mail.headers,
            content=mail.content.strip(),
            diff=mail.diff,
            hash=None if mail.diff is None else hash_of(mail.diff),
            series=None,
            number=1 if read.subject.number is None else read.subject.number,
            pull_url=mail.pull_url,
        )
        self._tables.patches.put(patch)
        self._raise("patch-created", patch.project, patch=patch.id)
        series = self._series_for(read)
        if read.subject.number == 0:  # "[PULL 0/3]" creates a series, but is not in it
            return patch
        return self.add_to_series(patch, series)

    def add_to_series(self, patch: PatchRecord, series: SeriesRecord) -> PatchRecord:
        """Add a patch to its series, and raise the events of all patches that are complete now."""
        filed = self._tables.patches.put(replace(patch, series=series.id))
        self._members[series.id].append(filed.id)
        first = filed.number == 1 and not self._covered(series.id) and _is_of_a_patch(series.name)
        if series.name is None or first:
            self._tables.series.put(replace(series, name=filed.name))
        mates = {mate.number: mate for mate in self._mates(series.id)}
        number = filed.number
        if all(before in mates for before in range(1, number)):
            while number in mates:
                mate = mates[number].id
                self._raise("patch-completed", filed.project, patch=mate, series=series.id)
                number += 1
        if len(mates) >= series.total:
            self._raise("series-completed", filed.project, series=series.id)
        return filed

    def _recorded_series(self, patch: PatchRecord, recorded: RecordedSeries) -> SeriesRecord:
        known = self._tables.series.rows.get(recorded.id)
        if known is not None:
            return known
        series = self._tables.series.put(
            SeriesRecord(
                id=recorded.id,
                project=patch.project,
                submitter=patch.submitter,
                name=recorded.name,
                version=recorded.version,
                total=recorded.total,
                date=recorded.date,
            )
        )
        self._raise("series-created", patch.project, series=series.id)
        return series

    def _series_for(self, read: _Read) -> SeriesRecord:
        project, mail = read.project.id, read.mail
        thread = (mail.msgid, *mail.references)
        for msgid in reversed(thread):
            for series_id in self._threads.get((project, msgid), ()):
                series = self._tables.series.rows.get(series_id)
                if series is not None and self._has_room(series, read.subject):
                    self.join(project, series.id, thread)
                    return series
        series = self._tables.series.put(
            SeriesRecord(
                id=self._tables.series.next_id(),
                project=project,
                submitter=read.submitter,
                name=None,
                version=read.subject.version,
                total=read.subject.total or 1,
                date=mail.date,
            )
        )
        self.join(project, series.id, thread)
        self._raise("series-created", project, series=series.id)
        return series

    def _has_room(self, series: SeriesRecord, subject: Subject) -> bool:
        if subject.total != series.total or subject.version != series.version:
            return False
        if subject.number == 0:
            return not self._covered(series.id)
        return all(mate.number != subject.number for mate in self._mates(series.id))

    def _mates(self, series: int) -> list[PatchRecord]:
        rows = self._tables.patches.rows
        return [rows[patch] for patch in self._members[series] if patch in rows]

    def _covered(self, series: int) -> bool:
        return self._covers.get(series) in self._tables.covers.rows

    def _raise(
        self,
        category: str,
        project: int,
        *,
        patch: int | None = None,
        series: int | None = None,
        cover: int | None = None,
    ) -> None:
        self._site.raise_event(NewEvent(category=category, project=project, patch=patch, series=series, cover=cover))


def _is_of_a_patch(name: str | None) -> bool:
    """Return whether a series still has the name of one of its patches."""
    return name is None or read_subject(name).number is not None


def comment_created(parent: PatchRecord | CoverRecord, comment: CommentRecord) -> NewEvent:
    """Return the event of a comment, which is raised again when the comment is marked as addressed."""
    if isinstance(parent, PatchRecord):
        return NewEvent(category="patch-comment-created", project=parent.project, patch=parent.id, comment=comment.id)
    return NewEvent(category="cover-comment-created", project=parent.project, cover=parent.id, comment=comment.id)
