"""An authorization server on loopback, as the Matrix Authentication Service behaves towards clients and Synapse.

It registers clients (RFC 7591), grants by device authorization (RFC 8628), rotates refresh tokens (RFC 6749), revokes
(RFC 7009), answers Synapse's introspection (RFC 7662), and tells Synapse which devices there are. A refresh token that
was used is accepted again until one of its successors was used; the
statuses are those of MAS. People agree by `consent`.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.matrix.oauth import CLIENT_URI
from support.homeserver import Homeserver

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_DEVICE_SCOPES = ("urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:")
Answer = Callable[[], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """An error of the protocol."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass
class Session:
    """A sign-in of a user's device by a client."""

    user: str
    client: str
    scope: str
    is_finished: bool = False

    @property
    def device(self) -> str:
        """The device in the scope."""
        return next(
            part.removeprefix(start)
            for part in self.scope.split()
            for start in _DEVICE_SCOPES
            if part.startswith(start)
        )


@dataclass
class Access:
    """An access token."""

    session: Session
    expires_at: float
    is_used: bool = False
    is_revoked: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether it was not revoked."""
        return not (self.is_revoked or self.session.is_finished)


@dataclass
class Refresh:
    """A refresh token, with the access token that it came with, and its successor."""

    session: Session
    access: Access
    successor: "Refresh | None" = None
    is_revoked: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether it was never used, nor replaced."""
        return self.successor is None and not self.is_revoked


@dataclass
class Grant:
    """A device authorization."""

    client: str
    scope: str
    user_code: str
    expires_at: float
    interval: float
    user: str | None = None
    is_denied: bool = False
    is_exchanged: bool = False
    polled_at: float = 0.0


