"""Prints how large the program is and how its modules hang together: `make house`.

Migrations are left out: they are history. A module's imports are those of other modules of the program.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PROGRAM = "bot"
SHORT = 60  # lines; a module below that seldom holds an idea of its own
LONG = 400  # lines


@dataclass(frozen=True)
class Module:
    """A module of the program; *name* is dotted, *imports* are dotted names of modules of the program."""

    name: str
    lines: int
    classes: tuple[str, ...]
    imports: frozenset[str]
    is_package: bool

    @property
    def file(self) -> str:
        """Return the last part of the name."""
        return self.name.rpartition(".")[2]


def modules() -> list[Module]:
    """Return all modules of the program, by name."""
    paths = [path for path in sorted((ROOT / PROGRAM).rglob("*.py")) if "migrations" not in path.parts]
    names = {_dotted(path): path for path in paths}
    return [_module(name, path, names) for name, path in names.items()]


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(name: str, path: Path, names: dict[str, Path]) -> Module:
    text = path.read_text()
    tree = ast.parse(text)
    classes = tuple(node.name for node in tree.body if isinstance(node, ast.ClassDef))
    imports = {found for node in ast.walk(tree) for found in _imported(node, names)}
    return Module(name, text.count("\n"), classes, frozenset(imports - {name}), path.stem.startswith("__"))


def _imported(node: ast.AST, names: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in names)
    if isinstance(node, ast.ImportFrom) and node.module is not None:
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            if (found := whole if whole in names else node.module) in names:
                yield found


def figures(found: list[Module]) -> dict[str, str]:
    """Return what `make house` prints, a line each."""
    files = Counter(module.file for module in found if not module.is_package)
    classes = Counter(name for module in found for name in set(module.classes) if not name.startswith("_"))
    twice = sorted(name for name, count in files.items() if count > 1)
    shared = sorted(name for name, count in classes.items() if count > 1)
    long = [f"{module.name} {module.lines}" for module in found if module.lines > LONG]
    return {
        "modules": f"{len(found)}",
        "lines": f"{sum(module.lines for module in found):,}",
        f"modules under {SHORT} lines": f"{sum(module.lines < SHORT for module in found)}",
        f"modules over {LONG} lines": _counted(long),
        "file names that occur twice or more": _counted(twice),
        "class names defined in two or more modules": _counted(shared),
        "imports per module, on average": f"{mean(len(module.imports) for module in found):.1f}",
    }


def _counted(names: list[str]) -> str:
    return f"{len(names)}" + (f": {', '.join(names)}" if names else "")


def main() -> None:
    """Print the figures."""
    table = Table("", "", box=SIMPLE, show_header=False)
    for name, figure in figures(modules()).items():
        table.add_row(name, figure)
    Console().print(table)


if __name__ == "__main__":
    main()
