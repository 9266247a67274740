"""What the documentation says can be typed can be typed, what it links to is there, and its tables are true."""

import argparse
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pathspec
import pytest
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

import bot.metrics
from bot.cli.arguments import parser
from bot.commands.grammar import ParsedCommand, parse
from bot.config.model import Settings
from bot.patchwork.discovery import VERSIONS
from bot.patchwork.recheck_schedule import FIRST, LASTS
from bot.patchwork.request_turns import REQUESTS_AN_HOUR
from bot.patchwork.updates import raises_comment_events
from bot.query.index.path_trie import PathTrie
from bot.query.maintainers.maintainers import read
from bot.query.parser import parse as read_query
from bot.query.parser import parse_subscription
from make_pictures import PAGES as PICTURES
from search_titles import named_with_page
from settings_tables import tables

TOP = Path(__file__).parent.parent
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
GUIDES = [TOP / f"{name}.md" for name in ("CHANGELOG", "CODE_OF_CONDUCT", "CONTRIBUTING", "RELEASING", "SECURITY")]
IN_A_DIRECT_CHAT = {"personal.md", "subscriptions.md"}  # whose tables say what is typed there, without the prefix
_BLOCK = re.compile(r"^ {4,}(?:\$ )?(\S.*)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_FIRST_CELL = re.compile(r"^\| (`.*?) \|", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PICTURE = re.compile(r"(?:!\[[^\]]*\]\(|<img src=\")([^)\"\s]+)")
NAMED = {"patchbot explain", "patchbot maintainers"}  # in sentences, without what they need
_FILE = re.compile(r"(?:[a-z_]+/)*[a-z_]+\.py|(?:[a-z_]+/)+")
_NAME = re.compile(r"([A-Za-z_]\w*)(?:\.([a-z_]\w*))?")
_FORM = re.compile(r"VERB|FILE|QUERY|REF|ROOM|[\\|…\[]")  # a form to be filled in, and nothing that is typed


def _commands(words: str) -> list[tuple[str, str]]:
    """The page and the text of whatever is typed so, in blocks and in sentences."""
    found = [(page.name, typed) for page in PAGES for typed in _typed(page.read_text())]
    return [
        (page, typed) for page, typed in found if re.match(words, typed) and not (_FORM.search(typed) or typed in NAMED)
    ]


def _typed(text: str) -> Iterator[str]:
    yield from _BLOCK.findall(text)
    yield from _SPAN.findall(text)


def _said_directly() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        if page.name in IN_A_DIRECT_CHAT:
            cells = _FIRST_CELL.findall(page.read_text())
            yield from ((page.name, typed) for cell in cells for typed in _SPAN.findall(cell))


SHELL = _commands(r"(?:PATCHBOT_\S+ )?(?:\S*/)?patchbot ")
CHAT = [*_commands("!pw "), *_said_directly()]


def test_there_is_something_to_try() -> None:
    assert len(SHELL) > 20
    assert len(CHAT) > 40


@pytest.mark.parametrize(("page", "typed"), SHELL)
def test_a_command_line_is_one_that_patchbot_takes(page: str, typed: str) -> None:
    words = shlex.split(typed.partition(" > ")[0])
    at = next(place for place, word in enumerate(words) if word.endswith("patchbot"))

    taken = parser().parse_args(words[at + 1 :])

    assert isinstance(taken, argparse.Namespace), page


@pytest.mark.parametrize(("page", "typed"), CHAT)
def test_a_command_in_chat_is_one_that_the_bot_takes(page: str, typed: str) -> None:
    call = parse(typed.removeprefix("!pw "), "!pw")

    assert isinstance(call, ParsedCommand), page
    if call.command.verb in {"sub", "edit"}:
        parse_subscription(call.arguments["query"], has_addresses=True)
    elif call.command.verb == "find":
        read_query(call.arguments["query"])


def test_files_and_names_of_the_program_are_there() -> None:
    """The page that leads through the code names only what is in it."""
    spans = set(_SPAN.findall((TOP / "docs" / "how-it-works.md").read_text()))
    paths = {
        path.relative_to(TOP).as_posix() for top in ("bot", "tests") for path in (TOP / top, *(TOP / top).rglob("*"))
    }
    code = "\n".join(path.read_text() for path in (TOP / "bot").rglob("*.py"))

    files = {span.rstrip("/") for span in spans if _FILE.fullmatch(span)}
    names = {part for span in spans if (name := _NAME.fullmatch(span)) for part in name.groups() if part}

    assert [file for file in sorted(files) if not any(f"/{path}".endswith(f"/{file}") for path in paths)] == []
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize("page", [*PAGES, *GUIDES], ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_each_picture_is_there_and_is_one_that_make_pictures_makes() -> None:
    folder = TOP / "docs" / "pictures"
    shown = {(page.parent / link).resolve() for page in PAGES for link in _PICTURE.findall(page.read_text())}

    assert shown == {folder / name for name in PICTURES}
    assert shown == set(folder.iterdir())


def test_each_decision_is_in_their_list() -> None:
    folder = TOP / "docs" / "decisions"

    listed = set(_LINK.findall((folder / "index.md").read_text()))

    assert listed == {page.name for page in folder.glob("0*.md")}


def test_a_section_that_a_search_finds_is_named_with_its_page() -> None:
    entries = [
        {"location": "rooms.html", "title": "For a room"},
        {"location": "rooms.html#for-a-room", "title": "For a room"},
        {"location": "rooms.html#cards", "title": "Cards"},
    ]

    named = named_with_page(entries)

    assert [entry["title"] for entry in named] == ["For a room", "For a room › Cards"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_setting_that_a_page_names_exists(page: Path) -> None:
    known = {table.name: {setting.name for setting in table.settings} for table in tables(Settings)}

    for table, key in re.findall(r"`\[(\w+)\] (\w+)`", page.read_text()):
        assert key in known[table], key


def test_an_address_of_the_api_is_named_without_a_version() -> None:
    """With one it is not found on servers that do not speak it."""
    shown = [
        TOP / "config.example.toml",
        *PAGES,
        *(TOP / "bot" / "commands").glob("*.py"),
        *(TOP / "bot" / "cli").glob("*.py"),
    ]

    assert [page.name for page in shown if re.search(r"/api/\d\.\d/", page.read_text())] == []


def test_the_page_on_servers_says_what_each_version_of_the_api_gets() -> None:
    page = (TOP / "docs" / "patchwork.md").read_text()
    header, _, *rows = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("|")]
    versions = [cell.strip() for cell in header[1:]]
    cells = {row[0].strip(): dict(zip(versions, row[1:], strict=True)) for row in rows}

    assert {version for version in versions if cells["the bot"][version].startswith("watches")} == set(VERSIONS)
    announced = {version for version in versions if cells["events of comments"][version].strip() == "yes"}
    assert announced == {version for version in versions if raises_comment_events(version)}
    hours = [str(after // timedelta(hours=1)) for after in FIRST]
    assert f"{', '.join(hours[:-1])} and {hours[-1]} hours after" in page
    assert f"for {LASTS.days} days" in page
    assert f"{REQUESTS_AN_HOUR} requests an hour" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_metric_that_a_page_names_exists(page: Path) -> None:
    metrics = [metric for metric in vars(bot.metrics).values() if isinstance(metric, MetricWrapperBase)]
    known = {name for metric in metrics for family in metric.describe() for name in _names(family)}

    assert set(re.findall(r"`[^`]*\b(patchbot_[a-z_]+)", page.read_text())) <= known


def _names(family: Metric) -> Iterator[str]:
    yield f"{family.name}_total" if family.type == "counter" else family.name


def _dialects() -> list[tuple[str, str, list[bool]]]:
    text = (TOP / "docs" / "queries.md").read_text()
    answer = r"(yes|no) \| "
    rows = re.findall(rf"^\| `(\S+)` \| `(\S+)` \| {answer * 3}(yes|no) \|$", text, re.MULTILINE)
    return [(pattern, path, [word == "yes" for word in words]) for pattern, path, *words in rows]


@pytest.mark.parametrize(("pattern", "path", "told"), _dialects())
def test_the_dialects_of_globs_are_as_the_table_says(pattern: str, path: str, told: list[bool]) -> None:
    ours: PathTrie[int] = PathTrie()
    ours.add(pattern, 1)

    assert told == [
        bool(ours.matches(path)),
        pathspec.GitIgnoreSpec.from_lines([pattern]).match_file(path),
        bool(read(f"SECTION\nF: {pattern}\n").covering([path], "")),
        fnmatchcase(path, pattern),
    ]
