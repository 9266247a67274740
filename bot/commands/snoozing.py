"""Answers `snooze` and `unsnooze`, which take submissions out of a chat's queues and stale lists for a while."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.commands.answers import snoozing as answers
from bot.commands.answers.subscriptions import page
from bot.commands.context import ChangeResult, CommandContext, changed, may_change, typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.snooze_times import SnoozeEnd, read_snooze
from bot.commands.submission_refs import MeantSubmission, SubmissionFinder, newest_version
from bot.errors import UserError
from bot.notices.card import ServerLinks
from bot.notices.markup import Document, Line
from bot.store.snooze_book import Snooze
from bot.store.store import Transaction
from bot.subscriptions.digest_schedule import zone_named

MOST_SNOOZES = 500  # in a chat
MOST_VERSIONS_AHEAD = 10  # that a snooze waits for; a later version may never come
_FROM = re.compile(r"(?:list|all|from)?\s*from\s+([1-9][0-9]{0,5})|list|all", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Times:
    """The time (UTC) of a command, and the zone of its chat."""

    now: datetime
    zone: ZoneInfo


class SnoozeCommands:
    """The commands that snooze."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._store = context.store
        self._finder = SubmissionFinder(context)

    async def snooze(self, request: CommandRequest) -> Answer:
        """Snooze a submission for a time, until a day or until a version; without anything, list what is snoozed."""
        text = request.call.arguments.get("refs", "").strip()
        listed = _FROM.fullmatch(text) if text else None
        if listed is not None or not text:
            return await self._list(request, int(listed[1] or 1) if listed is not None else 1)
        await may_change(self._context, request)
        times = await self._times(request)
        typed_words = read_snooze(text, times.now, times.zone)
        asking = _asking_for(request, typed_words.ref)
        if typed_words.end is None:
            return await self.unsnooze(asking)
        meant = await self._newest(await self._found(asking, text))
        snooze = _new(request, meant, typed_words.end, times)

        async def change(tx: Transaction) -> ChangeResult:
            here = await tx.snoozes.of(snooze.room)
            if len(here) >= MOST_SNOOZES:
                raise UserError(f"{MOST_SNOOZES} submissions are snoozed here, which is the limit.")
            before = await tx.snoozes.get(snooze.room, snooze.about)
            await tx.snoozes.put(snooze)
            end = answers.spelled_end(snooze, times.now, times.zone)
            undo = self._undo(request, meant.ref, before, times)
            return ChangeResult(answers.snoozed(meant.link, end, undo, is_direct=request.direct))

        return await changed(self._context, request, change, meant.site, meant.subject)

    async def unsnooze(self, request: CommandRequest) -> Answer:
        """End the snooze of a submission."""
        await may_change(self._context, request)
        meant, times = await self._newest(await self._finder.find(request)), await self._times(request)

        async def change(tx: Transaction) -> ChangeResult:
            before = await tx.snoozes.get(request.message.room, meant.about)
            if before is None:
                raise UserError(f"That is not snoozed here. What is: {typed(request, 'snooze')}")
            await tx.snoozes.end(request.message.room, meant.about)
            undo = self._undo(request, meant.ref, before, times)
            return ChangeResult(answers.no_longer_snoozed(meant.link, undo))

        return await changed(self._context, request, change, meant.site, meant.subject)

    async def _list(self, request: CommandRequest, start: int) -> Answer:
        times = await self._times(request)
        async with self._store.reading() as tx:
            here = await tx.snoozes.of(request.message.room)
            found = [(each, await self._finder.load(tx, each.about)) for each in here]
        listed = [(snooze, meant) for snooze, meant in found if meant is not None]
        if not listed:
            return Answer(answers.nothing_snoozed(typed(request, "snooze", "2194095 2w")))
        items = [answers.snooze_line(meant.ref, meant.link, each, times.now, times.zone) for each, meant in listed]
        urls = tuple(dict.fromkeys(meant.site.url for _, meant in listed))
        undo = typed(request, "unsnooze", listed[0][1].ref)

        def document(shown: Sequence[Line], more: tuple[Line, ...]) -> Document:
            return answers.snoozes(len(listed), shown, more, undo)

        whole = page(items, start, document, lambda next_: typed(request, "snooze", "from", next_))
        return Answer(whole, ServerLinks(urls[0], others=urls[1:]))

    # Helpers

    async def _times(self, request: CommandRequest) -> _Times:
        async with self._store.reading() as tx:
            zone = zone_named(await tx.subscriptions.timezone(request.message.room))
        return _Times(self._context.clock.now(), zone)

    async def _found(self, request: CommandRequest, text: str) -> MeantSubmission:
        """Return what a command names, or replies to.

        Raises:
            UserError: it names nothing; the text says how to pause everything, which may have been meant.
        """
        try:
            return await self._finder.find(request)
        except UserError as error:
            if "ref" in request.call.arguments:
                raise
            mute = typed(request, "mute", text[:50])
            raise UserError(f"{error}\nTo pause everything that I post here instead: {mute}") from error

    async def _newest(self, meant: MeantSubmission) -> MeantSubmission:
        """Return the newest version of a submission, which is the one in queues."""
        async with self._store.reading() as tx:
            about = await newest_version(tx, meant.about)
            return meant if about == meant.about else await self._finder.load(tx, about) or meant

    def _undo(self, request: CommandRequest, ref: str, before: Snooze | None, times: _Times) -> str:
        """Return the command that restores what was *before*."""
        if before is None:
            return typed(request, "unsnooze", ref)
        if before.until is None:
            return typed(request, "snooze", ref, f"until v{before.version}")
        return typed(request, "snooze", ref, f"until {before.until.astimezone(times.zone):%Y-%m-%d %H:%M}")


def _asking_for(request: CommandRequest, ref: str) -> CommandRequest:
    arguments = {"ref": ref} if ref else {}
    return replace(request, call=replace(request.call, arguments=arguments))


def _new(request: CommandRequest, meant: MeantSubmission, end: SnoozeEnd, times: _Times) -> Snooze:
    """Return the snooze of a submission.

    Raises:
        UserError: it waits for a version that came already, or that cannot come.
    """
    version = end.version
    if version is not None:
        series = meant.submission.series
        if series is None:
            raise UserError("That is a patch without a series, which has no versions. Name a time: 2w or 2026-12-24.")
        version = version or series.version + 1
        if version <= series.version:
            raise UserError(f"v{series.version} of it has come. To wait for the next one: until v{series.version + 1}")
        if version > (latest := series.version + MOST_VERSIONS_AHEAD):
            raise UserError(f"v{version} may never come; this is v{series.version}. Wait for v{latest} at most.")
    return Snooze(request.message.room, meant.about, request.message.sender, times.now, end.until, version)
