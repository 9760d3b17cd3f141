"""The lines that operators grep for, one per live message and one per history that ended."""

from __future__ import annotations

import structlog

from whatsapp_backend.domain.events import REALTIME
from whatsapp_backend.flows.publish import Published
from whatsapp_backend.rules.history import history_end
from whatsapp_backend.rules.redact import redact_jid

log = structlog.get_logger()


class LogLines:
    """Writes what a window brought. `key` makes the hashes in it comparable with each other and nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def on_published(self, published: Published) -> None:
        """A window landed."""
        for seen in published.seen:
            if seen.origin in REALTIME:
                log.info(
                    "[realtime]",
                    accountId=seen.account,
                    remoteJid=redact_jid(seen.client_jid, self._key),
                    msg=seen.message_id,
                    ts=seen.sent_at_ms,
                    type=seen.content.kind,
                    writeOK=seen.order not in published.refused,
                )
        for entry in published.entries:
            if entry.new.kind == "history-notice":
                log.info("[history] event received", accountId=entry.account, origin=entry.new.origin)
            if end := history_end(entry.new):
                log.info(
                    "[history] sync ended",
                    accountId=entry.account,
                    result=end.result,
                    messages=end.messages,
                    syncType=end.sync_type,
                )
        if published.refused:
            log.warning("parked", count=len(published.refused), see="/health")
