"""Settings that are fine alone and wrong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from whatsapp_backend.settings.kinds import is_loopback
from whatsapp_backend.settings.problems import Problem

_SHORTEST_TOKEN = 16
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
    lease_s, heartbeat_s = values.get("instance_lease_s"), values.get("instance_heartbeat_s")
    if lease_s is not None and heartbeat_s is not None and lease_s < 2 * heartbeat_s:
        yield Problem(
            variable="INSTANCE_LEASE_MS",
            value=f"{lease_s * 1000:.0f}",
            wanted=f"must be at least twice INSTANCE_HEARTBEAT_MS ({heartbeat_s * 1000:.0f}), or one that is late "
            "costs every account",
        )
    yield from _doors(values)


def _doors(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Who can reach the API must need a token, and a good one."""
    unknown = object()  # it has a problem of its own
    admin, obs = values.get("admin_token", unknown), values.get("obs_token", unknown)
    bound, names = values.get("bind_host") or "localhost", values.get("allowed_hosts") or ()
    reached = [
        *([("BIND_HOST", bound)] if not is_loopback(bound) else []),
        *([("ALLOWED_HOSTS", ",".join(names))] if names else []),
    ]
    if admin is None:
        for name, value in reached:
            wanted = "lets others than the users of this machine reach the API: set ADMIN_TOKEN, too"
            yield Problem(variable=name, value=value, wanted=wanted)
    elif admin is not unknown and reached and len(admin) < _SHORTEST_TOKEN:
        wanted = f"must have at least {_SHORTEST_TOKEN} characters where {reached[0][0]} lets others reach the API"
        yield Problem(variable="ADMIN_TOKEN", value=None, wanted=wanted)
    if isinstance(admin, str) and admin == obs:
        wanted = "must be another one than ADMIN_TOKEN, or whoever watches may do everything"
        yield Problem(variable="OBS_TOKEN", value=None, wanted=wanted)


def remarks(values: Mapping[str, Any]) -> Iterator[str]:
    """What is as it was asked for, and should not be forgotten."""
    if values["history_sync_dry_run"]:
        yield "WHATSAPP_HISTORY_SYNC_DRY_RUN is on: no history is written, also none that would close a gap"
    for name in ("admin_token", "obs_token"):
        if values[name] and len(values[name]) < _SHORTEST_TOKEN:
            yield f"{name.upper()} is short: {_SHORTEST_TOKEN} characters, chosen at random, are not found by trying"


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
