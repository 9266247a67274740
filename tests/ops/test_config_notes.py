"""What `check-config` notes about settings that can be loaded, but are probably not what is meant."""

from pathlib import Path

import pytest

from bot.ops.config_notes import notes
from bot.ops.summary import room_queries
from bot.subscriptions.lint import USUAL_STATES
from support.config_rig import ConfigRig


@pytest.fixture
def config(tmp_path: Path) -> ConfigRig:
    rig = ConfigRig(tmp_path)
    rig.write()
    return rig


def noted(config: ConfigRig, **variables: str) -> list[str]:
    """The notes on the settings, without those on the example's names and the missing password."""
    settings = config.load(
        PATCHBOT_STORE__DATA_DIR=str(config.file.parent), PATCHBOT_STORE__URL="postgresql://bot@db/bot", **variables
    )
    return list(notes(settings, room_queries(settings)))[2:]


def of_query(config: ConfigRig, *queries: str) -> list[str]:
    """The notes on queries, in a configuration with two servers."""
    subscribe = ", ".join(f"'{query}'" for query in queries)
    config.write(
        patchwork='projects = ["qemu-devel", "qemu-ppc"]',
        more='[[patchwork]]\nname = "kernel"\nurl = "https://patchwork.kernel.org"\nprojects = ["netdevbpf"]\n'
        f"[[room]]\nroom = '#a:hs'\nsubscribe = [{subscribe}]",
    )
    return [note.removeprefix("room[0].subscribe[0]: ") for note in noted(config)]


def test_settings_without_a_doubt_have_no_notes(config: ConfigRig) -> None:
    assert noted(config) == []


def test_a_token_on_a_database_that_instances_share_is_noted(config: ConfigRig) -> None:
    url = "postgresql://bot@db/bot"
    settings = config.load(PATCHBOT_STORE__URL=url, PATCHBOT_MATRIX__ACCESS_TOKEN="syt_token")  # noqa: S106  # an example

    found = [note for note in notes(settings, ()) if note.startswith("matrix.access_token ")]
    assert [note.partition(":")[0] for note in found] == ["matrix.access_token belongs to one device"]


# Addresses


@pytest.mark.parametrize("page", ["user/login/", "about/", "patchwork/index.html", "list"])
def test_a_page_instead_of_a_patchwork_is_noted_with_the_front_page(config: ConfigRig, page: str) -> None:
    config.file.write_text(config.file.read_text().replace(".ozlabs.org", f".ozlabs.org/{page}"))

    [note] = noted(config)

    assert note.startswith(f"patchwork[0].url: https://patchwork.ozlabs.org/{page.rstrip('/')} looks like a page of")
    assert " its front page is probably https://patchwork.ozlabs.org" in note


@pytest.mark.parametrize("path", ["", "/patchwork", "/pw/helpful"])
def test_a_patchwork_below_a_path_is_not_noted(config: ConfigRig, path: str) -> None:
    config.file.write_text(config.file.read_text().replace(".ozlabs.org", f".ozlabs.org{path}"))

    assert noted(config) == []


@pytest.mark.parametrize(
    ("homeserver", "note"),
    [
        ("https://app.element.io", "matrix.homeserver: app.element.io is a web client, not a homeserver."),
        (
            "https://hs.org/home",
            "matrix.homeserver: a homeserver's address rarely has a path; if /home belongs to a page, leave it out.",
        ),
    ],
)
def test_a_page_instead_of_a_homeserver_is_noted(config: ConfigRig, homeserver: str, note: str) -> None:
    assert note in list(notes(config.load(PATCHBOT_MATRIX__HOMESERVER=homeserver), ()))


@pytest.mark.parametrize(
    ("page", "file"),
    [
        (
            "https://github.com/qemu/qemu/blob/master/MAINTAINERS",
            "https://raw.githubusercontent.com/qemu/qemu/master/MAINTAINERS",
        ),
        (
            "https://gitlab.com/qemu-project/qemu/-/blob/master/MAINTAINERS?ref_type=heads",
            "https://gitlab.com/qemu-project/qemu/-/raw/master/MAINTAINERS?ref_type=heads",
        ),
        (
            "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/MAINTAINERS",
            "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/plain/MAINTAINERS",
        ),
        (
            "https://git.ffmpeg.org/gitweb/ffmpeg.git?a=blob;f=MAINTAINERS",
            "https://git.ffmpeg.org/gitweb/ffmpeg.git?a=blob_plain;f=MAINTAINERS",
        ),
    ],
)
def test_the_page_of_a_file_is_noted_with_the_address_of_the_file(config: ConfigRig, page: str, file: str) -> None:
    config.write(patchwork=f'projects = [{{name = "p", maintainers = "{page}"}}]')
    [note] = noted(config)
    config.write(patchwork=f'projects = [{{name = "p", maintainers = "{file}"}}]')

    assert note == f"patchwork[0].projects[0].maintainers: {page} is a web page; the file is at {file}"
    assert noted(config) == []


