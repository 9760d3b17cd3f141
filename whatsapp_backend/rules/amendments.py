"""Amendments of two sightings as one, which of them count, and how a document holds them.

Like everything that is merged they may come in any order and any number of times: of one doer the latest counts, of
receipts the earliest time, and where there is too much for a document, what is dropped is what every order drops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from whatsapp_backend.domain.amendments import Amendments, Edit, Handled, Mark
from whatsapp_backend.domain.moments import YEAR_10000_MS
from whatsapp_backend.rules.identity import ME, certainly_differ, is_lid, same_person
from whatsapp_backend.rules.stored import integer, typed

MOST_EDITS = 50
MOST_MARKS = 1000
MOST_RECEIPTS = 2000
"""A group has 1,024 members at most; more comes from a liar, and 40,000 index entries are all that Firestore takes."""
_EDITS_BYTES = 300_000
_KINDS: dict[str, Callable[..., Edit | Mark | Handled]] = {
    "edits": Edit,
    "revokes": Mark,
    "reactions": Mark,
    "votes": Mark,
    "receipts": Handled,
}

T = TypeVar("T", Edit, Mark, Handled)


def edit_key(edit_id: str, by: str) -> str:
    """Under what an edit is kept: two people may choose one id."""
    return f"{edit_id}\n{by}"


def _edit_id(key: str) -> str:
    """The edit's own id."""
    return key.partition("\n")[0]


def merged(one: Amendments | None, other: Amendments | None) -> Amendments | None:
    """Both together."""
    if one is None or other is None or one == other:
        return one or other
    return bounded(
        Amendments(
            edits=_union(one.edits, other.edits, _earlier_edit, _edit_under_lid),
            revokes=_union(one.revokes, other.revokes, _later, _mark_under_lid),
            reactions=_union(one.reactions, other.reactions, _later, _mark_under_lid),
            votes=_union(one.votes, other.votes, _later, _mark_under_lid),
            receipts=_union(one.receipts, other.receipts, _earliest, _mark_under_lid),
        )
    )


def bounded(amendments: Amendments) -> Amendments:
    """What there is room for."""
    return Amendments(
        edits=_roomy(amendments.edits),
        revokes=_first_keys(amendments.revokes, MOST_MARKS),
        reactions=_newest(amendments.reactions, MOST_MARKS),
        votes=_newest(amendments.votes, MOST_MARKS),
        receipts=_first_keys(amendments.receipts, MOST_RECEIPTS),
    )


def identified(amendments: Amendments | None, number_of: Callable[[str], str | None]) -> Amendments | None:
    """The same, with the numbers of those who were known by their LID.

    Receipts stay as they were told: a group has a thousand for each message of ours, and to find them all again when
    one number becomes known would cost more than it tells.
    """
    if amendments is None:
        return None
    edits: dict[str, Edit] = {}
    for key, edit in amendments.edits.items():
        by, lid = _named(edit.by, edit.lid, number_of)
        renamed, place = replace(edit, by=by, lid=lid), edit_key(_edit_id(key), by)
        edits[place] = _earlier_edit(edits[place], renamed) if place in edits else renamed
    others = Amendments(
        revokes=_renamed(amendments.revokes, number_of),
        reactions=_renamed(amendments.reactions, number_of),
        votes=_renamed(amendments.votes, number_of),
        receipts=amendments.receipts,
    )
    return merged(Amendments(edits=edits), others)


def _named(by: str, lid: str | None, number_of: Callable[[str], str | None]) -> tuple[str, str | None]:
    number = number_of(by)
    return (number, by) if number else (by, lid)


def _renamed(marks: Mapping[str, Mark], number_of: Callable[[str], str | None]) -> dict[str, Mark]:
    found: dict[str, Mark] = {}
    for who, mark in marks.items():
        by, lid = _named(who, mark.lid, number_of)
        renamed = replace(mark, lid=lid)
        found[by] = _later(found[by], renamed) if by in found else renamed  # he may stand here under both names
    return found


def doers(amendments: Amendments | None) -> Iterable[str]:
    """Everybody who did something, but for those who had it."""
    if amendments is not None:
        yield from (edit.by for edit in amendments.edits.values())
        for marks in (amendments.revokes, amendments.reactions, amendments.votes):
            yield from marks


def count(amendments: Amendments) -> int:
    """How many there are of all kinds."""
    return sum(len(getattr(amendments, name)) for name in _KINDS)


def plain(amendments: Amendments | None) -> dict[str, Any] | None:
    """As JSON can hold them. `dataclasses.asdict` would take five times as long."""
    if amendments is None:
        return None
    return {
        name: {
            by: {field: getattr(mark, field) for field in mark.__slots__}
            for by, mark in getattr(amendments, name).items()
        }
        for name in _KINDS
    }


def from_plain(plain: Mapping[str, Any] | None) -> Amendments | None:
    """Back from `plain`."""
    if plain is None:
        return None
    told: dict[str, Any] = {
        name: {by: kind(**mark) for by, mark in plain[name].items()} for name, kind in _KINDS.items()
    }
    return Amendments(**told)


