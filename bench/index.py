"""What the whole index costs beside the bare path trie, on the same patches.

Of the subscriptions 80 % want a path, 10 % an address, 5 % a word of the subject and 5 % a project without some
directory. The trie holds as many path patterns as there are subscriptions. Only ratios taken within one run mean
anything: after some patches to warm up, in each round every way takes the same new patches, then the same ones
again, one way after the other; the table shows the medians of the rounds.

    python bench/index.py
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from match import a_patch, a_pattern, a_tree, a_trie, a_word, two_cells
from rich.console import Console
from rich.table import Table

from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Person
from bot.subscriptions.facts import Facts
from bot.subscriptions.index import Index, Subscription
from bot.subscriptions.parser import parse
from bot.subscriptions.verdict import decide

SIZES = (1_000, 10_000, 100_000)
ROUNDS = 15
PATCHES_PER_ROUND = 20
WARM_UP_PATCHES = 400
CHECKED_PATCHES = 3  # against every subscription by itself
PROJECTS = 80
WORDS = 2_000
PATCHES_PER_SERIES = 4
CHANGES = 2_000


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer for a patch."""

    name: str
    answer: Callable[[Facts], object]


def main() -> None:
    """Measure and print."""
    rng = random.Random(20)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    words = [a_word(rng) for _ in range(WORDS)]
    patches = some_facts(rng, files, words, ROUNDS * PATCHES_PER_ROUND)
    warm_up = some_facts(rng, files, words, WARM_UP_PATCHES)

    speed = Table("subscriptions", "way", "new", "x trie", "known", "x trie", "answers", title="µs per patch")
    costs = Table("subscriptions", "build s", "scanned", "add+remove µs")
    for size in SIZES:
        patterns = [a_pattern(rng, files) for _ in range(size)]
        subscriptions = subscriptions_to([a_query(rng, patterns, words) for _ in range(size)])
        index, seconds = an_index(subscriptions)
        trie = a_trie(patterns)
        ways = [
            Way("trie", lambda facts, trie=trie: set().union(*map(trie.matches, facts.paths))),
            Way("index", index.find),
            Way("index, with reasons", index.match),
        ]
        check_answers(index, subscriptions, warm_up[:CHECKED_PATCHES])
        for facts in warm_up:
            for way in ways:
                way.answer(facts)
        speed_rows(speed, size, ways, patches)
        costs.add_row(f"{size:,}", f"{seconds:.2f}", str(index.scanned), f"{change_seconds(index) * 1e6:.0f}")
    console = Console()
    console.print(speed)
    console.print(costs)


def a_query(rng: random.Random, patterns: list[str], words: list[str]) -> str:
    """One of the mix."""
    kind = rng.random()
    pattern = rng.choice(patterns)
    if kind < 0.80:
        return f'path:"{pattern}"'
    if kind < 0.90:
        return f"from:{an_address(rng)}"
    if kind < 0.95:
        return f"subject:{rng.choice(words)}"
    return f'project:p{rng.randrange(PROJECTS)} -path:"{pattern.partition("/")[0]}/"'


def an_address(rng: random.Random) -> str:
    """Of one of 2,000 people in 50 companies."""
    return f"p{rng.randrange(2_000)}@c{rng.randrange(50)}.org"


def some_facts(rng: random.Random, files: list[str], words: list[str], count: int) -> list[Facts]:
    """*count* patches in series; a patch and a series have a subject of five words each."""
    found: list[Facts] = []
    while len(found) < count:
        project, submitter, name = (
            f"p{rng.randrange(PROJECTS)}",
            Person("Jane Doe", an_address(rng)),
            a_subject(rng, words),
        )
        found += [
            Facts(
                server=ServerName("bench"),
                project=ProjectName(project),
                submitter=submitter,
                subjects=(a_subject(rng, words), name),
                prefixes=("v2", f"{number}/{PATCHES_PER_SERIES}"),
                paths=tuple(a_patch(rng, files)),
            )
            for number in range(1, PATCHES_PER_SERIES + 1)
        ]
    return found


def a_subject(rng: random.Random, words: list[str]) -> str:
    """Five words."""
    return " ".join(rng.choices(words, k=5))


def subscriptions_to(queries: list[str]) -> list[Subscription]:
    """One each, in 500 rooms."""
    return [
        Subscription(SubscriptionId(number), RoomId(f"!r{number % 500}"), parse(query))
        for number, query in enumerate(queries)
    ]


def an_index(subscriptions: list[Subscription]) -> tuple[Index, float]:
    """All *subscriptions*, and the seconds that adding them took."""
    index = Index()
    start = perf_counter()
    for subscription in subscriptions:
        index.add(subscription)
    return index, perf_counter() - start


def check_answers(index: Index, subscriptions: list[Subscription], patches: list[Facts]) -> None:
    """See that the index answers as deciding each subscription by itself does."""
    for facts in patches:
        plain = {each.id for each in subscriptions if decide(each.query, facts).matched}
        if index.find(facts) != plain:
            raise SystemExit(f"the answers differ for {facts}")


def speed_rows(table: Table, size: int, ways: list[Way], patches: list[Facts]) -> None:
    """A row for each way."""
    new: dict[str, list[float]] = {way.name: [] for way in ways}
    known: dict[str, list[float]] = {way.name: [] for way in ways}
    for start in range(0, len(patches), PATCHES_PER_ROUND):
        batch = patches[start : start + PATCHES_PER_ROUND]
        for seconds in (new, known):
            for way in ways:
                seconds[way.name].append(seconds_for(way, batch) / len(batch))
    for way in ways:
        cells = [cell for seconds in (new, known) for cell in two_cells(seconds[way.name], seconds["trie"])]
        answers = sum(len(way.answer(facts)) for facts in patches) / len(patches)
        table.add_row(f"{size:,}", way.name, *cells, f"{answers:.0f}")
    table.add_section()


def seconds_for(way: Way, batch: list[Facts]) -> float:
    """How long *way* takes for all patches of the batch."""
    start = perf_counter()
    for facts in batch:
        way.answer(facts)
    return perf_counter() - start


def change_seconds(index: Index) -> float:
    """How long adding and removing one subscription takes."""
    query = parse("path:a1/new.c fixing -from:@c1.org")
    start = perf_counter()
    for number in range(CHANGES):
        index.add(Subscription(SubscriptionId(10**9 + number), RoomId("!r"), query))
        index.remove(SubscriptionId(10**9 + number))
    return (perf_counter() - start) / CHANGES


if __name__ == "__main__":
    main()
