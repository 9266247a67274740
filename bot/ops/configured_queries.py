"""Parses the subscriptions in the settings."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.config import Settings, subscription_key
from bot.errors import ConfigError, ConfigErrors, QueryError
from bot.query.parser import parse_subscription
from bot.query.query import Query
from bot.text import printable

_SHOWN = 60  # characters of a mistake


@dataclass(frozen=True, slots=True)
class RoomQuery:
    """A subscription in the settings; *room* is an alias or an id, *key* its path in the file."""

    key: str
    room: str
    query: Query


def room_queries(settings: Settings) -> tuple[RoomQuery, ...]:
    """Return the subscriptions of all rooms, in the order of the file.

    Raises:
        ConfigError: a query is invalid; the error names its key. Several invalid queries come as ConfigErrors.
    """
    found: list[RoomQuery] = []
    mistakes: list[ConfigError] = []
    for key, room, text in _written(settings):
        try:
            found.append(RoomQuery(key, room, parse_subscription(text, has_addresses=False)))
        except QueryError as error:
            mistakes.append(ConfigError(key, f"{_one_line(str(error))} (at “{_place(error)}”)"))
    if mistakes:
        raise mistakes[0] if len(mistakes) == 1 else ConfigErrors(mistakes)
    return tuple(found)


def _written(settings: Settings) -> Iterator[tuple[str, str, str]]:
    for place, room in enumerate(settings.room):
        for number, text in enumerate(room.subscribe):
            yield subscription_key(place, number), room.room, text


def _place(error: QueryError) -> str:
    text = _one_line(error.text[error.start : error.end] or error.text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _one_line(text: str) -> str:
    """Return *text* on one line, without characters that a terminal would interpret."""
    return printable(" ".join(text.split()))
