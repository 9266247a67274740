"""What the whole index costs beside the bare path trie, on the same patches.

Of the subscriptions 80 % want a path, 10 % an address, 5 % a word of the subject and 5 % a project without some
directory. The trie holds as many path patterns as there are subscriptions.
"""

import gc
import random
from collections.abc import Callable, Iterator
from time import process_time

from bench.match import a_trie
from bench.patterns import a_patch, a_pattern, a_tree, a_word
from bench.table import Row, Work, in_turns, progress
from bot.ids import ProjectName, RoomId, ServerName, SubscriptionId
from bot.patchwork.model import Person
from bot.query.evaluate import Reason, TermOutcome, decide
from bot.query.facts import Facts
from bot.query.index.index import Index, Match, Subscription
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


TRIE, FIND, MATCH, FLOOR = "trie", "without reasons", "with reasons", "with reasons that say nothing"
FIND_AT_MOST = 2.0  # of the time of the trie
MATCH_AT_MOST = 2.5  # of the time of the floor
BUILD_AT_MOST = 3.0  # of the time of the trie
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
        index, times = built(subscriptions, patterns)
        check_answers(index, subscriptions, warm_up[:CHECKED_PATCHES])
        ways = {
            TRIE: on_paths(a_trie(patterns)),
            FIND: index.find,
            MATCH: index.match,
            FLOOR: without_reasons(index, subscriptions),
        }
        yield from compared(size, ways, rounds, warm_up)
        yield Row(f"{size:,} subscriptions", "building the trie", times, "× the time", at_most=BUILD_AT_MOST)
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
        what = f"{size:,} subscriptions, {kind} patches"
        figure = turns.times(f"{kind} {FIND}", f"{kind} {TRIE}")
        yield Row(what, "the trie alone", figure, "× the time", at_most=FIND_AT_MOST)
    # New patches would be known to the index when it is asked for the reasons.
    for name, most in ((FIND, None), (FLOOR, MATCH_AT_MOST)):
        figure = turns.times(f"known {MATCH}", f"known {name}")
        yield Row(f"{size:,} subscriptions, known patches with reasons", name, figure, "× the time", at_most=most)


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


def built(subscriptions: list[Subscription], patterns: list[str]) -> tuple[Index, float]:
    """An index of *subscriptions*, and its time against that of the trie, without garbage collections as at a start."""
    gc.collect()
    gc.disable()
    start = process_time()
    a_trie(patterns)
    middle = process_time()
    index = Index()
    for subscription in subscriptions:
        index.add(subscription)
    end = process_time()
    gc.enable()
    return index, (end - middle) / (middle - start)


def without_reasons(index: Index, subscriptions: list[Subscription]) -> Answer:
    """What no matches with reasons can be had for less than: a tuple for each match, and one for its reason."""
    by_id = {each.id: each for each in subscriptions}
    found = TermOutcome.FOUND

    def answer(facts: Facts) -> list[Match]:
        return [Match(by_id[id_], (Reason(found, "", ()),)) for id_ in sorted(index.find(facts))]

    return answer


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
