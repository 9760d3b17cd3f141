"""What a variable's text may be, and the value it stands for."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_TIME = "((?:[01][0-9]|2[0-3]):[0-5][0-9])"
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_HOST = 253
_HOURS = re.compile(f"{_TIME}-{_TIME}")


class Kind(Protocol):
    """How to read one spelling of a variable."""

    @property
    def allowed(self) -> str:
        """What may be written, as a phrase."""

    def parse(self, text: str) -> object:
        """The value, or None for a text that counts as not set. Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    allowed = "1, true, yes, on or 0, false, no, off"

    def parse(self, text: str) -> bool:
        """Whether it is on; in any case of letters."""
        word = text.lower()
        if word not in _ON | _OFF:
            raise ValueError(word)
        return word in _ON


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number of some unit. `per_unit` turns it into the unit of the setting: seconds for durations."""

    low: int
    high: int
    unit: str = ""
    per_unit: float = 1
    clamp: bool = False
    """A number outside the range counts as its nearest end."""
    unset_below_one: bool = False
    """0 and less count as not set, so that an older name or the default decides."""

    @property
    def allowed(self) -> str:
        """The range, in the unit that is written."""
        words = f"a whole number from {self.low} to {self.high}{' ' if self.unit else ''}{self.unit}"
        if self.clamp:
            words += " (beyond counts as the nearest)"
        return words + (" (0 or less: as if not set)" if self.unset_below_one else "")

    def parse(self, text: str) -> float | None:
        """The number, in the unit of the setting."""
        if not _WHOLE.fullmatch(text):
            raise ValueError(text)
        number = int(text)
        if self.unset_below_one and number < 1:
            return None
        if self.clamp:
            number = min(max(number, self.low), self.high)
        if not self.low <= number <= self.high:
            raise ValueError(text)
        return number if self.per_unit == 1 else number * self.per_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text of a certain form."""

    pattern: str
    allowed: str

    def parse(self, text: str) -> str:
        """The text itself."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of the day to another, perhaps over midnight."""

    allowed = "two different times of the day, as 22:00-06:00"

    def parse(self, text: str) -> tuple[int, int]:
        """The minutes of the day at which they begin and end."""
        times = _HOURS.fullmatch(text)
        if not times or times[1] == times[2]:
            raise ValueError(text)
        begin, end = (60 * int(time[:2]) + int(time[3:]) for time in times.groups())
        return begin, end


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, which need not exist yet."""

    first_of_several: bool = False
    """systemd separates several by colons; the first is ours."""
    allowed: str = "a folder"

    def parse(self, text: str) -> Path:
        """The folder, absolute."""
        return Path(text.partition(":")[0] if self.first_of_several else text).expanduser().absolute()


@dataclass(frozen=True, slots=True)
class File:
    """A file that must be there."""

    allowed = "a file that exists"

    def parse(self, text: str) -> Path:
        """The file, absolute."""
        path = Path(text).expanduser().absolute()
        if not path.is_file():
            raise ValueError(text)
        return path


@dataclass(frozen=True, slots=True)
class Address:
    """An address of this machine."""

    allowed = "an IP address of this machine, or localhost"

    def parse(self, text: str) -> str:
        """The address."""
        if text != "localhost":
            ipaddress.ip_address(text if "%" not in text else "")
        return text


@dataclass(frozen=True, slots=True)
class HostNames:
    """Names of hosts."""

    allowed = "host names with commas between, as inbox.example.com, without ports"

    def parse(self, text: str) -> tuple[str, ...]:
        """The names, in small letters."""
        names = tuple(name.strip().lower() for name in text.split(","))
        if not all(_HOST_NAME.fullmatch(name) and len(name) <= _LONGEST_HOST for name in names):
            raise ValueError(text)
        return names


@dataclass(frozen=True, slots=True)
class LoopbackUrl:
    """A WebSocket on this machine."""

    allowed = "a ws:// address of this machine, as ws://127.0.0.1:9000/ws/chat"

    def parse(self, text: str) -> str:
        """The address."""
        url = urlsplit(text)
        if url.scheme != "ws" or url.username is not None or not is_loopback(url.hostname or ""):
            raise ValueError(text)
        if url.port == 0:  # reading the port also refuses one that is no number
            raise ValueError(text)
        return text


@dataclass(frozen=True, slots=True)
class LoopbackAddress:
    """A host and port of this machine."""

    allowed = "host:port of this machine, as 127.0.0.1:8085"

    def parse(self, text: str) -> str:
        """The address."""
        url = urlsplit(f"//{text}")
        if url.netloc != text or url.username is not None or not is_loopback(url.hostname or "") or not url.port:
            raise ValueError(text)
        return text


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
