"""What the whole index costs beside the bare path trie, on the same patches.

Of the subscriptions 80 % want a path, 10 % an address, 5 % a word of the subject and 5 % a project without some
directory. The trie holds as many path patterns as there are subscriptions.
"""

import random
from collections.abc import Callable, Iterator
from time import process_time

from bench.match import a_trie
from bench.patterns import a_patch, a_pattern, a_tree, a_word
from bench.table import Row, Work, in_turns, progress
from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Person
from bot.query.evaluate import decide
from bot.query.facts import Facts
from bot.query.index.index import Index, Subscription
from bot.query.index.path_trie import PathTrie
from bot.query.parser import parse

SIZES = (1_000, 10_000, 100_000)
ROUNDS = 15
PATCHES_PER_ROUND = 20
WARM_UP_PATCHES = 400
CHECKED_PATCHES = 3  # against every subscription by itself
PROJECTS = 80
WORDS = 2_000
PATCHES_PER_SERIES = 4
CHANGES = 2_000


TRIE, FIND, MATCH = "trie", "index", "index, with reasons"
AT_MOST = {(FIND, 10_000): 2.0}  # of the time of the trie
Answer = Callable[[Facts], object]


def rows() -> Iterator[Row]:
    """The index against the trie, size by size."""
    rng = random.Random(20)  # noqa: S311 -- repeatable, not secret
    files = a_tree(rng)
    words = [a_word(rng) for _ in range(WORDS)]
    rounds = [some_facts(rng, files, words, PATCHES_PER_ROUND) for _ in range(ROUNDS)]
    warm_up = some_facts(rng, files, words, WARM_UP_PATCHES)
    for size in SIZES:
        progress(f"  {size:,} subscriptions")
        patterns = [a_pattern(rng, files) for _ in range(size)]
        subscriptions = subscriptions_to([a_query(rng, patterns, words) for _ in range(size)])
        index, seconds = an_index(subscriptions)
        check_answers(index, subscriptions, warm_up[:CHECKED_PATCHES])
        yield from compared(
            size, {TRIE: on_paths(a_trie(patterns)), FIND: index.find, MATCH: index.match}, rounds, warm_up
        )
        yield Row(f"{size:,} subscriptions", "build", seconds, " s")
        yield Row(f"{size:,} subscriptions", "add and remove", change_seconds(index) * 1e6, " µs")


def on_paths(trie: PathTrie[int]) -> Answer:
    """What the trie says of all paths of a patch."""
    return lambda facts: set().union(*map(trie.matches, facts.paths))


def compared(size: int, ways: dict[str, Answer], rounds: list[list[Facts]], warm_up: list[Facts]) -> Iterator[Row]:
    """How much longer than the trie the index takes, on new patches and on the same again."""
    for facts in warm_up:
        for answer in ways.values():
            answer(facts)
    turns = in_turns(
        {f"{kind} {name}": answering(answer, rounds) for kind in ("new", "known") for name, answer in ways.items()},
        ROUNDS,
    )
    for kind in ("new", "known"):
        for name in (FIND, MATCH):
            figure = turns.times(f"{kind} {name}", f"{kind} {TRIE}")
            what = f"{size:,} subscriptions, {kind} patches"
            yield Row(what, f"trie, {name}", figure, "× the time", at_most=AT_MOST.get((name, size)))


def answering(answer: Answer, rounds: list[list[Facts]]) -> Work:
    """One round: its patches, one by one."""

    def work(number: int) -> int:
        for facts in rounds[number]:
            answer(facts)
        return len(rounds[number])

    return work


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
    start = process_time()
    for subscription in subscriptions:
        index.add(subscription)
    return index, process_time() - start


def check_answers(index: Index, subscriptions: list[Subscription], patches: list[Facts]) -> None:
    """See that the index answers as deciding each subscription by itself does."""
    for facts in patches:
        plain = {each.id for each in subscriptions if decide(each.query, facts).matched}
        if index.find(facts) != plain:
            raise SystemExit(f"the answers differ for {facts}")


def change_seconds(index: Index) -> float:
    """How long adding and removing one subscription takes."""
    query = parse("path:a1/new.c fixing -from:@c1.org")
    start = process_time()
    for number in range(CHANGES):
        index.add(Subscription(SubscriptionId(10**9 + number), RoomId("!r"), query))
        index.remove(SubscriptionId(10**9 + number))
    return (process_time() - start) / CHANGES
