import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bot.config import (
    CommandSettings,
    MatrixSettings,
    NetworkSettings,
    PatchworkSettings,
    ProjectSettings,
    RoomSettings,
    Settings,
    StoreSettings,
    WebSettings,
    find_config,
    load,
)
from bot.errors import ConfigError, ConfigErrors
from support.config_rig import PASSWORD, ConfigRig

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


@pytest.fixture
def config(tmp_path: Path) -> ConfigRig:
    rig = ConfigRig(tmp_path)
    rig.write()
    return rig


# The environment and the secrets directory


def test_the_environment_beats_the_secrets_which_beat_the_file(config: ConfigRig) -> None:
    config.write(more="[commands]\nprefix = '!file'\nper_user_per_minute = 1\nper_room_per_minute = 1")
    config.add_secret("commands__prefix", "!secret")
    config.add_secret("commands__per_user_per_minute", "2")

    settings = config.load(PATCHBOT_COMMANDS__PREFIX="!environment")

    assert settings.commands == CommandSettings(prefix="!environment", per_user_per_minute=2, per_room_per_minute=1)


def test_the_password_comes_from_the_secrets_directory(config: ConfigRig) -> None:
    config.add_secret("matrix__password", PASSWORD)

    assert config.load().matrix.password == SecretStr(PASSWORD)


def test_a_variable_changes_its_own_key_and_no_other(config: ConfigRig) -> None:
    config.write(more='[commands]\nprefix = "!p"\nper_user_per_minute = 3')

    settings = config.load(PATCHBOT_COMMANDS__PER_USER_PER_MINUTE="4")

    assert settings.commands == CommandSettings(prefix="!p", per_user_per_minute=4)


@pytest.mark.parametrize("text", ["@a:hs, @b:hs", '["@a:hs", "@b:hs"]'])
def test_a_list_of_the_environment_is_separated_by_commas_or_json(config: ConfigRig, text: str) -> None:
    assert config.load(PATCHBOT_MATRIX__ADMINS=text).matrix.admins == ("@a:hs", "@b:hs")


def test_a_list_of_the_environment_that_is_bad_json_is_told(config: ConfigRig) -> None:
    assert config.mistakes(PATCHBOT_MATRIX__ADMINS='["@a:hs"') == [
        "matrix.admins: must be a JSON list, or entries separated by commas (set by PATCHBOT_MATRIX__ADMINS)"
    ]


def test_the_environment_alone_can_hold_everything(tmp_path: Path) -> None:
    environ = {
        "PATCHBOT_MATRIX__HOMESERVER": "https://hs",
        "PATCHBOT_MATRIX__USER_ID": "@bot:hs",
        "PATCHBOT_CONTACT": "ops@example.org",
        "PATCHBOT_WEB__LISTEN": "",
        "PATCHBOT_PATCHWORK": json.dumps([{"name": "a", "url": "https://a", "projects": ["p"]}]),
        "PATCHBOT_ROOM": json.dumps([{"room": "#r:hs", "subscribe": ["path:a,b"]}]),
    }

    settings = load(None, environ, searched=(tmp_path / "none.toml",))

    assert settings.matrix.homeserver == "https://hs"
    assert settings.contact == "ops@example.org"
    assert settings.web.listen == ""
    assert settings.patchwork == (PatchworkSettings(name="a", url="https://a", projects=(ProjectSettings(name="p"),)),)
    assert settings.room == (RoomSettings(room="#r:hs", subscribe=("path:a,b",)),)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("PATCHBOT_MATRIX__PASWORD", "PATCHBOT_MATRIX__PASSWORD"),
        ("PATCHBOT_MATRIX_PASSWORD", "PATCHBOT_MATRIX__PASSWORD"),
        ("PATCHBOT_CONTACTS", "PATCHBOT_CONTACT"),
        ("PATCHBOT_matrix__password", "PATCHBOT_MATRIX__PASSWORD"),
    ],
)
def test_an_unknown_variable_is_told_with_the_nearest_name(config: ConfigRig, name: str, nearest: str) -> None:
    assert config.mistakes(**{name: PASSWORD}) == [f"{name}: unknown variable; did you mean {nearest}?"]


def test_variables_of_others_are_left_alone(config: ConfigRig) -> None:
    assert config.load(WEB__LISTEN="x", PATCHWORK="y", PATCHBOTANY="z") == config.load()


def test_a_mistake_tells_which_variable_made_it(config: ConfigRig) -> None:
    assert config.mistakes(PATCHBOT_COMMANDS__PER_USER_PER_MINUTE="many") == [
        "commands.per_user_per_minute: must be a whole number (set by PATCHBOT_COMMANDS__PER_USER_PER_MINUTE)"
    ]


