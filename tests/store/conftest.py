from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.store import Store
from store_rig import StoreRig


@pytest.fixture
def rig(tmp_path: Path) -> StoreRig:
    return StoreRig(tmp_path)


@pytest.fixture
async def store(rig: StoreRig) -> AsyncIterator[Store]:
    store = await rig.open()
    yield store
    await store.close()
