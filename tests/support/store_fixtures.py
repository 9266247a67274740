"""A store over each kind of database."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.store.store import Store
from support.new_database import put_new_database
from support.store_rig import FileRig, StoreRig


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> StoreRig:
    """A new database of each kind; `only_sqlite` and `only_postgres` choose one.

    It is empty, but for whoever has the store, too, of the newest version.
    """
    has_store = "store" in request.fixturenames
    if request.param == "postgresql":
        return StoreRig(request.getfixturevalue("migrated_postgres_url" if has_store else "postgres_url"))
    rig = FileRig(tmp_path)
    if has_store:
        put_new_database(rig.file)
    return rig


@pytest.fixture
async def store(rig: StoreRig) -> AsyncIterator[Store]:
    store = await rig.open()
    yield store
    await store.close()


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a newer program may be made, outside the folder of the database."""
    yield tmp_path_factory.mktemp("program")
    monkeypatch.undo()
