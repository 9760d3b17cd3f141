"""The one page there is so far: the code that a phone has to scan."""

from __future__ import annotations

import html

import segno

PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""The code is a secret: kept by nobody, framed by nobody, and no script may run beside it."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Pair {name}</title>
<style>body{{font-family:system-ui,sans-serif;text-align:center;margin:3rem 1rem;background:#f6f7f9;color:#1b1f24}}
.card{{display:inline-block;background:#fff;border-radius:1rem;padding:2rem;box-shadow:0 1px 6px #0002}}
svg{{width:min(70vw,22rem);height:auto}}p{{max-width:24rem;margin:1rem auto;line-height:1.5}}</style></head>
<body><div class="card"><h1>{name}</h1>{body}</div></body></html>
"""

_SAYINGS = {
    "connected": "This account is connected. There is nothing to scan.",
    "connecting": "Connecting to WhatsApp. The code will appear here.",
    "reconnecting": "The connection was lost and is being made again.",
    "pairing": "The phone has scanned the code. Finishing.",
    "needs_qr": "Nobody scanned the code in time. Ask for a new one with POST /api/whatsapp/regenerate-qr/{account}.",
    "logged_out": "This device was unlinked. Ask for a new code with POST /api/whatsapp/regenerate-qr/{account}.",
}


def qr_page(*, account: str, name: str, status: str, qr: str | None) -> str:
    """The page for an account in this status; it looks again every five seconds."""
    if qr:
        body = "<p>On the phone: WhatsApp → Settings → Linked devices → Link a device.</p>" + segno.make(
            qr, error="l", micro=False
        ).svg_inline(border=2)
    else:
        saying = _SAYINGS.get(status, f"Status: {status}.").replace("{account}", account)
        body = f"<p>{html.escape(saying)}</p>"
    return _PAGE.format(name=html.escape(name), body=body)
