"""The modules of the program as syntax trees, each parsed once in a session."""

import ast
from functools import cache
from pathlib import Path

import bot

PROGRAM = Path(bot.__file__).parent


@cache
def program_trees() -> dict[Path, ast.Module]:
    """The tree of each module by its path."""
    return {path: ast.parse(path.read_text()) for path in sorted(PROGRAM.rglob("*.py"))}
