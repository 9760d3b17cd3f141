"""The real daemon with a listener of little patience: `python hasty_listener.py serve`. Nothing else is changed."""

from functools import partial

from whatsapp_backend import nudges
from whatsapp_backend.__main__ import main
from whatsapp_backend.app import Daemon
from whatsapp_backend.cli import serving
from whatsapp_backend.rules.hearing import Patience

serving.Daemon = partial(  # type: ignore[assignment, misc]
    Daemon, patience=Patience(look_ms=200, silence_ms=1500, echo_ms=3000, trip_ms=3000, stuck_ms=5000)
)
nudges._BEAT_EVERY_S = 1

if __name__ == "__main__":
    main()
