"""When an account's credentials may be used."""

from __future__ import annotations

from whatsapp_backend.domain.journal import DeclaredAccount
from whatsapp_backend.errors import CredentialsUnreadable


def demand_usable(creds: str | None, declared: DeclaredAccount, *, server: str) -> None:
    """Raise CredentialsUnreadable for those of another server, which must not see ours, and where a paired account has
    none: a new identity must never come silently.
    """
    if declared.server is None:
        return
    if creds is None:
        raise CredentialsUnreadable(
            f"{declared.account} was paired, and its credentials are gone. Restore the state directory from a backup"
        )
    if declared.server != server:
        raise CredentialsUnreadable(
            f"the credentials of {declared.account} were made with {declared.server}, and are not used with {server}. "
            "Set WHATSAPP_WEB_URL as it was, or use another STATE_DIR"
        )
