"""Defines the types of setting values; error messages never repeat a value, which may be a secret."""

import json
import re
from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from bot.ids import ProjectName, ServerName, UserId
from bot.query.index.globs import PatternError, check_glob

_Entry = TypeVar("_Entry")

_MATRIX_SERVER = r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
_LISTEN = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
_STORE = re.compile(r"sqlite:///.+|postgresql://.+", re.DOTALL)
# Only one @ and no / ? # before it; otherwise part of a password could be shown as a host, port or database name
_POSTGRES = re.compile(r"postgresql://([^@/?#]*@)?[^@/?#]*(/[^@/?#]*)?(\?[^@#]*)?")
_BELOW_THE_FRONT = re.compile(r"/(?:api|project|projects|patch|series|cover|comment|bundle|bundles)(?:/|$)")
_BELOW_THE_HOMESERVER = re.compile(r"/(?:_matrix|_synapse|\.well-known)(?:/|$)")
_PORT_MAX = 65535


def _form(pattern: str, what: str) -> AfterValidator:
    """Return a validator that matches the whole text; *what* completes "must be …"."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not (value.isprintable() and compiled.fullmatch(value)):
            raise ValueError(f"must be {what}")
        return value

    return AfterValidator(check)


def all_differ(name_of: Callable[[_Entry], str]) -> AfterValidator:
    """Return a validator that no two entries of a list have the same name."""

    def check(entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
        names = [name_of(entry) for entry in entries]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"has two entries named {twice}")
        return entries

    return AfterValidator(check)


def _not_empty(entries: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    """Require an entry; unlike pydantic's min_length, this does not count invalid entries as missing."""
    if not entries:
        raise ValueError("must have at least one entry")
    return entries


def _web_address(value: str) -> str:
    """Validate what all addresses have in common: http or https, a host, no credentials."""
    if not value.isprintable() or " " in value:
        raise ValueError("must not contain spaces or control characters")
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError if it is invalid
    except ValueError:
        raise ValueError("must be a web address, such as https://example.org") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    if not parts.hostname:
        raise ValueError("must contain a host name, as in https://example.org")
    return value


def _base_url(value: str) -> str:
    """Validate an address that paths are appended to."""
    if "?" in _web_address(value) or "#" in value:
        raise ValueError("must not have a query or a fragment")
    return value.rstrip("/")


def _patchwork_url(value: str) -> str:
    """Validate the address of a server's front page, which its API and project pages are below."""
    front = _base_url(value)
    if _BELOW_THE_FRONT.search(urlsplit(front).path):
        raise ValueError(
            "must be the front page's address, such as https://patchwork.ozlabs.org, without a page below it"
        )
    return front


def _homeserver(value: str) -> str:
    """Validate the address of a homeserver, which its API is below; people paste that of their web client instead."""
    if "#/" in value:
        raise ValueError(
            "must be the address of the homeserver, such as https://matrix.example.org, not a web client's"
        )
    front = _base_url(value)
    if _BELOW_THE_HOMESERVER.search(urlsplit(front).path):
        raise ValueError("must be the address of the homeserver, such as https://matrix.example.org, without /_matrix")
    return front


def _archive_url(value: str) -> str:
    without = value.replace("{msgid}", "")
    if without == value or "{" in without or "}" in without:
        raise ValueError("must contain {msgid}, and no other braces")
    if "{msgid}" in urlsplit(_web_address(value)).netloc:
        raise ValueError("must have {msgid} in the path, not in the host name")
    return value


def _one_or_more(value: object) -> object:
    """Turn a single text into a list."""
    return [value] if isinstance(value, str) else value


def _maintainers(places: tuple[str, ...]) -> tuple[str, ...]:
    """Validate a list of paths and addresses; addresses may have a query."""
    for place in places:
        if "://" in place:
            _web_address(place)
    return places


def _proxy(value: SecretStr) -> SecretStr:
    """Validate an address that may contain credentials; "" is valid, too."""
    url = value.get_secret_value()
    if not url:
        return value
    scheme, separator, rest = url.partition("://")
    _base_url(scheme + separator + rest.rpartition("@")[2])
    return value


