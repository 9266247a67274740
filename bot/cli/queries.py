"""Implements `patchbot paths`, `explain` and `maintainers`, which evaluate diffs and queries without a server."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli.streams import content_of, typed
from bot.errors import UserError
from bot.text import printable

if TYPE_CHECKING:
    from bot.patchwork.wire import PatchRow
    from bot.query.maintainers.maintainers import Maintainers


def paths(arguments: argparse.Namespace) -> int:
    """Print the paths that diffs touch."""
    from bot.patchwork.diff import touched_paths

    texts = [content_of(path) for path in arguments.files] or [typed("a diff")]
    touched = {path for text in texts for path in touched_paths(text.decode("utf-8", "surrogateescape"))}
    lines = sorted(_one_line(path).encode("utf-8", "surrogateescape") for path in touched)
    sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
    if not lines:
        print("no diff found", file=sys.stderr)
    return 0


def _one_line(path: str) -> str:
    """Return a path on one line; one that contains a line break is quoted, as in git."""
    return json.dumps(path, ensure_ascii=False) if "\n" in path or "\r" in path else path


def explain(arguments: argparse.Namespace) -> int:
    """Print whether a query matches a patch, and why."""
    from bot.ids import ServerName
    from bot.query.evaluate import decide
    from bot.query.facts import ExtraFacts, facts_of
    from bot.query.parser import parse
    from bot.subscriptions.lint import hints
    from bot.subscriptions.section_changes import sections_named

    query = parse("".join(" " if char.isspace() else char for char in arguments.query))  # one line, for the carets
    name = str(arguments.file or "standard input")
    row = _whole_patch(name, content_of(arguments.file) if arguments.file else typed("a patch"))
    patch = row.model()
    more = ExtraFacts()
    if arguments.maintainers is not None:
        known = _maintainers_in(arguments.maintainers)
        more = ExtraFacts(sections=known.covering(patch.paths, patch.text), known_sections=known.folded_names)
    elif sections_named(query):
        raise UserError("maint: needs the project's MAINTAINERS file: add --maintainers FILE")
    verdict = decide(query, facts_of(ServerName(""), patch, row.series_model(), more))
    print("match" if verdict.matched else "no match")
    for reason in verdict.reasons:
        print(printable(f"  {reason}"))
    for hint in hints(query):
        print(printable(f"note: {hint}"), file=sys.stderr)
    return 0 if verdict.matched else 1


def _whole_patch(name: str, body: bytes) -> "PatchRow":
    from bot.patchwork import response_rows as answers
    from bot.patchwork import wire

    try:
        row = answers.read_row(wire.PatchRow, body)
    except answers.Garbled:
        pass  # the error below is for whoever saved the file
    else:
        if row.headers is not None:
            return row
    raise UserError(f"{name} is {_kind_of(body)}; expected a patch, as /api/patches/N/ returns it")


def _kind_of(body: bytes) -> str:
    """Return what a file contains instead of a patch, in words."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "not valid JSON"
    match answer:
        case list():
            return "a list"
        case {"patches": _}:
            return "a series"
        case {"msgid": _, "state": _}:
            return "a patch without its diff, as in a list"
        case _:
            return "not a patch"


def maintainers(arguments: argparse.Namespace) -> int:
    """Print the sections of a MAINTAINERS file that cover paths, each with the rule that matches."""
    known = _maintainers_in(arguments.file)
    covered = [each for path in arguments.paths for each in known.covering([path.removeprefix("./")])]
    for each in covered:
        print("\t".join(map(printable, (each.section.name, str(each.rule), each.path))))
    if not covered:
        print("no section covers these paths", file=sys.stderr)
    return 0 if covered else 1


def _maintainers_in(path: Path) -> "Maintainers":
    """Read a MAINTAINERS file, and print remarks on unusable parts of it.

    Raises:
        UserError: it is not a MAINTAINERS file.
    """
    from bot.query.maintainers.maintainers import read

    known = read(content_of(path))
    if not known.has_files:
        raise UserError(f"{path} has no F: line; is it a MAINTAINERS file?")
    for remark in known.remarks:
        print(printable(str(remark)), file=sys.stderr)
    return known
