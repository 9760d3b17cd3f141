"""Settings that are fine alone and wrong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from whatsapp_backend.settings.problems import Problem

_LOCAL = "FIRESTORE_LOCAL=true (or --local-firestore)"


def relations(values: Mapping[str, Any]) -> Iterator[Problem]:
    """What must hold between settings, whatever they are used for. Those with problems of their own are absent."""
    interval_s, lookback_s = values.get("recent_sync_interval_s"), values.get("recent_sync_lookback_s")
    if interval_s is not None and lookback_s is not None and lookback_s < interval_s:
        yield Problem(
            variable="RECENT_SYNC_LOOKBACK_MS",
            value=f"{lookback_s * 1000:.0f}",
            wanted=f"must be at least RECENT_SYNC_INTERVAL_MS ({interval_s * 1000:.0f}), or gaps slip through",
        )


def remarks(values: Mapping[str, Any]) -> Iterator[str]:
    """What is as it was asked for, and should not be forgotten."""
    if values["history_sync_dry_run"]:
        yield "WHATSAPP_HISTORY_SYNC_DRY_RUN is on: no history is written, also none that would close a gap"


def serving(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Where `serve` may write: to production with credentials, or to a local Firestore when told so."""
    if values.get("firestore_local", True):
        return
    if values.get("firestore_emulator_host"):
        yield Problem(
            variable="FIRESTORE_EMULATOR_HOST",
            value=values["firestore_emulator_host"],
            wanted=f"must not be set without {_LOCAL}: nobody may mistake an emulator for production",
        )
    elif values.get("credentials", True) is None:
        yield Problem(
            variable="FIREBASE_SERVICE_ACCOUNT_PATH",
            value=None,
            wanted="not set, so there is nowhere to write: name production credentials with it (or with "
            f"FIREBASE_SERVICE_ACCOUNT_JSON or GOOGLE_APPLICATION_CREDENTIALS), or use {_LOCAL}",
        )
