"""The file `config.example.toml`, written from the settings: `make reference`."""

import sys
import textwrap
from collections.abc import Iterator

from pydantic import BaseModel

from bot.config.model import Settings
from settings_tables import Setting, Table, tables

_WIDTH = 118
_HEAD = """\
# The settings of patchbot. Copy this file to config.toml (or /etc/patchbot/config.toml) and fill in
# the account and the servers; all other values here are the defaults.
# This file is written by `make reference` from bot/config/model.py.
#
# A line that begins with "#" and no space is a setting that is off: remove the "#" to use it.
# `patchbot check-config` tells what the bot would do, and contacts no server.
#
# Each setting of a [table] can also come from the environment, PATCHBOT_MATRIX__PASSWORD for `password`
# in [matrix], or from a file of the secrets directory (systemd's LoadCredential=matrix__password:…).
# The environment wins over the secrets directory, and that over this file.
"""


def example(model: type[BaseModel] = Settings) -> str:
    """The file, in TOML."""
    return "\n".join([_HEAD, *(line for table in tables(model) for line in _table(table))])


def _table(table: Table) -> Iterator[str]:
    off = "" if table.is_required else "#"
    yield from _comment(table.about)
    if table.name:
        yield f"{off}{table.heading}"
    for setting in table.settings:
        yield from _setting(setting, off)
    yield ""


def _setting(setting: Setting, off: str) -> Iterator[str]:
    """Its comment and its value; a second example is off, below what its entries may be instead."""
    yield from _comment(setting.about)
    first, *others = setting.examples
    yield f"{'#' if setting.is_off else off}{setting.name} = {first}"
    if setting.parts:
        yield from _parts(setting.parts)
    yield from (f"#{setting.name} = {other}" for other in others)


def _parts(table: Table) -> Iterator[str]:
    width = max(len(part.name) for part in table.settings)
    yield f"# {table.about.rstrip('.')}:"
    yield from (f"#   {part.name:{width}}  {part.about}" for part in table.settings)


def _comment(text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    yield from (f"# {line}" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(example())
