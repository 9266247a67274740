"""What is asked of a homeserver, request by request. Pure. Paths: Matrix specification v1.18, client-server API."""

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
_DEVICE_NAME = "patchwork-matrix-bot"
_FEDERATION_MS = 10_000  # how long the homeserver may wait for others
_ENDPOINTS = frozenset(
    {"account", "directory", "join", "keys", "leave", "login", "messages", "send", "sendToDevice", "state", "sync"}
)


@dataclass(frozen=True, slots=True)
class MatrixRequest:
    """A request; *seconds* is its deadline, None the usual one; *reading* how its answer is read, None: as a whole."""

    method: str
    path: str
    body: Content | None = None
    seconds: float | None = None
    reading: ReadPlan | None = None

    @property
    def endpoint(self) -> str:
        """What is asked for, as one of a few words for the metrics; "other" for whatever they do not name."""
        parts = self.path.partition("?")[0].removeprefix(f"{_API}/").split("/")
        word = parts[2] if parts[0] == "rooms" and len(parts) > 2 else parts[0]
        return word if word in _ENDPOINTS else "other"


def login(user: UserId, password: str, device: DeviceId | None) -> MatrixRequest:
    """Log in as *device*, or as a new one."""
    body: dict[str, object] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
        "initial_device_display_name": _DEVICE_NAME,
    }
    return _post("/login", body if device is None else {**body, "device_id": device})


def who_am_i() -> MatrixRequest:
    """Whose token it is."""
    return _get("/account/whoami")


def send(room: RoomId, kind: str, txn: TxnId, content: Content) -> MatrixRequest:
    """Put an event of type *kind* into a room."""
    return MatrixRequest("PUT", f"{_API}{_room(room)}/send/{_quoted(kind)}/{_quoted(txn)}", content)


def join(room: str, via: tuple[str, ...], seconds: float) -> MatrixRequest:
    """Come into a room, by alias or id; *via* are servers that know an id."""
    servers = [(name, server) for server in via if server for name in ("via", "server_name")]  # since v1.12, and before
    return MatrixRequest("POST", f"{_API}/join/{_quoted(room)}?{urlencode(servers)}", {}, seconds)


def leave(room: RoomId) -> MatrixRequest:
    """Go, or decline an invitation."""
    return _post(f"{_room(room)}/leave", {})


def resolve(alias: str) -> MatrixRequest:
    """The room behind an alias."""
    return _get(f"/directory/room/{_quoted(alias)}")


def state(room: RoomId, kind: str) -> MatrixRequest:
    """The content of a room's state event."""
    return _get(f"{_room(room)}/state/{_quoted(kind)}/")


def state_event(room: RoomId, kind: str, key: str) -> MatrixRequest:
    """A room's state event with its sender, from homeservers that know how; from others its content."""
    return _get(f"{_room(room)}/state/{_quoted(kind)}/{_quoted(key)}", {"format": "event"})


def event(room: RoomId, event_id: EventId) -> MatrixRequest:
    """One event of a room."""
    return _get(f"{_room(room)}/event/{_quoted(event_id)}")


def messages(
    room: RoomId, event_filter: Content, start: str | None, to: str | None = None, limit: int = PAGE_EVENTS
) -> MatrixRequest:
    """A page of a room's events, going back from *start* (None: from now) to *to* (None: to the beginning)."""
    query = {"dir": "b", "limit": str(limit), "filter": encoded(event_filter).decode(), "from": start, "to": to}
    return replace(_get(f"{_room(room)}/messages", query), reading=readings.PAGE)


def sync(since: str | None, timeout_ms: int, *, full_state: bool, without: Iterable[RoomId] = ()) -> MatrixRequest:
    """What happened since *since*, but in the rooms that it is to be *without*."""
    query = {
        "filter": encoded(_sync_filter(without)).decode(),
        "timeout": str(timeout_ms),
        "since": since,
        "full_state": "true" if full_state else None,
    }
    return _get("/sync", query)


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
    """Who is in a room, or asked in."""
    return replace(_get(f"{_room(room)}/members", {"not_membership": "leave"}), reading=readings.MEMBERS)


def account_data(user: UserId, kind: str) -> MatrixRequest:
    """What a device of ours left at the homeserver for the others."""
    return _get(f"/user/{_quoted(user)}/account_data/{_quoted(kind)}")


def set_account_data(user: UserId, kind: str, content: Content) -> MatrixRequest:
    """Leave it there."""
    return MatrixRequest("PUT", f"{_API}/user/{_quoted(user)}/account_data/{_quoted(kind)}", content)


# Keys of devices


def upload_keys(keys: Content) -> MatrixRequest:
    """Let others have keys of ours; the answer counts those that the homeserver has."""
    return _post("/keys/upload", keys)


def query_keys(users: Iterable[UserId]) -> MatrixRequest:
    """The devices of *users*, and their keys."""
    body = {"timeout": _FEDERATION_MS, "device_keys": {user: [] for user in users}}
    return replace(_post("/keys/query", body), reading=readings.DEVICES)


def claim_keys(devices: Mapping[UserId, Iterable[DeviceId]]) -> MatrixRequest:
    """A one-time key of each device."""
    wanted = {user: dict.fromkeys(names, "signed_curve25519") for user, names in devices.items()}
    body = {"timeout": _FEDERATION_MS, "one_time_keys": wanted}
    return replace(_post("/keys/claim", body), reading=readings.ONE_TIME_KEYS)


def send_to_devices(kind: str, txn: str, messages: Mapping[UserId, Mapping[DeviceId, Content]]) -> MatrixRequest:
    """Messages of type *kind* by user and device, outside of rooms."""
    return MatrixRequest("PUT", f"{_API}/sendToDevice/{_quoted(kind)}/{_quoted(txn)}", {"messages": messages})


def upload_identity(keys: Content) -> MatrixRequest:
    """Our cross-signing keys."""
    return _post("/keys/device_signing/upload", keys)


def upload_signatures(signatures: Content) -> MatrixRequest:
    """Signatures over our own devices."""
    return _post("/keys/signatures/upload", signatures)


def delete_devices(devices: Iterable[DeviceId]) -> MatrixRequest:
    """Log devices of ours out for good."""
    return _post("/delete_devices", {"devices": list(devices)})


def with_password(request: MatrixRequest, user: UserId, password: str, session: str | None) -> MatrixRequest:
    """*request* once more, with the proof that the homeserver asked for (specification, "User-Interactive API")."""
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
    """A part of a path."""
    return quote(part, safe="")
