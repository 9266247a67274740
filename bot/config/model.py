"""Defines the settings and their defaults.

Every setting that may contain a password (including `store.url` and `network.proxy`) is a `SecretStr`. `make reference`
writes the descriptions and examples into `config.example.toml` and docs/configuration.md.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config import value_types as forms
from bot.patchwork.references import is_private
from bot.patchwork.states import StateClass, StateClasses, folded_state, state_classes

ENV_PREFIX = "PATCHBOT_"

_A_PROJECT = {
    "name": "qemu-devel",
    "maintainers": "/srv/qemu/MAINTAINERS",
    "archive_url": "https://lore.kernel.org/qemu-devel/{msgid}/",
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class MatrixSettings(_Table):
    """The bot's account, and who may control it."""

    homeserver: forms.HomeserverUrl = Field(
        description="The address of the bot's homeserver.", examples=["https://matrix.example.org"]
    )
    user_id: forms.MatrixUser = Field(description="The bot's account there.", examples=["@patchbot:example.org"])
    password: SecretStr | None = Field(
        default=None,
        description="The password to log in with. Better kept out of this file: PATCHBOT_MATRIX__PASSWORD in the "
        "environment, or a file named matrix__password in the secrets directory. Without a password, "
        "use `patchbot login`.",
        examples=["…"],
    )
    access_token: SecretStr | None = Field(
        default=None, description="An access token, instead of a password.", examples=["…"]
    )
    admins: Annotated[tuple[forms.MatrixUser, ...], forms.TEXT_LIST] = Field(
        default=(),
        description="Who may use the administrators' commands, and change the subscriptions of every room. "
        "Default: nobody.",
        examples=[["@ops:example.org"]],
    )
    invite_from: Annotated[tuple[forms.Inviter, ...], forms.TEXT_LIST] = Field(
        default_factory=lambda others: _everybody_near(others.get("user_id")),
        description="Whose invitations are accepted; * stands for anything. "
        "Default: everybody on the bot's own server.",
        examples=[["*:example.org"]],
    )
    allow_http: bool = Field(
        default=False,
        description="Whether to allow http:// for a homeserver on another machine: anybody on the network in between "
        "can then read the password and all messages, and command the bot.",
    )
    messages_per_second: forms.Number = Field(
        default=0.2, gt=0, le=1000, description="How many messages per second the bot sends in the long run."
    )
    message_burst: forms.Count = Field(
        default=8,
        ge=1,
        le=10_000,
        description="How many messages the bot sends at once before that rate applies. The homeserver has limits of "
        "its own: raise both settings when it lifts those for the bot.",
    )

    @property
    def has_secret(self) -> bool:
        """True if a password or an access token is set."""
        return bool(self.password or self.access_token)

    @property
    def is_exposed(self) -> bool:
        """True if traffic to the homeserver would cross a network unencrypted and `allow_http` does not permit it."""
        return not (self.allow_http or is_private(self.homeserver))


class StoreSettings(_Table):
    """The database; *data_dir* holds the device and its keys."""

    url: forms.StoreUrl = Field(
        default=SecretStr("sqlite:///patchbot.db"),
        description="The database: a file, as in sqlite:///patchbot.db (four slashes begin an absolute path), or "
        "PostgreSQL 14 or newer, as in postgresql://patchbot@localhost/patchbot, over a socket "
        "postgresql://patchbot@/patchbot?host=/run/postgresql; what else libpq knows may follow (sslmode=require). "
        'It needs pip install "patchwork-matrix-bot[postgres]" and a database of its own (createdb -T template0 '
        "-E UTF8), without a pooler in between that shares connections. An address with a password is better kept out "
        "of this file, in PATCHBOT_STORE__URL; in the password, write @ / ? # as %40 %2F %3F %23.",
    )
    data_dir: Path = Field(
        default=Path(),
        description="The directory for the Matrix device, its sign-in and its keys, and for the lock file that keeps a "
        "second bot from starting.",
    )


class WebSettings(_Table):
    """The address of the health pages; an empty *listen* turns them off."""

    listen: forms.Listen = Field(
        default="127.0.0.1:9199",
        description='The address of the status pages, as host:port; "" turns them off. /: a page for people; /livez: '
        "whether the bot runs; /readyz: whether it works, or what keeps it from that and since when; /metrics: metrics "
        "for Prometheus. The pages require no login, and / names the bot's rooms: keep them on this machine, or behind "
        "a proxy that requires one. `patchbot healthcheck` requests /readyz.",
    )

    @property
    def address(self) -> tuple[str, int] | None:
        """The host (IPv6 addresses without brackets) and port to listen on, or None if the pages are off."""
        host, _, port = self.listen.rpartition(":")
        return (host.strip("[]"), int(port)) if self.listen else None


