"""The settings: a TOML file, over it the secrets directory, over that the environment."""

from bot.config.load import SEARCHED, find_config, load
from bot.config.mistakes import subscription_key
from bot.config.model import (
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
