"""Reads a QR code off a picture, as a phone's camera does, but for one that is square, sharp and undamaged.

Byte mode, any version, no error correction: what is drawn by a program needs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segno import consts

Modules = Sequence[Sequence[bool]]
_MASKS = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, _: row % 2 == 0,
    lambda _, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)
_LEVELS = {1: consts.ERROR_LEVEL_L, 0: consts.ERROR_LEVEL_M, 3: consts.ERROR_LEVEL_Q, 2: consts.ERROR_LEVEL_H}
_FORMAT_MASK = 0b101010000010010
_FINDER = 7
_BYTES = 0b0100


def modules_of(dark: Modules) -> Modules:
    """The code's modules in a picture, of which each pixel is dark or not: its light border is cut off."""
    rows = [number for number, row in enumerate(dark) if any(row)]
    columns = [number for number in range(len(dark[0])) if any(row[number] for row in dark)]
    top, left, size = rows[0], columns[0], rows[-1] - rows[0] + 1
    edge = next(number for number in range(size) if not dark[top + number][left + number])
    step = edge  # the finder's ring is one module wide
    count = round(size / step)
    middle = [int((number + 0.5) * size / count) for number in range(count)]
    return [[dark[top + row][left + column] for column in middle] for row in middle]


def text_of(modules: Modules) -> str:
    """What the code says."""
    size = len(modules)
    version = (size - 17) // 4
    level, mask = _format_of(modules)
    bits = [
        modules[row][column] != _MASKS[mask](row, column)
        for row, column in _path(size)
        if not _is_function(row, column, size, version)
    ]
    codewords = [_number(bits[at : at + 8]) for at in range(0, len(bits) - 7, 8)]
    data = [bit for byte in _in_order(codewords, version, level) for bit in _bits(byte)]
    assert _number(data[:4]) == _BYTES, "not in byte mode"
    length_bits = 8 if version < 10 else 16
    count, begin = _number(data[4 : 4 + length_bits]), 4 + length_bits
    return bytes(_number(data[begin + 8 * at : begin + 8 * at + 8]) for at in range(count)).decode()


def _format_of(modules: Modules) -> tuple[int, int]:
    places = [(8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [(row, 8) for row in (7, 5, 4, 3, 2, 1, 0)]
    value = _number([modules[row][column] for row, column in places]) ^ _FORMAT_MASK
    return _LEVELS[value >> 13], value >> 10 & 0b111


def _path(size: int) -> Iterator[tuple[int, int]]:
    """Two columns at a time from the right, up and down in turns, around the timing column."""
    up = True
    for right in [*range(size - 1, 6, -2), 5, 3, 1]:
        for row in range(size - 1, -1, -1) if up else range(size):
            yield row, right
            yield row, right - 1
        up = not up


def _is_function(row: int, column: int, size: int, version: int) -> bool:
    """Whether a module belongs to a pattern and says nothing."""
    low, high = _FINDER + 1, size - _FINDER - 1
    corner = (row <= low and (column <= low or column >= high)) or (row >= high and column <= low)
    timing = 6 in (row, column)
    edge = size - _FINDER - 4
    of_version = version >= 7 and ((row < 6 and edge <= column) or (column < 6 and edge <= row))
    return corner or timing or of_version or _is_alignment(row, column, size, version)


def _is_alignment(row: int, column: int, size: int, version: int) -> bool:
    if version == 1:
        return False
    centres = consts.ALIGNMENT_POS[version - 2]
    first, last = centres[0], centres[-1]
    for y in centres:
        for x in centres:
            if (y, x) in ((first, first), (first, last), (last, first)):
                continue
            if abs(row - y) <= 2 and abs(column - x) <= 2:
                return True
    return False


def _in_order(codewords: Sequence[int], version: int, level: int) -> list[int]:
    """The data of all blocks, which are interleaved."""
    lengths = [info.num_data for info in consts.ECC[version][level] for _ in range(info.num_blocks)]
    blocks: list[list[int]] = [[] for _ in lengths]
    stream = iter(codewords)
    for at in range(max(lengths)):
        for block, length in zip(blocks, lengths, strict=True):
            if at < length:
                block.append(next(stream))
    return [byte for block in blocks for byte in block]


def _number(bits: Sequence[bool]) -> int:
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _bits(byte: int) -> list[bool]:
    return [bool(byte >> place & 1) for place in range(7, -1, -1)]
