from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.config import (
    CommandSettings,
    NetworkSettings,
    ProjectSettings,
    RoomSettings,
    subscription_key,
)
from bot.errors import ConfigError, ConfigErrors
from support.config_rig import PASSWORD, ConfigRig


@pytest.fixture
def config(tmp_path: Path) -> ConfigRig:
    rig = ConfigRig(tmp_path)
    rig.write()
    return rig


# What holds where nothing is said


def test_a_file_needs_only_the_account_and_one_server(config: ConfigRig) -> None:
    settings = config.load()

    assert settings.matrix.homeserver == "https://matrix.example.org"
    assert settings.matrix.user_id == "@patchbot:example.org"
    assert settings.patchwork[0].name == "ozlabs"
    assert settings.patchwork[0].url == "https://patchwork.ozlabs.org"


def test_the_defaults_are_the_documented_ones(config: ConfigRig) -> None:
    settings = config.load()

    assert (settings.matrix.messages_per_second, settings.matrix.message_burst) == (0.2, 8)
    assert settings.store.url.get_secret_value() == "sqlite:///patchbot.db"
    assert settings.store.data_dir == Path()
    assert settings.web.listen == "127.0.0.1:9199"
    assert settings.commands == CommandSettings(prefix="!pw", per_user_per_minute=20, per_room_per_minute=60)
    assert settings.network == NetworkSettings(proxy=SecretStr(""), ca_file="")
    assert settings.patchwork[0].poll_interval_seconds == 60
    assert settings.patchwork[0].incomplete_after_minutes == 30
    assert settings.room == ()


def test_the_contact_is_the_first_admin(config: ConfigRig) -> None:
    config.write(matrix='admins = ["@ops:example.org", "@dev:example.org"]')

    assert config.load().contact == "@ops:example.org"


def test_the_contact_is_the_bot_itself_where_there_is_no_admin(config: ConfigRig) -> None:
    assert config.load().contact == "@patchbot:example.org"


def test_a_contact_that_is_given_stays(config: ConfigRig) -> None:
    config.write(top='contact = "ops@example.org"', matrix='admins = ["@ops:example.org"]')

    assert config.load().contact == "ops@example.org"


def test_invitations_come_from_the_bots_own_server_unless_said_otherwise(config: ConfigRig) -> None:
    assert config.load().matrix.invite_from == ("*:example.org",)


def test_a_room_floods_at_ten_series_unless_said_otherwise(config: ConfigRig) -> None:
    config.write(more='[[room]]\nroom = "!abc:example.org"')

    assert config.load().room == (RoomSettings(room="!abc:example.org", subscribe=(), flood=10),)


@pytest.mark.parametrize("secret", ["password", "access_token"])
def test_a_secret_to_log_in_with_may_be_missing_and_is_seen_when_there(config: ConfigRig, secret: str) -> None:
    without = config.load()
    config.write(matrix=f'{secret} = "{PASSWORD}"')

    assert not without.matrix.has_secret
    assert config.load().matrix.has_secret


def test_an_empty_secret_is_a_missing_one(config: ConfigRig) -> None:
    assert not config.load(PATCHBOT_MATRIX__PASSWORD="").matrix.has_secret


# The projects of a server


def test_a_project_is_a_name_or_a_table(config: ConfigRig) -> None:
    config.write(
        patchwork='projects = ["u-boot", {name = "qemu-devel", maintainers = "/srv/MAINTAINERS", archive_url = "https://lore.kernel.org/qemu-devel/{msgid}/"}]'
    )

    assert config.load().patchwork[0].projects == (
        ProjectSettings(name="u-boot"),
        ProjectSettings(
            name="qemu-devel",
            maintainers=("/srv/MAINTAINERS",),
            archive_url="https://lore.kernel.org/qemu-devel/{msgid}/",
        ),
    )


