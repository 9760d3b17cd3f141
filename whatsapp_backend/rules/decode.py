"""Bytes of a line -> what the bridge said, or ProtocolError. Whatever the bytes are, nothing else comes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import orjson

from whatsapp_backend.domain.frames import Done, Failed, Find, Frame, Get, Hello, Log, Me, Part, State, Status
from whatsapp_backend.domain.journal import Commit, Keys, NewEntry
from whatsapp_backend.errors import ProtocolError
from whatsapp_backend.rules import fields
from whatsapp_backend.rules.fields import Object

MAX_ENTRIES: Final = 1000
HEAD_BYTES: Final = 1024

_KINDS: Final = frozenset(
    ("message", "history-notice", "history", "history-end", "debt", "receipt", "notification", "call", "update")
)
_ORIGINS: Final = frozenset(("live", "offline", "history", "ondemand", "resend", "sent", "derived"))
_FORMS: Final = frozenset(("padded", "message", "web", "stanza"))
_LEVELS: Final = frozenset(("debug", "info", "warn", "error"))

# Quotes inside a JSON string are escaped, so text that a sender chose cannot look like this key.
_ACCOUNT = re.compile(rb'"account"\s*:\s*"([^"\\]{1,800})"')


def decode(line: bytes) -> Frame | Part:
    """Read one frame. Raises ProtocolError, with the account if the line names one."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ProtocolError("not-json", account=account_in(line)) from None
    if not isinstance(value, dict):
        raise ProtocolError("not-an-object")
    named = value.get("account")
    account = named if fields.is_id(named) else None
    kind = value.get("t")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise ProtocolError("unknown-type", account=account)
    try:
        return read(value)
    except ProtocolError as error:
        error.account = account
        raise


def account_in(line: bytes) -> str | None:
    """The account that a line which cannot be parsed names near its beginning.

    A commit that is merely skipped would leave its account waiting for ever; halted, it starts afresh.
    """
    match = _ACCOUNT.search(line[:HEAD_BYTES])
    if match is None:
        return None
    try:
        account = match[1].decode()
    except UnicodeDecodeError:
        return None
    return account if fields.is_id(account) else None


@contextmanager
def _within(parent: str) -> Iterator[None]:
    try:
        yield
    except ProtocolError as error:
        raise fields.bad(f"{parent}.{error.detail}") from None


def _hello(of: Object) -> Hello:
    return Hello(
        protocol=fields.integer(of, "protocol"),
        engine=fields.name(of, "engine"),
        node=fields.name(of, "node"),
        pid=fields.integer(of, "pid"),
    )


def _get(of: Object) -> Get:
    ids = of.get("ids")
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise fields.bad("ids")
    return Get(
        account=fields.an_id(of, "account"), id=fields.an_id(of, "id"), type=fields.name(of, "type"), ids=tuple(ids)
    )


def _find(of: Object) -> Find:
    return Find(account=fields.an_id(of, "account"), id=fields.an_id(of, "id"), source=fields.name(of, "source"))


def _commit(of: Object) -> Commit:
    return Commit(
        account=fields.an_id(of, "account"),
        id=fields.an_id(of, "id"),
        keys=_keys(of),
        creds=fields.text_or_none(of, "creds"),
        entries=_entries(of),
        begin=None if of.get("begin") is None else fields.name(of, "begin"),
    )


def _keys(of: Object) -> Keys:
    if of.get("keys") is None:
        return {}
    keys = fields.an_object(of, "keys")
    for values in keys.values():
        if not isinstance(values, dict) or not all(
            value is None or isinstance(value, str) for value in values.values()
        ):
            raise fields.bad("keys")
    return keys


def _entries(of: Object) -> tuple[NewEntry, ...]:
    entries = of.get("entries")
    if entries is None:
        return ()
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise fields.bad("entries")
    return tuple(_entry(each, index) for index, each in enumerate(entries))


def _entry(of: object, index: int) -> NewEntry:
    if not isinstance(of, dict):
        raise fields.bad(f"entries[{index}]")
    with _within(f"entries[{index}]"):
        return _entry_fields(of)


def _entry_fields(of: Object) -> NewEntry:
    payload, problem = fields.json_text(of, "payload"), fields.text_or_none(of, "problem")
    if payload is None and problem is None:
        raise fields.bad("payload")
    raw = fields.some_bytes(of, "raw")
    form = None if of.get("form") is None else fields.one_of(of, "form", _FORMS)
    if (raw is None) != (form is None):
        raise fields.bad("raw" if raw is None else "form")
    return NewEntry(
        kind=fields.one_of(of, "kind", _KINDS),
        source=fields.name(of, "source"),
        origin=fields.one_of(of, "origin", _ORIGINS),
        received_at_ms=fields.integer(of, "at"),
        payload=payload,
        problem=problem,
        form=form,
        raw=raw,
        envelope=fields.json_text(of, "envelope"),
    )


def _state(of: Object) -> State:
    try:
        status = Status(fields.text(of, "status"))
    except ValueError:
        raise fields.bad("status") from None
    details: dict[str, Any] = {}
    match status:
        case Status.QR:
            details["qr"] = fields.name(of, "qr")
        case Status.OPEN:
            details["me"] = _me(of)
        case Status.OFFLINE:
            details["announced"] = fields.integer(of, "announced")
        case Status.CAUGHT_UP:
            details["received"] = fields.integer(of, "received")
        case Status.CLOSED:
            details["code"], details["reason"] = fields.integer(of, "code"), fields.text(of, "reason")
    return State(account=fields.an_id(of, "account"), status=status, at_ms=fields.integer(of, "at"), **details)


def _me(of: Object) -> Me:
    me = fields.an_object(of, "me")
    with _within("me"):
        return Me(id=fields.name(me, "id"), lid=fields.text_or_none(me, "lid"), name=fields.text_or_none(me, "name"))


def _done(of: Object) -> Done:
    return Done(id=fields.an_id(of, "id"), result=fields.an_object(of, "result"))


def _failed(of: Object) -> Failed:
    command, error = fields.an_id(of, "id"), fields.an_object(of, "error")
    with _within("error"):
        return Failed(id=command, code=fields.name(error, "code"), message=fields.text(error, "message"))


def _log(of: Object) -> Log:
    return Log(
        level=fields.one_of(of, "level", _LEVELS),
        event=fields.name(of, "event"),
        account=_account_or_none(of),
        fields={} if of.get("fields") is None else fields.an_object(of, "fields"),
    )


def _part(of: Object) -> Part:
    return Part(
        account=_account_or_none(of),
        of=fields.an_id(of, "of"),
        index=fields.integer(of, "index"),
        count=fields.integer(of, "count"),
        text=fields.text(of, "text"),
    )


def _account_or_none(of: Object) -> str | None:
    return None if of.get("account") is None else fields.an_id(of, "account")


_READERS: Final[Mapping[str, Callable[[Object], Frame | Part]]] = {
    "hello": _hello,
    "get": _get,
    "commit": _commit,
    "find": _find,
    "state": _state,
    "done": _done,
    "failed": _failed,
    "log": _log,
    "part": _part,
}
