"""Answers links to patches, series and mails that people paste in rooms with a line about each.

Theory of operation. A message with such a link waits in the inbox like a command, and counts against the same limits,
but nothing is said if it exceeds them. All that a line says comes from the store: no server is asked, so a submission
that the bot does not store gets no line. The line and the acknowledgement of the message are one transaction, in which
the room claims the submission for an hour. So a line is posted once, even if the process ends in between, or several
people paste the same link at once.

Where the submission's card is among the latest messages, everybody has the line before their eyes. How many messages
came after it is counted by the process for people, and read from the outbox for the bot. After a restart the former is
unknown; a card from before then counts as near for a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from bot import metrics
from bot.commands.answer_notices import subject_tag
from bot.commands.answers.unfurl import only, unfurl_line
from bot.commands.context import CommandContext
from bot.commands.pasted_links import ARCHIVES, links_in
from bot.commands.recent_messages import LATEST, RecentMessages
from bot.commands.request import AnswerSubject
from bot.commands.submission_refs import MeantSubmission, SubmissionFinder, newest_version
from bot.errors import StoreError
from bot.ids import PatchId, RoomId
from bot.notices.markup import Allowed, Line, Lines, written
from bot.notices.notice import Lane, Message, Notice, NoticeKind, Tag, unfurl_key
from bot.patchwork.references import Ref, host_of
from bot.store.inbox_book import InboxMessage
from bot.store.store import Transaction
from bot.store.unfurl_book import UNFURL
from bot.submission import SubmissionRef

MOST_LINES: Final = 3  # in answer to one message
_NEAR_UNKNOWN: Final = timedelta(days=1)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Linked:
    """A submission that a link leads to, and which of its patches, or None for the whole."""

    about: SubmissionRef
    patch: PatchId | None


@dataclass(frozen=True, slots=True)
class _Told:
    """A line about what a link leads to, with the addresses that it may link to."""

    line: Line
    subject: AnswerSubject
    allowed: Allowed


class Unfurler:
    """Answers pasted links from the store."""

    def __init__(self, context: CommandContext) -> None:
        self._store = context.store
        self._clock = context.clock
        self._finder = SubmissionFinder(context)
        self._servers = frozenset(host for place in context.places if (host := place.host))
        templates = [template for place in context.places for template in place.archives.values()]
        self._archives = ARCHIVES.union(host for template in templates if (host := host_of(template)))
        self._recent = RecentMessages(context.clock.monotonic())

    def count(self, message: InboxMessage) -> None:
        """Count a message of a person in its room."""
        self._recent.count(message.room, self._clock.monotonic())

    def has_links(self, message: InboxMessage) -> bool:
        """Return whether a message that is no command may have to be answered."""
        return bool(self._links(message))

    async def answer(self, message: InboxMessage) -> None:
        """Answer the links in a message, and settle it; a fault of the bot leaves it unanswered.

        Raises:
            StoreError: the database cannot be used; the message is still to be answered.
        """
        try:
            linked = await self._linked(message)
            async with self._store.transaction() as tx:
                await self._settle(tx, message, linked)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # the one broad catch of a message, whose text is nobody else's business
            _log.exception("unfurl.failed", room=message.room)
            async with self._store.transaction() as tx:
                await tx.inbox.drop(message)

    def _links(self, message: InboxMessage) -> list[Ref]:
        return links_in(message.body, self._servers, self._archives)

    async def _linked(self, message: InboxMessage) -> list[_Linked]:
        """Return the first different submissions that the links lead to."""
        found: dict[SubmissionRef, _Linked] = {}
        for ref in self._links(message):
            if (stored := await self._finder.find_stored(ref)) is not None:
                found.setdefault(stored[0], _Linked(*stored))
            if len(found) >= MOST_LINES:
                break
        return list(found.values())

    async def _settle(self, tx: Transaction, message: InboxMessage, linked: Sequence[_Linked]) -> None:
        """Write what there is to be said; a message without an answer is not stored any longer."""
        due: dict[SubmissionRef, _Told] = {}
        if linked and (await tx.subscriptions.settings(message.room)).get(UNFURL) != "off":
            for each in sorted(linked, key=_claim_order):
                if (line := await self._told(tx, message.room, each)) is not None:
                    due[each.about] = line
        told = [due[each.about] for each in linked if each.about in due]
        if not told:
            await tx.inbox.drop(message)
        elif await tx.inbox.answered(message):
            await tx.outbox.add([_notice(message, told)])
            metrics.COMMANDS.labels("unfurl", "ok").inc()

    async def _told(self, tx: Transaction, room: RoomId, linked: _Linked) -> _Told | None:
        """Return the line about a submission, if one is due in a room."""
        meant = await self._finder.load(tx, linked.about)
        if meant is None or await self._is_card_near(tx, room, linked.about):
            return None
        if not await tx.unfurls.claim(room, linked.about):
            return None
        whole = meant.submission
        shown = whole if linked.patch is None else only(whole, linked.patch)
        version = whole.series.version if whole.series else None
        line = unfurl_line(shown, meant.site, version, await _newest(tx, meant, version))
        subject = meant.subject
        if shown is not whole:
            subject = replace(subject, patch=shown.patches[0].id)
        return _Told(line, subject, meant.site.allowed)

    async def _is_card_near(self, tx: Transaction, room: RoomId, about: SubmissionRef) -> bool:
        """Return whether a submission's card is among the latest messages of a room before the one with the link."""
        stored = await tx.unfurls.card_since(room, about)
        if stored is None:
            return False
        age = max(tx.now - stored, timedelta())
        moment = self._clock.monotonic() - age.total_seconds()
        if not self._recent.is_complete_since(moment) and age > _NEAR_UNKNOWN:
            return False
        since = self._recent.since(room, moment)
        return since + await self._own_since(tx, room, stored) < LATEST

    async def _own_since(self, tx: Transaction, room: RoomId, stored: datetime) -> int:
        return await tx.unfurls.own_messages_since(room, stored, LATEST)


def _claim_order(linked: _Linked) -> tuple[str, str, int]:
    """Return the sort key in which submissions are claimed, so that no two messages wait for each other's."""
    return linked.about.server, linked.about.kind, linked.about.id


async def _newest(tx: Transaction, meant: MeantSubmission, version: int | None) -> int | None:
    """Return the highest known version of a submission."""
    newest = await newest_version(tx, meant.about)
    if newest == meant.about:
        return version
    series = await tx.watch.series(newest.server, newest.id)
    return series.version if series else version


def _notice(message: InboxMessage, told: Sequence[_Told]) -> Notice:
    """Return the lines as a reply in the thread of the message; it has a subject if there is only one."""
    key = unfurl_key(message.room, message.event)
    tag = subject_tag(key, told[0].subject) if len(told) == 1 else Tag(NoticeKind.UNFURL, key)
    allowed = Allowed(tuple(dict.fromkeys(prefix for each in told for prefix in each.allowed.prefixes)))
    body, html = written((Lines(tuple(each.line for each in told)),), allowed)
    spoken = Message(body, html, replace(tag, kind=NoticeKind.UNFURL), thread=message.thread, replies_to=message.event)
    return Notice(message.room, Lane.ANSWER, spoken, asked_by=message.sender)
