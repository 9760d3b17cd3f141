"""Bytes from the bridge -> frames and protocol errors, in order. Nothing here raises for what it is fed.

Three steps: `Lines` cuts, `rules.decode` reads, `Assembly` joins parts. Bytes may arrive cut anywhere. Only memory that
the protocol allows is held: one line, and for each account one frame that is being joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from whatsapp_backend.domain.frames import Frame, Part
from whatsapp_backend.errors import ProtocolError
from whatsapp_backend.rules.decode import HEAD_BYTES, account_in, decode
from whatsapp_backend.rules.encode import MAX_FRAME_BYTES, MAX_LINE_BYTES


class Lines:
    """Cuts a stream of bytes into lines. Of a line over the limit only the first bytes are kept, until its end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield each line that ends here, without its newline, and whether it is whole."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._extend(piece)
            yield bytes(self._line), not self._too_long
            self._line.clear()
            self._too_long = False
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        if self._too_long:
            return
        if len(self._line) + len(piece) >= self._limit:
            self._too_long = True
            self._line += piece[:HEAD_BYTES]
            del self._line[HEAD_BYTES:]
        else:
            self._line += piece


@dataclass(slots=True)
class _Joining:
    first: Part
    texts: list[str] = field(default_factory=list)
    size: int = 0


class Assembly:
    """Joins parts. An account's parts come in order and with no other frame of that account between them."""

    def __init__(self) -> None:
        self._joining: dict[str | None, _Joining] = {}

    def add(self, part: Part) -> bytes | None:
        """Take a part and return the frame it completes. Raises ProtocolError."""
        joining = self._joining.pop(part.account, None) or _Joining(part)
        first = joining.first
        joining.texts.append(part.text)
        joining.size += len(part.text.encode())
        if part.count < 1 or (part.of, part.count, part.index) != (first.of, first.count, len(joining.texts) - 1):
            raise ProtocolError("bad-part", "out of order", account=part.account)
        if joining.size > MAX_FRAME_BYTES:
            raise ProtocolError("bad-part", "too large", account=part.account)
        if len(joining.texts) >= part.count:
            return "".join(joining.texts).encode()
        self._joining[part.account] = joining
        return None

    def interrupt(self, account: str | None) -> None:
        """Note another frame of this account. Raises ProtocolError if one was being joined."""
        if self._joining.pop(account, None):
            raise ProtocolError("bad-part", "interrupted", account=account)


class Wire:
    """One bridge process' output."""

    def __init__(self) -> None:
        self._lines = Lines(MAX_LINE_BYTES)
        self._assembly = Assembly()

    def feed(self, data: bytes) -> Iterator[Frame | ProtocolError]:
        """Yield what these bytes complete."""
        for line, whole in self._lines.feed(data):
            try:
                if not whole:
                    raise ProtocolError("too-long", account=account_in(line))
                frame = self._read(line)
            except ProtocolError as error:
                yield error
            else:
                if frame is not None:
                    yield frame

    def _read(self, line: bytes) -> Frame | None:
        frame = decode(line)
        if isinstance(frame, Part):
            whole = self._assembly.add(frame)
            return None if whole is None else _joined(whole, frame.account)
        self._assembly.interrupt(_account(frame))
        return frame


def _joined(text: bytes, account: str | None) -> Frame:
    try:
        frame = decode(text)
    except ProtocolError as error:
        error.account = account
        raise
    if isinstance(frame, Part) or _account(frame) != account:
        raise ProtocolError("bad-part", "not what it says", account=account)
    return frame


def _account(frame: Frame) -> str | None:
    return getattr(frame, "account", None)
