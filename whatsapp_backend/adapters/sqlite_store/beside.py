"""What people may look at in the file while the daemon has it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from whatsapp_backend.adapters.sqlite_store import accounts, surveys
from whatsapp_backend.adapters.sqlite_store.opening import FILE_NAME, reading_beside

if TYPE_CHECKING:
    from pathlib import Path

    from whatsapp_backend.domain.surveys import Survey


def surveys_in(state_dir: Path) -> tuple[list[str], list[Survey]]:
    """The accounts that are declared, and the surveys that were begun; none where there is no file yet.

    Raises StoreUnusable.
    """
    if not (state_dir / FILE_NAME).exists():
        return [], []
    with contextlib.closing(reading_beside(state_dir)) as connection:
        return [account.account for account in accounts.declared(connection)], surveys.surveys(connection)