@pytest.mark.parametrize("url", ["https://patchwork.ozlabs.org/", "http://PATCHWORK.ozlabs.org"])
def test_a_server_that_is_there_twice_is_noted(config: ConfigRig, url: str) -> None:
    config.write(more=f'[[patchwork]]\nname = "again"\nurl = "{url}"\nprojects = ["u-boot"]')

    assert noted(config) == [
        "patchwork[1].url is the same server as patchwork[0].url; list all its projects in one table."
    ]


# Queries

KNOWN = f"Known: {', '.join(sorted(USUAL_STATES))}"


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("project:qemu-devl", "project:qemu-devl is not watched; did you mean project:qemu-devel?"),
        (
            "path:a -project:u-boot",
            "project:u-boot is not watched; watched: netdevbpf, qemu-devel, qemu-ppc.",
        ),
        ("server:ozlab path:a", "server:ozlab is not watched; did you mean server:ozlabs?"),
        ("server:kernel project:qemu-devel", "no server has a project for which this can match."),
        (
            "state:acepted",
            f"ozlabs and kernel are not known to have a state acepted; did you mean state:accepted? {KNOWN}",
        ),
        (
            "state:new->merged",
            f"ozlabs and kernel are not known to have a state merged; did you mean state:accepted? {KNOWN}",
        ),
        ("maint:Migration", "maint: matches nothing, because no project has a MAINTAINERS file (maintainers = …)."),
        ("path:*.rst", "path:*.rst names files at the top of the tree only; for any depth, use path:**/*.rst."),
    ],
)
def test_what_a_query_names_that_is_not_there_is_noted_with_the_nearest(
    config: ConfigRig, query: str, note: str
) -> None:
    assert of_query(config, query) == [note]


@pytest.mark.parametrize("query", ["project:QEMU-PPC", "server:kernel", "state:*->accepted", "state:under-review"])
def test_what_a_query_names_that_is_there_is_not_noted(config: ConfigRig, query: str) -> None:
    assert of_query(config, query) == []


def test_a_query_that_a_room_has_twice_is_noted(config: ConfigRig) -> None:
    assert of_query(config, "path:a/ from:ada", "path:b/", "dfn:/a/ f:ada") == [
        "room[0].subscribe[2] is the same as room[0].subscribe[0]."
    ]


# The account


def test_a_password_beside_a_token_is_noted(config: ConfigRig) -> None:
    settings = config.load(PATCHBOT_MATRIX__PASSWORD="hunter2", PATCHBOT_MATRIX__ACCESS_TOKEN="syt_secret")  # noqa: S106  # invented

    found = " ".join(notes(settings, ()))

    assert "both matrix.access_token and matrix.password are set: the bot uses the token" in found
    assert "hunter2" not in found
    assert "syt_secret" not in found


# Files and directories


def test_files_and_directories_that_are_missing_are_noted(config: ConfigRig, tmp_path: Path) -> None:
    config.write(
        patchwork='projects = [{name = "p", maintainers = ["nowhere/MAINTAINERS", "https://x.org/MAINTAINERS", "."]}]',
        more=f'[network]\nca_file = "{tmp_path}/ca.pem"\n[store]\nurl = "sqlite:///{tmp_path}/no/bot.db"\n'
        f'data_dir = "{tmp_path}/data"',
    )

    found = [note.replace(str(tmp_path), "TMP") for note in notes(config.load(), (), f"{tmp_path}/secrets")][2:]

    assert [note.replace(str(Path.cwd()), "HERE") for note in found] == [
        "CREDENTIALS_DIRECTORY: there is no directory TMP/secrets, so no secret is read.",
        "store.data_dir: TMP/data does not exist; it is created at the first start.",
        "store.url: there is no directory TMP/no.",
        "network.ca_file: TMP/ca.pem does not exist.",
        "patchwork[0].projects[0].maintainers: HERE/nowhere/MAINTAINERS does not exist.",
        "patchwork[0].projects[0].maintainers: HERE is not a file.",
    ]


def test_a_file_where_a_directory_must_be_is_noted(config: ConfigRig) -> None:
    settings = config.load(
        PATCHBOT_STORE__DATA_DIR=str(config.file), PATCHBOT_STORE__URL=f"sqlite:///{config.file}/bot.db"
    )

    assert list(notes(settings, ()))[2:] == [f"store.data_dir: there is no directory {config.file}."]


def test_files_that_are_there_are_not_noted(config: ConfigRig, tmp_path: Path) -> None:
    (tmp_path / "MAINTAINERS").write_text("F: a/\n")
    config.write(
        patchwork=f'projects = [{{name = "p", maintainers = "{tmp_path}/MAINTAINERS"}}]',
        more=f'[network]\nca_file = "{tmp_path}/MAINTAINERS"',
    )

    assert noted(config) == []
