"""Kinds that offer something to choose from (buttons, lists, templates, interactive messages), and what was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.kinds.cards import place_of
from whatsapp_backend.rules.kinds.media import MEDIA, media_of
from whatsapp_backend.rules.kinds.parts import (
    Details,
    Proto,
    first_of,
    fitting,
    inner,
    label,
    lines,
    mapping,
    objects,
    parameters,
    shown,
    token,
    told,
)
from whatsapp_backend.rules.kinds.texts import unknown

_HEADERS: Final = ("imageMessage", "videoMessage", "documentMessage")
_CARDS: Final = 10
_TEMPLATES: Final = ("hydratedTemplate", "hydratedFourRowTemplate", "interactiveMessageTemplate")
_ID_CHARACTERS: Final = 300
_TEMPLATE_BUTTONS: Final = {"quickReplyButton": "id", "urlButton": "url", "callButton": "phoneNumber"}


def buttons(field: str, value: Any) -> Content:
    """Text with buttons below."""
    part = mapping(value)
    body = lines(shown(part, "text"), shown(part, "contentText"), shown(part, "footerText"))
    return offered(field, body=body, options=map(_button, objects(part, "buttons")), header=part)


def a_list(field: str, value: Any) -> Content:
    """Text with a list that opens."""
    part = mapping(value)
    body = lines(shown(part, "title"), shown(part, "description"), shown(part, "footerText"))
    return offered(field, body=body, options=_rows(part, id_field="rowId"))


def template(field: str, value: Any) -> Content:
    """A message that a business sends from a template."""
    part = mapping(value)
    name = next((name for name in _TEMPLATES if inner(part, name)), None)
    if name is None:
        return unknown(field, value)
    filled = inner(part, name)
    if name == "interactiveMessageTemplate":
        return interactive(field, filled)
    body = lines(*(shown(filled, each) for each in ("hydratedTitleText", "hydratedContentText", "hydratedFooterText")))
    options = map(_template_button, objects(filled, "hydratedButtons"))
    return offered(field, body=body, options=options, header=filled)


def structured(field: str, value: Any) -> Content:
    """The oldest form of a template."""
    filled = inner(mapping(value), "hydratedHsm")
    return template(field, filled) if filled else unknown(field, value)


def interactive(field: str, value: Any) -> Content:
    """Text with what opens, answers or links, perhaps on several cards."""
    part = mapping(value)
    cards, _ = first_of(objects(inner(part, "carouselMessage"), "cards"), _CARDS)
    body = lines(*(_interactive_text(each) for each in (part, *cards)))
    options = (option for each in (part, *cards) for option in _native_options(each))
    return offered(field, body=body, options=options, header=inner(part, "header"))


def button_chosen(field: str, value: Any) -> Content:
    """The answer to buttons or to a template."""
    part = mapping(value)
    chosen_id = token(part, "selectedButtonId") or token(part, "selectedId")
    return _chosen(field, value, body=shown(part, "selectedDisplayText"), chosen_id=chosen_id)


def row_chosen(field: str, value: Any) -> Content:
    """The answer to a list."""
    part = mapping(value)
    body = lines(shown(part, "title"), shown(part, "description"))
    return _chosen(field, value, body=body, chosen_id=token(inner(part, "singleSelectReply"), "selectedRowId"))


def interactive_chosen(field: str, value: Any) -> Content:
    """The answer to an interactive message."""
    part = mapping(value)
    answer = inner(part, "nativeFlowResponseMessage")
    chosen_id = token(parameters(answer.get("paramsJson")), "id") or token(answer, "name")
    return _chosen(field, value, body=shown(inner(part, "body"), "text"), chosen_id=chosen_id)


def offered(
    field: str,
    *,
    body: str | None,
    options: Iterable[Details] = (),
    header: Proto | None = None,
    **more: Any,
) -> Content:
    """What is offered, under the picture, file or place at its head."""
    choices, left_out = fitting(filter(None, options))
    head = header or {}
    media_field = next((name for name in _HEADERS if inner(head, name)), None)
    place = inner(head, "locationMessage")
    body = body or lines(*(choice.get("text") for choice in choices))
    details = told(
        choices=choices,
        location=place_of(place) if place else None,
        leftOut=told(choices=left_out or None),
        **more,
    )
    if media_field:
        media = media_of(media_field, inner(head, media_field))
        return Content(kind=MEDIA[media_field], body=body, media=media, details=details or None)
    if body:
        return Content(kind="text", body=body, details=details or None)
    return Content(kind="unknown", content_kind=field, details=details or None)


def _chosen(field: str, value: Any, *, body: str | None, chosen_id: str | None) -> Content:
    body = body or chosen_id
    if not body:
        return unknown(field, value)
    return Content(kind="text", body=body, details=told(chosen=told(id=chosen_id)) or None)


def _button(button: Proto) -> Details:
    flow = inner(button, "nativeFlowInfo")
    text = label(inner(button, "buttonText"), "displayText") or label(
        parameters(flow.get("paramsJson")), "display_text"
    )
    return told(text=text or label(flow, "name"), id=token(button, "buttonId", _ID_CHARACTERS))


def _template_button(button: Proto) -> Details:
    for name, target in _TEMPLATE_BUTTONS.items():
        if pressed := inner(button, name):
            return told(text=label(pressed, "displayText"), **{target: token(pressed, target)})
    return {}


def _rows(of: Proto, *, id_field: str) -> Iterator[Details]:
    for section in objects(of, "sections"):
        for row in objects(section, "rows"):
            yield told(
                text=label(row, "title"),
                description=label(row, "description"),
                id=token(row, id_field, _ID_CHARACTERS),
                section=label(section, "title"),
            )


def _interactive_text(part: Proto) -> str | None:
    header, body, footer = inner(part, "header"), inner(part, "body"), inner(part, "footer")
    return lines(shown(header, "title"), shown(header, "subtitle"), shown(body, "text"), shown(footer, "text"))


def _native_options(part: Proto) -> Iterator[Details]:
    for button in objects(inner(part, "nativeFlowMessage"), "buttons"):
        told_by = parameters(button.get("buttonParamsJson"))
        if "sections" in told_by:
            yield from _rows(told_by, id_field="id")
            continue
        yield told(
            text=label(told_by, "display_text") or label(told_by, "title") or label(button, "name"),
            id=token(told_by, "id", _ID_CHARACTERS),
            url=token(told_by, "url"),
            phoneNumber=token(told_by, "phone_number", _ID_CHARACTERS),
        )
