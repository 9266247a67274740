"""`patchbot run`, with each turn of the event loop timed: `python -m bench.measured_bot CONFIG TURNS`.

TURNS gets a line for each callback that took more than a few milliseconds of the loop's own CPU: how many, and which.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bot import cli

NOTED_MS = 5.0
MOST_NAMES = 12


def timed(run: Callable[[asyncio.Handle], None], turns: Path) -> Callable[[asyncio.Handle], None]:
    """*run*, noting what takes long."""
    notes = turns.open("a", buffering=1)

    def timed_run(handle: asyncio.Handle) -> None:
        begin = time.thread_time()
        run(handle)
        spent = (time.thread_time() - begin) * 1000
        if spent > NOTED_MS:
            notes.write(f"{spent:.1f} {_name(handle)}\n")

    return timed_run


def _name(handle: asyncio.Handle) -> str:
    """Which coroutines of a task, from the outer to the inner, or which callback."""
    callback: object = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001 -- nobody else knows
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return repr(callback)[:200]
    names: list[str] = []
    awaited: object = task.get_coro()
    while awaited is not None and len(names) < MOST_NAMES:
        names.append(getattr(awaited, "__qualname__", type(awaited).__name__))
        awaited = getattr(awaited, "cr_await", None)
    return " > ".join(names)


def main(config: str, turns: str) -> int:
    """Run the bot; its exit status."""
    timed_run = timed(asyncio.Handle._run, Path(turns))  # noqa: SLF001 -- there is no other place
    asyncio.Handle._run = timed_run  # type: ignore[method-assign, assignment]  # noqa: SLF001 -- the same
    return cli.main(["run", "--config", config])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