def test_a_mistake_tells_which_secret_made_it(config: ConfigRig) -> None:
    config.add_secret("store__url", f"mysql://bot:{PASSWORD}@db/patchbot")

    assert config.mistakes() == [
        "store.url: must be sqlite:///FILE or postgresql://USER@HOST/DATABASE (set by the secret store__url)"
    ]


def test_a_secret_loses_the_newline_at_its_end_and_nothing_else(config: ConfigRig) -> None:
    config.add_secret("matrix__password", " a secret \n")

    assert config.load().matrix.password == SecretStr(" a secret ")


def test_an_unknown_secret_of_a_table_is_told(config: ConfigRig) -> None:
    config.add_secret("matrix__pasword", PASSWORD)

    assert config.mistakes() == [
        "matrix.pasword: unknown key; did you mean matrix.password? (set by the secret matrix__pasword)"
    ]


@pytest.mark.parametrize("name", ["tls.key", "contact", "matrix", "room", "other__password", ".matrix__password"])
def test_foreign_files_among_the_secrets_are_left_unread(config: ConfigRig, name: str) -> None:
    config.add_secret(name, b"\xff\x00")

    assert not config.load().matrix.has_secret


def test_a_secret_may_be_a_link_as_kubernetes_makes_them(config: ConfigRig) -> None:
    config.secrets.mkdir()
    (config.secrets / "..data").mkdir()
    (config.secrets / "..data" / "matrix__password").write_text(PASSWORD)
    (config.secrets / "matrix__password").symlink_to("..data/matrix__password")

    assert config.load().matrix.password == SecretStr(PASSWORD)


def test_a_secrets_directory_that_is_missing_is_an_empty_one(config: ConfigRig) -> None:
    assert not config.secrets.exists()
    assert not config.load().matrix.has_secret


def test_a_secrets_directory_that_is_a_file_is_told(config: ConfigRig) -> None:
    config.secrets.write_text("")

    assert config.mistakes() == ["CREDENTIALS_DIRECTORY: secrets_dir must reference a directory, not a file"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xffsecret", "is not UTF-8 text"), (b"s" * 70_000, "is larger than 65536 bytes")],
)
def test_a_secret_that_is_no_text_is_told_without_showing_it(config: ConfigRig, content: bytes, reason: str) -> None:
    config.add_secret("matrix__password", content)

    assert config.mistakes() == [f"secret matrix__password: {reason}"]


VARIABLES = [
    *("PATCHBOT_CONTACT", "PATCHBOT_MATRIX", "PATCHBOT_MATRIX__HOMESERVER", "PATCHBOT_MATRIX__USER_ID"),
    *("PATCHBOT_MATRIX__ADMINS", "PATCHBOT_MATRIX__ADMINS__0", "PATCHBOT_MATRIX__MESSAGES_PER_SECOND"),
    *("PATCHBOT_STORE__URL", "PATCHBOT_STORE__DATA_DIR", "PATCHBOT_WEB__LISTEN", "PATCHBOT_NETWORK__PROXY"),
    *("PATCHBOT_PATCHWORK", "PATCHBOT_ROOM", "PATCHBOT_PATCHWORK__0__URL"),
]
KEYS = st.sampled_from(["name", "url", "projects", "maintainers", "archive_url", "room", "subscribe", "flood"])
TEXTS = st.text() | st.sampled_from(["https://a/{msgid}", "https://[", "http://a:b@c:d", "#a:b", "[", "1e999", "-0"])
TABLES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=6),
)


@given(variables=st.dictionaries(st.sampled_from(VARIABLES) | st.text(), TEXTS | TABLES.map(json.dumps)))
def test_whatever_the_environment_holds_a_mistake_is_a_line_with_a_key(variables: dict[str, str]) -> None:
    try:
        load(None, variables, searched=())
    except ConfigError as error:
        assert all(": " in line for line in str(error).splitlines())  # noqa: PT017  # success is an outcome, too


# Where the file is


def test_the_first_file_found_is_the_one(config: ConfigRig, tmp_path: Path) -> None:
    places = (tmp_path / "none.toml", config.file, EXAMPLE)

    assert find_config(places) == config.file
    assert load(None, {}, searched=places).patchwork[0].name == "ozlabs"
    assert find_config(places[:1]) is None


