"""Looks up patches and series on Patchwork servers, their diffs, checks and comments, and searches past patches."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from bot.commands.answers.patch import diff_shown, diffstat_shown, patch_shown, said, series_shown
from bot.commands.answers.search import MOST_SHOWN, SearchedRange, SearchMatch, found_shown
from bot.commands.context import CommandContext
from bot.commands.figures import chart_of_figures, figures_of
from bot.commands.overlaps import overlaps_of
from bot.commands.patch_details import checks_of, comments_of
from bot.commands.query_notes import query_notes
from bot.commands.queues import QueuePage, queue_answer
from bot.commands.request import Answer, CommandRequest
from bot.commands.resolve_ref import CacheNote, RefResolver, Resolved, ResolvedPatch, ResolvedSeries
from bot.commands.servers import every_site
from bot.commands.subscribing import standing_of
from bot.commands.version_comparison import VersionComparison
from bot.errors import QueryError, UserError
from bot.notices.markup import Block, Document
from bot.notices.needs import NO_NEEDS, Needs
from bot.patchwork.model import Patch
from bot.patchwork.references import RefKind
from bot.query.facts import FactName
from bot.query.keys import Key
from bot.query.parser import parse
from bot.query.query import Query, facts_in, terms_of
from bot.query.values import IsFlag
from bot.review_queue import QueueScope
from bot.search import SearchHit, SearchHits, unanswerable
from bot.submission import SubmissionKind, SubmissionRef
from bot.subscriptions.subscription import meant


class LookupCommands:
    """The commands that look something up."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._places = {place.name: place for place in context.places}
        self._store = context.store
        self._finder = RefResolver(context.places, context.store)
        self._past = context.past
        self._versions = VersionComparison(self._finder, context.store)

    async def show(self, request: CommandRequest) -> Answer:
        """Answer `show` with a patch or a series."""
        return await self._answer(request, self._shown)

    async def series(self, request: CommandRequest) -> Answer:
        """Answer `series` with a series, given by itself or by one of its patches."""
        return await self._answer(request, self._series, RefKind.SERIES)

    async def diff(self, request: CommandRequest) -> Answer:
        """Answer `diff` with the diff of a patch, the files that a series touches, or what changed between versions."""
        if (text := request.call.arguments.get("range")) is not None:
            try:
                return await self._versions.compare(text, request)
            except UserError as error:
                return Answer(said(*str(error).split("\n")), is_refusal=True)
        return await self._answer(request, self._diff)

    async def also(self, request: CommandRequest) -> Answer:
        """Answer `also` with other open submissions that touch the same files."""
        return await self._answer(request, lambda resolved: overlaps_of(resolved, self._finder, self._store, request))

    async def checks(self, request: CommandRequest) -> Answer:
        """Answer `checks` with the checks of a patch, or of the patches of a series."""
        return await self._answer(request, lambda resolved: checks_of(resolved, self._finder))

    async def comments(self, request: CommandRequest) -> Answer:
        """Answer `comments` with the replies to a patch, or to all mails of a series."""
        return await self._answer(request, comments_of)

    async def find(self, request: CommandRequest) -> Answer:
        """Answer `find` with the newest matches of a query among the stored patches."""
        try:
            query = parse(request.call.arguments["query"])
            standing = await standing_of(self._store, request)
            if FactName.TURN in facts_in(query.tree):
                return await self._open(meant(query, standing))
            matches = await self._past_matches(request, meant(query, standing))
        except QueryError as error:
            return Answer((Block(error.pointed()),), is_refusal=True)
        except UserError as error:
            return Answer(said(str(error)), is_refusal=True)
        notes = await query_notes(self._context, query, standing)
        return await self._matches(query, matches, [f"Note: {note}" for note in notes])

    async def _past_matches(self, request: CommandRequest, query: Query) -> SearchHits:
        """Return the newest matches; what is snoozed here is not stale.

        Raises:
            UserError: the store cannot answer this query.
        """
        if all(term.key is not Key.STALE for term in terms_of(query.tree)):
            return await self._past.matches(query, None, MOST_SHOWN)
        async with self._store.reading() as tx:
            snoozed = await tx.snoozes.refs(request.message.room)
        matches = await self._past.matches(query, None, MOST_SHOWN + len(snoozed))
        awake = tuple(match for match in matches.found if match.about not in snoozed)
        return replace(matches, found=awake[:MOST_SHOWN])

    async def _open(self, query: Query) -> Answer:
        """Return what is open and matches a *query* about whose turn it is."""
        if refusal := unanswerable(query.tree, even_turns=False):
            raise UserError(refusal)
        rows = await self._context.queue.rows(QueueScope((query.tree,)))
        answer = await queue_answer(self._context, rows, QueuePage("Open")) if rows else None
        return answer or Answer(said(f"Nothing is open that matches {query.tree}."))

    async def stats(self, request: CommandRequest) -> Answer:
        """Answer `stats` with figures about what matches a query."""
        return await self._figures(request, figures_of)

    async def chart(self, request: CommandRequest) -> Answer:
        """Answer `chart` with a picture of the figures of each week."""
        return await self._figures(request, chart_of_figures)

    async def _figures(
        self, request: CommandRequest, tell: Callable[[CommandContext, CommandRequest], Awaitable[Answer]]
    ) -> Answer:
        try:
            return await tell(self._context, request)
        except QueryError as error:
            return Answer((Block(error.pointed()),), is_refusal=True)
        except UserError as error:
            return Answer(said(str(error)), is_refusal=True)

    async def _answer(
        self, request: CommandRequest, tell: Callable[[Resolved], Awaitable[Answer]], first: RefKind = RefKind.PATCH
    ) -> Answer:
        """Resolve the reference in a command and answer with *tell*, or with the reason why that is impossible."""
        try:
            return await tell(await self._finder.find(request, first))
        except UserError as error:
            return Answer(said(*str(error).split("\n")), is_refusal=True)

    async def _shown(self, resolved: Resolved) -> Answer:
        if isinstance(resolved, ResolvedSeries):
            return await self._series(resolved)
        patch = resolved.page.patch
        if resolved.copy is None:
            [patch] = await self._finder.checked(resolved.place, [patch])
        needs = await self._needs(resolved, [resolved.page.patch])
        document = patch_shown(patch, resolved.page.series, resolved.site, needs)
        return Answer((*document, *_remark(resolved.copy)), resolved.site, resolved.about)

    async def _series(self, resolved: Resolved) -> Answer:
        if isinstance(resolved, ResolvedPatch):
            resolved = await self._finder.series_of(resolved)
        patches, copy = await self._finder.patches_of(resolved)
        document = series_shown(resolved.series, patches, resolved.site, await self._needs(resolved, patches))
        return Answer((*document, *_remark(copy)), resolved.site, resolved.about)

    async def _needs(self, resolved: Resolved, patches: Sequence[Patch]) -> Needs:
        """Return what a submission needs, according to its *patches* and to what is stored of it."""
        server = resolved.place.name
        if isinstance(resolved, ResolvedSeries):
            about = SubmissionRef(server, SubmissionKind.SERIES, resolved.series.id)
        else:
            patch = resolved.page.patch
            about = SubmissionRef(server, SubmissionKind.PATCH, patch.id)
            if patch.series is not None:
                about = SubmissionRef(server, SubmissionKind.SERIES, patch.series)
        told = [*((resolved.series.needs or ()) if isinstance(resolved, ResolvedSeries) else ())]
        told += [need for patch in patches for need in patch.needs]
        async with self._store.reading() as tx:
            return (await tx.dependencies.of(server, resolved.place.host, {about: told})).get(about, NO_NEEDS)

    async def _diff(self, resolved: Resolved) -> Answer:
        if isinstance(resolved, ResolvedSeries):
            patches, copy = await self._finder.patches_of(resolved)
            diffstat = await asyncio.to_thread(diffstat_shown, resolved.series, patches, resolved.site)  # of all files
            return Answer((*diffstat, *_remark(copy)), resolved.site, resolved.about)
        if resolved.copy is not None:
            raise UserError(f"{resolved.copy.outage}, and the bot stores no diffs.")
        patch = resolved.page.patch
        if not resolved.page.diff:
            source = f": pull from {patch.pull_url}" if patch.pull_url else ""
            raise UserError(f"{patch.name} has no diff{source}.")
        return Answer(diff_shown(patch, resolved.page.diff, resolved.site), resolved.site, resolved.about)

    async def _matches(self, query: Query, matches: SearchHits, remarks: Iterable[str]) -> Answer:
        series = [await self._match(match) for match in matches.found]
        known = [(each.server, each.project, each.since) for each in matches.known_since]
        looked_at = SearchedRange(matches.looked_at, known, matches.back_to)
        remarks = [*_cautions(query), *remarks]
        listed = tuple(_ref(match) for match in matches.found)
        document = found_shown(str(query.tree), series, looked_at, *remarks)
        return Answer(document, every_site(self._context.places), listed=listed or None)

    async def _match(self, match: SearchHit) -> SearchMatch:
        site = self._places[match.server].site(match.patch.project)
        if match.series is None:
            return SearchMatch(site, match.patch, is_pull=match.patch.pull_url is not None)
        async with self._store.reading() as tx:
            states = await tx.watch.states_of(match.server, [match.series.id])
            is_pull = bool(await tx.watch.pull_requests(match.server, [match.series.id]))
        return SearchMatch(site, match.patch, match.series, states.get(match.series.id, {}), is_pull)


def _ref(match: SearchHit) -> SubmissionRef:
    if match.series is None:
        return SubmissionRef(match.server, SubmissionKind.PATCH, match.patch.id)
    return SubmissionRef(match.server, SubmissionKind.SERIES, match.series.id)


def _remark(copy: CacheNote | None) -> Document:
    return said(str(copy)) if copy else ()


def _cautions(query: Query) -> list[str]:
    """Return a sentence on the facts in the results that may be out of date, if there are any."""
    terms = list(terms_of(query.tree))
    cautious = [str(key) for key in (Key.CHECK, Key.DELEGATE) if any(term.key is key for term in terms)]
    cautious += [
        f"is:{value}" for value in (IsFlag.REVIEWED, IsFlag.ARCHIVED) if any(value in term.values for term in terms)
    ]
    if not cautious:
        return []
    return [f"{' and '.join(cautious)}: as last seen, which may be out of date."]
