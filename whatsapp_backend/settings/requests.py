"""The rows of the table that say how the phone is asked for history."""

from __future__ import annotations

from whatsapp_backend.settings.kinds import Hours, Switch, Whole
from whatsapp_backend.settings.variables import Variable, row

REQUESTS: tuple[Variable, ...] = (
    row(
        "history_timeout_s",
        "WHATSAPP_HISTORY_TIMEOUT_MS",
        Whole(low=1_000, high=120_000, unit="ms", per_unit=0.001),
        "How long the phone may take to answer a request for history; after that it counts as silent.",
        default=45.0,
    ),
    row(
        "history_spacing_s",
        "WHATSAPP_HISTORY_SPACING_MS",
        Whole(low=0, high=600_000, unit="ms", per_unit=0.001),
        "Least time between two requests for history to one phone.",
        default=3.0,
    ),
    row(
        "history_retry_in_ms",
        "WHATSAPP_HISTORY_RETRY_IN_MILLISECONDS",
        Switch(),
        "When the phone does not answer, ask once more with the anchor's time in milliseconds instead of seconds: "
        "sources disagree on what phones expect.",
        default=False,
    ),
    row(
        "echo_enabled",
        "WHATSAPP_ECHO_ENABLED",
        Switch(),
        "When nothing comes of an account, ask its phone for a message that is here, to see whether an answer arrives: "
        "after 5 minutes, then more and more rarely, in the end every 6 hours. Off: a silent account is `unproven`.",
        default=True,
    ),
    row(
        "quiet_hours",
        "WHATSAPP_QUIET_HOURS",
        Hours(),
        "Local time of this machine in which no run begins by itself; those that somebody starts do.",
        shown_default="none",
    ),
)
