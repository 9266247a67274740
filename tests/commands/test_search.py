"""A search of the past finds what a plain scan finds, and reads no more than it must, on each kind of database."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import search as past
from bot.clock import VirtualClock
from bot.errors import QueryError
from bot.ids import Msgid, PatchId, ProjectName, SeriesId
from bot.patchwork.model import CheckState, FileChange, Patch, PatchRef, Person, Series, Trailer, TrailerKind
from bot.poll import Poll, SeriesRead
from bot.query.evaluate import Evaluator
from bot.query.facts import ExtraFacts, PatchView, facts_of
from bot.query.index.path_trie import PathTrie
from bot.query.keys import Key
from bot.query.maintainers.maintainers import Maintainers, read
from bot.query.parser import parse
from bot.query.query import Query, patterns_of, terms_of
from bot.search import PatchSearch, SearchHit
from bot.store.patch_book import StoredPatch
from bot.store.store import Store
from bot.submission import SubmissionKind, SubmissionRef
from support.rig import Rig
from support.store_rig import PROJECT, SERVER, StoreRig, a_baseline

MAINTAINERS = read(
    "Network\nM: Net Person <net@example.org>\nF: net/\n\nBlock\nM: B <block@example.org>\nF: block/\nN: ram\n"
)
OTHER_PROJECT = ProjectName("Linux")
PEOPLE = [
    Person("Jane Doe", "jane@example.org"),
    Person("", "bruno@example.com"),
    Person("Ünïcode Ω", "O@EXAMPLE.org"),
    Person("Jane  D\u017foe, \u212aarl", 'od"d\\%_@example.org'),
]
NAMES = [
    "[v2,1/3] net: Fix it",
    "[RFC,net-next] block: Straße",
    "[PULL 1/1] queue",
    "ram: “quoted” [odd] text",
    "[2/2]",
    "[RFC v10,2 of 12] NET:  100%_fast\t[x/y]",
    "[PATCH 3/40] ne\u200bt: \u212aernel \u017ftate!",
]
FILES = ["net/a.c", "net/sub/b.c", "block/c.c", "hw/ram.c", "docs/ä b.rst", "net", "a%b/c_d.c", 'q"u/\\o.c', "x/😀/b.c"]
TERMS = [
    *("path:net/", "path:net/*.c,block/", "path:**/b.c", "maint:net", "maint:block@example.org", "from:jane"),
    *("from:@example.org", "from:ünïcode", "to:list@example.org", "cc:@example.com", "subject:fix", "subject:strasse"),
    *("subject:/^net/", "prefix:RFC", "prefix:v2", "version:>=2", "version:1", "patches:>2", "patches:1"),
    *(
        "project:linux",
        f"project:{PROJECT}",
        f"server:{SERVER}",
        "state:new",
        "state:accepted,rejected",
        "delegate:JANE",
    ),
    *("path:a%b/", "path:net", "path:*/*.rst", "path:docs/ä*", "path:**/c_?.c", "path:x/😀/**", "path:[a-q]*/[!b]*"),
    *(
        'path:"q\\"u/"',
        "path:*",
        "maint:n",
        "from:oe",
        "from:karl",
        'from:"jane doe"',
        "from:o@example.org",
        "to:@x.org",
    ),
    *(
        "subject:/(Net|net): +F/",
        r"subject:/\[odd\]|100%_/",
        "subject:/N.*fa?st$/",
        "subject:100%_",
        "subject:kernel,state",
    ),
    *("subject:net: fix", "prefix:pull", "version:10", "version:<3", "patches:>=12", "patches:12,2", "patches:<4"),
    *(
        "state:needs-ack",
        "delegate:jäne",
        "check:fail",
        "check:success",
        "is:pull",
        "is:complete",
        "is:reviewed",
        "is:archived",
        "stale:3d",
        "stale:20d",
    ),
]


def seeded(seed: int) -> random.Random:
    """Chance that is the same each time."""
    return random.Random(seed)  # noqa: S311  # no secret


def a_patch(rng: random.Random, number: int, series: int | None) -> Patch:
    """A patch of any kind."""
    files = [FileChange(rng.choice(FILES), rng.choice([None, *FILES])) for _ in range(rng.randrange(4))]
    return Patch(
        id=PatchId(number),
        project=rng.choice([PROJECT, PROJECT, OTHER_PROJECT]),
        msgid=Msgid(f"{number}@example.org"),
        name=rng.choice(NAMES),
        submitter=rng.choice(PEOPLE),
        series=None if series is None else SeriesId(series),
        state=rng.choice([None, "new", "accepted", "rejected", "needs_ack"]),
        delegate=rng.choice([None, "jane", "bruno", "JÄne"]),
        check=rng.choice([None, *CheckState]),
        archived=rng.random() < 0.2,
        pull_url=rng.choice([None, None, "https://git.example.org/q.git"]),
        files=rng.choice([None, tuple(files), tuple(files)]),
        to=rng.choice([(), ("list@example.org",)]),
        cc=rng.choice([(), ("bruno@example.com", "jane@example.org")]),
        trailers=_trailers(rng),
    )


def _trailers(rng: random.Random) -> frozenset[Trailer]:
    return frozenset({Trailer(rng.choice(list(TrailerKind)), "jane@example.org")} if rng.random() < 0.3 else ())


def a_series(rng: random.Random, number: int, patches: Sequence[Patch]) -> Series:
    """Their series."""
    return Series(
        id=SeriesId(number),
        project=patches[0].project,
        name=rng.choice(NAMES),
        version=rng.randint(1, 4),
        submitter=patches[0].submitter,
        total=rng.randint(1, 5),
        received_total=len(patches),
        received_all=rng.random() < 0.5,
        patches=tuple(PatchRef(patch.id, patch.msgid, patch.name) for patch in patches),
    )


async def fill(store: Store, rig: StoreRig, rng: random.Random, series: int) -> None:
    """Some patches in judged series, some in series that are not, some in none; days pass in between."""
    numbers = count(1)
    await save(store, Poll(SERVER, None, baselines=(a_baseline(), replace(a_baseline(), project=OTHER_PROJECT))))
    for number in range(1, series + 1):
        rig.advance(days=rng.random())
        of_series = None if rng.random() < 0.2 else number
        patches = [a_patch(rng, next(numbers), of_series) for _ in range(rng.randint(1, 4))]
        judged = of_series is not None and rng.random() < 0.8
        read = (SeriesRead(a_series(rng, number, patches), ()),) if judged else ()
        await save(store, Poll(SERVER, None, series=read, patches=tuple(patches)))
    async with store.transaction() as tx:
        reviewed = 'UPDATE series SET trailers = \'[["R", "ann@example.org"]]\' WHERE mod(id, 3) = 0'
        changed = "UPDATE patch SET changed_at = read_at WHERE mod(id, 2) = 0"
        for statement in (reviewed, changed):
            await tx.watch._connection.exec_driver_sql(statement)


async def save(store: Store, poll: Poll) -> None:
    async with store.transaction() as tx:
        await tx.watch.save(poll)


@dataclass(frozen=True, slots=True)
class PlainScan:
    """The search done in the plainest way: every patch is read whole, and all its facts are decided on."""

    patches: Sequence[StoredPatch]  # newest first
    clock: VirtualClock

    def matches(self, query: Query, at_most: int, *, only_idle: bool = False) -> tuple[SearchHit, ...]:
        """The matches, newest first."""
        found: dict[object, SearchHit] = {}
        for each in self.patches:
            if self._accepts(query, each) and not (only_idle and self._accepts(query, each, knows_idle=False)):
                key = each.patch.series or (each.patch.id,)
                found.setdefault(key, SearchHit(SERVER, each.patch, each.series, each.read_at, each.changed_at))
        return tuple(sorted(list(found.values())[:at_most], key=lambda match: match.read_at, reverse=True))

    def _accepts(self, query: Query, each: StoredPatch, *, knows_idle: bool = True) -> bool:
        sections = MAINTAINERS.covering(each.patch.paths)
        idle = self.clock.now() - (each.changed_at or each.read_at)
        more = ExtraFacts(sections=sections, known_sections=MAINTAINERS.folded_names, idle=idle if knows_idle else None)
        facts = facts_of(SERVER, each.patch, each.series, more)
        patterns: PathTrie[str] = PathTrie()
        for pattern in patterns_of(query.tree):
            patterns.add(pattern, pattern)
        return Evaluator(PatchView(facts, patterns)).accepts(query.tree)


def test_the_terms_of_these_tests_cover_every_key_that_the_past_can_be_asked_for() -> None:
    assert {term.key for text in TERMS for term in terms_of(parse(text).tree)} == {*Key} - {Key.TEXT, Key.TURN}


def queries(rng: random.Random) -> Iterator[str]:
    """Every term, its opposite, and mixtures of some."""
    yield from TERMS
    yield from (f"server:{SERVER} -{term}" for term in TERMS)
    for _ in range(10):
        one, two, three, four = rng.sample(TERMS, 4)
        yield f"({one} OR {two}) {three}"
        yield f"{one} -{two}"
        yield f"{one} -({two} {three}) -({three} OR {four})"
        yield f"({one} -{two}) OR ({three} -{four})"
        yield " OR ".join(rng.sample(TERMS, 20))


async def everything(store: Store) -> list[StoredPatch]:
    async with store.transaction() as tx:
        known = await tx.watch.stored_patches(SERVER, range(10_000))
    return sorted(known, key=lambda each: each.patch.id, reverse=True)


def a_past(store: Store, clock: VirtualClock, file: Maintainers | None = MAINTAINERS) -> PatchSearch:
    return PatchSearch(store, {SERVER: (PROJECT, OTHER_PROJECT)}, lambda *_: file, clock)


def submission_of(patch: Patch) -> SubmissionRef:
    """The series of a patch, even one that is not stored, or the patch."""
    if patch.series is None:
        return SubmissionRef(SERVER, SubmissionKind.PATCH, patch.id)
    return SubmissionRef(SERVER, SubmissionKind.SERIES, patch.series)


async def test_a_search_finds_what_a_plain_scan_finds(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "WINDOW", 10)
    monkeypatch.setattr(past, "LARGEST_WINDOW", 40)
    monkeypatch.setattr(past, "CHUNK", 10)
    rng = seeded(1)
    await fill(store, rig, rng, 25)
    plain = PlainScan(await everything(store), rig.clock)
    searched = a_past(store, rig.clock)

    differing: list[str] = []
    matched = 0
    for text in queries(rng):
        try:
            query = parse(text)
        except QueryError:
            continue
        at_most = rng.choice([3, 1_000])
        found = (await searched.matches(query, None, at_most)).found
        differing += [text] if found != plain.matches(query, at_most) else []
        submissions = await searched.submissions(query, at_most)
        same = Counter(submissions.refs) == Counter(submission_of(hit.patch) for hit in found)
        same = same and submissions.is_cut == (len(found) == at_most)
        differing += [] if same else [f"submissions {text}"]
        matched += bool(found)
        if "stale:" in text:
            idle = (await searched.idle(query, at_most)).found
            differing += [f"idle {text}"] if idle != plain.matches(query, at_most, only_idle=True) else []

    assert differing == []
    assert matched > 80


async def test_a_search_since_a_moment_finds_what_was_read_after_it(store: Store, rig: StoreRig) -> None:
    await fill(store, rig, seeded(3), 40)
    since = rig.now - timedelta(days=7)
    known = [each for each in await everything(store) if each.read_at >= since]

    found = await a_past(store, rig.clock).matches(parse(f"server:{SERVER} -state:rejected"), since, 1_000)

    assert found.found == PlainScan(known, rig.clock).matches(parse(f"server:{SERVER} -state:rejected"), 1_000)
    assert found.looked_at == len(known)


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """The statements that read patches or series meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM patch" in statement or "FROM series" in statement:
            statements.append(statement)

    engine = store._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


