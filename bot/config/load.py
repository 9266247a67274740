"""Loads the settings: a TOML file, overridden by the secrets directory, overridden by the environment."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    EnvSettingsSource,
    InitSettingsSource,
    NestedSecretsSettingsSource,
    SecretsSettingsSource,
    SettingsError,
)

from bot.config.mistakes import Location, explain, exposed, setting_names, toml_mistake, unknown_variables
from bot.config.model import ENV_PREFIX, Settings
from bot.errors import ConfigError, ConfigErrors

SEARCHED = (Path("config.toml"), Path("/etc/patchbot/config.toml"))
SECRETS_VARIABLE = "CREDENTIALS_DIRECTORY"  # set by systemd, see systemd.exec(5)

_FILE_MAX_BYTES = 1024 * 1024
_SECRET_MAX_BYTES = 64 * 1024
_VARIABLES = {f"{ENV_PREFIX}{'__'.join(names).upper()}": names for names in setting_names(Settings)}
_SECTIONS = {names[0] for names in _VARIABLES.values() if len(names) > 1}


def find_config(searched: tuple[Path, ...] = SEARCHED) -> Path | None:
    """Return the first of these paths that is a settings file, or None."""
    return next((path for path in searched if path.is_file()), None)


def load(path: Path | None, environ: Mapping[str, str], searched: tuple[Path, ...] = SEARCHED) -> Settings:
    """Load the settings from the file at *path* (None: the first one that *searched* finds) and from *environ*.

    The secret to log in with may be missing; `settings.matrix.has_secret` is False then.

    Raises:
        ConfigError: a setting is invalid; the text is `key: reason`. Several mistakes come as ConfigErrors.
    """
    path = path or find_config(searched)
    ours = {name: value for name, value in environ.items() if name.startswith(ENV_PREFIX)}
    variables = {name: value for name, value in ours.items() if name in _VARIABLES}
    mistakes = list(unknown_variables(ours, _VARIABLES))
    environment = _Environment(variables)
    secrets = _secrets(environ.get(SECRETS_VARIABLE))
    file = InitSettingsSource(Settings, _file(path) if path else {})
    origins = _origins(secrets) | {_VARIABLES[name]: name for name in variables}
    try:
        settings = Settings(_build_sources=((environment, secrets, file), {}))
        mistakes += exposed(settings, origins)
    except ValidationError as error:
        mistakes += explain(error, Settings, origins)
    if not mistakes:
        return settings
    if path is None:
        mistakes.insert(0, _no_file(searched))
    # Raised outside the `except`, because pydantic's error as its context would expose the values.
    raise mistakes[0] if len(mistakes) == 1 else ConfigErrors(mistakes)


class _Environment(EnvSettingsSource):
    """A settings source that reads the given variables instead of the process's environment."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(Settings)

    # The only place where pydantic-settings reads os.environ; its own .env source overrides it as well.
    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {ENV_PREFIX + name.removeprefix(ENV_PREFIX).lower(): text for name, text in self._variables.items()}


class _Secrets(NestedSecretsSettingsSource):
    """A settings source for a directory with a file per setting, such as `matrix__password`; it ignores others."""

    def __init__(self, directory: Path | None) -> None:
        super().__init__(
            SecretsSettingsSource(Settings), secrets_dir=directory, secrets_dir_missing="ok", secrets_prefix=""
        )

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        """Return the contents of the files that belong to a section, without trailing newlines."""
        return {file.name: _secret(file) for file in _secret_files(path)}


def _secret_files(directory: Path) -> Iterator[Path]:
    for file in sorted(directory.iterdir()) if directory.is_dir() else ():
        section, delimiter, _ = file.name.partition("__")
        if delimiter and section in _SECTIONS and file.is_file():
            yield file


def _secrets(directory: str | None) -> _Secrets:
    try:
        return _Secrets(Path(directory) if directory else None)
    except SettingsError as error:
        raise ConfigError(SECRETS_VARIABLE, str(error)) from error
    except OSError as error:
        raise ConfigError(SECRETS_VARIABLE, f"cannot be read: {error.strerror}") from error


def _secret(file: Path) -> str:
    try:
        return _text(file, _SECRET_MAX_BYTES).rstrip("\r\n")
    except ValueError as error:
        raise ConfigError(f"secret {file.name}", str(error)) from None


def _origins(secrets: _Secrets) -> dict[Location, str]:
    return {tuple(name.split("__")[:2]): f"the secret {name}" for name in secrets.env_vars}


def _file(path: Path) -> dict[str, Any]:
    try:
        text = _text(path, _FILE_MAX_BYTES)
    except ValueError as error:
        raise ConfigError(str(path), str(error)) from None
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not valid TOML: {toml_mistake(text, error)}") from None
    except (ValueError, RecursionError):  # tomllib raises both on such input
        raise ConfigError(str(path), "is nested too deeply, or contains a number that is too long") from None


def _text(file: Path, max_bytes: int) -> str:
    """Return the UTF-8 text of a file.

    Raises:
        ValueError: it is too large or not UTF-8; the message shows none of its content.
    """
    with file.open("rb") as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"is larger than {max_bytes} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None


def _no_file(searched: tuple[Path, ...]) -> ConfigError:
    places = " and ".join(map(str, searched))
    return ConfigError("config", f"no settings file found (looked for {places}); name one with --config FILE")
