"""Which Host headers the pages answer to.

A web page that somebody on the bot's network opens can make its own name stand for the bot's address ("DNS rebinding"),
and then read the pages as if they were its own. The browser still sends that name, so the names of others are refused.
An address cannot be rebound, nor can a name without a dot, which nobody can register.
"""

import socket
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

MISDIRECTED = 421  # RFC 9110, section 15.5.20


def checked(listening_on: str) -> Middleware:
    """A middleware that refuses requests for the names of others; *listening_on* is the host of `web.listen`."""
    ours = {listening_on.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_ours(request.headers.get("Host", ""), ours):
            return await handler(request)
        reason = "This is not the name of the bot's machine. A proxy in front of it must send the address as Host.\n"
        return web.Response(status=MISDIRECTED, text=reason)

    return check


def is_ours(header: str, names: set[str]) -> bool:
    """Whether a Host header is an address, a name without a dot, or one of *names* (in lower case); none is, too."""
    host = _without_port(header.strip().lower())
    if "." not in host.rstrip(".") or host in names:
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return host.endswith(".localhost")
    return True


def _without_port(header: str) -> str:
    """The host of *header*; an IPv6 address keeps its brackets."""
    host, colon, port = header.rpartition(":")
    return host if colon and port.isdigit() and (host.endswith("]") or ":" not in host) else header
