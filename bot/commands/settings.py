"""Answers `set` and `settings`, the commands on the settings of a room."""

import asyncio
import difflib
import re
import zoneinfo
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.commands.answers import subscriptions as answers
from bot.commands.context import ChangeResult, CommandContext, changed, hearing, may_change, typed
from bot.commands.request import Answer, CommandRequest
from bot.commands.servers import namesake
from bot.errors import UserError
from bot.ids import RoomId
from bot.notices.digest import when
from bot.notices.floods import DEFAULT_LIMIT
from bot.notices.markup import Bullets, Code, Lines, Strong, words
from bot.query.durations import in_words, read_duration
from bot.query.options import CardForm
from bot.store.nudge_book import NUDGE
from bot.store.store import Transaction
from bot.store.subscription_book import FLOOD, MODE, NOTIFY, PROJECT, TIMEZONE
from bot.store.unfurl_book import UNFURL
from bot.subscriptions.digest_schedule import zone_named
from bot.subscriptions.registry import SubscriptionRegistry

NO_PROJECT = "none"
_NOTHING = frozenset({NO_PROJECT, "no", "off", "all", "any", "default", "-", ""})
_NEVER = frozenset({"never", "off", "no", "none", "unlimited"})
_SWITCHES = {
    **dict.fromkeys(("yes", "true", "1", "always"), "on"),
    **dict.fromkeys(("no", "false", "0", "never"), "off"),
}
_FORMS = {"cards": CardForm.CARD, "full": CardForm.CARD, "long": CardForm.CARD, "short": CardForm.COMPACT}
_MOST_FLOOD = 100_000
_DAY = timedelta(days=1)
_UNIVERSAL = frozenset({"UTC", "GMT", "Z", "ZULU", "UCT", "UNIVERSAL", "ETC/UTC", "ETC/GMT", "GREENWICH"})
# Names in the time zone database that are not places; some of them have no summer time.
_SEASONAL = frozenset(
    {
        "CET",
        "CST6CDT",
        "EET",
        "EST",
        "EST5EDT",
        "HST",
        "MET",
        "MST",
        "MST7MDT",
        "PST8PDT",
        "WET",
        "GMT0",
        "GMT+0",
        "GMT-0",
        "localtime",  # of the machine
        "posixrules",
        "Factory",
    }
)
_ABBREVIATED = re.compile(
    r"[A-Za-z]{2,5}|[A-Z]{3,4}\d[A-Z]{3}|(?:UTC|GMT|Etc/GMT)?[+-]\d{1,2}(?::?\d\d)?", re.IGNORECASE
)
_ZONES_FOR_EXAMPLE = "Europe/Berlin or America/Los_Angeles"
_ABBREVIATIONS = {
    **dict.fromkeys(("CET", "CEST", "MET", "MEST", "MEZ", "MESZ"), "Europe/Berlin or Europe/Paris"),
    **dict.fromkeys(("EET", "EEST"), "Europe/Helsinki or Europe/Athens"),
    **dict.fromkeys(("WET", "WEST", "BST"), "Europe/London or Europe/Lisbon"),
    **dict.fromkeys(("PST", "PDT", "PT", "PST8PDT"), "America/Los_Angeles"),
    **dict.fromkeys(("MST", "MDT", "MT", "MST7MDT"), "America/Denver or America/Phoenix"),
    **dict.fromkeys(("CST", "CDT", "CT", "CST6CDT"), "America/Chicago or Asia/Shanghai"),
    **dict.fromkeys(("EST", "EDT", "ET", "EST5EDT"), "America/New_York or America/Toronto"),
    **dict.fromkeys(("AEST", "AEDT"), "Australia/Sydney or Australia/Brisbane"),
    "HST": "Pacific/Honolulu",
    "IST": "Asia/Kolkata, Asia/Jerusalem or Europe/Dublin",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "MSK": "Europe/Moscow",
}


@dataclass(frozen=True, slots=True)
class RoomSetting:
    """The description of a setting: its default, its summary, its possible values, and an example of one.

    *only_direct* says why only direct chats have it; "" if rooms have it, too. *only_rooms* is the reverse.
    """

    key: str
    default: str
    summary: str
    values: str
    example: str
    only_direct: str = ""
    only_rooms: str = ""
    words: tuple[str, ...] = ()  # by which questions find it


