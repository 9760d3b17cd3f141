"""A row of the table of variables."""

from __future__ import annotations

from dataclasses import dataclass

from whatsapp_backend.settings.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One spelling of a variable, with its own unit."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A row of the table. `default` is what is used when no name is set; `shown_default` says it where code decides."""

    attribute: str
    names: tuple[Name, ...]
    meaning: str
    default: object = None
    shown_default: str | None = None
    secret: bool = False
    all_must_agree: bool = False
    """A switch that is on only when every name that is set says so; else the first name that is set decides."""
    used: bool = True


def row(
    attribute: str,
    name: str,
    kind: Kind,
    meaning: str,
    *,
    older: tuple[tuple[str, Kind], ...] = (),
    default: object = None,
    shown_default: str | None = None,
    secret: bool = False,
    all_must_agree: bool = False,
    used: bool = True,
) -> Variable:
    """A row, written short."""
    return Variable(
        attribute=attribute,
        names=tuple(Name(name=name, kind=kind) for name, kind in ((name, kind), *older)),
        meaning=meaning,
        default=default,
        shown_default=shown_default,
        secret=secret,
        all_must_agree=all_must_agree,
        used=used,
    )
