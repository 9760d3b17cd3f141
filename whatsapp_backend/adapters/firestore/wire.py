"""Protocol buffers on the wire, as far as we write them by hand."""

from __future__ import annotations

_TWO_DIGITS = [bytes((number & 127 | 128, number >> 7 | 128)) for number in range(1 << 14)]
_ONE_DIGIT = [bytes((number,)) for number in range(128)]


def varint(number: int) -> bytes:
    """A number from 0 to 2**64 - 1."""
    if number < 128:
        return _ONE_DIGIT[number]
    digits = b""
    while number >= 1 << 14:
        digits += _TWO_DIGITS[number & 0x3FFF]
        number >>= 14
    if number < 128:
        return digits + _ONE_DIGIT[number]
    return digits + bytes((number & 127 | 128, number >> 7))


def signed(number: int) -> bytes:
    """An int64."""
    return varint(number if number >= 0 else number + (1 << 64))


def sized(tag: bytes, data: bytes) -> bytes:
    """A field of text, bytes or a message."""
    return tag + varint(len(data)) + data