@pytest.mark.parametrize(
    ("projects", "mistake"),
    [
        ("[]", "patchwork[0].projects: must have at least one entry"),
        ('"qemu-devel"', 'patchwork[0].projects: must be a list, such as ["…"]'),
        ("[1]", "patchwork[0].projects[0]: must be a table"),
        ('["a", "a"]', "patchwork[0].projects: has two entries named a"),
        ('["a b"]', "patchwork[0].projects[0].name: must be a project's link name, such as qemu-devel"),
        ("[{}]", "patchwork[0].projects[0].name: is required"),
        (
            '[{name = "a", archive_url = "https://lore.kernel.org/a/"}]',
            "patchwork[0].projects[0].archive_url: must contain {msgid}, and no other braces",
        ),
        (
            '[{name = "a", archive_url = "https://lore.kernel.org/{list}/{msgid}/"}]',
            "patchwork[0].projects[0].archive_url: must contain {msgid}, and no other braces",
        ),
        (
            '[{name = "a", archive_url = "https://{msgid}.example.org/"}]',
            "patchwork[0].projects[0].archive_url: must have {msgid} in the path, not in the host name",
        ),
        (
            '[{name = "a", archive_url = "javascript:{msgid}"}]',
            "patchwork[0].projects[0].archive_url: must begin with http:// or https://",
        ),
        (
            '[{name = "a", maintainers = "ftp://example.org/MAINTAINERS"}]',
            "patchwork[0].projects[0].maintainers: must begin with http:// or https://",
        ),
        (
            '["a", {name = "b", maintaners = "F"}]',
            "patchwork[0].projects[1].maintaners: unknown key; did you mean patchwork[0].projects[1].maintainers?",
        ),
    ],
)
def test_a_projects_mistake_is_told(config: ConfigRig, projects: str, mistake: str) -> None:
    config.write(patchwork=f"projects = {projects}")

    assert config.mistakes() == [mistake]


# Unknown keys


def test_an_unknown_key_is_told_with_the_nearest_name(config: ConfigRig) -> None:
    config.write(top='contct = "ops@example.org"')

    assert config.mistakes() == ["contct: unknown key; did you mean contact?"]


def test_an_unknown_table_is_told_with_the_nearest_name(config: ConfigRig) -> None:
    config.write(more='[comands]\nprefix = "!"')

    assert config.mistakes() == ["comands: unknown key; did you mean commands?"]


def test_an_unknown_key_in_a_table_is_told_with_the_tables_nearest_name(config: ConfigRig) -> None:
    config.write(matrix='homeservr = "https://hs"')

    assert config.mistakes() == ["matrix.homeservr: unknown key; did you mean matrix.homeserver?"]


def test_an_unknown_key_in_a_list_of_tables_is_told_with_its_position(config: ConfigRig) -> None:
    config.write(more='[[patchwork]]\nname = "b"\nurl = "https://b"\nprojects = ["p"]\npol_interval_seconds = 5')

    assert config.mistakes() == [
        "patchwork[1].pol_interval_seconds: unknown key; did you mean patchwork[1].poll_interval_seconds?"
    ]


def test_a_key_that_misses_its_table_is_told_where_it_belongs(config: ConfigRig) -> None:
    config.write(top='homeserver = "https://hs"')

    assert config.mistakes() == ["homeserver: unknown key; did you mean matrix.homeserver?"]


def test_an_unknown_key_that_is_like_no_other_is_told_with_all_that_there_are(config: ConfigRig) -> None:
    config.write(more="[web]\nzzz = 1")

    assert config.mistakes() == ["web.zzz: unknown key; valid keys here: listen"]


def test_keys_are_lower_case(config: ConfigRig) -> None:
    config.write(more='[Web]\nlisten = ""')

    assert config.mistakes() == ["Web: unknown key; did you mean web?"]


# Mistakes


def test_several_mistakes_are_told_at_once_a_line_each(config: ConfigRig) -> None:
    config.write(matrix='homeservr = ""\nmessage_burst = 0', patchwork='projects = ["p"]\npoll_interval_seconds = 0')

    with pytest.raises(ConfigErrors) as caught:
        config.load(PATCHBOT_CONTCT="x")

    assert [error.key for error in caught.value.errors] == [
        "PATCHBOT_CONTCT",
        "matrix.message_burst",
        "matrix.homeservr",
        "patchwork[0].poll_interval_seconds",
    ]
    assert str(caught.value).splitlines() == [f"{error.key}: {error.reason}" for error in caught.value.errors]


