"""Who may see which account: the rule of deploy/firestore.rules (`staffMayRead`), for the API.

The two must agree, also about what operators mistype; tests/contract/test_who_may_see.py asks both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whatsapp_backend.domain.people import Identity

CONFIG = "config/whatsapp_inbox"
PROFILES = "staffProfiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrictions:
    """What the config document says. None: it cannot be read, so that every account counts as restricted."""

    admin_only: frozenset[str] | None = frozenset()
    super_admins: frozenset[str] = frozenset()


def restrictions_of(config: Mapping[str, Any] | None) -> Restrictions:
    """What the document restricts; one that is not there restricts nothing and names nobody."""
    config = config or {}
    return Restrictions(
        admin_only=_names(config.get("adminOnlyAccountIds", [])),
        super_admins=_names(config.get("superAdminEmails", [])) or frozenset(),
    )


def is_super_admin(identity: Identity, restrictions: Restrictions) -> bool:
    """Whether this is somebody who sees every account. An address that is not verified is anybody's."""
    return identity.email_verified and identity.email in restrictions.super_admins


def _names(value: Any) -> frozenset[str] | None:
    """What `in` finds in it by the rules of Firestore: a list's elements, a map's keys. It fails for anything else."""
    if not isinstance(value, list | Mapping):
        return None
    return frozenset(name for name in value if isinstance(name, str))
