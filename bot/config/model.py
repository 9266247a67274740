"""What can be set, and what holds where nothing is.

Whatever may hold a password (`store.url` and `network.proxy` too) is a `SecretStr`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config import forms

ENV_PREFIX = "PATCHBOT_"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class MatrixSettings(_Table):
    """The bot's account, and who commands it."""

    homeserver: forms.BaseUrl
    user_id: forms.MatrixUser
    password: SecretStr | None = None
    access_token: SecretStr | None = None
    admins: Annotated[tuple[forms.MatrixUser, ...], forms.TEXT_LIST] = ()
    invite_from: Annotated[tuple[forms.Inviter, ...], forms.TEXT_LIST] = Field(
        default_factory=lambda others: _everybody_near(others.get("user_id"))
    )
    messages_per_second: forms.Number = Field(default=0.2, gt=0, le=1000)
    message_burst: forms.Count = Field(default=8, ge=1, le=10_000)

    @property
    def has_secret(self) -> bool:
        """Whether there is something to log in with."""
        return bool(self.password or self.access_token)


class StoreSettings(_Table):
    """Where the bot remembers; *data_dir* holds the device and its keys."""

    url: forms.StoreUrl = SecretStr("sqlite:///patchbot.db")
    data_dir: Path = Path()


class WebSettings(_Table):
    """Where the bot tells of its health; an empty *listen* is nowhere."""

    listen: forms.Listen = "127.0.0.1:9199"

    @property
    def address(self) -> tuple[str, int] | None:
        """Host (an IPv6 one without brackets) and port; None is off."""
        host, _, port = self.listen.rpartition(":")
        return (host.strip("[]"), int(port)) if self.listen else None


class LogSettings(_Table):
    """How the log is written, and from which level on."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class CommandSettings(_Table):
    """How the bot is spoken to, how often, and how much may be subscribed to in chat."""

    prefix: forms.Word = "!pw"
    per_user_per_minute: forms.Count = Field(default=20, ge=1, le=100_000)
    per_room_per_minute: forms.Count = Field(default=60, ge=1, le=100_000)
    max_per_person: forms.Count = Field(default=25, ge=0, le=100_000)
    max_per_room: forms.Count = Field(default=100, ge=0, le=100_000)


class NetworkSettings(_Table):
    """The way to Patchwork and Matrix alike; empty is the direct one, with the system's certificates."""

    proxy: forms.ProxyUrl = SecretStr("")
    ca_file: str = ""


class ProjectSettings(_Table):
    """A project to watch; *maintainers* is the path or the address of its MAINTAINERS file."""

    name: forms.LinkName
    maintainers: forms.MaintainersFile | None = None
    archive_url: forms.ArchiveUrl | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_a_name_as_a_table(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class PatchworkSettings(_Table):
    """A Patchwork server to watch."""

    name: forms.PatchworkName
    url: forms.BaseUrl
    projects: Annotated[
        tuple[ProjectSettings, ...],
        forms.NOT_EMPTY,
        forms.all_differ(lambda project: project.name.casefold()),
    ]
    poll_interval_seconds: forms.Number = Field(default=60.0, ge=1, le=86_400)
    incomplete_after_minutes: forms.Number = Field(default=30.0, ge=0, le=43_200)


class RoomSettings(_Table):
    """A room's subscriptions as code; the queries stay as they were written, *flood* 0 is never."""

    room: forms.RoomName
    subscribe: tuple[forms.Text, ...] = ()
    flood: forms.Count = Field(default=10, ge=0, le=100_000)


class Settings(BaseSettings):
    """All settings. `load` builds them; by itself this reads nothing."""

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
    contact: forms.AsciiText = Field(default_factory=lambda others: _contact(others.get("matrix")))
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    commands: CommandSettings = CommandSettings()
    network: NetworkSettings = NetworkSettings()
    patchwork: Annotated[
        tuple[PatchworkSettings, ...],
        forms.TABLES,
        forms.NOT_EMPTY,
        forms.all_differ(lambda server: server.name.casefold()),
    ]
    room: Annotated[tuple[RoomSettings, ...], forms.TABLES, forms.all_differ(lambda entry: entry.room)] = ()

    @model_validator(mode="before")
    @classmethod
    def _name_what_the_account_lacks(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A missing [matrix] is one without keys, so that each required key is named."""
        return {"matrix": {}} | values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing of the process's own environment."""
        return (init_settings,)


def _everybody_near(user_id: str | None) -> tuple[str, ...]:
    """Whose invitations are accepted by default: everybody on the bot's own server."""
    return (f"*:{user_id.partition(':')[2]}",) if user_id else ()


def _contact(matrix: MatrixSettings | None) -> str:
    """The first admin; the bot's own user id where it has none."""
    return next(iter(matrix.admins), matrix.user_id) if matrix else ""
