"""Measures what one new series costs inside the bot, from the poll that finds it to its card in the room."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import sqlalchemy as sa

import bot as package
from bot.app import Bot
from support.rig import Rig

_SOURCES = f"{Path(package.__file__).parent}/"
_SERVER = "sample_patchwork/"  # which stands in for the other side
# What is reached. Fewer modules would mix what is found by its name: the cursor, the pace of sending, the evaluation.
_MOST = {"modules": 75, "statements": 42, "transactions": 6}


@dataclass
class Trace:
    """The modules of the bot whose functions were called, and the SQL statements and transactions that were begun.

    BEGIN and COMMIT are no statements; savepoints are.
    """

    modules: set[str] = field(default_factory=set)
    statements: list[str] = field(default_factory=list)
    transactions: int = 0
    is_on: bool = False

    @property
    def costs(self) -> dict[str, int]:
        """How many of each there were."""
        return {
            "modules": len(self.modules),
            "statements": len(self.statements),
            "transactions": self.transactions,
        }

    @contextmanager
    def of(self, bot: Bot) -> Iterator[None]:
        """Record what the *bot* does within the block."""
        engine = bot.store._engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._executed)
        sa.event.listen(engine, "begin", self._begun)
        self.is_on = True
        try:
            yield
        finally:
            self.is_on = False
            sa.event.remove(engine, "before_cursor_execute", self._executed)
            sa.event.remove(engine, "begin", self._begun)

    def called(self, frame: FrameType, event: str, _: object) -> None:
        """Record the module of a function that is called; a profile function."""
        file = frame.f_code.co_filename
        if self.is_on and event == "call" and file.startswith(_SOURCES) and frame.f_code.co_name != "<module>":
            module = file.removeprefix(_SOURCES)
            if not module.startswith(_SERVER):
                self.modules.add(module)

    def _executed(self, _: object, __: object, statement: str, *___: object) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            self.statements.append(statement)

    def _begun(self, _: object) -> None:
        self.transactions += 1


@contextmanager
def profiled() -> Iterator[Trace]:
    """Trace this thread, and those that are started in the block."""
    trace, before = Trace(), sys.getprofile()
    threading.setprofile(trace.called)
    sys.setprofile(trace.called)
    try:
        yield trace
    finally:
        sys.setprofile(before)
        threading.setprofile(before)


async def test_what_a_new_series_costs_from_the_poll_to_the_sent_card(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with profiled() as trace:
        async with rig.running() as bot:
            await bot.settle()
            rig.post("migration/ram.c", name="migration: Fix it", patches=2)
            rig.clock.advance(rig.poll_seconds)
            ((watch, _),) = bot.watches

            with trace.of(bot):
                while await watch.tick():
                    pass
                await bot.sender.deliver()

    assert rig.titles() == ["migration: Fix it"]
    assert {name: cost for name, cost in trace.costs.items() if cost > _MOST[name]} == {}, "\n".join(trace.statements)
