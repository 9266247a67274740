"""OAuth 2.0 as homeservers speak it: requests to the authorization server, and what its answers mean. Pure.

Shapes: Matrix specification v1.18, client-server API, "OAuth 2.0 API"; RFC 6749 (tokens), RFC 7009 (revocation), RFC
7591 (registration), RFC 8414 (metadata), RFC 8628 (device authorization).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from bot.errors import Permanent, Temporary
from bot.ids import DeviceId
from bot.json_reader import read_json
from bot.matrix.content import encoded
from bot.matrix.model import Content
from bot.patchwork.references import is_private
from bot.text import printable

STABLE_PATH: Final = "/_matrix/client/v1/auth_metadata"
UNSTABLE_PATH: Final = "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata"  # before v1.15
RESET_ACTION: Final = "org.matrix.cross_signing_reset"
CLIENT_URI: Final = "https://pypi.org/project/patchwork-matrix-bot/"
NO_OAUTH_WORDS: Final = (
    "this homeserver signs in with a password: set matrix.password (PATCHBOT_MATRIX__PASSWORD in the environment, or a "
    "file named matrix__password in the secrets directory) or matrix.access_token"
)
_CLIENT_NAME: Final = "patchwork-matrix-bot"
_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_STABLE_SCOPE: Final = "urn:matrix:client:"
_UNSTABLE_SCOPE: Final = "urn:matrix:org.matrix.msc2967.client:"
_NO_SUCH_PATH: Final = frozenset({"M_UNRECOGNIZED", "M_NOT_FOUND"})
_PASSES: Final = frozenset({"server_error", "temporarily_unavailable"})
_MAX_URL: Final = 2_048
_MAX_WORD: Final = 4_096  # bytes of a token or an id
_MAX_SHOWN: Final = 200  # characters of a server's own words
_MAX_LIFETIME: Final = 10 * 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """A request to an authorization server; without *body* it is a GET. Neither may be logged."""

    url: str
    body: bytes | None = None
    content_type: str = ""
    secrets: frozenset[str] = frozenset()  # that a refusal might repeat

    def __repr__(self) -> str:
        """Return a description without the body."""
        return f"OAuthRequest({self.url})"

    def redacted(self, words: str) -> str:
        """Return *words* of a server without the secrets that it was sent."""
        for secret in self.secrets:
            words = words.replace(secret, "…").replace(quote(secret, safe=""), "…")
        return words


@dataclass(frozen=True, slots=True)
class OAuthResponse:
    """A response of an authorization server, or of what stands in front of it."""

    status: int
    content_type: str  # without parameters, in lower case
    body: bytes = field(repr=False)
    retry_after: timedelta | None = None


class OAuthRefused(Permanent):
    """The authorization server's own refusal; *code* is an error code of RFC 6749, 7591 or 8628."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """The authorization server of a homeserver; *account_page* is where people manage their account, "" if unknown."""

    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    registration_endpoint: str
    device_authorization_endpoint: str
    account_page: str = ""
    scope: str = _STABLE_SCOPE

    def scope_of(self, device: DeviceId, *, other: bool = False) -> str:
        """Return the scope to ask for: full access as *device*; with the *other* spelling if this one is refused."""
        spelling = {_STABLE_SCOPE: _UNSTABLE_SCOPE, _UNSTABLE_SCOPE: _STABLE_SCOPE}[self.scope] if other else self.scope
        return f"{spelling}api:* {spelling}device:{device}"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens as a server gave them; *lifetime_seconds* is None if the access token does not expire."""

    access: str
    refresh: str | None
    lifetime_seconds: float | None

    def __repr__(self) -> str:
        """Return a description without the tokens."""
        return f"Tokens({self.lifetime_seconds})"


# Requests


def registration(metadata: ServerMetadata) -> OAuthRequest:
    """Return the request for a client id; every sign-in registers anew (specification, "Client registration")."""
    client = {
        "client_name": _CLIENT_NAME,
        "client_uri": CLIENT_URI,
        "application_type": "native",
        "grant_types": [_DEVICE_GRANT, "refresh_token"],
        "response_types": [],
        "token_endpoint_auth_method": "none",
    }
    return OAuthRequest(metadata.registration_endpoint, encoded(client), "application/json")


def device_authorization(metadata: ServerMetadata, client: str, scope: str) -> OAuthRequest:
    """Return the request for a code that a person enters in a browser."""
    return _form(metadata.device_authorization_endpoint, client_id=client, scope=scope)


def device_token(metadata: ServerMetadata, client: str, device_code: str) -> OAuthRequest:
    """Return the request for the tokens that the person has granted."""
    return _form(
        metadata.token_endpoint,
        secret=device_code,
        grant_type=_DEVICE_GRANT,
        device_code=device_code,
        client_id=client,
    )


def refresh(metadata: ServerMetadata, client: str, token: str) -> OAuthRequest:
    """Return the request for new tokens in exchange for a refresh token."""
    return _form(
        metadata.token_endpoint, secret=token, grant_type="refresh_token", refresh_token=token, client_id=client
    )


def revocation(metadata: ServerMetadata, client: str, token: str, hint: str) -> OAuthRequest:
    """Return the request that ends a sign-in; *hint* is the type of the token."""
    return _form(metadata.revocation_endpoint, secret=token, token=token, token_type_hint=hint, client_id=client)


def _form(url: str, *, secret: str = "", **fields: str) -> OAuthRequest:
    secrets = frozenset({secret} - {""})
    return OAuthRequest(url, urlencode(fields).encode(), "application/x-www-form-urlencoded", secrets)


# Answers


def judge(request: OAuthRequest, response: OAuthResponse) -> Content:
    """Return the JSON object of a success, {} for one without content; only JSON that is typed so counts.

    Raises:
        OAuthRefused: the server itself refuses the request.
        Temporary: rate limits, 5xx, and anything that is not an answer of an authorization server.
    """
    answer = _object(response)
    if 200 <= response.status < 300:
        if answer is None and response.body.strip():
            raise Temporary("the answer of the authorization server is not JSON")
        return answer or {}
    code, description = (request.redacted(_word(answer, key)) for key in ("error", "error_description"))
    status = f"HTTP {response.status} from the authorization server"
    if response.status in {408, 425, 429} or response.status >= 500 or code in _PASSES:
        raise Temporary(f"{status} ({shown(code)})" if code else status, response.retry_after)
    if not code:
        raise Temporary(f"{status}, without an error code of its own", response.retry_after)
    raise OAuthRefused(shown(code), shown(description))


def server_metadata(answer: Content, *, allow_http: bool, is_unstable: bool) -> ServerMetadata:
    """Return the parsed metadata; *is_unstable* is true if they come from the path of before v1.15.

    Raises:
        Permanent: a required part is missing or must not be used, or device authorization is not offered.
    """

    def address(key: str, default: str | None = None) -> str:
        value = answer.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not is_address(value, allow_http=allow_http):
            raise Permanent(
                f"the homeserver's authorization server has no usable {key}: {shown(str(value))} is not an https:// "
                "address"
                if value is not None
                else f"the homeserver's authorization server does not name its {key}"
            )
        return value

    grants = answer.get("grant_types_supported")
    offers = isinstance(grants, list) and _DEVICE_GRANT in grants
    if not offers or "device_authorization_endpoint" not in answer:
        raise Permanent(
            "the homeserver's authorization server does not offer device authorization, the only way to sign in that "
            "needs no browser here; set matrix.access_token instead"
        )
    issuer = address("issuer")
    if urlsplit(issuer).query:
        raise Permanent("the homeserver's authorization server has an issuer with a query (RFC 8414, section 2)")
    return ServerMetadata(
        issuer=issuer,
        token_endpoint=address("token_endpoint"),
        revocation_endpoint=address("revocation_endpoint"),
        registration_endpoint=address("registration_endpoint"),
        device_authorization_endpoint=address("device_authorization_endpoint"),
        account_page=address("account_management_uri", ""),
        scope=_scope_in(answer, is_unstable=is_unstable),
    )


def _scope_in(answer: Content, *, is_unstable: bool) -> str:
    """Return the spelling of scopes: the unstable one only if nothing says that the server knows the stable one."""
    listed = answer.get("scopes_supported")
    scopes = {each for each in listed if isinstance(each, str)} if isinstance(listed, list) else set[str]()
    if any(each.startswith(_STABLE_SCOPE) for each in scopes):
        return _STABLE_SCOPE
    return _UNSTABLE_SCOPE if is_unstable or any(each.startswith(_UNSTABLE_SCOPE) for each in scopes) else _STABLE_SCOPE


def is_address(url: str, *, allow_http: bool) -> bool:
    """Return whether requests may go to *url*: https, or http on this machine or where *allow_http* permits it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        len(url) <= _MAX_URL
        and url.isascii()
        and url.isprintable()
        and not set(url) & set(' "<>\\^`{|}')
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port != 0
        and "@" not in parts.netloc
        and not parts.fragment
        and (allow_http or is_private(url))
    )