# -- What counts --------------------------------------------------------------------------------------------------


def counting_edits(amendments: Amendments, sender: str | None, lid: str | None) -> list[tuple[str, Edit]]:
    """The edits by the message's own sender with their ids, oldest first."""
    mine = [(key, edit) for key, edit in _in_order(amendments) if same_person(edit.by, sender, edit.lid, lid)]
    return [(_edit_id(key), edit) for key, edit in mine]


def counting_revoke(amendments: Amendments, sender: str | None, lid: str | None) -> tuple[str, Mark] | None:
    """The first revoke by the message's own sender, or by us: our phone lets us revoke what we may."""
    mine = [
        (by, mark)
        for by, mark in amendments.revokes.items()
        if (by == ME and _may_be_of(mark, sender, lid)) or same_person(by, sender, mark.lid, lid)
    ]
    return min(mine, key=lambda revoke: (revoke[1].at_ms, revoke[0]), default=None)


def _may_be_of(mark: Mark, sender: str | None, lid: str | None) -> bool:
    return not (mark.of and sender and certainly_differ(mark.of, sender, None, lid))


def of_others(amendments: Amendments | None, sender: str | None, lid: str | None) -> dict[str, Amendments]:
    """What certainly speaks of another sender's message under the same id, by whose it is said to be.

    Whether it came before or after the message must make no difference to the document, so there it is never held.
    """
    if amendments is None or not sender:
        return {}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in _KINDS:
        for key, told in getattr(amendments, name).items():
            author, author_lid = _author(name, key, told)
            if author and certainly_differ(author, sender, author_lid, lid):
                found.setdefault(author, {}).setdefault(name, {})[key] = told
    return {author: Amendments(**marks) for author, marks in found.items()}


def without(amendments: Amendments, others: Iterable[Amendments]) -> Amendments:
    """What is left when these are taken out."""
    gone = {name: {key for other in others for key in getattr(other, name)} for name in _KINDS}
    left = {name: _without_keys(getattr(amendments, name), gone[name]) for name in _KINDS}
    return Amendments(**left)


def _without_keys(marks: Mapping[str, Any], gone: set[str]) -> Mapping[str, Any]:
    return {key: mark for key, mark in marks.items() if key not in gone} if gone else marks


def _author(name: str, key: str, told: Any) -> tuple[str | None, str | None]:
    """Whose message an amendment is said to be about, and his LID. Nobody but us is sent receipts of ours."""
    if name == "receipts":
        return ME, None
    if name == "edits":
        return told.by, told.lid
    return told.of, told.lid if told.of == key else None


# -- In documents -------------------------------------------------------------------------------------------------


def versions(amendments: Amendments, original: str | None, sent_at_ms: int, counting: Iterable[str]) -> list[Any]:
    """The texts a message had, the original first. What does not count is told so, and kept: it may count yet."""
    counts = set(counting)
    told: list[Any] = [{"body": original, "atMs": sent_at_ms}]
    for key, edit in _in_order(amendments):
        edit_id = _edit_id(key)
        one = {"id": edit_id, "by": edit.by, "atMs": edit.at_ms, "body": edit.body}
        told.append(_without_none({**one, "lid": edit.lid, "refused": None if edit_id in counts else True}))
    return told


def marks_told(marks: Mapping[str, Mark]) -> list[Any]:
    """A list of who did it and when, oldest first."""
    ordered = sorted(marks.items(), key=lambda item: (item[1].at_ms, item[0]))
    return [
        _without_none({"by": by, "atMs": mark.at_ms, "text": mark.text or None, "lid": mark.lid, "of": mark.of})
        for by, mark in ordered
    ]


def receipts_of(receipts: Mapping[str, Handled], partner: str | None) -> Mapping[str, Handled]:
    """Who had it when. With one partner it was he, under whatever name."""
    if partner is None or not receipts:
        return receipts
    lids = {lid for by, handled in receipts.items() for lid in (by, handled.lid) if lid and is_lid(lid)}
    return {partner: replace(reduce(_earliest, receipts.values()), lid=min(lids - {partner}, default=None))}


def receipts_told(receipts: Mapping[str, Handled]) -> list[Any]:
    """A list of who had the message when, by who it is."""
    return [
        _without_none(
            {
                "by": by,
                "lid": handled.lid,
                "deliveredAtMs": handled.delivered_at_ms,
                "readAtMs": handled.read_at_ms,
                "playedAtMs": handled.played_at_ms,
            }
        )
        for by, handled in sorted(receipts.items())
    ]


