"""Kinds of trade and of appointments: products, orders, payments, invitations, planned events."""

from __future__ import annotations

from typing import Any, Final

from whatsapp_backend.domain.events import Content
from whatsapp_backend.domain.moments import YEAR_10000_MS, at_ms
from whatsapp_backend.rules.kinds.cards import place_of
from whatsapp_backend.rules.kinds.choices import offered
from whatsapp_backend.rules.kinds.parts import (
    Proto,
    flag,
    inner,
    jid,
    label,
    lines,
    mapping,
    shown,
    token,
    told,
    whole,
)
from whatsapp_backend.rules.kinds.texts import note_of

_THOUSANDTHS: Final = 1000
_CURRENCY_CHARACTERS: Final = 10


def product(field: str, value: Any) -> Content:
    """Something for sale, with its picture."""
    part = mapping(value)
    item = inner(part, "product")
    price = _amount(item, "priceAmount1000", "currencyCode")
    details = told(
        id=token(item, "productId"),
        title=label(item, "title"),
        url=token(item, "url"),
        seller=jid(part.get("businessOwnerJid")),
        price=price,
    )
    title = label(item, "title") or label(inner(part, "catalog"), "title")
    texts = (shown(item, "description"), shown(part, "body"), shown(part, "footer"))
    header = {"imageMessage": item.get("productImage") or inner(part, "catalog").get("catalogImage")}
    return offered(field, body=lines(title, price, *texts), header=header, product=details)


def order(field: str, value: Any) -> Content:
    """Somebody's order."""
    part = mapping(value)
    items = whole(part, "itemCount")
    total = _amount(part, "totalAmount1000", "totalCurrencyCode")
    details = told(
        id=token(part, "orderId"),
        title=label(part, "orderTitle"),
        seller=jid(part.get("sellerJid")),
        items=items,
        total=total,
    )
    counted = None if items is None else "1 item" if items == 1 else f"{items} items"
    body = lines(label(part, "orderTitle"), counted, total, shown(part, "message"))
    return offered(field, body=body, order=details)


def invoice(field: str, value: Any) -> Content:
    """The note of an invoice."""
    return offered(field, body=shown(mapping(value), "note"))


def payment(field: str, value: Any) -> Content:
    """Money sent, with a note."""
    return offered(field, body=note_of(inner(mapping(value), "noteMessage")))


def payment_request(field: str, value: Any) -> Content:
    """Money asked for, with a note."""
    part = mapping(value)
    amount = _amount(part, "amount1000", "currencyCodeIso4217")
    asked = f"Payment request: {amount}" if amount else None
    details = told(amount=amount, requestedFrom=jid(part.get("requestFrom")))
    return offered(field, body=lines(asked, note_of(inner(part, "noteMessage"))), payment=details)


def group_invite(field: str, value: Any) -> Content:
    """An invitation to a group."""
    return _invitation(field, value, jid_field="groupJid", name_field="groupName")


def newsletter_invite(field: str, value: Any) -> Content:
    """An invitation to follow or to manage a channel."""
    return _invitation(field, value, jid_field="newsletterJid", name_field="newsletterName")


def planned_event(field: str, value: Any) -> Content:
    """Something that will take place."""
    part = mapping(value)
    starts_ms, ends_ms = _ms(part, "startTime"), _ms(part, "endTime")
    place = place_of(inner(part, "location"))
    details = told(
        title=label(part, "name"),
        startsAtMs=starts_ms,
        endsAtMs=ends_ms,
        location=place,
        joinLink=token(part, "joinLink"),
        canceled=flag(part, "isCanceled"),
    )
    starts = f"{at_ms(starts_ms):%Y-%m-%d %H:%M} UTC" if starts_ms else None
    canceled = "Canceled" if flag(part, "isCanceled") else None
    body = lines(canceled, label(part, "name"), starts, place.get("name"), shown(part, "description"))
    return offered(field, body=body, calendarEvent=details)


def album(field: str, value: Any) -> Content:
    """The head of several pictures, which come as messages of their own."""
    part = mapping(value)
    counts = told(images=whole(part, "expectedImageCount"), videos=whole(part, "expectedVideoCount"))
    return Content(kind="unknown", content_kind=field, details=told(album=counts) or None)


def sticker_pack(field: str, value: Any) -> Content:
    """Stickers to take over."""
    part = mapping(value)
    return offered(field, body=lines(label(part, "name"), label(part, "publisher"), shown(part, "caption")))


def _invitation(field: str, value: Any, *, jid_field: str, name_field: str) -> Content:
    part = mapping(value)
    name = label(part, name_field)
    details = told(
        jid=jid(part.get(jid_field)),
        name=name,
        code=token(part, "inviteCode"),
        expiresAtMs=_ms(part, "inviteExpiration"),
    )
    body = lines(f"Invitation to “{name}”" if name else None, shown(part, "caption"))
    return offered(field, body=body, invite=details)


def _amount(of: Proto, amount_field: str, currency_field: str) -> str | None:
    thousandths, currency = whole(of, amount_field), token(of, currency_field, _CURRENCY_CHARACTERS)
    if thousandths is None or currency is None:
        return None
    units, rest = divmod(thousandths, _THOUSANDTHS)
    return f"{units}.{rest:03} {currency}" if rest % 10 else f"{units}.{rest // 10:02} {currency}"


def _ms(of: Proto, name: str) -> int | None:
    seconds = whole(of, name)
    return seconds * 1000 if seconds and seconds * 1000 < YEAR_10000_MS else None
