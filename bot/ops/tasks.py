"""Tasks that must end."""

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_SECONDS = 2.0


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel these tasks, and return when they have ended."""
    for task in tasks:
        task.cancel()
    await gone(tasks)


async def gone(cancelled: Collection["asyncio.Task[Any]"]) -> None:
    """Return when these tasks have ended, cancelling those that went on again and again.

    A cancellation can be lost: a library takes it for an error of its own, or a task group meets another error at the
    same moment and raises that instead; whoever tries again after errors would then go on for ever.
    """
    left = set(cancelled)
    while left:
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
        for task in left:
            task.cancel()
