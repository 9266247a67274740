"""Cancels tasks and waits until they have ended."""

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
    """Return when these cancelled tasks have ended, cancelling again those that continue.

    A cancellation can be lost: a library may take it for an error of its own, or a task group may raise another error
    of the same moment instead. A loop that retries after errors would then run forever.
    """
    left = set(cancelled)
    while left:
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
        for task in left:
            task.cancel()