def test_a_single_mistake_knows_its_key_and_reason(config: ConfigRig) -> None:
    config.write(matrix="message_burst = 0")

    with pytest.raises(ConfigError) as caught:
        config.load()

    assert (caught.value.key, caught.value.reason) == ("matrix.message_burst", "must be 1 or more, is 0")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("poll_interval_seconds = 0", "must be 1 or more, is 0"),
        ("poll_interval_seconds = 0.5", "must be 1 or more, is 0.5"),
        ("poll_interval_seconds = 100000", "must be 86400 or less, is 100000"),
        ("poll_interval_seconds = inf", "must be 86400 or less, is inf"),
        ("poll_interval_seconds = nan", "must be 86400 or less, is nan"),
        ('poll_interval_seconds = "often"', "must be a number"),
        ("poll_interval_seconds = true", "must be a number, not true or false"),
        ("poll_interval_seconds = [60]", "must be a number"),
        ("incomplete_after_minutes = -1", "must be 0 or more, is -1"),
    ],
)
def test_a_number_out_of_bounds_is_told_with_the_bound(config: ConfigRig, setting: str, reason: str) -> None:
    config.write(patchwork=f'projects = ["p"]\n{setting}')

    assert config.mistakes() == [f"patchwork[0].{setting.partition(' ')[0]}: {reason}"]


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        (
            '[patchwork.states]\nopn = ["new"]',
            "patchwork[0].states.opn: unknown key; did you mean patchwork[0].states.open?",
        ),
        (
            'states = { open = ["[new]"] }',
            "patchwork[0].states.open[0]: must be the name of a state, such as under-review",
        ),
        (
            'states = { open = ["RFC"], closed = ["rfc"] }',
            "patchwork[0].states: rfc is in open and in closed; a state has one class",
        ),
        ('states = ["new"]', "patchwork[0].states: must be a table"),
        ('check_lanes = ["sashiko*"]', "patchwork[0].check_lanes: must be a table"),
        ('check_lanes = { AI = ["[a-"] }', "patchwork[0].check_lanes.AI[0]: has a [ without its ]"),
        ("check_lanes = { AI = [7] }", "patchwork[0].check_lanes.AI[0]: must be text"),
    ],
)
def test_mistakes_in_states_and_lanes_are_told_with_their_place(config: ConfigRig, setting: str, mistake: str) -> None:
    config.write(patchwork=f'projects = ["p"]\n{setting}')

    assert config.mistakes() == [mistake]


def test_states_and_lanes_of_a_server(config: ConfigRig) -> None:
    config.write(
        patchwork='projects = ["p"]\ncheck_lanes = { AI = ["sashiko*", "ai-*"] }\n'
        '[patchwork.states]\nwaiting = ["Needs Work"]\nclosed = ["rfc"]\n'
    )

    server = config.load().patchwork[0]

    assert server.check_lanes == {"AI": ("sashiko*", "ai-*")}
    assert server.states.classes.is_waiting("needs-work")
    assert server.states.classes.is_closed("rfc")
    assert not server.states.classes.is_closed("new")


