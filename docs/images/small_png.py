"""Screenshots as PNG of few colours: a third of what a browser makes of them, and nothing that an eye would miss."""  # noqa: INP001 - beside a script, no package

import struct
import zlib
from collections import Counter
from functools import partial

MAGIC = b"\x89PNG\r\n\x1a\n"
SHADE_BITS = 5
"""Colours that differ in these bits alone are one shade."""


def shrink(png: bytes) -> bytes:
    """The same picture with at most 256 colours. ``png``: as browsers write it, RGB with 8 bits, not interlaced."""
    width, height, kind, data = _read(png)
    if kind != (8, 2, 0, 0, 0):
        raise ValueError("is no screenshot of a page without transparency; take another one")
    rows = _rows(zlib.decompress(data), 3 * width, height)
    pixels = [row[at : at + 3] for row in rows for at in range(0, 3 * width, 3)]
    counted = Counter(pixels)
    kept = _kept(counted)
    number_of = {colour: number for number, colour in enumerate(kept)}
    # What is rare lies on the edges of letters, between colours that are not.
    number_of |= {colour: number_of[min(kept, key=partial(_distance, colour))] for colour in counted.keys() - number_of.keys()}
    lines = b"".join(b"\0" + bytes(number_of[pixel] for pixel in pixels[row * width : (row + 1) * width]) for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", b"".join(kept)), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return MAGIC + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in chunks
    )


def _kept(counted: Counter[bytes]) -> list[bytes]:
    """At most 256 of the colours: the commonest, but first the commonest of every shade, so that a single link stays blue."""
    by_count = sorted(counted, key=lambda colour: (-counted[colour], colour))
    shades: dict[bytes, bytes] = {}
    for colour in by_count:
        shades.setdefault(bytes(part >> SHADE_BITS for part in colour), colour)
    return sorted(list(dict.fromkeys([*list(shades.values())[:128], *by_count]))[:256])


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _read(png: bytes) -> tuple[int, int, tuple[int, ...], bytes]:
    """Width, height, the five bytes that say what kind it is, and the packed pixels."""
    at, data, head = len(MAGIC), b"", b""
    while at < len(png):
        size, name = struct.unpack(">I4s", png[at : at + 8])
        part = png[at + 8 : at + 8 + size]
        head = part if name == b"IHDR" else head
        data += part if name == b"IDAT" else b""
        at += size + 12
    width, height, *kind = struct.unpack(">IIBBBBB", head)
    return width, height, tuple(kind), data


def _rows(packed: bytes, size: int, height: int) -> list[bytes]:
    """The rows of pixels, each without its filter (PNG specification, section 9)."""
    rows = []
    above = bytearray(size)
    for number in range(height):
        start = number * (size + 1)
        method, row = packed[start], bytearray(packed[start + 1 : start + 1 + size])
        for i in range(size) if method else ():
            left, corner = (row[i - 3], above[i - 3]) if i >= 3 else (0, 0)
            row[i] = (row[i] + _predicted(method, left, above[i], corner)) & 255
        rows.append(bytes(row))
        above = row
    return rows


def _predicted(method: int, left: int, up: int, corner: int) -> int:
    if method < 4:
        return (0, left, up, (left + up) // 2)[method]
    near = left + up - corner
    return min((abs(near - left), 0, left), (abs(near - up), 1, up), (abs(near - corner), 2, corner))[2]
