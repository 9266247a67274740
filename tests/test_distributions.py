"""What is released can be installed and run where there is no repository."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from bot import __version__

TOP = Path(__file__).parent.parent
LOADED_AT_RUN_TIME = {"migrations/env.py", "migrations/script.py.mako", "v0100_first_release.py"}


def ran(*command: str | Path, folder: Path, stdin: str = "", **variables: str) -> str:
    """What a command prints; its environment has nothing of this process, so it cannot find the repository."""
    own = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", **variables}
    done = subprocess.run(  # noqa: S603  # what was just built
        [*map(str, command)], cwd=folder, env=own, input=stdin, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(target: str, source: Path, folder: Path) -> Path:
    """The distribution that the locked backend builds from *source*."""
    ran(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder, folder=source)
    (file,) = folder.glob("*.tar.gz" if target == "sdist" else "*.whl")
    return file


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel that is built from its content."""
    folder = tmp_path_factory.mktemp("dist")
    source = built("sdist", TOP, folder)
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    return source, built("wheel", folder / source.name.removesuffix(".tar.gz"), folder)


@pytest.fixture(scope="module")
def installation(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; the libraries are those of this one, which are found last."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = ("install", "--no-index", "--no-deps", "--quiet", distributions[1])
    ran(sys.executable, "-m", "pip", "--python", python, *install, folder=folder)
    libraries = sysconfig.get_path("purelib", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    (Path(libraries) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_program_and_nothing_else(distributions: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(distributions[1]) as wheel:
        names = set(wheel.namelist())
    metadata, data = f"patchwork_matrix_bot-{__version__}.dist-info/", f"patchwork_matrix_bot-{__version__}.data/"
    program = {path for path in (TOP / "bot").rglob("*") if path.is_file() and "__pycache__" not in path.parts}

    ours = {name for name in names if not name.startswith((metadata, data))}
    assert ours == {path.relative_to(TOP).as_posix() for path in program}
    assert all(any(name.endswith(each) for name in ours) for each in LOADED_AT_RUN_TIME)
    assert {name for name in names if name.startswith(data)} == {
        f"{data}data/share/patchwork-matrix-bot/config.example.toml"
    }


@pytest.mark.slow
def test_the_source_distribution_has_what_a_packager_needs(distributions: tuple[Path, Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"LICENSE", "CHANGELOG.md", "deploy/requirements.txt", "docs/index.md", "tests/conftest.py"} <= names
    unwanted = re.compile(r"\.venv|node_modules|__pycache__|\.(?:db|key)$|(?:^|/)config\.toml$")
    assert [name for name in names if unwanted.search(name)] == []


@pytest.mark.slow
def test_the_installed_program_knows_its_version(installation: Path) -> None:
    released = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"]
    patchbot = installation / "venv" / "bin" / "patchbot"

    assert ran(patchbot, "--version", folder=installation) == f"patchbot {released}\n"
    assert "check-config" in ran(patchbot, "--help", folder=installation)
    where = ran(installation / "venv" / "bin" / "python", "-c", "import bot; print(bot.__file__)", folder=installation)
    assert Path(where).is_relative_to(installation / "venv")


@pytest.mark.slow
def test_the_demo_runs_without_the_repository(installation: Path) -> None:
    output = ran(
        installation / "venv" / "bin" / "patchbot", "demo", folder=installation, stdin="find path:migration/\nquit\n"
    )

    assert " in migration/" in output.partition("> find path:migration/\n")[0]
    assert output.partition("> find path:migration/\n")[2] != ""


@pytest.mark.slow
def test_the_example_settings_and_a_database_need_no_repository(installation: Path) -> None:
    prefix = installation / "venv"
    shutil.copy(prefix / "share" / "patchwork-matrix-bot" / "config.example.toml", installation / "config.toml")

    def answer(*words: str) -> str:
        secret = {"PATCHBOT_MATRIX__PASSWORD": "a password"}
        return ran(prefix / "bin" / "patchbot", *words, folder=installation, **secret)

    assert "@patchbot:example.org" in answer("check-config")
    answer("db", "upgrade")
    answer("db", "check")
    assert (installation / "patchbot.db").is_file()


@pytest.mark.slow
def test_what_the_image_copies_is_enough_to_build_the_program(tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", (TOP / "deploy" / "Containerfile").read_text(), re.MULTILINE)
    source = tmp_path / "src"
    for names, target in copied:
        for name in names.split():
            place = source / (name if target == "./" else target)
            place.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (TOP / name).is_dir() else shutil.copy)(TOP / name, place)

    assert built("wheel", source, tmp_path).name == f"patchwork_matrix_bot-{__version__}-py3-none-any.whl"
