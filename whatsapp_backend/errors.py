"""Every error we raise, in three families by blame. An error's docstring is its message unless it is given one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class WhatsAppBackendError(Exception):
    """Something went wrong in whatsapp-backend."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class OurBug(WhatsAppBackendError):
    """whatsapp-backend did something it must never do."""


class PeerMisbehaved(WhatsAppBackendError):
    """The other side sent something that cannot be right."""


class OperatorMustAct(WhatsAppBackendError):
    """Only an operator can mend this."""


class ProtocolError(PeerMisbehaved):
    """A frame could not be read. `name` is one of the protocol errors of docs/frames.md."""

    def __init__(self, name: str, detail: str = "", *, account: str | None = None) -> None:
        super().__init__(f"{name}: {detail}" if detail else name)
        self.name = name
        self.detail = detail
        self.account = account


class StoreUnwell(OperatorMustAct):
    """The store could not keep this; nothing of it was kept."""


class StoreRefused(PeerMisbehaved):
    """The store cannot hold this value; nothing of it was kept."""


class StoreUnusable(OperatorMustAct):
    """The store cannot be opened."""


class StateInUse(StoreUnusable):
    """Another process has the state directory. `holder` is its id, as far as it is known."""

    def __init__(self, guarded: str, holder: str) -> None:
        super().__init__(
            f"{guarded} is in use by process {holder}. Stop that process, or give this one another STATE_DIR; "
            "with --standby (and a PORT of its own) it waits until that process is gone."
        )
        self.holder = holder


class CredentialsUnreadable(OperatorMustAct):
    """Credentials exist but cannot be read."""


class FirestoreCredentialsUnusable(OperatorMustAct):
    """No usable credentials for Firestore."""


class EmulatorMissing(OperatorMustAct):
    """Google's Firestore emulator, or the Java that runs it, is not installed."""


class EmulatorFailed(OperatorMustAct):
    """The local Firestore did not do what it was told."""


class DocumentsUnavailable(WhatsAppBackendError):
    """Firestore did not answer."""


class LeaseLost(WhatsAppBackendError):
    """The account, or its lock, is ours no more: another has it, or Firestore did not confirm it in time."""


class TokenRefused(WhatsAppBackendError):
    """This token is nobody's."""


class AuthUnavailable(WhatsAppBackendError):
    """Who asks cannot be found out at the moment: try again soon."""


class AccountUnknown(OperatorMustAct):
    """No such account: GET /api/whatsapp/accounts lists them."""


class NotConnected(WhatsAppBackendError):
    """The account is not connected. `status` is the one of docs/documents.md that it has."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the account is not connected, its status is {status}: nothing can be asked for")
        self.status = status


class Busy(WhatsAppBackendError):
    """A run works on the account: that of the job, in the instance `holder`."""

    def __init__(self, holder: str, job: str) -> None:
        super().__init__(f"{holder} already works on this account: wait for job {job}, or cancel it")
        self.holder = holder
        self.job = job


class HistoryHeldBack(OperatorMustAct):
    """WHATSAPP_HISTORY_SYNC_DRY_RUN holds all history back, also what a run would bring: only a dry run can be made."""


class CommandFailed(PeerMisbehaved):
    """The bridge could not carry out a command. `code` is one of docs/frames.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class BridgeGone(WhatsAppBackendError):
    """The bridge is not running."""


class CommandTimedOut(WhatsAppBackendError):
    """The bridge did not answer in time."""


class AddressInUse(OperatorMustAct):
    """The daemon cannot listen on its address."""


class NodeMissing(OperatorMustAct):
    """Node 20 or newer, with npm, is not installed."""


class NodeModulesMissing(OperatorMustAct):
    """The Node packages of the bridge could not be installed."""


class DaemonSilent(OperatorMustAct):
    """No daemon answers a command."""


class DaemonRefused(WhatsAppBackendError):
    """The daemon did not do what a command asked for; `answer` says why."""

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer.get("message") or answer.get("error") or f"HTTP {status}"))
        self.status = status
        self.answer = answer
