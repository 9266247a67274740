"""Discovery of the API version that the server and the bot both support.

Patchwork answers an unknown version with an HTML page and status 404. Anything else that is not an API index, such as a
wall, says nothing about the version and is a failure, after which discovery starts over.
"""

from collections.abc import Sequence

from bot.errors import TransportError
from bot.json_reader import read_json
from bot.patchwork.client import PatchworkClient
from bot.patchwork.response_rows import Garbled
from bot.patchwork.responses import InvalidResponse, NoSuchPage, NotFound

VERSIONS = ("1.3", "1.2", "1.1")
NEWEST = VERSIONS[0]
_WITH_DEPENDENCIES = "1.4"  # not released; the same as 1.3 but for what a series needs


async def find_version(client: PatchworkClient) -> str:
    """Return the newest version that both sides support.

    Raises:
        InvalidResponse: the server is not Patchwork, is too old, or is the freedesktop.org fork.
        Temporary: the server failed; otherwise as `PatchworkClient.json`.
    """
    version = await newer_version(client, "")
    if version is None:
        raise InvalidResponse(await _what_it_is(client))
    return version


async def version_with_dependencies(client: PatchworkClient) -> str | None:
    """Return the version that says what a series needs; None if the server has none, or does not respond now."""
    try:
        return _WITH_DEPENDENCIES if await _speaks(client, _WITH_DEPENDENCIES) else None
    except TransportError:
        return None


async def newer_version(client: PatchworkClient, than: str) -> str | None:
    """Return the newest common version that is newer than *than*; None if there is none."""
    skipped: list[str] = []
    for version in VERSIONS:
        if version <= than:
            break
        if await _speaks(client, version):
            confirmed = await _first_spoken(client, skipped)
            return confirmed or version
        skipped.append(version)
    return None


async def _first_spoken(client: PatchworkClient, skipped: Sequence[str]) -> str | None:
    """Request the *skipped* versions again, now that the server is known to respond; return the first it supports."""
    for version in skipped:
        if await _speaks(client, version):
            return version
    return None


async def _speaks(client: PatchworkClient, version: str) -> bool:
    """Return whether the server supports *version*, whose index then lists the endpoints."""
    index = await _index(client, version)
    if index is None:
        return False
    if "revision" in index:
        raise InvalidResponse("this is the freedesktop.org fork of Patchwork, which has a different API")
    if "events" not in index:
        raise Garbled(f"the response of {client.url}/api/{version}/ is not an index of Patchwork's API")
    return True


async def _what_it_is(client: PatchworkClient) -> str:
    index = await _index(client, "1.0")
    if index is None:
        return f"no Patchwork API at {client.url}/api/"
    if "revision" in index:
        return "this is the freedesktop.org fork of Patchwork, which has a different API"
    if "events" in index:
        return "Patchwork 2.0 is too old: API 1.1 (Patchwork 2.1) or newer is needed"
    return f"what answers at {client.url}/api/ is no Patchwork"


async def _index(client: PatchworkClient, version: str) -> dict[str, object] | None:
    """Return the index of a version of the API; None if there is no such version.

    Raises:
        Garbled: the response is not a JSON object.
    """
    try:
        page = await client.json("", version=version)
    except (NotFound, NoSuchPage):
        return None
    try:
        index = read_json(page.body)
    except ValueError:
        index = None
    if not isinstance(index, dict):
        raise Garbled(f"the response of {client.url}/api/{version}/ is not an index of Patchwork's API")
    return index
