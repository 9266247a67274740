"""The page on all settings, written from their model: `make reference`."""

import re
import sys
from collections.abc import Iterator

from pydantic import BaseModel

from bot.config.model import ENV_PREFIX, Settings
from settings_tables import Setting, Table, tables

_HEAD = """\
# Configuration

This page is written by `make reference` from `bot/config/model.py`, as is `config.example.toml`, which is the file to
begin with.

`patchbot run` reads the file that `--config` names, else `config.toml` where it is started, else
`/etc/patchbot/config.toml`. The secrets directory counts before the file: where `$CREDENTIALS_DIRECTORY` names one, as
systemd does for `LoadCredential=`, a file in it called `matrix__password` is the setting `password` of `[matrix]`. The
environment counts before both, by the variables that are named below. A list there is JSON, or entries with commas
between them.

A key that is not known is a mistake, in the file and in the environment. `patchbot check-config` tells all mistakes at
once, and what would be done.
"""
_PAGE = re.compile(r"docs/(\w+\.md)")


def page(model: type[BaseModel] = Settings) -> str:
    """The page, in Markdown."""
    return "\n".join([_HEAD, *(line for table in tables(model) for line in _table(table))])


def _table(table: Table) -> Iterator[str]:
    yield f"## {f'`{table.heading}`' if table.name else 'Above all tables'}\n"
    if table.about:
        yield f"{_linked(table.about)}\n"
    if table.is_list:
        yield f"In the environment, all of these tables together are `{ENV_PREFIX}{table.name.upper()}`, a JSON list.\n"
    for setting in table.settings:
        yield from _setting(setting, table)


def _setting(setting: Setting, table: Table) -> Iterator[str]:
    yield f"### {table.name and f'{table.name}.'}{setting.name}\n"
    yield f"{'; '.join(_facts(setting, table))}.\n"
    yield f"{_linked(setting.about)}\n"
    if setting.parts:
        yield f"{setting.parts.about.rstrip('.')}:\n"
        yield from (f"- `{part.name}`: {part.about}" for part in setting.parts.settings)
        yield ""


def _facts(setting: Setting, table: Table) -> Iterator[str]:
    yield setting.kind[0].upper() + setting.kind[1:]
    if setting.is_required:
        yield "required"
    elif setting.default is not None:
        yield f"default `{setting.default}`"
    if not table.is_list:
        yield f"`{ENV_PREFIX}{'__'.join(filter(None, [table.name, setting.name])).upper()}`"


def _linked(text: str) -> str:
    """With links to the pages it names."""
    return _PAGE.sub(r"[\1](\1)", text)


if __name__ == "__main__":
    sys.stdout.write(page())
