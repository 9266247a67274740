"""Reads an answer while it comes in: no larger than allowed once it is unpacked, and in steps.

A small answer can unfold into a huge one, in one go and while everything else waits; libraries let it.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

_STEP_BYTES = 256 * 1024  # takes about a millisecond
_GZIP = 31  # zlib's number of window bits for it


async def body_of(chunks: AsyncIterator[bytes], max_bytes: int, *, is_packed: bool) -> bytes | None:
    """What the *chunks* of an answer make, unpacked where it *is_packed* with gzip; None: more than *max_bytes*.

    Raises:
        zlib.error: it cannot be unpacked, or ends in its middle.
    """
    body = bytearray()
    async for step in unpacked(chunks, _STEP_BYTES, is_packed=is_packed):
        body += step
        if len(body) > max_bytes:
            return None
    return bytes(body)


async def unpacked(chunks: AsyncIterator[bytes], step_bytes: int, *, is_packed: bool) -> AsyncGenerator[bytes, None]:
    """Yield an answer in steps of *step_bytes* at most, unpacked where it *is_packed* with gzip.

    Raises:
        zlib.error: it cannot be unpacked, or ends in its middle.
    """
    unpacker = zlib.decompressobj(_GZIP) if is_packed else None
    async for chunk in chunks:
        rest = chunk
        while rest:
            if unpacker is None:
                step, rest = rest[:step_bytes], rest[step_bytes:]
            else:
                step = unpacker.decompress(rest, step_bytes)
                rest = unpacker.unconsumed_tail
            yield step
            if rest:
                await asyncio.sleep(0)  # the others' turn
    if unpacker is not None and not unpacker.eof:
        raise zlib.error("the answer was cut")