@pytest.mark.parametrize(
    ("setting", "mistake"),
    [
        ("message_burst = 1.5", "matrix.message_burst: must be a whole number"),
        ("message_burst = false", "matrix.message_burst: must be a number, not true or false"),
        ("messages_per_second = 0", "matrix.messages_per_second: must be more than 0, is 0"),
        ("password = 12345", "matrix.password: must be text"),
        ("admins = [1]", "matrix.admins[0]: must be text"),
        ("admins = {}", 'matrix.admins: must be a list, such as ["…"]'),
        ('admins = ["ops"]', "matrix.admins[0]: must be a Matrix user id, such as @name:example.org"),
        (
            'invite_from = ["*"]',
            "matrix.invite_from[0]: must be a Matrix user id, or *:example.org for everybody of a server",
        ),
    ],
)
def test_a_value_of_the_wrong_type_or_form_is_told(config: ConfigRig, setting: str, mistake: str) -> None:
    config.write(matrix=setting)

    assert config.mistakes() == [mistake]


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ("[commands]\nprefix = ''", "commands.prefix: must not be empty"),
        ("[commands]\nprefix = '! pw'", "commands.prefix: must be a word without spaces"),
        ("[commands]\nper_user_per_minute = 0", "commands.per_user_per_minute: must be 1 or more, is 0"),
        ("[store]\nurl = 'patchbot.db'", "store.url: must be sqlite:///FILE or postgresql://USER@HOST/DATABASE"),
        ("[store]\ndata_dir = 5", "store.data_dir: must be text"),
        ("[[web]]\nlisten = ''", "web: [[web]] must be written [web], as there is only one"),
        (
            "[room]\nroom = '#r:hs'",
            "room: [room] must be written [[room]], as there may be several",
        ),
        ("[[room]]\nsubscribe = []", "room[0].room: is required"),
        ("[[room]]\nroom = '#r:hs'\nsubscribe = 'path:a'", 'room[0].subscribe: must be a list, such as ["…"]'),
        ("[[room]]\nroom = '#r:hs'\nsubscribe = ['path:a', '']", "room[0].subscribe[1]: must not be empty"),
        ("[[room]]\nroom = '#r:hs'\nflood = -1", "room[0].flood: must be 0 or more, is -1"),
        ("[[room]]\nroom = '#r:hs'\n[[room]]\nroom = '#r:hs'", "room: has two entries named #r:hs"),
        (
            "[[patchwork]]\nname = 'OZLABS'\nurl = 'https://b'\nprojects = ['p']",
            "patchwork: has two entries named ozlabs",
        ),
    ],
)
def test_a_mistake_in_another_table_is_told(config: ConfigRig, more: str, mistake: str) -> None:
    config.write(more=more)

    assert config.mistakes() == [mistake]


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ("[patchwork]\nname = 'b'", "[patchwork] must be written [[patchwork]], as there may be several (line 10)"),
        ("[[room]]\nroom = '#r:hs'\n[ room ]", "[room] must be written [[room]], as there may be several (line 12)"),
        ("[[matrix]]\nuser_id = '@b:hs'", "[[matrix]] must be written [matrix], as there is only one (line 10)"),
        ("[web]\n[log]\n[web]", "[web] is there twice (lines 10 and 12); a table must be in one piece"),
        (
            "[web]\nlisten = ''\nlisten = ''\n[log]",
            "Cannot overwrite a value (at line 12, column 12); each key may be set only once",
        ),
        ("[web]\nlisten = off", 'Invalid value (at line 11, column 10); text must be in quotes, as in name = "ozlabs"'),
    ],
)
def test_toml_that_contradicts_itself_is_told_in_words(config: ConfigRig, more: str, mistake: str) -> None:
    config.write(more=more)

    assert config.mistakes() == [f"{config.file}: is not valid TOML: {mistake}"]


def test_a_single_table_for_the_servers_is_told_to_be_a_list(config: ConfigRig) -> None:
    config.file.write_text(config.file.read_text().replace("[[patchwork]]", "[patchwork]"))

    assert config.mistakes() == ["patchwork: [patchwork] must be written [[patchwork]], as there may be several"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "https://app.element.io/#/room/!a:hs",
            "must be the address of the homeserver, such as https://matrix.example.org, not a web client's",
        ),
        (
            "https://hs.org/_matrix/client/versions",
            "must be the address of the homeserver, such as https://matrix.example.org, without /_matrix",
        ),
    ],
)
def test_a_page_instead_of_the_homeserver_is_refused(config: ConfigRig, url: str, reason: str) -> None:
    assert config.mistakes(PATCHBOT_MATRIX__HOMESERVER=url) == [
        f"matrix.homeserver: {reason} (set by PATCHBOT_MATRIX__HOMESERVER)"
    ]


def test_a_contact_that_no_header_can_carry_is_refused(config: ConfigRig) -> None:
    config.write(top='contact = "ops@example.org\\r\\nX: y"')

    assert config.mistakes() == ["contact: must be plain ASCII text, such as ops@example.org"]


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("a\\r\\nX: y", "user_agent: must be plain ASCII text, such as patch-notifier/1.0"),
        ("a\\u0007", "user_agent: must be plain ASCII text, such as patch-notifier/1.0"),
        ("nötifier/1", "user_agent: must be plain ASCII text, such as patch-notifier/1.0"),
        (" a", "user_agent: must be plain ASCII text, such as patch-notifier/1.0"),
        ("a" * 129, "user_agent: must be 128 characters or fewer"),
    ],
)
def test_a_user_agent_that_no_header_can_carry_is_refused(config: ConfigRig, value: str, mistake: str) -> None:
    config.write(top=f'user_agent = "{value}"')

    assert config.mistakes() == [mistake]


