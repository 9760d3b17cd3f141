"""The rows of the table that say how the log is written."""

from __future__ import annotations

from whatsapp_backend.settings.kinds import Text
from whatsapp_backend.settings.variables import Variable, row

LOGS: tuple[Variable, ...] = (
    row(
        "log_format",
        "LOG_FORMAT",
        Text(pattern="text|json", allowed="text or json"),
        "How log lines are written: for people, or as one JSON object a line.",
        default="text",
    ),
)
