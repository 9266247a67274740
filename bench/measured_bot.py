"""`patchbot run`, with each turn of the event loop timed: `python -m bench.measured_bot CONFIG TURNS`.

TURNS gets a line for each callback that took more than a few milliseconds of the loop's own CPU: how many, which, and
how many of them went into collecting garbage.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bot import cli

NOTED_MS = 5.0
MOST_NAMES = 12


_collecting = [0.0, 0.0]  # when it began, and the CPU of all so far, in seconds


def _note_collection(phase: str, _: object) -> None:
    if phase == "start":
        _collecting[0] = time.thread_time()
    else:
        _collecting[1] += time.thread_time() - _collecting[0]


def timed(run: Callable[[asyncio.Handle], None], turns: Path) -> Callable[[asyncio.Handle], None]:
    """*run*, noting what takes long."""
    notes = turns.open("a", buffering=1)

    def timed_run(handle: asyncio.Handle) -> None:
        begin, collected = time.thread_time(), _collecting[1]
        run(handle)
        spent = (time.thread_time() - begin) * 1000
        if spent > NOTED_MS:
            garbage = (_collecting[1] - collected) * 1000
            notes.write(f"{spent:.1f} {_name(handle)}, {garbage:.0f} ms of it for garbage\n")

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
    gc.callbacks.append(_note_collection)
    timed_run = timed(asyncio.Handle._run, Path(turns))  # noqa: SLF001 -- there is no other place
    asyncio.Handle._run = timed_run  # type: ignore[method-assign, assignment]  # noqa: SLF001 -- the same
    return cli.main(["run", "--config", config])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
