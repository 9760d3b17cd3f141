"""This machine: the disk, the state directory, the port, and the daemon that may be running."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from pathlib import Path

from yarl import URL

from whatsapp_backend import __version__
from whatsapp_backend.adapters.sqlite_store.beside import damage
from whatsapp_backend.adapters.sqlite_store.opening import FILE_NAME
from whatsapp_backend.cli.client import Daemon, address
from whatsapp_backend.cli.doctor.findings import Finding, fail, ok, warn
from whatsapp_backend.cli.doctor.listeners import holder_of
from whatsapp_backend.errors import DaemonRefused, DaemonSilent, StateInUse, StoreUnusable
from whatsapp_backend.settings import Settings

_MIB = 1 << 20
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 1024 * _MIB, 100 * _MIB
_LITTLE_INODES, _TOO_FEW_INODES = 10_000, 100
_CHECK_S = 8.0
_HEALTH_S = 3.0
"""A daemon answers within one, whatever is wrong with it."""
_OURS = "whatsapp-backend"


async def disk(settings: Settings) -> Finding:
    """There is room, and it can be written to."""
    folder = _nearest(settings.state_dir)
    room = os.statvfs(folder)
    free_bytes, free_inodes = room.f_bavail * room.f_frsize, room.f_favail if room.f_files else None
    found = f"{free_bytes // _MIB} MiB free at {folder}" + (
        f", {free_inodes} inodes" if free_inodes is not None else ""
    )
    todo = "Make room, or choose a STATE_DIR with more."
    try:
        await asyncio.to_thread(_write_once, folder)
    except OSError as error:
        return fail("disk", f"{folder} cannot be written to: {error.strerror}", "Make it writable for this user.")
    inodes = _LITTLE_INODES if free_inodes is None else free_inodes
    if free_bytes < _TOO_LITTLE_BYTES or inodes < _TOO_FEW_INODES:
        return fail("disk", found, todo)
    return warn("disk", found, todo) if free_bytes < _LITTLE_BYTES or inodes < _LITTLE_INODES else ok("disk", found)


def _nearest(folder: Path) -> Path:
    """The folder, or what of its path exists already."""
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))


def _write_once(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"whatsapp-backend")
        file.flush()
        os.fsync(file.fileno())


async def permissions(settings: Settings) -> Finding:
    """Only the daemon's user can look into the state directory."""
    folder = settings.state_dir
    if not folder.is_dir():
        return ok("permissions", f"{folder} is not there yet, and will be made")
    owner = folder.stat().st_uid
    open_ones = [path for path in (folder, *folder.iterdir()) if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return fail("permissions", f"{folder} is open to others", f"`chmod 700 {folder}`: it holds private keys.")
    if owner != os.geteuid():
        return warn("permissions", f"{folder} belongs to user {owner}", "Ask as the user that runs the daemon.")
    foreign = [path for path in folder.iterdir() if path.lstat().st_uid != owner]
    if foreign:
        return fail("permissions", f"{foreign[0]} belongs to another user", f"`chown -R {owner} {folder}`.")
    if open_ones:
        names = ", ".join(path.name for path in open_ones[:3])
        return warn("permissions", f"open to others, in a folder that is not: {names}", f"`chmod -R go= {folder}`.")
    return ok("permissions", f"{folder} is its owner's alone")


async def store(settings: Settings) -> Finding:
    """The file is sound. Looked at only while nobody has it."""
    folder = settings.state_dir
    if not (folder / FILE_NAME).exists():
        return ok("store", "there is none yet")
    try:
        found = await asyncio.to_thread(damage, folder, patience_s=_CHECK_S)
    except StateInUse as error:
        return ok("store", f"in use by process {error.holder}, which checked it when it started")
    except StoreUnusable as error:
        return fail("store", str(error), "Restore it from a backup, or do what it says.")
    except TimeoutError:
        return warn("store", f"too large to be checked within {_CHECK_S:.0f} s: nothing was found until then")
    if found:
        return fail(
            "store", f"damaged: {found}", "Restore it from a backup; an old copy costs the links to the phones."
        )
    return ok("store", "sound")


async def port(settings: Settings) -> Finding:
    """The port is free, or our daemon has it."""
    host, number = settings.bind_host, settings.port
    if not number:
        return ok("port", "any free one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, number))
            trial.listen(1)
    except OSError as error:
        return await _held(settings, error)
    return ok("port", f"{host}:{number} is free")


async def _held(settings: Settings, error: OSError) -> Finding:
    where = f"{settings.bind_host}:{settings.port}"
    if (health := await _health(address(settings, None), settings)) is not None:
        return ok("port", f"{where} is our daemon's, instance {health.get('instanceId')}")
    held_by = holder_of(settings.port)
    who = f"held by {held_by}" if held_by else f"cannot be had: {error.strerror}"
    return fail("port", f"{where} is {who}", "Stop that process, or choose another PORT.")


async def daemon(settings: Settings, url: str | None) -> Finding:
    """A daemon runs, of the version that asks."""
    try:
        where = address(settings, url)
    except ValueError as error:
        return warn("daemon", f"not asked: {error}", "Say --url.")
    health = await _health(where, settings)
    if health is None:
        return warn("daemon", f"none answers at {where}", "Start it: `whatsapp-backend serve`, or the systemd unit.")
    if health["version"] != __version__:
        todo = "Restart the daemon, or use the program that belongs to it."
        return warn("daemon", f"runs version {health['version']}, this is {__version__}", todo)
    if not health.get("ok"):
        return fail("daemon", f"degraded: {health.get('reason')}", "`whatsapp-backend status` says more.")
    return ok("daemon", f"runs, version {__version__}, {health['mode']}")


async def _health(url: URL, settings: Settings) -> dict[str, object] | None:
    try:
        async with asyncio.timeout(_HEALTH_S), Daemon.at(url, admin_token=settings.admin_token) as found:
            health = await found.look("/health")
    except (DaemonSilent, DaemonRefused, TimeoutError):
        return None
    return health if health.get("service") == _OURS else None
