"""Firestore: credentials, the connection, indexes, rules, and the clock that its tokens depend on."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from google.cloud.firestore import AsyncClient

from whatsapp_backend.adapters.emulator_files import find_jar, find_java
from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.adapters.firestore.index_probe import missing_indexes
from whatsapp_backend.cli.doctor.findings import Finding, fail, ok, warn
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.database import LOCAL_PROJECT
from whatsapp_backend.errors import DocumentsUnavailable, EmulatorMissing, FirestoreCredentialsUnusable
from whatsapp_backend.settings import Settings

GOOGLE = "https://firestore.googleapis.com"
_READ = "config/whatsapp_inbox"
"""Somebody's document, so that one read is made; it need not exist."""
_STRANGERS = "threads/whatsapp-backend-doctor"
_CALL_S = 8.0
_SLOW_CLOCK_S, _WRONG_CLOCK_S = 5.0, 60.0
_REFUSED, _FOUND, _GONE = 403, 200, 404
"""Of HTTP."""
_DEPLOY = "cd deploy && firebase deploy --only firestore:{what} --project {project}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which Firestore is meant. `emulator` is its `host:port`, None for production."""

    project: str
    emulator: str | None = None

    @property
    def url(self) -> str:
        """Its HTTP side."""
        return f"http://{self.emulator}" if self.emulator else GOOGLE


def place_of(settings: Settings) -> Place | None:
    """The Firestore of these settings; None: the daemon starts one of its own."""
    if settings.firestore_local and not settings.firestore_emulator_host:
        return None
    emulator = settings.firestore_emulator_host if settings.firestore_local else None
    return Place(
        project=settings.firebase_project_id or (LOCAL_PROJECT if emulator else "(of the key)"), emulator=emulator
    )


async def credentials(settings: Settings) -> Finding:
    """The key can be read by the daemon, by nobody else, and is one."""
    given = settings.credentials
    if settings.firestore_local:
        return ok("credentials", "a local Firestore needs none")
    if isinstance(given, Path) and (trouble := _readable_by_others(given)):
        return trouble
    try:
        client = firestore_client(settings.firebase_project_id, credentials=given)
    except FirestoreCredentialsUnusable as error:
        todo = "Name a service account's key by GOOGLE_APPLICATION_CREDENTIALS or FIREBASE_SERVICE_ACCOUNT_JSON."
        return fail("credentials", str(error), todo)
    await close(client)
    where = given if isinstance(given, Path) else "given as text" if given else "those that this machine offers"
    return ok("credentials", f"a usable key: {where}")


def _readable_by_others(key: Path) -> Finding | None:
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
        key.open("rb").close()
    except OSError as error:
        return fail("credentials", f"{key}: {error.strerror}", "Let this user read it: `chown` it, `chmod 600`.")
    if mode & 0o007:
        return fail("credentials", f"{key} can be read by everybody here ({mode:04o})", f"`chmod 600 {key}`.")
    if mode & 0o070:
        return warn("credentials", f"{key} can be read by its group ({mode:04o})", f"`chmod 600 {key}`.")
    return None


async def firestore(settings: Settings) -> Finding:
    """Firestore answers one read with these credentials."""
    place = place_of(settings)
    if place is None:
        return _own_emulator()
    try:
        async with _client(settings, place) as client:
            await FirestoreDocuments(client, timeout_s=_CALL_S).read([_READ])
            project = client.project
    except FirestoreCredentialsUnusable:
        return fail("firestore", "not asked: there are no usable credentials", "See `credentials`.")
    except DocumentsUnavailable as error:
        todo = "Look at the network, that the project exists, and that the service account has `Cloud Datastore User`."
        return fail("firestore", f"project {place.project}: {error}", todo)
    return ok("firestore", f"project {project} answers" + (f" (emulator {place.emulator})" if place.emulator else ""))


def _own_emulator() -> Finding:
    try:
        jar, java = find_jar(), find_java()
    except EmulatorMissing as error:
        return fail("firestore", "the daemon starts an emulator, which is not installed", str(error))
    return ok("firestore", f"the daemon starts an emulator of its own: {jar}, by {java}")


