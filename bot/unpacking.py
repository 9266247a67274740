"""Reads an answer while it comes in: no larger than allowed once it is unpacked, and in steps.

A small answer can unfold into a huge one, in one go and while everything else waits; libraries let it.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator

_STEP_BYTES = 256 * 1024  # takes about a millisecond
_GZIP = 31  # zlib's number of window bits for it


async def body_of(chunks: AsyncIterator[bytes], max_bytes: int, *, is_packed: bool) -> bytes | None:
    """What the *chunks* of an answer make, unpacked where it *is_packed* with gzip; None: more than *max_bytes*.

    Raises:
        zlib.error: it cannot be unpacked, or ends in its middle.
    """
    unpacker = zlib.decompressobj(_GZIP) if is_packed else None
    body = bytearray()
    async for chunk in chunks:
        rest = chunk
        while rest:
            if unpacker is None:
                body += rest
                rest = b""
            else:
                body += unpacker.decompress(rest, _STEP_BYTES)
                rest = unpacker.unconsumed_tail
            if len(body) > max_bytes:
                return None
            if rest:
                await asyncio.sleep(0)  # the others' turn
    if unpacker is not None and not unpacker.eof:
        raise zlib.error("the answer was cut")
    return bytes(body)