SETTINGS: tuple[RoomSetting, ...] = (
    RoomSetting(
        PROJECT,
        NO_PROJECT,
        'the project that queries without "project:" are about',
        f"the name of a project, or {NO_PROJECT}",
        "qemu-devel",
    ),
    RoomSetting(
        MODE,
        CardForm.CARD,
        "how new series are shown",
        "card, or compact (two lines)",
        CardForm.COMPACT,
        words=("short", "shorter", "compact", "smaller"),
    ),
    RoomSetting(
        TIMEZONE,
        "UTC",
        "the zone of all times that I show or am told here",
        "a name such as Europe/Berlin",
        "Europe/Berlin",
        words=("zone", "utc", "clock"),
    ),
    RoomSetting(
        NOTIFY,
        "on",
        "whether cards notify in a direct chat",
        "on or off",
        "off",
        only_direct="cards in rooms never notify",
        words=("notification", "notifications", "ring", "rings", "ringing", "beep", "sound"),
    ),
    RoomSetting(
        FLOOD,
        str(DEFAULT_LIMIT),
        "more new series than this at once become one message with a list",
        f"1 to {_MOST_FLOOD}, or 0 for never",
        "20",
        words=("floods", "flooded", "import"),
    ),
    RoomSetting(
        NUDGE,
        "off",
        "after how long without an answer I remind you of a patch of yours, once a version",
        "1d to 365d, or off",
        "21d",
        only_direct="it is about your own patches",
        words=("reminder", "remind", "unanswered", "ping", "nudges"),
    ),
    RoomSetting(
        UNFURL,
        "on",
        "whether I answer links to patches that people paste with a line about each",
        "on or off",
        "off",
        only_rooms="in a direct chat a link means show",
        words=("unfurls", "unfurling", "preview", "previews", "links", "pasted", "paste"),
    ),
)