@dataclass
class AuthorizationServer:
    """The server; *consent* is the user who agrees to each grant at once, None if nobody does yet."""

    homeserver: Homeserver
    url: str
    consent: str | None = None
    lifetime_seconds: int = 300
    code_seconds: int = 1200
    interval_seconds: int = 1
    gives_complete_page: bool = True
    reissues: bool = True  # accepts a used refresh token while its successors are unused
    changes: dict[str, object] = field(default_factory=dict)  # of the metadata
    scopes: tuple[str, ...] = ("urn:matrix:client:", "urn:matrix:org.matrix.msc2967.client:")  # that are accepted
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    refresh: dict[str, Refresh] = field(default_factory=dict)
    now: Callable[[], float] = time.time
    requests: list[str] = field(default_factory=list)  # the places that were asked, in order
    _faults: dict[str, list[Fault]] = field(default_factory=dict)

    def suffer(self, place: str, *faults: Fault) -> None:
        """Let the next requests to a *place* suffer these, one each."""
        self._faults.setdefault(place, []).extend(faults)

    def heal(self) -> None:
        """Suffer nothing more."""
        self._faults.clear()

    @property
    def metadata(self) -> dict[str, object]:
        """The metadata (RFC 8414)."""
        return {
            "issuer": f"{self.url}/",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/oauth2/token",
            "registration_endpoint": f"{self.url}/oauth2/registration",
            "revocation_endpoint": f"{self.url}/oauth2/revoke",
            "introspection_endpoint": f"{self.url}/oauth2/introspect",
            "device_authorization_endpoint": f"{self.url}/oauth2/device",
            "account_management_uri": f"{self.url}/account/",
            "account_management_actions_supported": ["org.matrix.cross_signing_reset"],
            "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "email"],
            **self.changes,
        }

    def sessions(self, user: str | None = None) -> list[Session]:
        """The sign-ins that have not ended, of one user or of all."""
        found = {id(each.session): each.session for each in self.access.values()}
        return [each for each in found.values() if not each.is_finished and user in {None, each.user}]

    def finish(self, session: Session) -> None:
        """End a sign-in, as its user or an administrator may; the device goes with its last one."""
        session.is_finished = True
        if all(each.device != session.device for each in self.sessions(session.user)):
            self.homeserver.tell("delete_device", localpart=session.user, device_id=session.device)

    def sign_in(self, user: str, device: str) -> str:
        """Sign a device in without asking anybody; its access token, which does not expire soon."""
        session = Session(user, "", f"urn:matrix:client:api:* urn:matrix:client:device:{device}")
        self.homeserver.tell("upsert_device", localpart=user, device_id=device)
        token = _secret("mat")
        self.access[token] = Access(session, self.now() + 86_400)
        return token

    # What it serves

    def routes(self) -> web.RouteTableDef:
        """Where everything is."""
        routes = web.RouteTableDef()
        routes.get("/.well-known/openid-configuration")(partial(self._serve, "metadata", self._metadata))
        routes.post("/oauth2/introspect")(partial(self._serve, "introspection", self._introspect))
        routes.post("/oauth2/registration")(partial(self._serve, "registration", self._register))
        routes.post("/oauth2/device")(partial(self._serve, "device", self._authorize))
        routes.post("/oauth2/token")(self._token)
        routes.post("/oauth2/revoke")(partial(self._serve, "revocation", self._revoke))
        return routes

    async def _token(self, request: web.Request) -> web.StreamResponse:
        kind = (await request.post()).get("grant_type")
        if kind == DEVICE_GRANT:
            return await self._serve("poll", self._poll, request)
        return await self._serve("refresh", self._refresh, request)

    async def _serve(
        self, place: str, act: Callable[[web.Request], Awaitable[object]], request: web.Request
    ) -> web.StreamResponse:
        """Answer what is asked, or suffer the fault that is next."""
        self.requests.append(place)

        async def answer() -> web.StreamResponse:
            try:
                content = await act(request)
            except Refusal as refusal:
                content = {"error": refusal.code, "error_description": f"no {await request.text()}"}
                return web.json_response(content, status=refusal.status)
            status = 201 if place == "registration" else 200
            return web.Response() if content is None else web.json_response(content, status=status)

        faults = self._faults.get(place)
        return await faults.pop(0)(request, answer) if faults else await answer()

    async def _metadata(self, _: web.Request) -> object:
        return self.metadata

    async def _register(self, request: web.Request) -> object:
        client = await request.json()
        if not client.get("client_uri", "").startswith("https://") or client["client_uri"] != CLIENT_URI:
            raise Refusal("invalid_client_metadata")
        if "authorization_code" in client["grant_types"] and not client.get("redirect_uris"):
            raise Refusal("invalid_redirect_uri")
        name = secrets.token_hex(13).upper()
        self.clients[name] = client
        return {**client, "client_id": name}

    async def _authorize(self, request: web.Request) -> object:
        form = await request.post()
        self._client(form, DEVICE_GRANT)
        scope = str(form["scope"])
        if not any(scope.startswith(each) for each in self.scopes):
            raise Refusal("invalid_scope")
        code, user_code = secrets.token_urlsafe(24), secrets.token_hex(3).upper()
        now = self.now()
        interval = float(self.interval_seconds)
        grant = Grant(str(form["client_id"]), scope, user_code, now + self.code_seconds, interval, self.consent)
        self.grants[code] = grant
        page = f"{self.url}/link"
        complete = {"verification_uri_complete": f"{page}?code={user_code}"} if self.gives_complete_page else {}
        answer = {"device_code": code, "user_code": user_code, "verification_uri": page, **complete}
        return {**answer, "expires_in": self.code_seconds, "interval": self.interval_seconds}

    async def _poll(self, request: web.Request) -> object:
        form = await request.post()
        grant = self.grants.get(str(form["device_code"]))
        if grant is None or grant.client != form["client_id"] or grant.is_exchanged:
            raise Refusal("invalid_grant")
        now, polled_at = self.now(), grant.polled_at
        grant.polled_at = now
        if now >= grant.expires_at:
            raise Refusal("expired_token", 403)
        if now - polled_at < grant.interval - 0.2:  # clocks, and the way here
            grant.interval += 5
            raise Refusal("slow_down", 403)
        if grant.is_denied:
            raise Refusal("access_denied", 403)
        if grant.user is None:
            raise Refusal("authorization_pending", 403)
        grant.is_exchanged = True
        session = Session(grant.user, grant.client, grant.scope)
        await asyncio.to_thread(self.homeserver.tell, "upsert_device", localpart=session.user, device_id=session.device)
        return self.new_tokens(session)[0]

    async def _refresh(self, request: web.Request) -> object:
        form = await request.post()
        self._client(form, "refresh_token")
        return self.renew(str(form["client_id"]), str(form["refresh_token"]))

    def renew(self, client: str, token: str) -> dict[str, object]:
        """Give new tokens for a refresh token, or raise a refusal."""
        used = self.refresh.get(token)
        if used is None or used.session.is_finished or used.session.client != client or used.is_revoked:
            raise Refusal("invalid_grant")
        if (unused := used.successor) is not None:
            if not self.reissues or not unused.is_valid or unused.access.is_used:
                raise Refusal("invalid_grant")
            unused.is_revoked = unused.access.is_revoked = True
        answer, used.successor = self.new_tokens(used.session)
        used.access.is_revoked = True
        return answer

    async def _revoke(self, request: web.Request) -> object:
        token = str((await request.post())["token"])
        found = self.access.get(token) or self.refresh.get(token)
        if found is not None and found.is_valid:
            await asyncio.to_thread(self.finish, found.session)
        return None  # with 200, whatever it was

    async def _introspect(self, request: web.Request) -> object:
        if request.headers.get("Authorization") != f"Bearer {self.homeserver.secret}":
            raise Refusal("invalid_client", 401)
        access = self.access.get(str((await request.post())["token"]))
        if access is None or not access.is_valid or self.now() >= access.expires_at:
            return {"active": False}
        access.is_used = True
        left = int(access.expires_at - self.now())
        session = access.session
        return {"active": True, "scope": session.scope, "username": session.user, "sub": "1", "expires_in": left}

    def _client(self, form: Any, grant_type: str) -> None:
        client = self.clients.get(str(form.get("client_id")))
        if client is None:
            raise Refusal("invalid_client", 401)
        if grant_type not in client["grant_types"]:
            raise Refusal("unauthorized_client", 401)

    def new_tokens(self, session: Session) -> tuple[dict[str, object], Refresh]:
        """Give a session tokens; the answer, and the refresh token in it."""
        access_token, refresh_token = _secret("mat"), _secret("mar")
        access = Access(session, self.now() + self.lifetime_seconds)
        refresh = Refresh(session, access)
        self.access[access_token], self.refresh[refresh_token] = access, refresh
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "refresh_token": refresh_token,
            "scope": session.scope,
        }
        return answer, refresh


