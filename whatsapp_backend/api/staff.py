"""Who of those who signed in is staff, and what he may see: documents that operators write, read anew every minute."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from whatsapp_backend.api.who import Role, Who
from whatsapp_backend.clock import Clock
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.domain.writes import Fields
from whatsapp_backend.errors import AuthUnavailable, DocumentsUnavailable
from whatsapp_backend.ports import DocumentStore
from whatsapp_backend.rules.staff import CONFIG, PROFILES, is_super_admin, restrictions_of

_KEPT_S = 60.0
_MOST = 1000
_PATIENCE_S = 3.0


class Staff:
    """Asks Firestore, and remembers its answers for a minute."""

    def __init__(self, documents: DocumentStore, clock: Clock, *, patience_s: float = _PATIENCE_S) -> None:
        self._documents = documents
        self._clock = clock
        self._patience_s = patience_s
        self._known: OrderedDict[str, tuple[float, Fields | None]] = OrderedDict()
        """Until when it holds, and what is in the document, None where there is none."""

    async def who(self, identity: Identity) -> Who | None:
        """What he is here, None for somebody who is not staff. Raises AuthUnavailable."""
        profile = f"{PROFILES}/{identity.uid}"
        found = await self._read([CONFIG, profile] if "/" not in identity.uid else [CONFIG])
        restrictions = restrictions_of(found[CONFIG])
        if is_super_admin(identity, restrictions):
            return Who(role=Role.STAFF)
        if found.get(profile) is None:
            return None
        if restrictions.admin_only is None:
            return Who(role=Role.STAFF, blind=True)
        return Who(role=Role.STAFF, hidden=restrictions.admin_only)

    async def _read(self, paths: Sequence[str]) -> dict[str, Fields | None]:
        now_s = self._clock.monotonic_s()
        found = {path: self._known[path] for path in paths if path in self._known}
        found = {path: kept for path, kept in found.items() if now_s < kept[0]}
        if missing := [path for path in paths if path not in found]:
            try:
                async with asyncio.timeout(self._patience_s):
                    read = await self._documents.read(missing)
            except (DocumentsUnavailable, TimeoutError) as error:
                raise AuthUnavailable("who is staff cannot be read from Firestore at the moment") from error
            for path in missing:
                fields = read[path].fields if path in read else None
                kept = fields if path == CONFIG or fields is None else {}  # of a profile only that there is one
                found[path] = self._known[path] = (now_s + _KEPT_S, kept)
                self._known.move_to_end(path)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return {path: fields for path, (_, fields) in found.items()}
