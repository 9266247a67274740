import os
import tempfile
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

import preloaded
from memory_folder import memory_folder

settings.register_profile("patient", deadline=None)  # how long an example takes says more of the machine
settings.load_profile("patient")
pytest_plugins = ["element_fixtures", "matrix_fixtures", "postgres_fixtures", "store_fixtures"]


def pytest_configure() -> None:
    """Have temporary folders made in memory, unless somebody says where; the workers get theirs below."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory_folder(tempfile.gettempdir()))


@pytest.fixture(autouse=True)
def _log_as_by_default() -> None:
    """What a test before made of the log is forgotten."""
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _preloaded_bots() -> Iterator[None]:
    """What starts a bot forks it."""
    preloaded.prepare()
    yield
    preloaded.close()