def _secret(kind: str) -> str:
    return f"{kind}_{secrets.token_urlsafe(24)}"


@asynccontextmanager
async def served(server: AuthorizationServer) -> AsyncIterator[AuthorizationServer]:
    """The server, answering at its address."""
    app = web.Application()
    app.add_routes(server.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", urlsplit(server.url).port, reuse_address=True).start()
    try:
        yield server
    finally:
        await runner.cleanup()


# What requests may suffer


async def lost_request(request: web.Request, _: Answer) -> web.StreamResponse:
    """The connection ends, and nothing was done."""
    return _dropped(request)


async def lost_answer(request: web.Request, answer: Answer) -> web.StreamResponse:
    """It is done, and the answer is lost."""
    await answer()
    return _dropped(request)


async def html_200(_: web.Request, __: Answer) -> web.StreamResponse:
    """A captive portal."""
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


async def html_403(_: web.Request, __: Answer) -> web.StreamResponse:
    """A wall."""
    return web.Response(status=403, text="<html>Are you human?</html>", content_type="text/html")


async def bad_gateway(_: web.Request, __: Answer) -> web.StreamResponse:
    """A reverse proxy whose server is away."""
    return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")


async def server_error(_: web.Request, __: Answer) -> web.StreamResponse:
    """A server that stumbles."""
    return web.json_response({"error": "server_error"}, status=500)


async def limited(_: web.Request, __: Answer) -> web.StreamResponse:
    """A server that asks for patience."""
    return web.json_response({"error": "rate_limited"}, status=429, headers={"Retry-After": "2"})


async def garbage(_: web.Request, __: Answer) -> web.StreamResponse:
    """Half an answer."""
    return web.Response(text='{"access_token": "mat_', content_type="application/json")


async def mistyped_refusal(_: web.Request, __: Answer) -> web.StreamResponse:
    """What looks like a refusal, from something that is not the server."""
    return web.Response(status=400, text='{"error": "invalid_grant"}', content_type="text/plain")


async def a_list(_: web.Request, __: Answer) -> web.StreamResponse:
    """JSON, but no object."""
    return web.json_response([{"access_token": "mat_1"}])


async def endless(request: web.Request, _: Answer) -> web.StreamResponse:
    """An answer larger than any sensible one."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b" " * 200_000)
    return response


async def refused(_: web.Request, __: Answer) -> web.StreamResponse:
    """A refusal of the server itself."""
    return web.json_response({"error": "invalid_grant"}, status=400)


async def redirect(request: web.Request, _: Answer) -> web.StreamResponse:
    """Another place, whose address repeats all that was sent."""
    return web.Response(status=307, headers={"Location": f"https://elsewhere.invalid/?{await request.text()}"})


@dataclass
class Held:
    """A request that is held, before or after it is done, until `release` is set."""

    is_done: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _: web.Request, answer: Answer) -> web.StreamResponse:
        """One request."""
        done = await answer() if self.is_done else None
        self.reached.set()
        await self.release.wait()
        return done or await answer()


def _dropped(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