def _store_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if not _STORE.fullmatch(url):
        raise ValueError("must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    if url.startswith("postgresql:") and not _POSTGRES.fullmatch(url):
        raise ValueError("must write @ / ? # in a user name or password as %40 %2F %3F %23")
    return value


def _listen(value: str) -> str:
    if value and not _LISTEN.fullmatch(value):
        raise ValueError('must be host:port, such as 127.0.0.1:9199, or "" to turn the pages off')
    if value and int(value.rpartition(":")[2]) > _PORT_MAX:
        raise ValueError(f"must have a port from 0 to {_PORT_MAX}")
    return value


def _glob(value: str) -> str:
    try:
        check_glob(value)
    except PatternError as error:
        raise ValueError(str(error)) from None
    return value


def _no_boolean(value: object) -> object:
    """Reject booleans, which pydantic would read as 0 or 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004  # pydantic collects ValueErrors
    return value


def _list(value: object) -> object:
    """Parse a list from the environment, as JSON or separated by commas; lists from the file are unchanged."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [entry.strip() for entry in value.split(",") if entry.strip()]
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("must be a JSON list, or entries separated by commas") from None


def _tables(value: object) -> object:
    """Parse a list of tables from the environment, as JSON; lists from the file are unchanged."""
    try:
        entries = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        entries = None
    if not isinstance(entries, list | tuple):
        raise ValueError("must be a list of tables: [[…]] in the file, or JSON in the environment")  # noqa: TRY004  # pydantic collects ValueErrors
    return entries


NOT_EMPTY = AfterValidator(_not_empty)
TABLES = BeforeValidator(_tables)
TEXT_LIST = BeforeValidator(_list)

Text = Annotated[str, Field(min_length=1, max_length=4096)]
AsciiText = Annotated[Text, _form(r"[ -~]+", "plain ASCII text, such as ops@example.org")]
UserAgent = Annotated[
    str, Field(max_length=128), _form(r"(?:[!-~](?:[ -~]*[!-~])?)?", "plain ASCII text, such as patch-notifier/1.0")
]
Word = Annotated[Text, Field(max_length=32), _form(r"\S+", "a word without spaces")]
Number = Annotated[float, BeforeValidator(_no_boolean)]  # fields set lower and upper bounds, which exclude inf and nan
Count = Annotated[int, BeforeValidator(_no_boolean)]

HomeserverUrl = Annotated[Text, AfterValidator(_homeserver)]
PatchworkUrl = Annotated[Text, AfterValidator(_patchwork_url)]
ArchiveUrl = Annotated[Text, AfterValidator(_archive_url)]
MaintainersFiles = Annotated[tuple[Text, ...], BeforeValidator(_one_or_more), AfterValidator(_maintainers)]
Listen = Annotated[str, AfterValidator(_listen)]
ProxyUrl = Annotated[SecretStr, AfterValidator(_proxy)]
StoreUrl = Annotated[SecretStr, AfterValidator(_store_url)]

MatrixUser = Annotated[
    UserId,
    Field(max_length=255),
    _form(rf"@[!-9;-~]+:{_MATRIX_SERVER}", "a Matrix user id, such as @name:example.org"),
]
Inviter = Annotated[Text, _form(r"@?[!-9;-~]+:[!-~]+", "a Matrix user id, or *:example.org for everybody of a server")]
RoomName = Annotated[
    Text,
    _form(
        rf"#[^\s:]+:{_MATRIX_SERVER}|!\S+",
        "a room's alias or id, such as #name:example.org or !abc:example.org",
    ),
]
PatchworkName = Annotated[
    ServerName,
    Field(max_length=64),
    _form(r"[A-Za-z0-9][A-Za-z0-9._-]*", "letters, digits, dots, dashes and underscores"),
]
StateName = Annotated[
    Text, Field(max_length=60), _form(r"[^\W_](?:[\w -]*[^\W_])?", "the name of a state, such as under-review")
]
LaneName = Annotated[Text, Field(max_length=20), _form(r"\S+", "a word without spaces, such as AI")]
ContextGlob = Annotated[Text, Field(max_length=255), AfterValidator(_glob)]
LinkName = Annotated[
    ProjectName, Field(max_length=255), _form(r"[^\s/,?#&]+", "a project's link name, such as qemu-devel")
]
