"""What Firestore's answers mean to us."""

from __future__ import annotations

import re

import grpc

from whatsapp_backend.domain.writes import Outcome, Result, Write

_INVALID, _NOT_FOUND, _EXISTS, _PRECONDITION = 3, 5, 6, 9
_OF_CODE = {
    _INVALID: Result.INVALID,
    7: Result.DENIED,  # PERMISSION_DENIED
    11: Result.INVALID,  # OUT_OF_RANGE
    16: Result.DENIED,  # UNAUTHENTICATED
}
# No database, the wrong kind of database, or something that is no Firestore: trying again does not help, parking every
# message because of it would be worse. Hold the queue and alarm.
_DOCUMENT = re.compile(r"projects/[^\s\"',]+")
_MISCONFIGURED = frozenset({_NOT_FOUND, _PRECONDITION, 12})  # 12: UNIMPLEMENTED


def of_write(write: Write, code: int, message: str) -> Outcome:
    """The outcome of one write that did not land, for a reason of its own."""
    if write.must_not_exist and code in (_EXISTS, _PRECONDITION):
        return Outcome(result=Result.EXISTS)
    if write.updated_at_ns is not None:
        # BatchWrite says FAILED_PRECONDITION for a missing document too; version 0 is how it names one.
        if code == _NOT_FOUND or (code == _PRECONDITION and "stored version (0)" in message):
            return Outcome(result=Result.MISSING)
        # A time later than the document's is an "invalid base version": a database that was set back.
        if code == _PRECONDITION or (code == _INVALID and "base version" in message):
            return Outcome(result=Result.STALE)
    return Outcome(result=_OF_CODE.get(code, Result.RETRY), detail=f"{_name(code)}: {_without_names(message)}")


def of_call(error: grpc.aio.AioRpcError) -> Outcome:
    """The outcome of every write of a call that failed."""
    code: int = error.code().value[0]
    result = Result.DENIED if code in _MISCONFIGURED else _OF_CODE.get(code, Result.RETRY)
    return Outcome(result=result, detail=describe(error))


def describe(error: grpc.aio.AioRpcError) -> str:
    """An error of a call, in one line."""
    return f"{error.code().name}: {_without_names(error.details() or '')}"


def _without_names(message: str) -> str:
    """Firestore names the documents that it speaks of, and their ids are made of numbers."""
    return _DOCUMENT.sub("a document", message)


def _name(code: int) -> str:
    return next((status.name for status in grpc.StatusCode if status.value[0] == code), str(code))
