"""Requests to a homeserver. Pure. Paths: Matrix specification v1.18, client-server API."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from bot.ids import DeviceId, EventId, RoomId, TxnId, UserId
from bot.matrix import answer_limits as readings
from bot.matrix.answer_reader import ReadPlan
from bot.matrix.content import encoded
from bot.matrix.model import Content
from bot.matrix.rooms import STATE_TYPES

PAGE_EVENTS = 100
_API = "/_matrix/client/v3"
_MEDIA = "/_matrix/media/v3"
_DEVICE_NAME = "patchwork-matrix-bot"
_FEDERATION_MS = 10_000  # how long the homeserver may wait for other homeservers
_VERSIONS_SECONDS = 5.0
_REDACT_SECONDS = 10.0  # an answer waits for it
_UPLOAD_SECONDS = 20.0  # the message waits for it, and the text alone is also an answer
_ENDPOINTS = frozenset(
    {
        "account",
        "directory",
        "join",
        "keys",
        "leave",
        "login",
        "messages",
        "send",
        "sendToDevice",
        "state",
        "sync",
        "upload",
    }
)


@dataclass(frozen=True, slots=True)
class MatrixRequest:
    """A request; *seconds* is its timeout (default: the usual one), *reading* the plan for a large response.

    Its content is the JSON of *body*, or *data* of the type *kind*.
    """

    method: str
    path: str
    body: Content | None = None
    seconds: float | None = None
    reading: ReadPlan | None = None
    data: bytes | None = None
    kind: str = "application/json"

    @property
    def endpoint(self) -> str:
        """The metric label of the request's path; "other" if it has none of its own."""
        parts = self.path.partition("?")[0].removeprefix(f"{_API}/").removeprefix(f"{_MEDIA}/").split("/")
        word = parts[2] if parts[0] == "rooms" and len(parts) > 2 else parts[0]
        return word if word in _ENDPOINTS else "other"


def login(user: UserId, password: str, device: DeviceId | None) -> MatrixRequest:
    """Return the request that logs in with *device*, or with a new one."""
    body: dict[str, object] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
        "initial_device_display_name": _DEVICE_NAME,
    }
    return _post("/login", body if device is None else {**body, "device_id": device})


def who_am_i() -> MatrixRequest:
    """Return the request for the owner of a token."""
    return _get("/account/whoami")


def versions() -> MatrixRequest:
    """Return the request for the versions that the homeserver supports, which needs no token."""
    return MatrixRequest("GET", "/_matrix/client/versions", seconds=_VERSIONS_SECONDS)


def send(room: RoomId, kind: str, txn: TxnId, content: Content) -> MatrixRequest:
    """Return the request that sends an event of type *kind* to a room."""
    return MatrixRequest("PUT", f"{_API}{_room(room)}/send/{_quoted(kind)}/{_quoted(txn)}", content)


def upload(data: bytes, kind: str, name: str) -> MatrixRequest:
    """Return the request that uploads a file of the MIME type *kind*; without a *name* if it is encrypted."""
    query = f"?{urlencode({'filename': name})}" if name else ""
    return MatrixRequest("POST", f"{_MEDIA}/upload{query}", seconds=_UPLOAD_SECONDS, data=data, kind=kind)


def join(room: str, via: tuple[str, ...], seconds: float) -> MatrixRequest:
    """Return the request that joins a room by alias or id; *via* are servers that know an id."""
    servers = [
        (name, server) for server in via if server for name in ("via", "server_name")
    ]  # "via" since v1.12, "server_name" before
    return MatrixRequest("POST", f"{_API}/join/{_quoted(room)}?{urlencode(servers)}", {}, seconds)


def leave(room: RoomId) -> MatrixRequest:
    """Return the request that leaves a room, or declines an invitation."""
    return _post(f"{_room(room)}/leave", {})


def resolve(alias: str) -> MatrixRequest:
    """Return the request for the room with an alias."""
    return _get(f"/directory/room/{_quoted(alias)}")


def state(room: RoomId, kind: str) -> MatrixRequest:
    """Return the request for the content of a room's state event."""
    return _get(f"{_room(room)}/state/{_quoted(kind)}/")


def state_event(room: RoomId, kind: str, key: str) -> MatrixRequest:
    """Return the request for a room's state event; homeservers without support for that return only its content."""
    return _get(f"{_room(room)}/state/{_quoted(kind)}/{_quoted(key)}", {"format": "event"})


def event(room: RoomId, event_id: EventId) -> MatrixRequest:
    """Return the request for one event of a room."""
    return _get(f"{_room(room)}/event/{_quoted(event_id)}")


def redact(room: RoomId, event_id: EventId, txn: TxnId) -> MatrixRequest:
    """Return the request that redacts an event; the same *txn* redacts it once."""
    path = f"{_API}{_room(room)}/redact/{_quoted(event_id)}/{_quoted(txn)}"
    return MatrixRequest("PUT", path, {"reason": "an API token"}, _REDACT_SECONDS)


