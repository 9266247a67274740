"""What stands in deploy/: rules and a dashboard that name what exists, an image and services that fit the program."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.clock import SystemClock
from bot.config.load import SEARCHED
from bot.health.endpoints import served
from metrics_page import all_metrics
from support.programs import program
from support.status_rig import ANYWHERE, BOT, Being

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMON = {"job", "instance", "alertname", "severity"}  # labels that every metric has in a rule
NAMES = {sample: set(metric.labels) for metric in all_metrics() for sample in metric.samples}
TEXTS = [
    *sorted(DEPLOY.glob("*.yml")),
    DEPLOY / "dashboard.json",
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "README.md",
]


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "alerts.test.yml").read_text())["tests"]
    return found


def expressions() -> Iterator[str]:
    """What the rules and the dashboard ask Prometheus."""
    yield from (rule["expr"] for rule in rules())
    for panel in json.loads((DEPLOY / "dashboard.json").read_text())["panels"]:
        yield from (target["expr"].replace("$__rate_interval", "5m") for target in panel["targets"])


def ran(*command: str) -> str:
    """What a program says; it must say that all is well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603  # our own
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.name)
def test_only_metrics_that_exist_are_named(file: Path) -> None:
    named = set(re.findall(r"\bpatchbot_[a-z_]+", file.read_text(encoding="utf-8")))

    assert named <= {*NAMES, *(metric.name for metric in all_metrics())}


@pytest.mark.parametrize("expression", list(expressions()))
def test_only_labels_that_a_metric_has_are_asked_for(expression: str) -> None:
    for name, matchers in re.findall(r"(patchbot_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*[!=]", matchers)) <= NAMES[name] | COMMON
    asked = {label for grouped in re.findall(r"by \(([^)]*)\)", expression) for label in re.findall(r"\w+", grouped)}
    (first, *_) = [*re.findall(r"patchbot_\w+", expression), ""]
    assert asked <= NAMES.get(first, set())


def test_the_dashboard_shows_every_metric() -> None:
    shown = " ".join(expressions())

    assert [metric.name for metric in all_metrics() if not any(name in shown for name in metric.samples)] == []


def test_every_expression_can_be_read_by_prometheus(tmp_path: Path) -> None:
    promtool = program("promtool", "prometheus")
    asked = [{"record": f"patchbot:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": asked}]}))

    assert f"{len(asked)} rules found" in ran(promtool, "check", "rules", str(tmp_path / "rules.yml"))
    assert "SUCCESS" in ran(promtool, "check", "rules", str(DEPLOY / "alerts.yml"))


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    alerts = {rule["alert"] for rule in rules()}
    tried = [each for case in cases() for each in case["alert_rule_test"]]

    assert {each["alertname"] for each in tried if each.get("exp_alerts")} == alerts
    assert {each["alertname"] for each in tried if not each.get("exp_alerts")} == alerts


def test_every_alert_fires_for_its_cause() -> None:
    assert "SUCCESS" in ran(program("promtool", "prometheus"), "test", "rules", str(DEPLOY / "alerts.test.yml"))


def test_an_alert_that_cannot_fire_is_found(tmp_path: Path) -> None:
    promtool = program("promtool", "prometheus")
    blunted = (DEPLOY / "alerts.yml").read_text().replace('{state="dead"} > 0', '{state="dead"} > 1000')
    (tmp_path / "alerts.yml").write_text(blunted)
    (tmp_path / "alerts.test.yml").write_text((DEPLOY / "alerts.test.yml").read_text())

    command = [promtool, "test", "rules", str(tmp_path / "alerts.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the same

    assert done.returncode != 0
    assert "PatchbotMessagesGivenUp" in done.stdout + done.stderr


def test_the_containerfile_is_without_fault() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    assert ran(str(hadolint), "--failure-threshold=style", str(DEPLOY / "Containerfile")) == ""


def test_every_base_image_is_named_by_its_digest() -> None:
    built = re.findall(r"^FROM (\S+)", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    images = [*built, *(service["image"] for service in composed if "image" in service)]

    assert len(images) == 3
    assert [image for image in images if not re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)] == []


def instructions() -> list[tuple[str, str]]:
    """The instructions of the last stage of the image."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text())
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    last = max(place for place, (word, _, _) in enumerate(lines) if word == "FROM")
    return [(word, rest) for word, _, rest in lines[last:]]


def test_the_image_runs_the_program_as_nobody_in_particular_and_keeps_all_in_one_place() -> None:
    said = dict(instructions())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert said["USER"] == "10001:10001"
    assert said["WORKDIR"] == said["VOLUME"] == "/data"
    assert json.loads(said["ENTRYPOINT"]) == [*project["scripts"]]
    assert json.loads(said["HEALTHCHECK"].partition("CMD ")[2]) == ["patchbot", "healthcheck"]


def test_the_composed_bot_finds_its_settings_and_cannot_write_elsewhere() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    bot, database = composed["services"]["bot"], composed["services"]["db"]
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in bot["volumes"]}

    assert str(SEARCHED[1]) in mounted, "where `run` and `healthcheck` look without being told"
    assert mounted["/data"] in composed["volumes"]
    assert bot["read_only"] is True
    assert bot["cap_drop"] == ["ALL"]
    assert bot["ulimits"] == {"core": 0}
    assert bot["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in bot["ports"])
    assert (DEPLOY / bot["build"]["context"] / bot["build"]["dockerfile"]).is_file()
    assert {*bot["secrets"], *database["secrets"]} == set(composed["secrets"])


@pytest.mark.slow
async def test_the_health_of_the_composed_bot_is_asked_for_as_it_is_configured_there(tmp_path: Path) -> None:
    """Only the port and the folder of the secrets are others, for here they are another machine's."""
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["bot"]["environment"]
    (tmp_path / "config.toml").write_text((ROOT / "config.example.toml").read_text())
    (tmp_path / "matrix__password").write_text("a password")
    (tmp_path / "store__url").write_text("postgresql://patchbot:word@db/patchbot")

    async with served(ANYWHERE, Being(replace(BOT, servers=())), SystemClock()) as address:
        assert address is not None
        host = composed["PATCHBOT_WEB__LISTEN"].rpartition(":")[0]
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.cli", "healthcheck"),
            cwd=tmp_path,
            env={
                **composed,
                "CREDENTIALS_DIRECTORY": str(tmp_path),
                "PATCHBOT_WEB__LISTEN": f"{host}:{address[1]}",
                "PYTHONPATH": str(ROOT),
            },
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asking.communicate()

    assert asking.returncode == 0
    assert said.startswith(b"ready\n")
