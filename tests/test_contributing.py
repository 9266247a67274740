"""What contributors are told is true: the files, names and targets exist, and the examples fit the program."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from bot.commands import about, command_table
from bot.commands.answers.patch import said
from bot.notices.markup import Allowed, written
from bot.query import keys
from bot.query.durations import spelled_duration
from bot.query.facts import Facts, PatchView
from bot.query.index.path_trie import PathTrie
from bot.query.status_keys import NumberKey
from support.index_samples import VALUES
from support.status_rig import BOT

TOP = Path(__file__).parent.parent
GUIDES = [TOP / "CONTRIBUTING.md", TOP / "RELEASING.md"]
NEW = {"uptime", "UPTIME"}  # what the examples add
MAKEFILE = (TOP / "Makefile").read_text()
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]*[\w-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|toml|txt|yml|yaml))|\.ci/run")
_NAME = re.compile(r"[A-Z]\w*|[a-z]+_\w+")


def spans(guide: Path) -> set[str]:
    """What stands between backquotes."""
    return set(_SPAN.findall(guide.read_text()))


def block(beginning: str) -> str:
    """The indented example in CONTRIBUTING.md that begins so."""
    blocks = re.findall(r"(?:^ {7,}\S.*\n)+", (TOP / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    (found,) = [text for each in blocks if (text := dedent(each)).startswith(beginning)]
    return found


def targets(text: str) -> set[str]:
    """The targets of `make` that a text names in code."""
    return set(re.findall(r"(?:`|entry: |run: |- |^ +)make ([a-z-]+)", text, re.MULTILINE))


def matrix() -> Iterator[list[str]]:
    """The Python versions that each definition of the CI runs the tests with."""
    github = yaml.safe_load((TOP / ".github" / "workflows" / "ci.yml").read_text())
    yield github["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    gitlab = yaml.safe_load((TOP / ".gitlab-ci.yml").read_text())
    yield gitlab["pythons"]["parallel"]["matrix"][0]["PYTHON"]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_files_that_a_guide_names_exist(guide: Path) -> None:
    files = {span for span in spans(guide) if _PATH.fullmatch(span)} - {"dist/", "sbom.cdx.json", "keys.json"}

    assert len(files) > 8
    assert [file for file in sorted(files) if not (TOP / file).exists()] == []


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_names_that_a_guide_uses_exist(guide: Path) -> None:
    code = "\n".join(path.read_text() for top in ("bot", "tests") for path in (TOP / top).rglob("*.py"))
    names = {span for span in spans(guide) if _NAME.fullmatch(span)} - NEW

    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize(
    "file",
    [*GUIDES, TOP / ".pre-commit-config.yaml", TOP / ".gitlab-ci.yml", TOP / ".github" / "workflows" / "ci.yml"],
    ids=lambda file: file.name,
)
def test_targets_that_are_called_exist(file: Path) -> None:
    named = targets(file.read_text())

    assert named
    assert [target for target in sorted(named) if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)] == []


def test_the_ci_runs_the_declared_versions_of_python() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    declared = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)

    assert project["requires-python"] == f">={declared[0]}"
    assert list(matrix()) == [declared, declared]


def test_an_action_of_others_is_named_by_its_digest() -> None:
    used = re.findall(r"uses: (\S+)", (TOP / ".github" / "workflows" / "ci.yml").read_text())

    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)] == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (".github/ISSUE_TEMPLATE/bug.md", ".gitlab/issue_templates/Bug.md"),
        (".github/ISSUE_TEMPLATE/feature.md", ".gitlab/issue_templates/Feature.md"),
        (".github/PULL_REQUEST_TEMPLATE.md", ".gitlab/merge_request_templates/Default.md"),
    ],
)
def test_every_forge_has_the_same_templates(ours: str, theirs: str) -> None:
    without_head = re.sub(r"\A---\n.*?\n---\n+", "", (TOP / ours).read_text(), flags=re.DOTALL)

    assert without_head == (TOP / theirs).read_text()


def test_the_example_of_a_command_fits_the_table() -> None:
    command = eval(block("Command(").rstrip(",\n"), vars(command_table))  # noqa: S307  # our own text

    assert isinstance(command, command_table.Command)
    assert command_table.find(command.verb) is None, "the example is of a new one"


async def test_the_example_of_an_answer_answers() -> None:
    names: dict[str, Any] = {**vars(about), "said": said, "spelled_duration": spelled_duration}
    exec(block("async def uptime"), names)  # noqa: S102  # the same

    async def condition() -> object:
        return replace(BOT, now=BOT.started + timedelta(days=3))

    answer = await names["uptime"](SimpleNamespace(_condition=condition), None)

    assert written(answer.document, Allowed(()))[0] == "Up 3d."


def test_the_example_of_a_key_reads_and_matches() -> None:
    names: dict[str, Any] = dict(vars(keys))
    exec(block("REVIEWS = "), names)  # noqa: S102  # the same
    spec = cast("NumberKey", names["REVIEWS"])
    facts = SimpleNamespace(reviewers=("Ada", "Bob"), paths=())

    bound = spec.read(spec.example.partition(":")[2])

    assert spec.name not in VALUES, "the example is of a new one"
    assert spec.find(PatchView(cast("Facts", facts), PathTrie()), bound) == ("2 reviews",)