@pytest.mark.parametrize("value", ["", "x", "patch-notifier/1.0 (Debian; 12)", "a" * 128])
def test_a_user_agent_stays_as_it_is_given(config: ConfigRig, value: str) -> None:
    config.write(top=f'user_agent = "{value}"')

    assert config.load().user_agent == value


# Forms


@pytest.mark.parametrize("url", ["https://a.example", "http://127.0.0.1:8008", "https://[::1]:8448", "https://a/b"])
def test_a_url_stays_as_it_is_but_for_a_slash_at_its_end(config: ConfigRig, url: str) -> None:
    assert config.load(PATCHBOT_MATRIX__HOMESERVER=url).matrix.homeserver == url
    assert config.load(PATCHBOT_MATRIX__HOMESERVER=f"{url}/").matrix.homeserver == url


@pytest.mark.parametrize("page", ["api/1.2/", "api", "project/qemu-devel/list/", "patch/2194095/", "series/1/mbox"])
@pytest.mark.parametrize("base", ["https://patchwork.example.org", "https://example.org/patchwork"])
def test_a_page_below_the_front_page_of_a_patchwork_is_told(config: ConfigRig, base: str, page: str) -> None:
    config.write()
    config.file.write_text(config.file.read_text().replace("https://patchwork.ozlabs.org", f"{base}/{page}"))

    assert config.mistakes() == [
        "patchwork[0].url: must be the front page's address, such as https://patchwork.ozlabs.org, without a page below it"  # noqa: E501  # as it is said
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must not be empty"),
        ("matrix.example.org", "must begin with http:// or https://"),
        ("ftp://example.org", "must begin with http:// or https://"),
        ("https://", "must contain a host name, as in https://example.org"),
        (f"https://bot:{PASSWORD}@example.org", "must not contain a user name or password"),
        ("https://example.org/?a=b", "must not have a query or a fragment"),
        ("https://example.org/#a", "must not have a query or a fragment"),
        ("https://example.org:99999", "must be a web address, such as https://example.org"),
        ("https://[example.org", "must be a web address, such as https://example.org"),
        ("https://example.org/a b", "must not contain spaces or control characters"),
    ],
)
def test_a_bad_url_is_told(config: ConfigRig, url: str, reason: str) -> None:
    config.write(patchwork='projects = ["p"]')

    assert config.mistakes(PATCHBOT_MATRIX__HOMESERVER=url) == [
        f"matrix.homeserver: {reason} (set by PATCHBOT_MATRIX__HOMESERVER)"
    ]


@pytest.mark.parametrize("user_id", ["patchbot", "@patchbot", "patchbot:hs", "@a b:hs", "@a:", "@:hs", "@a:hs/x"])
def test_a_user_id_has_a_name_and_a_server(config: ConfigRig, user_id: str) -> None:
    assert config.mistakes(PATCHBOT_MATRIX__USER_ID=user_id) == [
        "matrix.user_id: must be a Matrix user id, such as @name:example.org (set by PATCHBOT_MATRIX__USER_ID)"
    ]


@pytest.mark.parametrize("room", ["#r:example.org", "#größe:hs:8448", "!abc:example.org", "!v12-has-no_server"])
def test_a_room_is_an_alias_or_an_id(config: ConfigRig, room: str) -> None:
    config.write(more=f'[[room]]\nroom = "{room}"')

    assert config.load().room[0].room == room


@pytest.mark.parametrize("room", ["r:example.org", "#r", "@r:example.org", "#r r:example.org", "!"])
def test_what_is_neither_alias_nor_id_is_no_room(config: ConfigRig, room: str) -> None:
    config.write(more=f'[[room]]\nroom = "{room}"')

    assert config.mistakes() == [
        "room[0].room: must be a room's alias or id, such as #name:example.org or !abc:example.org"
    ]


