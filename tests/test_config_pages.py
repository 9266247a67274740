"""The example and the page on the settings are the model's."""

import tomllib
from pathlib import Path
from typing import Literal

from inline_snapshot import snapshot
from pydantic import BaseModel, Field

from bot.config.model import Settings
from configuration_page import page
from example_config import example
from settings_tables import tables

TOP = Path(__file__).parent.parent


class _Lamp(BaseModel):
    colour: Literal["red", "green"] = Field(default="red", description="What it shines in; docs/queries.md says why.")
    watts: float = Field(default=7.5, gt=0, le=100, description="How brightly.")
    name: str | None = Field(default=None, description="What it is called.", examples=["Ada's"])


class _House(BaseModel):
    lamp: _Lamp = Field(default=_Lamp(), description="The lamp.")
    street: str = Field(description="Where it stands.", examples=["Sample Street"])


def test_what_the_repository_has_is_what_the_model_says() -> None:
    """`make reference` writes both."""
    assert (TOP / "config.example.toml").read_text() == example()
    assert (TOP / "docs" / "configuration.md").read_text() == page()


def test_every_setting_is_described_in_whole_sentences() -> None:
    for table in tables(Settings):
        for setting in table.settings:
            assert setting.about.endswith((".", ")")), setting.name
            assert setting.examples, setting.name


def test_a_new_table_is_on_both_pages_without_more() -> None:
    written = example(_House)

    assert tomllib.loads(written) == {"street": "Sample Street", "lamp": {"colour": "red", "watts": 7.5}}
    assert written.partition("file.\n\n")[2] == snapshot("""\
# Where it stands.
street = "Sample Street"

# The lamp.
[lamp]
# What it shines in; docs/queries.md says why.
colour = "red"
# How brightly.
watts = 7.5
# What it is called.
#name = "Ada's"
""")
    assert page(_House).partition("## ")[2] == snapshot("""\
Above all tables

### street

Text; required; `PATCHBOT_STREET`.

Where it stands.

## `[lamp]`

The lamp.

### lamp.colour

`"red"` or `"green"`; default `"red"`; `PATCHBOT_LAMP__COLOUR`.

What it shines in; [queries.md](queries.md) says why.

### lamp.watts

Number, more than 0, up to 100; default `7.5`; `PATCHBOT_LAMP__WATTS`.

How brightly.

### lamp.name

Text; `PATCHBOT_LAMP__NAME`.

What it is called.
""")