def metadata_in(response: OAuthResponse) -> Content | None:
    """Return the metadata in a homeserver's response, None if it says itself that it does not know their path.

    Raises:
        Temporary: it is neither; the homeserver may be down, or something else has answered.
    """
    answer = _object(response)
    if 200 <= response.status < 300 and answer is not None:
        return answer
    code = _word(answer, "errcode")
    if response.status in {400, 404, 405} and code in _NO_SUCH_PATH:
        return None
    what = "is not JSON" if 200 <= response.status < 300 else f"is HTTP {response.status} {shown(code)}".rstrip()
    raise Temporary(f"the homeserver's answer on its authorization server {what}", response.retry_after)


def client_id(answer: Content) -> str:
    """Return the id that a registration gave us.

    Raises:
        Permanent: there is none, or it comes with a secret that every request would need.
    """
    client, method = text_of(answer, "client_id"), answer.get("token_endpoint_auth_method", "none")
    if client is None:
        raise Permanent("the authorization server registered the bot without a client_id")
    if method != "none":
        raise Permanent("the authorization server registered the bot as a client with a secret, which it cannot keep")
    return client


def tokens(answer: Content) -> Tokens:
    """Return the tokens in an answer (RFC 6749, section 5.1).

    Raises:
        Temporary: there are none.
    """
    access, kind = text_of(answer, "access_token"), answer.get("token_type")
    if access is None or not isinstance(kind, str) or kind.lower() != "bearer":
        raise Temporary("the answer of the authorization server has no access token")
    lifetime = seconds(answer, "expires_in")
    return Tokens(access, text_of(answer, "refresh_token"), None if lifetime is None else max(lifetime, 1.0))


def seconds(answer: Content, key: str) -> float | None:
    """Return a number of seconds, or None if there is none; some servers write it as text."""
    value = answer.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        return None
    return float(min(value, _MAX_LIFETIME))


def text_of(answer: Content, key: str) -> str | None:
    """Return a token, a code or an id, which has only printable ASCII characters (RFC 6749, appendix A), or None."""
    value = answer.get(key)
    if isinstance(value, str) and value.isascii() and value.isprintable() and 0 < len(value) <= _MAX_WORD:
        return value
    return None


def _word(answer: Content | None, key: str) -> str:
    value = answer.get(key) if answer is not None else None
    return value if isinstance(value, str) else ""


def shown(words: str) -> str:
    """Return a server's own words on one line, cut to a sensible length."""
    return printable(" ".join(words.split()), "")[:_MAX_SHOWN]


def _object(response: OAuthResponse) -> Content | None:
    kind = response.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        return None
    try:
        answer = read_json(response.body)
    except ValueError:
        return None
    return answer if isinstance(answer, Mapping) else None