@pytest.mark.parametrize(
    ("listen", "address"),
    [("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:9199", ("::1", 9199)), ("localhost:0", ("localhost", 0)), ("", None)],  # noqa: S104  # an address to be read, not bound
)
def test_the_address_to_listen_at_is_host_and_port_or_off(
    config: ConfigRig, listen: str, address: tuple[str, int] | None
) -> None:
    assert config.load(PATCHBOT_WEB__LISTEN=listen).web.address == address


@pytest.mark.parametrize("listen", ["9199", ":9199", "localhost", "localhost:http", "::1:9199", "localhost:65536"])
def test_an_address_without_host_or_port_is_refused(config: ConfigRig, listen: str) -> None:
    (mistake,) = config.mistakes(PATCHBOT_WEB__LISTEN=listen)

    assert mistake.startswith("web.listen: must ")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///patchbot.db",
        "sqlite:////var/lib/patchbot/p@home.db",
        "postgresql://bot:pw@db/patchbot",
        "postgresql://bot:p%40w@[::1]:5433/patchbot?sslmode=require",
        "postgresql:///patchbot?host=/run/postgresql",
    ],
)
def test_the_store_is_sqlite_or_postgresql(config: ConfigRig, url: str) -> None:
    assert config.load(PATCHBOT_STORE__URL=url).store.url.get_secret_value() == url


@pytest.mark.parametrize("password", ["p@ss", "p/ss", "p?ss", "p#ss", "5432/ss"])
def test_a_password_that_breaks_the_address_is_refused_and_not_shown(config: ConfigRig, password: str) -> None:
    assert config.mistakes(PATCHBOT_STORE__URL=f"postgresql://bot:{password}@db/patchbot") == [
        "store.url: must write @ / ? # in a user name or password as %40 %2F %3F %23 (set by PATCHBOT_STORE__URL)"
    ]


def test_a_proxy_may_have_credentials(config: ConfigRig) -> None:
    url = f"http://bot:{PASSWORD}@proxy:3128"

    assert config.load(PATCHBOT_NETWORK__PROXY=url).network.proxy.get_secret_value() == url


def test_a_proxy_that_is_no_http_proxy_is_refused(config: ConfigRig) -> None:
    assert config.mistakes(PATCHBOT_NETWORK__PROXY=f"socks5://bot:{PASSWORD}@proxy") == [
        "network.proxy: must begin with http:// or https:// (set by PATCHBOT_NETWORK__PROXY)"
    ]


def test_a_querys_key_names_room_and_position() -> None:
    assert subscription_key(0, 1) == "room[0].subscribe[1]"


# What would leave this machine in the clear


@pytest.mark.parametrize(
    "homeserver",
    [
        "http://matrix.example.org",
        "HTTP://10.0.0.5:8008",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
    ],
)
def test_a_homeserver_on_another_machine_is_not_spoken_to_in_the_clear(config: ConfigRig, homeserver: str) -> None:
    (mistake,) = config.mistakes(PATCHBOT_MATRIX__HOMESERVER=homeserver)

    assert mistake.startswith("matrix.homeserver: must begin with https://")
    assert "matrix.allow_http = true permits it" in mistake
    assert mistake.endswith("(set by PATCHBOT_MATRIX__HOMESERVER)")


@pytest.mark.parametrize(
    "homeserver",
    ["http://localhost:8008", "http://127.0.0.1:8008", "http://127.9.9.9", "http://[::1]:8008", "http://hs.localhost"],
)
def test_a_homeserver_on_this_machine_may_be_spoken_to_in_the_clear(config: ConfigRig, homeserver: str) -> None:
    assert config.load(PATCHBOT_MATRIX__HOMESERVER=homeserver).matrix.homeserver == homeserver


def test_a_homeserver_may_be_spoken_to_in_the_clear_where_that_is_allowed(config: ConfigRig) -> None:
    config.write(matrix="allow_http = true")

    assert config.load(PATCHBOT_MATRIX__HOMESERVER="http://synapse:8008").matrix.homeserver == "http://synapse:8008"


@pytest.mark.parametrize("value", ['"perhaps"', "2", "[]", '""'])
def test_a_switch_that_is_neither_on_nor_off_is_refused_in_words(config: ConfigRig, value: str) -> None:
    config.write(matrix=f"allow_http = {value}")

    assert config.mistakes() == ["matrix.allow_http: must be true or false"]
