"""Reads a response as it arrives, decompressing it in steps and up to a size limit.

A small response can expand to a huge one, in one step and while everything else waits; libraries do not prevent that.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator

_STEP_BYTES = 256 * 1024  # takes about a millisecond
_GZIP = 31  # zlib's window bits for gzip


async def body_of(chunks: AsyncIterator[bytes], max_bytes: int, *, is_packed: bool) -> bytes | None:
    """Return the body that *chunks* make up, decompressed with gzip if *is_packed*, or None if it exceeds *max_bytes*.

    Raises:
        zlib.error: it cannot be decompressed, or is incomplete.
    """
    body = bytearray()
    async for step in unpacked(chunks, _STEP_BYTES, is_packed=is_packed):
        body += step
        if len(body) > max_bytes:
            return None
    return bytes(body)


async def unpacked(chunks: AsyncIterator[bytes], step_bytes: int, *, is_packed: bool) -> AsyncGenerator[bytes, None]:
    """Yield a response in steps of at most *step_bytes*, decompressed with gzip if *is_packed*.

    Raises:
        zlib.error: it cannot be decompressed, or is incomplete.
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
                await asyncio.sleep(0)  # lets other tasks run
    if unpacker is not None and not unpacker.eof:
        raise zlib.error("the answer was cut")
