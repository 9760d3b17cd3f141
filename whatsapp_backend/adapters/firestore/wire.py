"""Protocol buffers on the wire, as far as we write them by hand."""

from __future__ import annotations

_ONE_BYTE = 1 << 7
_TWO_MORE = [bytes((number & 127 | 128, number >> 7 | 128)) for number in range(1 << 14)]
_LAST = [
    bytes((number,)) if number < _ONE_BYTE else bytes((number & 127 | 128, number >> 7)) for number in range(1 << 14)
]


def varint(number: int) -> bytes:
    """A number from 0 to 2**64 - 1: seven bits a byte, taken two bytes at a time from tables."""
    if number < 1 << 14:
        return _LAST[number]
    digits = _TWO_MORE[number & 0x3FFF]
    number >>= 14
    while number >= 1 << 14:
        digits += _TWO_MORE[number & 0x3FFF]
        number >>= 14
    return digits + _LAST[number]


def signed(number: int) -> bytes:
    """An int64."""
    return varint(number if number >= 0 else number + (1 << 64))


def sized(tag: bytes, data: bytes) -> bytes:
    """A field of text, bytes or a message."""
    return tag + varint(len(data)) + data