async def indexes(settings: Settings) -> Finding:
    """Every index of deploy/firestore.indexes.json is there."""
    place, wanted = place_of(settings), index_file()
    if place is None or place.emulator:
        return warn("indexes", "cannot be told: an emulator answers any query")
    if wanted is None:
        return warn("indexes", "cannot be told: deploy/firestore.indexes.json is not here")
    try:
        async with _client(settings, place) as client:
            missing = await missing_indexes(client, wanted, timeout_s=_CALL_S)
            project = client.project
    except (DocumentsUnavailable, FirestoreCredentialsUnusable):
        return fail("indexes", "not asked: Firestore does not answer", "See `firestore`.")
    if missing:
        todo = _DEPLOY.format(what="indexes", project=project)
        return fail(
            "indexes", f"{len(missing)} missing, or not built yet: {'; '.join(missing)}", f"`{todo}`, and wait."
        )
    return ok("indexes", "all there")


async def rules(settings: Settings, *, url: str | None = None) -> Finding:
    """A stranger is refused. Which rules are deployed cannot be seen by who only has the data."""
    place = place_of(settings)
    if place is None:
        return warn("rules", "cannot be told: the local Firestore runs with the daemon")
    project = settings.firebase_project_id or await _own_project(settings)
    if project is None:
        return fail("rules", "not asked: there are no usable credentials", "See `credentials`.")
    path = f"/v1/projects/{project}/databases/(default)/documents/{_STRANGERS}"
    try:
        async with _session() as session, session.get((url or place.url) + path) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        return fail("rules", f"not asked: {str(error) or 'no answer'}", "See `firestore`.")
    return _of_a_stranger(status, place, project)


def _of_a_stranger(status: int, place: Place, project: str) -> Finding:
    if status == _REFUSED:
        return ok("rules", "a stranger's read is refused; whether they are those of deploy/ cannot be seen from here")
    if status in (_FOUND, _GONE) and place.emulator:
        return warn("rules", "this emulator lets everybody read, as emulators do unless rules were loaded")
    if status in (_FOUND, _GONE):
        todo = f"`{_DEPLOY.format(what='rules', project=project)}`, at once."
        return fail("rules", "everybody in the world can read the conversations", todo)
    return warn("rules", f"cannot be told: HTTP {status}")


async def clock(settings: Settings, *, url: str | None = None) -> Finding:
    """This machine's clock says what Google's says: tokens and leases need it."""
    place = place_of(settings)
    if url is None and (place is None or place.emulator):
        return warn("clock", "not compared: Firestore is on this machine, or near it")
    try:
        async with _session() as session, session.head(url or GOOGLE) as answer:
            told = answer.headers.get("Date", "")
        offset_s = (
            datetime.fromtimestamp(SystemClock().wall_ms() / 1000, UTC) - parsedate_to_datetime(told)
        ).total_seconds()
    except (aiohttp.ClientError, TimeoutError) as error:
        return warn("clock", f"not compared: {str(error) or 'no answer'}", "See `firestore`.")
    except ValueError:
        return warn("clock", "not compared: no date in the answer")
    found = f"{abs(offset_s):.0f} s {'ahead' if offset_s > 0 else 'behind'}"
    todo = "Let the machine keep its time: `sudo timedatectl set-ntp true`."
    if abs(offset_s) > _WRONG_CLOCK_S:
        return fail("clock", found, todo)
    return warn("clock", found, todo) if abs(offset_s) > _SLOW_CLOCK_S else ok("clock", found)


def index_file() -> dict[str, Any] | None:
    """deploy/firestore.indexes.json of the checkout, or its copy in an installed package."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package.parent / "deploy", package / "deploy"):
        file = folder / "firestore.indexes.json"
        if file.is_file():
            return dict(orjson.loads(file.read_bytes()))
    return None


async def _own_project(settings: Settings) -> str | None:
    try:
        client = firestore_client(None, credentials=settings.credentials)
    except FirestoreCredentialsUnusable:
        return None
    await close(client)
    return str(client.project)


@asynccontextmanager
async def _client(settings: Settings, place: Place) -> AsyncIterator[AsyncClient]:
    client = firestore_client(
        settings.firebase_project_id or (LOCAL_PROJECT if place.emulator else None),
        credentials=settings.credentials,
        emulator_host=place.emulator,
    )
    try:
        yield client
    finally:
        await close(client)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CALL_S), trust_env=True)
