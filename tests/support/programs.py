"""Programs of the system that some tests need and nobody must have."""

import os
import shutil

import pytest


def program(name: str, package: str) -> str:
    """Where the program is; the test is skipped without it, but not in CI, which installs Debian's *package*."""
    found = shutil.which(name)
    if found is None:
        told = f"needs {name}, of Debian's package {package}"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found
