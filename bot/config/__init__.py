"""The settings: a TOML file, overridden by the secrets directory, overridden by the environment."""

from bot.config.load import SEARCHED, SECRETS_VARIABLE, find_config, load
from bot.config.mistakes import subscription_key
from bot.config.model import (
    ActingSettings,
    CommandSettings,
    LogSettings,
    MatrixSettings,
    NetworkSettings,
    PatchworkSettings,
    ProjectSettings,
    RoomSettings,
    Settings,
    StoreSettings,
    WebSettings,
)

__all__ = [
    "SEARCHED",
    "SECRETS_VARIABLE",
    "ActingSettings",
    "CommandSettings",
    "LogSettings",
    "MatrixSettings",
    "NetworkSettings",
    "PatchworkSettings",
    "ProjectSettings",
    "RoomSettings",
    "Settings",
    "StoreSettings",
    "WebSettings",
    "find_config",
    "load",
    "subscription_key",
]
