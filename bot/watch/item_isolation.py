"""Isolates a fault in one of many items: the others are handled, or listed, in the same transaction."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import structlog

from bot.errors import StoreError
from bot.incidents import Incidents
from bot.notices.floods import FloodEntry
from bot.notices.notice import Notice
from bot.store.store import Transaction

_log = structlog.get_logger(__name__)
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Isolation(Protocol):
    """How a step handles its items: each by itself where need be (`isolated`), or all or nothing (`at_once`)."""

    async def __call__(
        self,
        tx: Transaction,
        items: Sequence[_Item],
        handle: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]],
        put_off: Callable[[_Item, Exception], Awaitable[None]],
    ) -> list[_Result]:
        """Return what *handle* makes of *items*, in their order."""


async def at_once(
    tx: Transaction,  # noqa: ARG001  # the protocol's
    items: Sequence[_Item],
    handle: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]],
    put_off: Callable[[_Item, Exception], Awaitable[None]],  # noqa: ARG001  # the protocol's
) -> list[_Result]:
    """Return what *handle* makes of *items*, without a savepoint; a fault in one of them ends the transaction."""
    return list(await handle(items)) if items else []


async def isolated(
    tx: Transaction,
    items: Sequence[_Item],
    handle: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]],
    put_off: Callable[[_Item, Exception], Awaitable[None]],
) -> list[_Result]:
    """Return what *handle* makes of *items*, in their order; an item on which it fails is undone and *put_off*.

    All are handled at once; if that fails, what was written is undone and each half is handled by itself, and so
    on. So *handle* may be called with any of the items, and writes to the transaction only.

    Raises:
        StoreError: when the database cannot be used at all.
    """
    if not items:
        return []
    try:
        async with tx.savepoint():
            return list(await handle(items))
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001  # the one broad catch of a step: the item is put off, which records the fault
        if len(items) == 1:
            await _put_off(tx, items[0], error, put_off)
            return []
    middle = len(items) // 2
    first = await isolated(tx, items[:middle], handle, put_off)
    return first + await isolated(tx, items[middle:], handle, put_off)


async def _put_off(
    tx: Transaction, item: _Item, error: Exception, put_off: Callable[[_Item, Exception], Awaitable[None]]
) -> None:
    try:
        async with tx.savepoint():
            await put_off(item, error)
    except StoreError:
        raise
    except Exception:  # noqa: BLE001  # an item that cannot even be stored for a retry must not stop the others; it is logged
        _log.exception("retry.not_kept", reason=repr(error))


def composed(
    gathered: Sequence[FloodEntry], compose: Callable[[Sequence[FloodEntry]], list[Notice]], incidents: Incidents
) -> list[Notice]:
    """Return what *compose* makes of the *gathered* submissions; one on which it fails is reduced to its number."""
    try:
        return compose(gathered)
    except Exception:  # noqa: BLE001  # a fault of ours in one of them, which is found and recorded here
        return compose([_shown(each, compose, incidents) for each in gathered])


def _shown(
    gathered: FloodEntry, compose: Callable[[Sequence[FloodEntry]], list[Notice]], incidents: Incidents
) -> FloodEntry:
    try:
        compose([gathered])
    except Exception as error:  # noqa: BLE001  # the same
        incidents.record("list.item_not_shown", f"series {gathered.number} of {gathered.server}", error)
        return replace(gathered, what=None)
    return gathered