class LogSettings(_Table):
    """The format and level of the log."""

    format: Literal["text", "json"] = Field(
        default="text", description='The format of the log on standard error: "text" for people, "json" for machines.'
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description='The lowest level that is logged: "debug", "info", "warning" or "error".'
    )


class CommandSettings(_Table):
    """The command prefix, the rate limits, and the maximum number of subscriptions made in chat."""

    prefix: forms.Word = Field(
        default="!pw",
        description="What a command in a room begins with; in a direct chat it may be left out.",
    )
    per_user_per_minute: forms.Count = Field(
        default=20, ge=1, le=100_000, description="How many commands a person may give per minute."
    )
    per_room_per_minute: forms.Count = Field(
        default=60, ge=1, le=100_000, description="How many commands a room may give per minute."
    )
    max_per_person: forms.Count = Field(
        default=25,
        ge=0,
        le=100_000,
        description="How many subscriptions a person may make in chat.",
    )
    max_per_room: forms.Count = Field(
        default=100,
        ge=0,
        le=100_000,
        description="How many subscriptions a room may make in chat; those of this file do not count.",
    )


class ActingSettings(_Table):
    """Commands that change patches, each with the token of whoever typed it."""

    rooms: Literal["encrypted", "all", "off"] = Field(
        default="encrypted",
        description="Where patches can be changed (`state`, `delegate`, `archive`), by each person with their own API "
        'token: in "encrypted" rooms, in "all" rooms, or nowhere ("off"). In a room that is not encrypted, whoever '
        "runs a homeserver can speak in the name of its users; docs/acting.md tells more.",
    )


class NetworkSettings(_Table):
    """The network access to Patchwork and Matrix; by default direct, with the system's certificates."""

    proxy: forms.ProxyUrl = Field(
        default=SecretStr(""),
        description="An HTTP proxy on the way to Patchwork and Matrix, as in http://proxy.example.org:3128; "
        '"" is none.',
    )
    ca_file: str = Field(
        default="",
        description="A file of certificates (PEM) to trust instead of the system's, for a private CA; "
        '"" is the system\'s.',
    )