async def fill_plainly(store: Store, patches: int) -> None:
    """So many patches in series of two, all alike."""
    rng = seeded(4)
    some = [replace(a_patch(rng, number, number // 2), project=PROJECT) for number in range(1, patches + 1)]
    await save(store, Poll(SERVER, None, baselines=(a_baseline(),), patches=tuple(some)))


COLUMNS = {
    "from:nobody": {"submitter_name", "submitter_email"},
    "path:rare/dir/": {"files"},
    "subject:word": {"name", "series_name"},
    "state:under-review": {"state"},
    "nowhere -is:archived": {"name", "series_name", "archived"},
    "nowhere -is:pull,reviewed": {"name", "series_name", "pull_url", "trailers"},
}
OTHERS = {"to", "cc", "msgid", "hash", "delegate"}


def named(statements: Sequence[str]) -> set[str]:
    """Which of the columns are read."""
    selected = [statement.partition("FROM patch")[0] for statement in statements]
    columns = OTHERS.union(*COLUMNS.values())
    return {name for name in columns for part in selected if f"AS {name}" in part or f'AS "{name}"' in part}


async def test_find_over_many_patches_reads_each_once_and_only_the_columns_that_the_query_is_about(
    store: Store, rig: StoreRig
) -> None:
    """Twenty-two seconds over 20,000 patches were two hundred statements that read whole rows."""
    await fill_plainly(store, 2_999)

    for query, columns in COLUMNS.items():
        with counted(store) as statements:
            matches = await a_past(store, rig.clock, None).matches(parse(query), None, 10)

        assert matches.looked_at == 2_999
        assert len(statements) <= 6  # a window and what is in it: of 200, 800 and 1,999 patches
        assert named(statements) == columns


async def test_of_what_find_finds_only_the_matches_that_are_shown_are_read_whole(store: Store, rig: StoreRig) -> None:
    await fill_plainly(store, 1_000)

    with counted(store) as statements:
        matches = await a_past(store, rig.clock, None).matches(parse(f"server:{SERVER}"), None, 10)

    assert len(matches.found) == 10
    assert len(statements) <= 4  # a window, what is in it, the ten, their series
    assert matches.looked_at == past.WINDOW


async def test_a_search_that_takes_too_long_ends_with_what_it_found_and_says_how_far_back_it_looked(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "WINDOW", 3)
    monkeypatch.setattr(past, "SEARCH_SECONDS", 0.0)
    await fill(store, rig, seeded(5), 10)
    newest = (await everything(store))[:3]

    matches = await a_past(store, rig.clock).matches(parse(f"server:{SERVER}"), None, 100)

    assert matches.looked_at == 3
    assert matches.back_to == newest[-1].read_at
    assert {match.patch.id for match in matches.found} <= {each.patch.id for each in newest}


async def test_what_is_dropped_while_a_search_goes_on_is_left_out(
    store: Store, rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_plainly(store, 10)
    searched = a_past(store, rig.clock, None)
    recalled: Callable[..., object] = searched._recalled

    async def drop_first(*args: object) -> object:
        async with store.transaction() as tx:
            await tx.watch._connection.exec_driver_sql("DELETE FROM patch WHERE id > 5")
        return await recalled(*args)  # type: ignore[misc]  # as it is

    monkeypatch.setattr(searched, "_recalled", drop_first)

    found = (await searched.matches(parse(f"server:{SERVER}"), None, 10)).found

    assert found
    assert all(match.patch.id <= 5 for match in found)


async def test_the_paths_of_the_past_are_read_only_of_projects_that_a_path_is_asked_of(tmp_path: Path) -> None:
    """Of a server with eighty projects, each `sub` read the newest patches of all."""
    async with Rig(tmp_path).running() as bot:
        with counted(bot.store) as statements:
            await bot.maintainers_files.doubts([parse("from:jane"), parse("project:other path:hw/")])
            assert statements == []

            await bot.maintainers_files.doubts([parse("from:jane"), parse("path:hw/")])
            assert len(statements) == 1