def messages(
    room: RoomId, event_filter: Content, start: str | None, to: str | None = None, limit: int = PAGE_EVENTS
) -> MatrixRequest:
    """Return the request for a page of a room's events, back from *start* (None: now) to *to* (None: the beginning)."""
    query = {"dir": "b", "limit": str(limit), "filter": encoded(event_filter).decode(), "from": start, "to": to}
    return replace(_get(f"{_room(room)}/messages", query), reading=readings.PAGE)


def sync(since: str | None, timeout_ms: int, *, full_state: bool, without: Iterable[RoomId] = ()) -> MatrixRequest:
    """Return the request for the events since *since*, *without* some rooms."""
    query = {
        "filter": encoded(_sync_filter(without)).decode(),
        "timeout": str(timeout_ms),
        "since": since,
        "full_state": "true" if full_state else None,
    }
    return _get("/sync", query)


def sync_keys(since: str | None, number: int) -> MatrixRequest:
    """Return the request for what was sent to our device since *since*, without anything of rooms.

    *number*, from 1, must be another one each time, because Synapse keeps the answer to the same request for 2 minutes.
    """
    nothing: Content = {"types": []}
    content = {"room": {"rooms": [], "timeline": {"limit": number}}, "presence": nothing, "account_data": nothing}
    return _get("/sync", {"filter": encoded(content).decode(), "timeout": "0", "since": since, "full_state": None})


def _sync_filter(without: Iterable[RoomId]) -> Content:
    rooms: dict[str, object] = {
        "state": {"types": STATE_TYPES, "lazy_load_members": True},
        "timeline": {"limit": 50, "lazy_load_members": True},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
    }
    if not_rooms := sorted(without):
        rooms["not_rooms"] = not_rooms
    return {"room": rooms, "presence": {"types": []}, "account_data": {"types": []}}


def members(room: RoomId) -> MatrixRequest:
    """Return the request for the joined and invited members of a room."""
    return replace(_get(f"{_room(room)}/members", {"not_membership": "leave"}), reading=readings.MEMBERS)


def account_data(user: UserId, kind: str) -> MatrixRequest:
    """Return the request for account data, which all our devices share."""
    return _get(f"/user/{_quoted(user)}/account_data/{_quoted(kind)}")


def set_account_data(user: UserId, kind: str, content: Content) -> MatrixRequest:
    """Return the request that sets account data."""
    return MatrixRequest("PUT", f"{_API}/user/{_quoted(user)}/account_data/{_quoted(kind)}", content)


# Keys of devices


def upload_keys(keys: Content) -> MatrixRequest:
    """Return the request that uploads our keys; the response has the number of keys at the homeserver."""
    return _post("/keys/upload", keys)


def query_keys(users: Iterable[UserId]) -> MatrixRequest:
    """Return the request for the devices of *users*, and their keys."""
    body = {"timeout": _FEDERATION_MS, "device_keys": {user: [] for user in users}}
    return replace(_post("/keys/query", body), reading=readings.DEVICES)


def claim_keys(devices: Mapping[UserId, Iterable[DeviceId]]) -> MatrixRequest:
    """Return the request for a one-time key of each device."""
    keys = {user: dict.fromkeys(names, "signed_curve25519") for user, names in devices.items()}
    body = {"timeout": _FEDERATION_MS, "one_time_keys": keys}
    return replace(_post("/keys/claim", body), reading=readings.ONE_TIME_KEYS)


def send_to_devices(kind: str, txn: str, messages: Mapping[UserId, Mapping[DeviceId, Content]]) -> MatrixRequest:
    """Return the request that sends messages of type *kind* to devices, outside of rooms."""
    return MatrixRequest("PUT", f"{_API}/sendToDevice/{_quoted(kind)}/{_quoted(txn)}", {"messages": messages})


def upload_identity(keys: Content) -> MatrixRequest:
    """Return the request that uploads our cross-signing keys."""
    return _post("/keys/device_signing/upload", keys)


def upload_signatures(signatures: Content) -> MatrixRequest:
    """Return the request that uploads signatures of our own devices."""
    return _post("/keys/signatures/upload", signatures)


def delete_devices(devices: Iterable[DeviceId]) -> MatrixRequest:
    """Return the request that deletes devices of ours."""
    return _post("/delete_devices", {"devices": list(devices)})


def with_password(request: MatrixRequest, user: UserId, password: str, session: str | None) -> MatrixRequest:
    """Return *request* with the authentication that was demanded (specification, "User-Interactive API")."""
    identifier = {"type": "m.id.user", "user": user}
    auth = {"type": "m.login.password", "identifier": identifier, "password": password, "session": session}
    return replace(request, body={**(request.body or {}), "auth": {k: v for k, v in auth.items() if v is not None}})


def _get(path: str, query: Mapping[str, str | None] | None = None) -> MatrixRequest:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return MatrixRequest("GET", f"{_API}{path}" + (f"?{urlencode(given)}" if given else ""))


def _post(path: str, body: Content) -> MatrixRequest:
    return MatrixRequest("POST", f"{_API}{path}", body)


def _room(room: RoomId) -> str:
    return f"/rooms/{_quoted(room)}"


def _quoted(part: str) -> str:
    """Return a quoted part of a path."""
    return quote(part, safe="")
