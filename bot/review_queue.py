"""The open submissions that somebody asks for, each with whose turn it is and why; nothing is requested for it.

First the database leaves out what is closed, archived or superseded. A query is then evaluated on the patches that are
left, of which only the columns are read that it needs; what matches is read completely, and judged by the one rule in
`subscriptions/turns.py`. Rows are fetched in batches and evaluated off the event loop, so that nothing waits for it.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from bot.clock import Clock
from bot.errors import BotError, StoreError
from bot.ids import PatchId, ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.api import PatchworkApi
from bot.patchwork.updates import MailKind
from bot.query.evaluate import Evaluator
from bot.query.facts import ExtraFacts, FactName, Facts, PatchView
from bot.query.index.index import Index, Subscription
from bot.query.index.path_trie import PathTrie
from bot.query.maintainers.maintainers import Maintainers
from bot.query.prefilter import ANYTHING, Condition, prefilter_of
from bot.query.query import Node, Query, all_of, any_of, facts_in, patterns_of
from bot.query.values import Turn
from bot.store.book import batched
from bot.store.comment_book import NO_COMMENTS, CommentsOfMail
from bot.store.nudge_book import NudgeScope
from bot.store.patch_scan import STORED_FACTS, FactsReader, PatchScan, ScanRow, ScanScope, ScanWindow, paths_of
from bot.store.store import Store, Transaction
from bot.submission import Submission, SubmissionKind, SubmissionRef
from bot.subscriptions.turns import TurnFacts, TurnVerdict, turn_of

WINDOW: Final = 20_000  # patches that the database looks through in one statement: so long the connection is held
MOST_PARTS: Final = 120  # of the condition by which it leaves out patches; more would take it longer than they save
CHUNK: Final = 1_000  # patches that are read and evaluated at once: so long, a little, the event loop is held
_JUDGED: Final = 250  # submissions that are read whole and judged at once
_ALL_TURNS: Final = frozenset(Turn)
_NO_TURNS: Final = frozenset[Turn]()
_NO_ROOM: Final = RoomId("")
_Turns = dict[SubmissionRef, frozenset[Turn]]


@dataclass(frozen=True, slots=True)
class QueueScope:
    """What a queue lists: what matches one of *trees*, and the *followed* submissions; of these only what *query* does.

    The *snoozed* ones are left out. Without a *query*, nothing else is.
    """

    trees: Sequence[Node] = ()
    query: Node | None = None
    followed: AbstractSet[SubmissionRef] = frozenset()
    snoozed: AbstractSet[SubmissionRef] = frozenset()


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A submission in a queue: whose *turn* it is, *since* a time (UTC), None if that is unknown.

    A long queue has many rows and shows few, so a row has no more than its place needs.
    """

    ref: SubmissionRef
    turn: Turn
    since: datetime | None


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A submission with the verdict on whose turn it is."""

    submission: Submission
    verdict: TurnVerdict


_Items = dict[SubmissionRef, QueueItem]


class ReviewQueue:
    """The open submissions of the watched *projects*, which are given by server; *apis* know what their states mean.

    *file_of* returns the MAINTAINERS of a project.
    """

    def __init__(
        self,
        store: Store,
        projects: Mapping[ServerName, Collection[str]],
        apis: Mapping[ServerName, PatchworkApi],
        file_of: Callable[[ServerName, ProjectName], Maintainers | None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._projects = projects
        self._apis = apis
        self._file_of = file_of
        self._clock = clock
        self._turn = asyncio.Lock()

    async def rows(self, scope: QueueScope) -> list[QueueRow]:
        """Return the open submissions of a *scope* by section, the longest waiting first."""
        rows: list[QueueRow] = []
        if not scope.trees and not scope.followed:
            return rows
        async with self._turn:
            for server in self._projects:
                turns = await self._matching(server, scope)
                for some in batched(turns.items(), _JUDGED):
                    rows += await self._judged_apart(server, dict(some))
        return sorted(rows, key=_place)

    async def contents(self, refs: Iterable[SubmissionRef]) -> dict[SubmissionRef, QueueItem]:
        """Return those of some submissions that are stored and open, without their files."""
        by_server: dict[ServerName, list[SubmissionRef]] = {}
        for ref in refs:
            by_server.setdefault(ref.server, []).append(ref)
        items: dict[SubmissionRef, QueueItem] = {}
        for server, some in by_server.items():
            items |= await self._items(server, some)
        return items

    async def items_in(self, tx: Transaction, server: ServerName, refs: Iterable[SubmissionRef]) -> _Items:
        """Return those of some submissions of a server that are stored and open, without their files."""
        submissions = await tx.watch.load_submissions(refs, with_checks=True, with_files=False)
        known = await known_comments(tx, server, submissions.values())
        return await self._verdicts_apart(server, submissions, known)

    def nudge_scopes(self) -> list[NudgeScope]:
        """Return where people are reminded of their own submissions."""
        return [NudgeScope(server, projects, self._closed(server)) for server, projects in self._projects.items()]

    async def _matching(self, server: ServerName, scope: QueueScope) -> _Turns:
        """Return the open submissions of a server that a *scope* has, each with the turns of which it wants them."""
        judge = _QueueJudge(self._scan_scope(server), scope, partial(self._file_of, server), self._clock.now())
        closed = self._closed(server)
        turns: _Turns = {}
        before: PatchId | None = None
        while True:
            async with self._store.reading() as tx:
                window = await tx.watch.scan_window(judge.scan, before, WINDOW)
            if window is None:
                break
            for ref, wanted in await self._matching_in(judge, window, closed):
                turns[ref] = turns.get(ref, _NO_TURNS) | wanted
            before = window.lowest
        return {ref: wanted for ref, wanted in turns.items() if ref not in scope.snoozed}

    async def _matching_in(
        self, judge: "_QueueJudge", window: ScanWindow, closed: Collection[str]
    ) -> list[tuple[SubmissionRef, frozenset[Turn]]]:
        """Return the submissions of a window with a patch that matches, and the turns of which it does."""
        matching: list[tuple[SubmissionRef, frozenset[Turn]]] = []
        before = window.before
        while True:
            async with self._store.reading() as tx:
                rows = await tx.watch.scan_open(judge.scan, window, closed, before, CHUNK)
            matches, unreadable = await asyncio.to_thread(judge.wanted, rows)
            matching += matches
            for patch, error in unreadable:
                self._record_unreadable(f"patch {patch} of {judge.server}", error)
            if len(rows) < CHUNK:
                return matching
            before = rows[-1].id

    async def _judged_apart(self, server: ServerName, turns: _Turns) -> list[QueueRow]:
        """Return those of some submissions that have one of the wanted *turns*, without those that cannot be read."""
        try:
            return await self._judged(server, turns)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # a damaged row, which costs itself only; it is recorded
            if len(turns) == 1:
                [ref] = turns
                self._record_unreadable(f"{ref.kind} {ref.id} of {server}", error)
                return []
        items = list(turns.items())
        halves = (items[: len(items) // 2], items[len(items) // 2 :])
        return [row for half in halves for row in await self._judged_apart(server, dict(half))]

    def _record_unreadable(self, name: str, error: Exception) -> None:
        self._store.incidents.record("queue.item_unreadable", name, error)

    async def _judged(self, server: ServerName, turns: _Turns) -> list[QueueRow]:
        """Return those of some submissions that have one of the wanted *turns*."""
        items = await self._items(server, turns)
        verdicts = ((ref, item.verdict) for ref, item in items.items())
        return [QueueRow(ref, verdict.turn, verdict.since) for ref, verdict in verdicts if verdict.turn in turns[ref]]

    async def _items(self, server: ServerName, refs: Iterable[SubmissionRef]) -> _Items:
        """Return those of some submissions of a server that are stored and open."""
        async with self._store.reading() as tx:
            submissions = await tx.watch.load_submissions(refs, with_checks=True, with_files=False)
            known = await known_comments(tx, server, submissions.values())
        return await self._verdicts_apart(server, submissions, known)

    async def _verdicts_apart(
        self, server: ServerName, submissions: Mapping[SubmissionRef, Submission], known: "KnownComments"
    ) -> _Items:
        known = replace(known, are_announced=self._apis[server].raises_comment_events)
        return await asyncio.to_thread(self._verdicts, server, submissions, known)

    def _verdicts(
        self, server: ServerName, submissions: Mapping[SubmissionRef, Submission], comments: "KnownComments"
    ) -> _Items:
        items: dict[SubmissionRef, QueueItem] = {}
        for ref, submission in submissions.items():
            verdict = turn_of(comments.facts_of(submission), self._apis[server].classes)
            if verdict is not None:
                items[ref] = QueueItem(submission, verdict)
        return items

    def _scan_scope(self, server: ServerName) -> ScanScope:
        return ScanScope(server, self._projects[server], since=None)

    def _closed(self, server: ServerName) -> list[str]:
        """Return the states of a server in which nothing more is to be done, as the server spells them."""
        classes = self._apis[server].classes
        return sorted({slug for slug in self._apis[server].states.names if classes.is_closed(slug)} | classes.closed)


@dataclass(frozen=True, slots=True)
class KnownComments:
    """The known comments on patches and cover letters, by id; *are_announced* if the server announces each."""

    on_patches: Mapping[int, CommentsOfMail]
    on_covers: Mapping[int, CommentsOfMail]
    are_announced: bool = False

    def facts_of(self, submission: Submission) -> TurnFacts:
        """Return what decides whose turn a *submission* is, of which no later version is known."""
        mails = [self.on_patches.get(patch.id, NO_COMMENTS) for patch in submission.patches]
        series = submission.series
        if series is not None and series.cover is not None:
            mails.append(self.on_covers.get(series.cover_id or 0, NO_COMMENTS))
        comments = tuple(comment for mail in mails for comment in mail.comments)
        return TurnFacts(submission, comments, self.are_announced or all(mail.is_read for mail in mails))


async def known_comments(tx: Transaction, server: ServerName, submissions: Collection[Submission]) -> KnownComments:
    """Return the stored comments on some *submissions* of a server."""
    patches = [patch.id for each in submissions for patch in each.patches]
    covers = [each.series.cover_id for each in submissions if each.series and each.series.cover_id]
    on_patches = await tx.comments.of(server, MailKind.PATCH, patches)
    return KnownComments(on_patches, await tx.comments.of(server, MailKind.COVER, covers))


class _QueueJudge:
    """Evaluates what a *scope* asks for on many patches of a server."""

    def __init__(
        self,
        of: ScanScope,
        scope: QueueScope,
        file_of: Callable[[ProjectName], Maintainers | None],
        now: datetime,
    ) -> None:
        self.server = of.server
        self._now = now
        self._scope = scope
        self._by_turn = [tree for tree in scope.trees if FactName.TURN in facts_in(tree)]
        self._index = Index()
        for number, tree in enumerate(tree for tree in scope.trees if tree not in self._by_turn):
            self._index.add(Subscription(SubscriptionId(number), _NO_ROOM, Query(tree)))
        trees = [*scope.trees, *([scope.query] if scope.query else [])]
        facts = {fact for tree in trees for fact in facts_in(tree)} & STORED_FACTS.keys()
        self._files = _files(of.projects, file_of) if FactName.SECTIONS in facts else {}
        self.scan = PatchScan(of, facts, self._condition(), now)
        self._reader = FactsReader(self.server, facts)
        self._patterns: PathTrie[str] = PathTrie()
        for pattern in {pattern for tree in (*self._by_turn, scope.query) if tree for pattern in patterns_of(tree)}:
            self._patterns.add(pattern, pattern)

    def _condition(self) -> Condition:
        """Return what every patch has that is listed."""
        scope, files = self._scope, tuple(self._files.values())
        asked = [scope.query] if scope.query else []
        if not scope.followed:
            asked.append(any_of(scope.trees))
        return prefilter_of(all_of(asked), files, MOST_PARTS) if asked else ANYTHING

    def wanted(
        self, rows: Sequence[ScanRow]
    ) -> tuple[list[tuple[SubmissionRef, frozenset[Turn]]], list[tuple[PatchId, Exception]]]:
        """Return the submissions of the patches in *rows* that match, with the turns of which they do.

        The second list has the patches that cannot be read, each with the error.
        """
        matches: list[tuple[SubmissionRef, frozenset[Turn]]] = []
        unreadable: list[tuple[PatchId, Exception]] = []
        for row in rows:
            try:
                turns = self._turns(row)
            except (TypeError, ValueError, LookupError, BotError) as error:
                unreadable.append((row.id, error))
                continue
            if turns:
                matches.append((self._ref(row), turns))
        return matches, unreadable

    def _ref(self, row: ScanRow) -> SubmissionRef:
        if row.series is None:
            return SubmissionRef(self.server, SubmissionKind.PATCH, row.id)
        return SubmissionRef(self.server, SubmissionKind.SERIES, row.series)

    def _turns(self, row: ScanRow) -> frozenset[Turn]:
        """Return the turns of which a queue wants the patch in a row."""
        facts = self._reader.read(row, self._more(row))
        turns = _ALL_TURNS
        if self._scope.query is not None and not (turns := self._turns_of(self._scope.query, facts)):
            return turns
        if self._index.find(facts) or (self._scope.followed and self._ref(row) in self._scope.followed):
            return turns
        return turns & frozenset().union(*(self._turns_of(tree, facts) for tree in self._by_turn))

    def _turns_of(self, tree: Node, facts: Facts) -> frozenset[Turn]:
        """Return the turns of which a patch matches *tree*."""
        if FactName.TURN not in facts_in(tree):
            return _ALL_TURNS if self._accepts(tree, facts) else _NO_TURNS
        by_turn = ((turn, replace(facts, more=replace(facts.more, turn=turn))) for turn in Turn)
        return frozenset(turn for turn, each in by_turn if self._accepts(tree, each))

    def _accepts(self, tree: Node, facts: Facts) -> bool:
        return Evaluator(PatchView(facts, self._patterns)).accepts(tree)

    def _more(self, row: ScanRow) -> ExtraFacts:
        """Return the facts that are not in the columns."""
        idle = self._now - (row.changed_at or row.read_at) if FactName.IDLE in self._reader.facts else None
        file = self._files.get(row.project.lower())
        if file is None:
            return ExtraFacts(idle=idle)
        return ExtraFacts(idle=idle, sections=file.covering(paths_of(row)), known_sections=file.folded_names)


def _files(projects: Iterable[str], file_of: Callable[[ProjectName], Maintainers | None]) -> dict[str, Maintainers]:
    files = {name.lower(): file_of(ProjectName(name)) for name in projects}
    return {name: file for name, file in files.items() if file is not None}


def _place(row: QueueRow) -> tuple[int, float, str, int]:
    """Return the place of a row: by section, then those that have waited longest, and last those that nobody knows."""
    return _ORDER[row.turn], row.since.timestamp() if row.since else float("inf"), row.ref.server, row.ref.id


_ORDER: Final = {turn: number for number, turn in enumerate(Turn)}
