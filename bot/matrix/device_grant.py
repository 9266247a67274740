"""Device authorization: the code that a person enters in a browser, and when to ask whether they did. Pure.

Shapes and rules: RFC 8628, sections 3.2 to 3.5.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from bot.errors import Permanent, Temporary
from bot.matrix import oauth
from bot.matrix.model import Content
from bot.matrix.oauth import OAuthRefused
from bot.text import printable

DEFAULT_INTERVAL: Final = 5.0  # seconds
SLOWER: Final = 5.0  # seconds that `slow_down` adds
_INTERVALS: Final = (1.0, 300.0)
_LONGEST_AFTER_FAULTS: Final = 60.0
_LIFETIMES: Final = (1.0, 3_600.0)  # what a person waits for
_MAX_CODE: Final = 40  # characters


class CodeUsed(Permanent):
    """The code was exchanged for tokens before, or the server does not know it any more."""


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """A request for a person's consent; *page* has the code in it if *is_complete*. The *device_code* is a secret."""

    device_code: str
    user_code: str
    page: str
    is_complete: bool
    lifetime_seconds: float
    interval_seconds: float

    def __repr__(self) -> str:
        """Return a description without the codes."""
        return f"DeviceGrant({self.page.partition('?')[0]})"


def device_grant(answer: Content, *, allow_http: bool) -> DeviceGrant:
    """Return the parsed answer to a device authorization request.

    Raises:
        Permanent: it names no page, or one that must not be opened.
        Temporary: it is no such answer.
    """
    device_code, user_code = oauth.text_of(answer, "device_code"), oauth.text_of(answer, "user_code")
    if device_code is None or user_code is None or len(user_code) > _MAX_CODE:
        raise Temporary("the answer of the authorization server has no code")
    page, complete = answer.get("verification_uri"), answer.get("verification_uri_complete")
    is_complete = isinstance(complete, str) and oauth.is_address(complete, allow_http=allow_http)
    shown = complete if is_complete else page
    if not isinstance(shown, str) or not oauth.is_address(shown, allow_http=allow_http):
        raise Permanent("the authorization server names no https:// page to sign in on")
    lifetime = oauth.seconds(answer, "expires_in")
    return DeviceGrant(
        device_code=device_code,
        user_code=printable(user_code),
        page=shown,
        is_complete=is_complete,
        lifetime_seconds=_between(lifetime if lifetime is not None else _LIFETIMES[1], _LIFETIMES),
        interval_seconds=_between(oauth.seconds(answer, "interval") or DEFAULT_INTERVAL, _INTERVALS),
    )


def _between(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])


@dataclass(frozen=True, slots=True)
class Polling:
    """When to ask for the tokens: every *interval_seconds*, and once after *wish* if the server asked for a delay."""

    interval_seconds: float
    wish: timedelta = timedelta()

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next request."""
        return max(self.interval_seconds, self.wish.total_seconds())

    def after(self, failure: OAuthRefused | Temporary) -> "Polling":
        """Return when to ask again after *failure*.

        Raises:
            CodeUsed: a new code is needed.
            Permanent: the sign-in has failed; the message is for whoever waits for it.
        """
        if isinstance(failure, Temporary):  # RFC 8628, section 3.5: less often after faults of the network
            slower = max(self.interval_seconds, min(self.interval_seconds * 2, _LONGEST_AFTER_FAULTS))
            return Polling(slower, failure.retry_after or timedelta())
        match failure.code:
            case "authorization_pending":
                return replace(self, wish=timedelta())
            case "slow_down":
                return Polling(min(self.interval_seconds + SLOWER, _INTERVALS[1]))
            case "access_denied":
                raise Permanent("the sign-in was denied in the browser; run `patchbot login` to try again")
            case "expired_token":
                raise Permanent(EXPIRED_WORDS)
            case "invalid_grant":
                raise CodeUsed("the authorization server does not know the code any more")
            case _:
                raise Permanent(f"the authorization server refuses the sign-in ({failure})")


EXPIRED_WORDS: Final = "the code has expired before somebody used it; run `patchbot login` for a new one"
