"""What Firestore's answers mean to us."""

from __future__ import annotations

import grpc

from whatsapp_backend.domain.writes import Outcome, Result, Write

_OK, _NOT_FOUND, _EXISTS, _PRECONDITION = 0, 5, 6, 9
_OF_CODE = {
    3: Result.INVALID,  # INVALID_ARGUMENT
    7: Result.DENIED,  # PERMISSION_DENIED
    11: Result.INVALID,  # OUT_OF_RANGE
    16: Result.DENIED,  # UNAUTHENTICATED
}
# No database, the wrong kind of database, or something that is no Firestore: trying again does not help, parking every
# message because of it would be worse. Hold the queue and alarm.
_MISCONFIGURED = frozenset({5, 9, 12})  # NOT_FOUND, FAILED_PRECONDITION, UNIMPLEMENTED


def of_write(write: Write, code: int, message: str) -> Outcome:
    """The outcome of one write of a batch that was carried out, and did not land."""
    if code == _EXISTS and write.must_not_exist:
        return Outcome(result=Result.EXISTS)
    if write.updated_at_ns is not None:
        # BatchWrite says FAILED_PRECONDITION for a missing document too; version 0 is how it names one.
        if code == _NOT_FOUND or (code == _PRECONDITION and "stored version (0)" in message):
            return Outcome(result=Result.MISSING)
        if code == _PRECONDITION:
            return Outcome(result=Result.STALE)
    return Outcome(result=_OF_CODE.get(code, Result.RETRY), detail=f"{_name(code)}: {message}")


def of_call(error: grpc.aio.AioRpcError) -> Outcome:
    """The outcome of every write of a call that failed."""
    code: int = error.code().value[0]
    result = Result.DENIED if code in _MISCONFIGURED else _OF_CODE.get(code, Result.RETRY)
    return Outcome(result=result, detail=describe(error))


def describe(error: grpc.aio.AioRpcError) -> str:
    """An error of a call, in one line."""
    return f"{error.code().name}: {error.details()}"


def _name(code: int) -> str:
    return next((status.name for status in grpc.StatusCode if status.value[0] == code), str(code))
