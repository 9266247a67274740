"""`patchbot healthcheck`: asks a running bot whether it is ready."""

import argparse
import os
import sys

from bot.cli.streams import shown
from bot.errors import ConfigError

_SECONDS = 10.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # where it listens, not we


def healthcheck(arguments: argparse.Namespace) -> int:
    """Ask /readyz; exit status 0 when the bot is ready, 1 when it is not or does not answer."""
    import httpx

    from bot.config import load

    address = load(arguments.config, os.environ).web.address
    if address is None:
        raise ConfigError("web.listen", "is off, so there is nobody to ask")
    host, port = address
    host = _EVERYWHERE.get(host, host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    try:
        answer = httpx.get(url, timeout=_SECONDS, trust_env=False)
    except httpx.ConnectError:
        print(f"no bot answers at {url}: is it running?", file=sys.stderr)
        return 1
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"no bot answers at {url}: {shown(str(error) or type(error).__name__)}", file=sys.stderr)
        return 1
    is_ready = answer.status_code == httpx.codes.OK
    for line in answer.text.splitlines():
        print(shown(line), file=sys.stdout if is_ready else sys.stderr)
    return 0 if is_ready else 1