class ProjectSettings(_Table):
    """Instead of a name, a project can be a table with more about it."""

    name: forms.LinkName = Field(description="its name")
    maintainers: forms.MaintainersFiles = Field(
        default=(),
        description="path or address of its MAINTAINERS file, or a list of them, for `maint:` in queries; "
        "only these are read, no other such file of the tree",
    )
    archive_url: forms.ArchiveUrl | None = Field(
        default=None,
        description="where its mails can be read, if the server does not say; {msgid} becomes the message-id",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_a_name_as_a_table(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class StateSettings(_Table):
    """Only what the names of the states do not say; the names or slugs of the states in each class."""

    open: Annotated[tuple[forms.StateName, ...], forms.TEXT_LIST] = Field(
        default=(), description="what somebody is to review, apply or forward"
    )
    waiting: Annotated[tuple[forms.StateName, ...], forms.TEXT_LIST] = Field(
        default=(), description="what waits for its submitter"
    )
    closed: Annotated[tuple[forms.StateName, ...], forms.TEXT_LIST] = Field(default=(), description="what is done with")

    @model_validator(mode="after")
    def _see_that_each_state_has_one_class(self) -> "StateSettings":
        seen: dict[str, StateClass] = {}
        for kind, name in self._named():
            if seen.setdefault(folded_state(name), kind) is not kind:
                raise ValueError(f"{name} is in {seen[folded_state(name)]} and in {kind}; a state has one class")
        return self

    @property
    def classes(self) -> StateClasses:
        """The classes of the server's states."""
        return state_classes({kind: [name for of, name in self._named() if of is kind] for kind in StateClass})

    def _named(self) -> Iterator[tuple[StateClass, str]]:
        by_class = (StateClass.OPEN, self.open), (StateClass.WAITING, self.waiting), (StateClass.CLOSED, self.closed)
        return ((kind, name) for kind, names in by_class for name in names)


class PatchworkSettings(_Table):
    """A Patchwork server to watch."""

    name: forms.PatchworkName = Field(
        description="The server's name in queries and messages: letters, digits, dots, dashes and underscores.",
        examples=["ozlabs"],
    )
    url: forms.PatchworkUrl = Field(
        description="The address of its front page.", examples=["https://patchwork.ozlabs.org"]
    )
    projects: Annotated[
        tuple[ProjectSettings, ...],
        forms.NOT_EMPTY,
        forms.all_differ(lambda project: project.name.casefold()),
    ] = Field(
        description="The projects to watch, by the names that their addresses have (…/project/qemu-devel/list/).",
        examples=[["qemu-devel"], [_A_PROJECT]],
    )
    poll_interval_seconds: forms.Number = Field(
        default=60.0, ge=1, le=86_400, description="Seconds between two polls; 1 or more."
    )
    incomplete_after_minutes: forms.Number = Field(
        default=30.0,
        ge=0,
        le=43_200,
        description="After how many minutes an incomplete series is matched and posted with what arrived; 0: at once.",
    )
    check_lanes: dict[forms.LaneName, Annotated[tuple[forms.ContextGlob, ...], forms.TEXT_LIST]] = Field(
        default_factory=dict,
        description="Lanes of checks, which cards show one by one: globs of contexts by the lane's name; * stands for "
        "anything. The first lane that matches has a check; the others are in the lane CI.",
        examples=[{"AI": ["sashiko*", "ai-*"]}],
    )
    states: StateSettings = Field(
        default_factory=StateSettings,
        description="What the states of this server mean, where that differs from the usual. Usual are: open for new, "
        "under-review, rfc, awaiting-upstream and queued, waiting for changes-requested, closed for accepted, "
        "rejected, superseded, not-applicable, deferred, mainlined, handled-elsewhere, committed and dropped. A state "
        "that is in no class counts as open. It may also be a table of its own, [patchwork.states].",
        examples=[{"open": ["rfc"], "waiting": ["needs-work"], "closed": ["deferred"]}],
    )


class RoomSettings(_Table):
    """The subscriptions of a room as code; queries are stored as written, and *flood* 0 means never."""

    room: forms.RoomName = Field(description="The room's alias or id.", examples=["#qemu-migration:example.org"])
    subscribe: tuple[forms.Text, ...] = Field(
        default=(),
        description="The queries; docs/queries.md explains them.",
        examples=[["project:qemu-devel path:migration/"]],
    )
    flood: forms.Count = Field(
        default=10,
        ge=0,
        le=100_000,
        description="More series than this at once become one line and a thread instead of a card each; 0: never. "
        "`set flood` in chat overrides it.",
    )


class Settings(BaseSettings):
    """All settings; `load` builds them, as this class reads nothing by itself."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        case_sensitive=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
    )

    matrix: MatrixSettings
    contact: forms.AsciiText = Field(
        default_factory=lambda others: _contact(others.get("matrix")),
        description="Whom the administrators of the Patchwork servers can contact; it is part of the User-Agent of "
        "every request. Default: the first of the admins.",
        examples=["ops@example.org"],
    )
    user_agent: forms.UserAgent = Field(
        default="",
        description="The name that the User-Agent of every request to the Patchwork servers begins with, such as "
        "patch-notifier/1.0, for a server whose wall refuses the word “bot” (the contact should have none, either); "
        '"" is patchwork-matrix-bot/ and its version. The contact and a random installation id, which is kept in '
        "data_dir, follow in parentheses.",
    )
    store: StoreSettings = Field(
        default=StoreSettings(),
        description="Relative paths, here and elsewhere, are relative to the directory where the bot is started.",
    )
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    commands: CommandSettings = CommandSettings()
    acting: ActingSettings = ActingSettings()
    network: NetworkSettings = NetworkSettings()
    patchwork: Annotated[
        tuple[PatchworkSettings, ...],
        forms.TABLES,
        forms.NOT_EMPTY,
        forms.all_differ(lambda server: server.name.casefold()),
    ] = Field(description="The Patchwork servers to watch, a table like this for each.")
    room: Annotated[tuple[RoomSettings, ...], forms.TABLES, forms.all_differ(lambda entry: entry.room)] = Field(
        default=(),
        description="Subscriptions that this file makes, a table like this for each room; in chat they can only be "
        "read (`subs`). What is subscribed to in chat (`sub`) needs nothing here. The bot joins the room, or waits to "
        "be invited; a subscription begins when it is in the room for the first time.",
    )

    @model_validator(mode="before")
    @classmethod
    def _name_what_the_account_lacks(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Treat a missing [matrix] as an empty one, to report each required key by name."""
        return {"matrix": {}} | values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # likewise
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Exclude the process's own environment."""
        return (init_settings,)


def _everybody_near(user_id: str | None) -> tuple[str, ...]:
    """Return the default of `invite_from`: everybody on the bot's own server."""
    return (f"*:{user_id.partition(':')[2]}",) if user_id else ()


def _contact(matrix: MatrixSettings | None) -> str:
    """Return the default contact: the first admin, or the bot's own user id if there are none."""
    return next(iter(matrix.admins), matrix.user_id) if matrix else ""