def test_without_any_file_the_places_looked_at_are_told(tmp_path: Path) -> None:
    places = [f"{tmp_path}/a.toml", f"{tmp_path}/b.toml"]
    with pytest.raises(ConfigErrors) as caught:
        load(None, {}, searched=tuple(map(Path, places)))

    assert str(caught.value).splitlines() == [
        f"config: no settings file found (looked for {' and '.join(places)}); name one with --config FILE",
        "matrix.homeserver: is required",
        "matrix.user_id: is required",
        "patchwork: is required",
    ]


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "none.toml", {})


def test_a_directory_instead_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_bad_toml_is_told_with_file_and_line(config: ConfigRig) -> None:
    config.file.write_text(f"[matrix]\n\npassword = {PASSWORD}\n")

    (mistake,) = config.mistakes()

    assert mistake.startswith(f"{config.file}: is not valid TOML: ")
    assert "line 3" in mistake
    assert PASSWORD not in mistake


def test_a_file_that_is_no_text_is_told(config: ConfigRig) -> None:
    config.file.write_bytes(b"contact = '\xff'")

    assert config.mistakes() == [f"{config.file}: is not UTF-8 text"]


@pytest.mark.parametrize("value", ["[" * 5000, "1" * 5000])
def test_a_file_that_the_parser_cannot_hold_is_told(config: ConfigRig, value: str) -> None:
    config.file.write_text(f"contact = {value}")

    assert config.mistakes() == [f"{config.file}: is nested too deeply, or contains a number that is too long"]


def test_a_huge_file_is_refused(config: ConfigRig) -> None:
    config.file.write_text("#" * 1_100_000)

    assert config.mistakes() == [f"{config.file}: is larger than 1048576 bytes"]


# Secrets


SECRET_VARIABLES = {
    "PATCHBOT_MATRIX__PASSWORD": PASSWORD,
    "PATCHBOT_MATRIX__ACCESS_TOKEN": PASSWORD,
    "PATCHBOT_STORE__URL": f"postgresql://bot:{PASSWORD}@db/patchbot",
    "PATCHBOT_NETWORK__PROXY": f"http://bot:{PASSWORD}@proxy:3128",
}


def test_no_secret_stands_in_the_settings_repr_str_or_dump(config: ConfigRig) -> None:
    settings = config.load(**SECRET_VARIABLES)

    for text in (repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()):
        assert PASSWORD not in text


@pytest.mark.parametrize(
    "matrix",
    [
        f'password = ["{PASSWORD}"]',
        f'password = {{a = "{PASSWORD}"}}',
        f'pasword = "{PASSWORD}"',
        f'message_burst = "{PASSWORD}"',
        f'admins = ["{PASSWORD}"]',
        f'[store]\nurl = "{PASSWORD}"',
        f'[network]\nproxy = "{PASSWORD}"',
        f'[network]\nproxy = "http://bot:{PASSWORD}@"',
    ],
)
def test_no_error_shows_what_was_written(config: ConfigRig, matrix: str) -> None:
    config.write(matrix=matrix)

    with pytest.raises(ConfigError) as caught:
        config.load()

    assert PASSWORD not in f"{caught.value} {caught.value!r}"
    assert caught.value.__context__ is None


def test_pydantics_own_error_hides_the_input_too() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(matrix={"homeserver": PASSWORD, "password": [PASSWORD]}, patchwork=[])

    assert PASSWORD not in f"{caught.value} {caught.value!r}"


# The example that is shipped


def test_the_example_holds_the_defaults() -> None:
    settings = load(EXAMPLE, {})

    assert settings.contact == "@ops:example.org"
    assert settings.matrix == MatrixSettings(
        homeserver="https://matrix.example.org",
        user_id="@patchbot:example.org",
        admins=("@ops:example.org",),
        invite_from=("*:example.org",),
    )
    assert settings.store == StoreSettings()
    assert settings.web == WebSettings()
    assert settings.commands == CommandSettings()
    assert settings.network == NetworkSettings()
    assert settings.patchwork == (
        PatchworkSettings(
            name="ozlabs", url="https://patchwork.ozlabs.org", projects=(ProjectSettings(name="qemu-devel"),)
        ),
    )
    assert settings.room == ()


def test_the_examples_optional_settings_hold_when_their_mark_is_removed(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace('\nprojects = ["qemu-devel"]\n', "\n")
    file = tmp_path / "config.toml"
    file.write_text(re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE))

    settings = load(file, {})

    assert settings.contact == "ops@example.org"
    assert settings.matrix.has_secret
    assert settings.matrix.invite_from == ("*:example.org",)
    assert settings.patchwork[0].projects[0].archive_url == "https://lore.kernel.org/qemu-devel/{msgid}/"
    assert settings.room == (
        RoomSettings(room="#qemu-migration:example.org", subscribe=("project:qemu-devel path:migration/",), flood=10),
    )
