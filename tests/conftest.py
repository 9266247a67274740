import pytest
import structlog

pytest_plugins = ["element_fixtures", "matrix_fixtures", "postgres_fixtures", "store_fixtures"]


@pytest.fixture(autouse=True)
def _log_as_by_default() -> None:
    """What a test before made of the log is forgotten."""
    structlog.reset_defaults()
