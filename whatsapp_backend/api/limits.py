"""How often somebody may send a wrong token: nobody finds one out by trying.

Counted by the address that the connection comes from. What a proxy says in `X-Forwarded-For` is not believed, because
anybody can say it: behind one proxy all share one count. Of IPv6 the network counts:
a host has 2^64 addresses there.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict, deque

from whatsapp_backend.clock import Clock

_FAILURES = 10
_WITHIN_S = 60.0
_MOST_CLIENTS = 1000


class FailureLimits:
    """Who failed how often within the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str | None) -> int:
        """How long this client has to wait before he may try again; 0 for one who need not."""
        failures = self._failures.get(_client(address), deque())
        if len(failures) < _FAILURES:
            return 0
        return max(0, math.ceil(failures[0] + _WITHIN_S - self._clock.monotonic_s()))

    def failed(self, address: str | None) -> bool:
        """He failed; whether that was once too often."""
        client = _client(address)
        failures = self._failures.setdefault(client, deque(maxlen=_FAILURES))
        failures.append(self._clock.monotonic_s())
        self._failures.move_to_end(client)
        if len(self._failures) > _MOST_CLIENTS:
            self._failures.popitem(last=False)
        return self.wait_s(address) > 0


def _client(address: str | None) -> str:
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if known.version == 4:  # noqa: PLR2004
        return str(known)
    return str(known.ipv4_mapped or ipaddress.IPv6Network((int(known), 64), strict=False))
