"""The log events have stable names, each with a meaning on the page."""

import ast
import re
from collections.abc import Iterator

from log_events_page import MEANINGS, PROGRAM, log_events, page
from support.program_trees import program_trees

NAME = re.compile(r"[a-z_]+\.[a-z_]+")
NO_EVENT = re.compile(
    # Matrix, settings of ours and of Matplotlib, files
    r"(m|matrix|network|org|t|text|web)\..*|store\.(url|db|data_dir)|.*\.(db|json|jsonl|key|lock|org|png|toml)"
)


def strings() -> Iterator[str]:
    for path, tree in program_trees().items():
        if path.relative_to(PROGRAM).parts[0] in {"sample_patchwork", "demo"}:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_event_has_a_meaning_and_every_meaning_an_event() -> None:
    named = {text for text in strings() if NAME.fullmatch(text) and not NO_EVENT.fullmatch(text)}
    logged = {event.name for event in log_events()}

    assert named | logged == MEANINGS.keys()


def test_every_event_is_named_as_a_thing_and_what_became_of_it() -> None:
    assert [event.name for event in log_events() if not NAME.fullmatch(event.name)] == ["startup"]


def test_the_page_is_written_from_the_program() -> None:
    assert (PROGRAM.parent / "docs" / "log-events.md").read_text() == page()
