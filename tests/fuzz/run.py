"""The fuzz test: everything that strangers and servers send, made wrong field by field, and ordinary things behind it.

`make fuzz FUZZ=3000 SEED=1 MINUTES=60 DATABASE=postgres ONLY=text`: so many inputs, each field once before any twice;
FUZZ=0 takes all. ONLY takes those whose name has a text in it, as the table at the end shows the names.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from crypto_inputs import FAMILIES, CryptoInput, crypto_mutations
from inputs import Input, Name, outcome
from patchwork_inputs import PatchworkInput, patchwork_mutations
from support.postgres_server import PostgresServer
from sync_inputs import ANSWERS, AnswerInput, SyncInput, answer_mutations, sync_mutations
from world import Check, World, a_world

INPUTS = 3_000
MINUTES = 60.0
RENEWED_AFTER = 500  # inputs: by then a bot has seen enough


@dataclass(frozen=True, slots=True)
class Finding:
    """An input after which something did not work; *lasts*: nor did it when all was well again."""

    name: Name
    failures: Sequence[str]
    lasts: bool

    def __str__(self) -> str:
        """A line."""
        return f"{self.name} → {'; '.join(self.failures)}{' (for good)' if self.lasts else ''}"


@dataclass
class Report:
    """What was tried, by family, and what was found."""

    tried: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0

    def count(self, name: Name, finding: Finding | None) -> None:
        """One input more."""
        self.tried[name.family] += 1
        self.kinds[name.mutation.kind] += 1
        self.findings += [finding] if finding else []


@dataclass(frozen=True, slots=True)
class Plan:
    """So many *inputs* (0: all), in an order that follows from *seed*, in so many *minutes* at most."""

    inputs: int = INPUTS
    seed: int = 1
    minutes: float = MINUTES
    only: str = ""

    def names(self) -> list[Name]:
        """The inputs: areas take turns, then fields, and what is made wrong in a field."""
        dice = random.Random(self.seed)  # noqa: S311  # the same order in each run
        areas = (sync_mutations(), answer_mutations(), crypto_mutations(), patchwork_mutations())
        chosen = _turns([_by_field(area, dice) for area in areas])
        return list(islice((name for name in chosen if self.only in str(name)), self.inputs or None))


def _by_field(names: Iterable[Name], dice: random.Random) -> list[Name]:
    """Families take turns, then fields."""
    families: defaultdict[str, defaultdict[str, list[Name]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        families[name.family][name.field].append(name)
    ordered: list[list[Name]] = []
    for fields in families.values():
        lists = list(fields.values())
        for each in (lists, *lists):
            dice.shuffle(each)  # type: ignore[arg-type]  # lists of either kind
        ordered.append(list(_turns(lists)))
    return list(_turns(ordered))


def _turns(lists: Sequence[Sequence[Name]]) -> Iterator[Name]:
    """The first of each, then the second of each, to the end of all."""
    return (name for name in chain.from_iterable(zip_longest(*lists)) if name is not None)


def _input(name: Name, number: int) -> Input:
    if name.family == "sync":
        return SyncInput(name, number)
    if name.family in ANSWERS:
        return AnswerInput(name, number)
    if name.family in FAMILIES:
        return CryptoInput(name, number)
    return PatchworkInput(name, number)


def _in_files() -> AbstractContextManager[str]:
    """SQLite, in the folder of each bot."""
    return nullcontext("")


async def fuzzed(
    plan: Plan,
    folder: Path,
    database: Callable[[], AbstractContextManager[str]] = _in_files,
    tell: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Try the inputs of a plan, one after the other, on one bot as long as that is well; *database* makes a new one."""
    report, began = Report(), time.monotonic()
    names = enumerate(plan.names(), start=1)
    worlds = 0
    is_left = True
    while is_left and time.monotonic() - began < 60 * plan.minutes:
        worlds += 1
        is_left = False
        with database() as url:
            async with a_world(folder / f"bot{worlds}", url) as world:
                for number, name in islice(names, RENEWED_AFTER):
                    is_left = True
                    finding = await _tried(world, name, number)
                    report.count(name, finding)
                    tell(report)
                    if (finding and finding.lasts) or time.monotonic() - began >= 60 * plan.minutes:
                        break
    report.seconds = time.monotonic() - began
    return report


async def _tried(world: World, name: Name, number: int) -> Finding | None:
    failures = await outcome(world, _input(name, number))
    if not failures:
        return None
    check = Check()
    world.follow_up(check, sealed=name.family in FAMILIES)
    return Finding(name, failures, lasts=bool(await world.failures(check)))


def table_of(report: Report) -> Table:
    """The numbers, by family."""
    table = Table("what was wrong in", "inputs", "findings", box=SIMPLE)
    found = Counter(finding.name.family for finding in report.findings)
    for family, count in sorted(report.tried.items()):
        table.add_row(family, str(count), str(found[family]))
    table.add_row("all", str(report.tried.total()), str(len(report.findings)), style="bold")
    return table


async def _run(plan: Plan, database: str, console: Console) -> Report:
    with Progress(console=console) as progress:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patchbot-fuzz-")))
            databases = _in_files
            if database == "postgres":
                server = PostgresServer()
                stack.callback(server.remove)
                await asyncio.to_thread(server.start)
                databases = server.database
            task = progress.add_task("inputs", total=len(plan.names()))

            def tell(report: Report) -> None:
                found = f"inputs, {len(report.findings)} findings" if report.findings else "inputs"
                progress.update(task, completed=report.tried.total(), description=found)

            return await fuzzed(plan, folder, databases, tell)


def main() -> int:
    """Run, and show what was found; 1 where anything was."""
    told = os.environ
    plan = Plan(
        int(told.get("FUZZ") or INPUTS),
        int(told.get("SEED") or 1),
        float(told.get("MINUTES") or MINUTES),
        told.get("ONLY", ""),
    )
    console = Console()
    report = asyncio.run(_run(plan, told.get("DATABASE", ""), console))
    console.print(table_of(report))
    for finding in report.findings:
        console.print(str(finding), style="red", markup=False, soft_wrap=True)
    console.print(f"{report.tried.total()} inputs, {len(report.kinds)} kinds of mutation, {report.seconds:.0f} s")
    return int(bool(report.findings))


if __name__ == "__main__":
    sys.exit(main())
