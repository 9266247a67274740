import gc
import os
import signal
import tempfile
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from support import compiled_statements, preloaded
from support.longest_first import arranged
from support.memory_folder import memory_folder

# How long an example takes, and how long it takes to make one, says more of the machine
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
settings.register_profile("quick", settings.get_profile("patient"), max_examples=25)
_NEEDS = {
    "synapse": {"homeserver", "limited", "oauth_homeserver"},
    "postgres": {"_postgres_of_the_session", "postgresql"},
    "node": {"element_host"},
    "browser": {"chromium"},
}
pytest_plugins = [
    "support.element_fixtures",
    "support.matrix_fixtures",
    "support.oauth_fixtures",
    "support.postgres_fixtures",
    "support.store_fixtures",
]


def pytest_configure() -> None:
    """Have temporary folders made in memory, unless somebody says where; the workers get theirs below."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory_folder(tempfile.gettempdir()))
    compiled_statements.share()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # So it is for what a shell runs in the background, and for the programs that tests start and interrupt
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare every full collection of garbage the look through all modules and tests, which stay."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the servers and programs that they use, and begin with the longest."""
    for item in items:
        if isinstance(item, pytest.Function):
            asked = {*item.fixturenames, *_databases(item)}
            for marker, reasons in _NEEDS.items():
                if not asked.isdisjoint(reasons):
                    item.add_marker(marker)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = arranged([(getattr(item, "originalname", item.name), item) for item in items], workers)


def _databases(test: pytest.Function) -> set[str]:
    """The kinds of database among a test's parameters: a fixture with such a one asks for the server by itself."""
    parameters = test.callspec.params.values() if hasattr(test, "callspec") else ()
    return {"postgresql"} & {each for each in parameters if isinstance(each, str)}


@pytest.fixture(autouse=True)
def _log_as_by_default() -> None:
    """What a test before made of the log is forgotten.

    Tracebacks are plain: with colours and the variables of each frame, one takes longer than most tests.
    """
    structlog.reset_defaults()
    *processors, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, plain])


@pytest.fixture(scope="session", autouse=True)
def _preloaded_bots() -> Iterator[None]:
    """What starts a bot forks it."""
    preloaded.prepare()
    yield
    preloaded.close()
