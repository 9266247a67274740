"""Exchanges with the authorization server of a homeserver: its metadata, and requests to it."""

from typing import Final

from bot.clock import Clock
from bot.config import MatrixSettings
from bot.errors import Permanent, Temporary
from bot.matrix import oauth
from bot.matrix.http import HomeserverHttp
from bot.matrix.model import Content
from bot.matrix.oauth import OAuthRefused, OAuthRequest, ServerMetadata, Tokens
from bot.matrix.oauth_tokens import SignIn

METADATA_SECONDS: Final = 3_600.0
_REFUSALS: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})


class WithoutOAuth(Permanent):
    """The homeserver has no OAuth 2.0 API."""


class SignInEnded(Permanent):
    """The authorization server accepts none of our refresh tokens any more."""


class OAuthServer:
    """The authorization server that a homeserver names."""

    def __init__(self, http: HomeserverHttp, account: MatrixSettings, clock: Clock) -> None:
        self.allow_http = account.allow_http
        self._http = http
        self._homeserver = account.homeserver
        self._clock = clock
        self._metadata: ServerMetadata | None = None
        self._known_until = 0.0

    async def metadata(self) -> ServerMetadata:
        """Return the metadata, which are kept for an hour.

        Raises:
            WithoutOAuth: the homeserver says that it has none.
            Permanent: they cannot be used.
            Temporary: the homeserver does not return them now.
        """
        if self._metadata is None or self._clock.monotonic() >= self._known_until:
            self._metadata = await self._discovered()
            self._known_until = self._clock.monotonic() + METADATA_SECONDS
        return self._metadata

    async def _discovered(self) -> ServerMetadata:
        for path in (oauth.STABLE_PATH, oauth.UNSTABLE_PATH):
            response = await self._http.exchange(OAuthRequest(self._homeserver.rstrip("/") + path))
            if (answer := oauth.metadata_in(response)) is not None:
                is_unstable = path == oauth.UNSTABLE_PATH
                return oauth.server_metadata(answer, allow_http=self.allow_http, is_unstable=is_unstable)
        raise WithoutOAuth(oauth.NO_OAUTH_WORDS)

    async def ask(self, request: OAuthRequest) -> Content:
        """Return the answer to a request. Raises as `oauth.judge` does."""
        return oauth.judge(request, await self._http.exchange(request))

    async def refreshed(self, sign_in: SignIn) -> tuple[Tokens, str]:
        """Return new tokens of *sign_in*, and the refresh token that was used.

        A refusal counts only if it is the server's own and definite, and if the token before the last is refused, too.

        Raises:
            SignInEnded: the server accepts none of them.
            Temporary: it does not answer now, or not as it should.
        """
        try:
            metadata = await self.metadata()
        except Permanent as error:  # a homeserver that is being reconfigured is no reason to sign out
            raise Temporary(str(error)) from error
        if metadata.issuer != sign_in.issuer:
            raise Temporary(
                f"the homeserver names {metadata.issuer} as its authorization server, but the bot signed in at "
                f"{sign_in.issuer}; if that is meant, sign in again with `patchbot login`"
            )
        last, previous = sign_in.refresh, sign_in.previous
        if last is None:
            raise SignInEnded("the access token is not accepted any more, and there is no refresh token")
        refusals: list[OAuthRefused] = []
        for token in (last, previous or last):
            try:
                answer = await self.ask(oauth.refresh(metadata, sign_in.client, token))
                return oauth.tokens(answer), token
            except OAuthRefused as error:
                if error.code not in _REFUSALS:
                    raise Temporary(f"the authorization server refuses to renew the sign-in ({error})") from error
                refusals.append(error)
        raise SignInEnded(f"{refusals[0]}")

    async def revoke(self, sign_in: SignIn) -> None:
        """End *sign_in* at the server, which then deletes the device.

        Raises:
            Permanent: the server refuses.
            Temporary: it does not answer now.
        """
        metadata = await self.metadata()
        if metadata.issuer != sign_in.issuer:
            raise Permanent(f"the homeserver does not use the authorization server {sign_in.issuer} any more")
        token, hint = (sign_in.refresh, "refresh_token") if sign_in.refresh else (sign_in.access, "access_token")
        await self.ask(oauth.revocation(metadata, sign_in.client, token, hint))