def read_in(fields: Mapping[str, Any]) -> Amendments | None:
    """The amendments a document holds, whoever wrote it. What makes no sense counts as absent."""
    found = Amendments(
        edits={
            edit_key(edit_id, by): Edit(at_ms=at_ms, by=by, lid=typed(told, "lid", str), body=typed(told, "body", str))
            for by, at_ms, told in _told(fields, "versions")
            if (edit_id := typed(told, "id", str))
        },
        revokes=_marks_in(fields, "revokes"),
        reactions=_marks_in(fields, "reactions") | _marks_in(fields, "reactionsRemoved"),
        votes=_marks_in(fields, "votes"),
        receipts={
            by: Handled(
                lid=typed(told, "lid", str),
                delivered_at_ms=_ms(told, "deliveredAtMs"),
                read_at_ms=_ms(told, "readAtMs"),
                played_at_ms=_ms(told, "playedAtMs"),
            )
            for by, _, told in _told(fields, "receipts", timed=False)
        },
    )
    return found if any(getattr(found, name) for name in _KINDS) else None


def _marks_in(fields: Mapping[str, Any], name: str) -> dict[str, Mark]:
    return {
        by: Mark(
            at_ms=at_ms, lid=typed(told, "lid", str), of=typed(told, "of", str), text=typed(told, "text", str) or ""
        )
        for by, at_ms, told in _told(fields, name)
    }


def _told(fields: Mapping[str, Any], name: str, *, timed: bool = True) -> Iterable[tuple[str, int, Mapping[str, Any]]]:
    items: list[Any] = typed(fields, name, list) or []
    for told in items:
        if not isinstance(told, Mapping):
            continue
        by: Any = typed(told, "by", str)
        at_ms = _ms(told, "atMs")
        if by and (at_ms is not None or not timed):
            yield by, at_ms or 0, told


def _ms(told: Mapping[str, Any], name: str) -> int | None:
    return integer(told, name, below=YEAR_10000_MS)


def _without_none(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


# -- Merging ------------------------------------------------------------------------------------------------------


def _union(
    one: Mapping[str, T], other: Mapping[str, T], pick: Callable[[T, T], T], under_lid: Callable[[str, T], str | None]
) -> dict[str, T]:
    """By key; and who is known by his LID in the one and by his number in the other is one person."""
    result = dict(one)
    for key, mark in other.items():
        result[key] = pick(result[key], mark) if key in result else mark
    for key in sorted(key for key, mark in result.items() if under_lid(key, mark) in result):
        twin = under_lid(key, result[key]) if key in result else None
        if twin is not None and twin in result:
            result[key] = pick(result[key], result.pop(twin))
    return result


def _mark_under_lid(by: str, mark: Mark | Handled) -> str | None:
    return mark.lid if mark.lid != by else None


def _edit_under_lid(key: str, edit: Edit) -> str | None:
    return edit_key(_edit_id(key), edit.lid) if edit.lid and edit.lid != edit.by else None


def _later(one: Mark, other: Mark) -> Mark:
    later = max(one, other, key=lambda mark: (mark.at_ms, mark.text, mark.of or ""))
    return replace(later, lid=_least(one.lid, other.lid))


def _earlier_edit(one: Edit, other: Edit) -> Edit:
    # An id is used once; whoever uses it twice is heard the first time. The number, not the LID, names him.
    earlier = min(one, other, key=lambda edit: (edit.at_ms, edit.body or ""))
    return replace(earlier, by=min(one.by, other.by, key=lambda by: (is_lid(by), by)), lid=_least(one.lid, other.lid))


def _earliest(one: Handled, other: Handled) -> Handled:
    return Handled(
        lid=_least(one.lid, other.lid),
        delivered_at_ms=_least(one.delivered_at_ms, other.delivered_at_ms),
        read_at_ms=_least(one.read_at_ms, other.read_at_ms),
        played_at_ms=_least(one.played_at_ms, other.played_at_ms),
    )


V = TypeVar("V", str, int)


def _least(one: V | None, other: V | None) -> V | None:
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


M = TypeVar("M", Edit, Mark)


def _newest(marks: Mapping[str, M], most: int) -> Mapping[str, M]:
    """The newest of them. What has been dropped never comes back: there will always be as many that are newer."""
    if len(marks) <= most:
        return marks
    return dict(sorted(marks.items(), key=lambda item: (-item[1].at_ms, item[0]))[:most])


def _roomy(edits: Mapping[str, Edit]) -> Mapping[str, Edit]:
    """The newest of them that together are no longer than a document has room for."""
    if not edits:
        return edits
    room = _EDITS_BYTES
    kept = {}
    for key, edit in sorted(edits.items(), key=lambda item: (-item[1].at_ms, item[0]))[:MOST_EDITS]:
        room -= len(key) + len((edit.body or "").encode())
        if room < 0:
            break
        kept[key] = edit
    return kept


def _first_keys(marks: Mapping[str, T], most: int) -> Mapping[str, T]:
    return marks if len(marks) <= most else dict(sorted(marks.items())[:most])


def _in_order(amendments: Amendments) -> list[tuple[str, Edit]]:
    return sorted(amendments.edits.items(), key=lambda item: (item[1].at_ms, item[0]))
