"""Answers as they are read: whole, or refused before they are large."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.unpacking import body_of

MIB = 1024 * 1024


async def streamed(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def packed(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


@given(data=st.binary(max_size=2000), sizes=st.lists(st.integers(1, 100), min_size=1), is_packed=st.booleans())
def test_an_answer_is_read_whole_however_it_comes(data: bytes, sizes: list[int], is_packed: bool) -> None:
    sent = packed(data * 50) if is_packed else data * 50
    chunks: list[bytes] = []
    rest = sent
    while rest:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(rest[:size])
        rest = rest[size:]

    body = asyncio.run(body_of(streamed(chunks), 200_000, is_packed=is_packed))

    assert body == data * 50


async def test_a_bomb_is_refused_when_it_has_unfolded_as_far_as_the_limit() -> None:
    bomb = packed(bytes(64 * MIB))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    body = await body_of(streamed([bomb]), 4 * MIB, is_packed=True)
    counting.cancel()

    assert body is None
    assert turns >= 4 * 4  # others had theirs, each quarter of a mebibyte


async def test_what_is_as_large_as_the_limit_is_not_too_large() -> None:
    assert await body_of(streamed([bytes(100)]), 100, is_packed=False) == bytes(100)
    assert await body_of(streamed([packed(bytes(100))]), 100, is_packed=True) == bytes(100)
    assert await body_of(streamed([bytes(101)]), 100, is_packed=False) is None


@pytest.mark.parametrize("answer", [packed(b"x" * 1000)[:-9], b"", b"no gzip"], ids=["cut", "empty", "another thing"])
async def test_what_cannot_be_unpacked_is_an_error(answer: bytes) -> None:
    with pytest.raises(zlib.error):
        await body_of(streamed([answer]), 10_000, is_packed=True)