class SettingCommands:
    """The commands on the settings of a room."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._settings: Mapping[str, RoomSetting] = {setting.key: setting for setting in SETTINGS}
        self._readers: Mapping[str, Callable[[str], Awaitable[str]]] = {
            PROJECT: self._project,
            MODE: _one_of(MODE, tuple(CardForm), _FORMS),
            TIMEZONE: _zone,
            NOTIFY: _one_of(NOTIFY, ("on", "off"), _SWITCHES),
            FLOOD: _flood,
            NUDGE: _nudge,
            UNFURL: _one_of(UNFURL, ("on", "off"), _SWITCHES),
        }

    async def set(self, request: CommandRequest) -> Answer:
        """Change a setting of the room."""
        await may_change(self._context, request)
        setting = self._named(request.call.arguments["key"])
        if setting.only_direct and not request.direct:
            raise UserError(f"{setting.key} only applies to direct chats; {setting.only_direct}.")
        if setting.only_rooms and request.direct:
            raise UserError(f"{setting.key} only applies to rooms; {setting.only_rooms}.")
        value = await self._readers[setting.key](request.call.arguments["value"].strip())

        async def change(tx: Transaction) -> ChangeResult:
            room = request.message.room
            default = await _default(tx, room, setting)
            old = (await tx.subscriptions.settings(room)).get(setting.key, default)
            if value == old:
                raise UserError(f"{setting.key} is {value} already; nothing was changed.")
            sentences = [f"{setting.key} is now {value} (was {old})."]
            await tx.subscriptions.set(room, setting.key, None if value == default else value)
            sentences += await _nudging(tx, request, value) if setting.key == NUDGE else []
            sentences += await _retimed(tx, room) if setting.key == TIMEZONE else []
            sentences += namesake(self._context.places, value) if setting.key == PROJECT else []
            undo = typed(request, "set", setting.key, old)
            return ChangeResult(answers.done(sentences, undo), await self._follow(tx, room, setting, value))

        return await changed(self._context, request, change)

    async def settings(self, request: CommandRequest) -> Answer:
        """Answer `settings` with the current values and the possible ones."""
        async with self._context.store.transaction() as tx:
            chosen = await tx.subscriptions.settings(request.message.room)
            every = self._settings.values()
            shown = [each for each in every if not (each.only_rooms if request.direct else each.only_direct)]
            defaults = {setting.key: await _default(tx, request.message.room, setting) for setting in shown}
        items = tuple(
            words(
                Strong(setting.key),
                f" is {chosen.get(setting.key, defaults[setting.key])} — {setting.summary} ({setting.values})",
            )
            for setting in shown
        )
        example = typed(request, "set", TIMEZONE, "Europe/Berlin")
        return Answer((Bullets(items), Lines((words("Change one: ", Code(example)),))))

    def _named(self, key: str) -> RoomSetting:
        setting = self._settings.get(key.lower())
        if setting is None:
            raise UserError(_no_such("setting", key, self._settings))
        return setting

    async def _follow(
        self, tx: Transaction, room: RoomId, setting: RoomSetting, value: str
    ) -> Callable[[SubscriptionRegistry], None]:
        """Return a function that applies a changed setting to the index of subscriptions."""
        if setting.key == PROJECT:
            return await hearing(tx, await tx.subscriptions.in_room(room))
        if setting.key == NOTIFY:
            return lambda listeners: listeners.ring(room, rings=value == setting.default)
        if setting.key == MODE:
            return lambda listeners: listeners.show(room, CardForm(value))
        return lambda _: None

    async def _project(self, value: str) -> str:
        if value.lower() in _NOTHING:
            return NO_PROJECT
        projects = {name.lower(): name for place in self._context.places for name in place.projects}
        if (project := projects.get(value.lower())) is None:
            raise UserError(_no_such("watched project", value, projects.values()))
        return project


async def _retimed(tx: Transaction, room: RoomId) -> list[str]:
    """Reschedule the digests of a room for its new time zone; return a sentence on the next one, if there is any."""
    await tx.digests.reschedule(room)
    at = await tx.digests.next_of(room)
    return [f"Next digest: {when(at, zone_named(await tx.subscriptions.timezone(room)))}."] if at is not None else []


async def _default(tx: Transaction, room: RoomId, setting: RoomSetting) -> str:
    """Return the value of a setting that was not set in chat; the configuration file may set the flood limit."""
    return str(await tx.floods.configured_limit(room)) if setting.key == FLOOD else setting.default


def _one_of(key: str, values: tuple[str, ...], other_words: Mapping[str, str]) -> Callable[[str], Awaitable[str]]:
    async def read(value: str) -> str:
        name = other_words.get(value.lower(), value.lower())
        if name not in values:
            raise UserError(f"{key} is {' or '.join(values)}, not “{value[:50]}”.")
        return name

    return read


async def _zone(value: str) -> str:
    """Return the time zone with this name; abbreviations and offsets are refused, as they do not define summer time.

    Raises:
        UserError: there is no such zone; the text names a similar one.
    """
    name = "_".join(value.split())
    if name.upper() in _UNIVERSAL:
        return "UTC"
    zones = await asyncio.to_thread(zoneinfo.available_timezones)
    known = {zone.lower(): zone for zone in zones if zone not in _SEASONAL and not zone.startswith("Etc/")}
    if (zone := known.get(name.lower())) is not None:
        return zone
    if _ABBREVIATED.fullmatch(name):
        near = _ABBREVIATIONS.get(name.upper(), _ZONES_FOR_EXAMPLE)
        raise UserError(f"“{value[:50]}” does not say when summer time begins and ends. Type a zone such as {near}.")
    in_city = [zone for zone in known.values() if zone.rpartition("/")[2].lower() == name.lower()]
    if len(in_city) == 1:
        return in_city[0]
    if in_city:
        raise UserError(f"There are several time zones “{value[:50]}”: {', '.join(sorted(in_city))}.")
    raise UserError(_no_such("time zone", value, sorted(known.values())))


async def _flood(value: str) -> str:
    value = "0" if value.lower() in _NEVER else value
    if not (value.isascii() and value.isdigit() and len(value) <= 6 and int(value) <= _MOST_FLOOD):
        raise UserError(f"flood is a number from 0 to {_MOST_FLOOD}, not “{value[:50]}”.")
    return str(int(value))


async def _nudge(value: str) -> str:
    if value.lower() in _NEVER:
        return "off"
    length = read_duration(f"{value}d" if value.isascii() and value.isdigit() else value)
    if length is None or length % _DAY or not _DAY <= length <= 365 * _DAY:
        raise UserError(f"nudge is a number of days such as 21d, or off, not “{value[:50]}”.")
    return f"{length // _DAY}d"


async def _nudging(tx: Transaction, request: CommandRequest, value: str) -> list[str]:
    """Begin or end the reminders in a direct chat.

    Raises:
        UserError: the person has no addresses, so nothing is known to be theirs.
    """
    room, person = request.message.room, request.message.sender
    if value == "off":
        await tx.nudges.unset(room)
        return []
    if not await tx.subscriptions.addresses(person):
        example = typed(request, "me", "ada@example.org")
        raise UserError(f"I know no address of yours, so none of your patches. First type for example: {example}")
    await tx.nudges.set(room, person)
    length = in_words(read_duration(value) or _DAY)
    return [f"I will remind you here, once a version, when nothing has happened to a patch of yours for {length}."]


def _no_such(what: str, typed_: str, names: Iterable[str]) -> str:
    """Return the error for an unknown name, with a similar one or, if there are few, all of them."""
    known = list(names)
    folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(typed_.lower()[:100], folded, n=1)
    if near:
        guess = f"Did you mean “{folded[near[0]]}”?"
    else:
        guess = f"Known: {', '.join(known)}." if len(known) <= 20 else "Europe/Berlin is one, for example."
    return f"There is no {what} “{typed_[:50]}”. {guess}"
