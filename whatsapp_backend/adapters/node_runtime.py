"""Which Node runs the bridge, and from which folder.

A source checkout has its modules beside the code (`make` puts them there). An installed wheel has none: ES modules are
looked for only beside the code that imports them, so the code is copied into the cache and its modules are installed
there. That folder is made under another name and renamed when it is complete, so a second process, or one that is
killed in the middle, never sees half of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whatsapp_backend.errors import NodeMissing, NodeModulesMissing

OLDEST_NODE: Final = 20
_SOURCE: Final = Path(__file__).resolve().parent.parent / "node"
_COMPLETE: Final = "node_modules/.package-lock.json"
"""npm writes it last."""
_VERSION_TIMEOUT_S: Final = 30
_INSTALL_TIMEOUT_S: Final = 600
_NPM_CI: Final = (
    *("ci", "--omit=dev", "--omit=peer", "--omit=optional", "--ignore-scripts"),
    *("--no-audit", "--no-fund", "--loglevel=error"),
)
_HELP: Final = (
    f"The bridge needs Node {OLDEST_NODE} or newer with npm: `sudo apt-get install nodejs npm` where that is new "
    f"enough (Debian 13, Ubuntu 25.04), else `nvm install {OLDEST_NODE}`."
)
_PASSED_ON: Final = re.compile(
    r"PATH|HOME|LANG|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|(https?|no)_proxy|npm_config_\w+", re.IGNORECASE
)
"""All that npm gets of our environment, which holds secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHome:
    """The program, and the folder with `bridge/`, `fake_whatsapp/` and `node_modules/`."""

    node: Path
    folder: Path


async def node_home(cache_dir: Path, *, source: Path = _SOURCE, environ: Mapping[str, str] = os.environ) -> NodeHome:
    """Find Node and a folder that is ready to run, making one in the cache if need be.

    Raises NodeMissing, or NodeModulesMissing when npm cannot install what the lock names.
    """
    node, version = await _find_node(environ)
    folder = _folder(cache_dir, source, version)
    if not folder.is_dir():
        await _install(source, folder, environ)
    return NodeHome(node=node, folder=folder)


async def look_for_node(
    cache_dir: Path, *, source: Path = _SOURCE, environ: Mapping[str, str] = os.environ
) -> tuple[str, NodeHome | None]:
    """The version of Node, and what is ready to run, if anything is: nothing is made. Raises NodeMissing."""
    node, version = await _find_node(environ)
    folder = _folder(cache_dir, source, version)
    return version, NodeHome(node=node, folder=folder) if folder.is_dir() else None


def _folder(cache_dir: Path, source: Path, version: str) -> Path:
    if (source / _COMPLETE).is_file():
        return source
    return cache_dir / f"node-{_fingerprint(source, version)}"


async def _find_node(environ: Mapping[str, str]) -> tuple[Path, str]:
    found = shutil.which("node", path=environ.get("PATH", ""))
    if not found:
        raise NodeMissing(f"No `node` on the PATH. {_HELP}")
    try:
        _, output = await _run((found, "--version"), environ=environ, timeout_s=_VERSION_TIMEOUT_S)
    except (OSError, TimeoutError) as error:
        raise NodeMissing(f"{found} does not run: {error}. {_HELP}") from error
    version = re.match(r"v([0-9]+)\.", output)
    if not version or int(version[1]) < OLDEST_NODE:
        raise NodeMissing(f"{found} is {output.strip() or 'of no known version'}. {_HELP}")
    return Path(found), version[1]


def _fingerprint(source: Path, version: str) -> str:
    digest = hashlib.sha256(version.encode())
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        if "node_modules" not in inside.parts and path.is_file():
            for part in (str(inside).encode(), path.read_bytes()):
                digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()[:16]


async def _install(source: Path, folder: Path, environ: Mapping[str, str]) -> None:
    npm = shutil.which("npm", path=environ.get("PATH", ""))
    if not npm:
        raise NodeMissing(f"No `npm` on the PATH. {_HELP}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=f"{folder.name}.", ignore_cleanup_errors=True
        ) as new:
            ready = Path(new) / "node"
            await asyncio.to_thread(shutil.copytree, source, ready, ignore=shutil.ignore_patterns("node_modules"))
            await _npm_ci(npm, ready, {"npm_config_cache": str(folder.parent / "npm")} | dict(environ))
            with suppress(FileExistsError):
                _rename(ready, folder)
    except OSError as error:
        raise NodeModulesMissing(f"The bridge could not be made ready in {folder.parent}: {error}") from error


async def _npm_ci(npm: str, folder: Path, environ: Mapping[str, str]) -> None:
    try:
        code, output = await _run((npm, *_NPM_CI), environ=environ, folder=folder, timeout_s=_INSTALL_TIMEOUT_S)
    except TimeoutError as error:
        raise NodeModulesMissing(f"`npm ci` was not done after {_INSTALL_TIMEOUT_S} s.") from error
    if code or not (folder / _COMPLETE).is_file():
        raise NodeModulesMissing(f"`npm ci` failed with exit code {code}:\n{output.strip()[-2000:]}")


def _rename(ready: Path, folder: Path) -> None:
    try:
        ready.rename(folder)
    except OSError as error:
        # Another process was first: renaming onto a folder that is not empty is refused, and theirs is as good.
        if folder.is_dir():
            raise FileExistsError(folder) from error
        raise


async def _run(
    argv: tuple[str, ...], *, environ: Mapping[str, str], timeout_s: float, folder: Path | None = None
) -> tuple[int | None, str]:
    passed_on = {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, env=passed_on, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            # npm starts children of its own: end the whole session.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode, output.decode(errors="replace")
