"""Rewrites PNG files with a palette of 256 colours, which makes pictures of text three to four times as small."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_COLOURS = 256
_RGB, _RGBA, _PALETTE = 2, 6, 3


def small_png(png: bytes) -> bytes:
    """Return *png*, which has 8-bit RGB or RGBA pixels that are all opaque, with a palette.

    Raises:
        ValueError: it is another kind of PNG.
    """
    chunks = list(_chunks(png))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or kind not in {_RGB, _RGBA} or interlaced:
        raise ValueError("a PNG with 8 bits per channel, not interlaced, is expected")
    channels = 3 if kind == _RGB else 4
    data = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    rows = [_pixels(row, channels) for row in _unfiltered(data, width * channels, height, channels)]
    colours = Counter(pixel for row in rows for pixel in row)
    palette = [colour for colour, _ in colours.most_common(_MAX_COLOURS)]
    nearest = {colour: number for number, colour in enumerate(palette)}
    nearest |= {colour: _nearest(colour, palette) for colour in colours if colour not in nearest}
    image = b"".join(b"\0" + bytes(nearest[pixel] for pixel in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(image, 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(_SIGNATURE)
    while position < len(png):
        length, name = struct.unpack_from(">I4s", png, position)
        yield name, png[position + 8 : position + 8 + length]
        position += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _pixels(row: bytes, channels: int) -> list[bytes]:
    return [row[start : start + 3] for start in range(0, len(row), channels)]


def _unfiltered(data: bytes, length: int, height: int, channels: int) -> Iterator[bytes]:
    """Yield the rows of an image without their filters (PNG specification, section 9)."""
    above = bytes(length)
    for number in range(height):
        start = number * (length + 1)
        above = _without_filter(data[start], bytearray(data[start + 1 : start + 1 + length]), above, channels)
        yield above


def _without_filter(kind: int, row: bytearray, above: bytes, channels: int) -> bytes:
    if kind == 0:
        return bytes(row)
    back = bytearray(channels) + row  # what is left of each byte, as far as it is known
    corner = bytes(channels) + above
    for place, value in enumerate(row):
        match kind:
            case 1:
                base = back[place]
            case 2:
                base = above[place]
            case 3:
                base = (back[place] + above[place]) // 2
            case _:
                base = _paeth(back[place], above[place], corner[place])
        back[place + channels] = row[place] = (value + base) & 0xFF
    return bytes(row)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    by_left, by_above, by_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    red, green, blue = colour
    distances = [(red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2 for r, g, b in palette]
    return distances.index(min(distances))
