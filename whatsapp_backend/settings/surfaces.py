"""The rows of the table that say where the API is, and who may use it."""

from __future__ import annotations

from whatsapp_backend.settings.kinds import Address, HostNames, Text, Whole
from whatsapp_backend.settings.variables import Variable, row

_TOKEN = Text(pattern=r"[!-~]{1,512}", allowed="printable characters without spaces")

SURFACES: tuple[Variable, ...] = (
    row("port", "PORT", Whole(low=0, high=65535), "Port of the HTTP API; 0 takes any free one.", default=8080),
    row(
        "bind_host",
        "BIND_HOST",
        Address(),
        "Address the API listens on. One that other machines reach needs ADMIN_TOKEN.",
        default="127.0.0.1",
    ),
    row(
        "allowed_hosts",
        "ALLOWED_HOSTS",
        HostNames(),
        "Names by which the API may be asked besides those of this machine, as a reverse proxy passes them on. Needs "
        "ADMIN_TOKEN. Literal addresses need not be named: they may be used where BIND_HOST is no loopback address.",
        default=(),
        shown_default="none",
    ),
    row(
        "admin_token",
        "ADMIN_TOKEN",
        _TOKEN,
        "Opens every route. Without it nothing is asked for, and whoever is on this machine may do everything. At "
        "least 16 characters where other machines reach the API.",
        secret=True,
    ),
    row(
        "obs_token",
        "OBS_TOKEN",
        _TOKEN,
        "Opens what watchers read, `/metrics`, and nothing else. Another one than ADMIN_TOKEN.",
        secret=True,
    ),
)
