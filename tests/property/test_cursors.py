"""A cursor comes back as the place it was made of, and whatever else is sent as one is refused."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from whatsapp_backend.api.cursors import cursor_of, document_cursor, document_place, place_of
from whatsapp_backend.domain.writes import Document, Write
from whatsapp_backend.testing.memory_documents import MemoryDocuments

moments = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0))
plain = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats() | st.text() | st.binary()
values = st.recursive(
    plain | moments, lambda inner: st.dictionaries(st.text(min_size=1, max_size=9), inner, max_size=3)
)
ids = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: text not in (".", "..") and not text.startswith("__")
)


def asking(cursor):
    return make_mocked_request("GET", str(URL("/x").with_query(cursor=cursor)))


def same(one, other):
    return repr(one) == repr(other)  # a NaN is no NaN's equal


@given(value=values.filter(lambda value: "__" not in repr(value)), id=ids)
def test_a_place_among_documents_comes_back_whatever_the_list_is_sorted_by(value, id):
    found = [Document(path=f"threads/{id}", fields={"by": value}, updated_at_ns=1)]
    cursor = document_cursor(found, 1, "by", "threads", "a")
    place = document_place(asking(cursor), "threads", "a")
    assert same((place.value, place.id), (value, id))
    assert document_cursor(found, 2, "by", "threads", "a") is None


@given(at=st.integers(-(1 << 63), (1 << 63) - 1), id=st.text(st.characters(exclude_categories=["Cs"])))
def test_other_places_come_back_and_belong_to_their_list_only(at, id):
    request = asking(cursor_of(("jobs", "a"), (at, id)))
    assert place_of(request, ("jobs", "a"), int, str) == (at, id)
    for scope, kinds in [(("jobs", "b"), (int, str)), (("debts", "a"), (int, str)), (("jobs", "a"), (str, int))]:
        with pytest.raises(web.HTTPBadRequest) as refused:
            place_of(request, scope, *kinds)
        assert "`nextCursor`" in refused.value.text


@given(text=st.text(st.characters(exclude_categories=["Cs"])) | st.binary().map(lambda data: data.decode("latin-1")))
def test_anything_else_is_refused_and_is_nobodys_fault_but_the_callers(text):
    for ask in (lambda: document_place(asking(text), "x"), lambda: place_of(asking(text), ("x",), int, str)):
        with pytest.raises(web.HTTPBadRequest):
            ask()


@pytest.mark.parametrize(
    "place",
    [
        [1 << 63, "id"],
        [["t", 1 << 62], "id"],
        [["t", True], "id/with"],
        [["b", "not base64!"], "id"],
        [["f", "x"], "id"],
        [["f", "0x1p99999"], "id"],
        [["l", [["l", []]]], "id"],
        [["m", {"": 1}], "id"],
        [[], "id"],
        [{}, "id"],
        [1, ""],
        [1, ".."],
        [1, "__x__"],
        [1, "x" * 1501],
        [1, 2],
        [1],
    ],
)
def test_a_place_where_no_document_can_be_is_refused(place):
    with pytest.raises(web.HTTPBadRequest):
        document_place(asking(cursor_of(("x",), place)), "x")


@given(
    times=st.lists(st.integers(0, 4), max_size=30),
    newer=st.lists(st.integers(5, 9), max_size=10),
    limit=st.integers(1, 7),
)
def test_of_many_equal_moments_none_is_lost_or_told_twice_while_newer_ones_come_in(times, newer, limit):
    def write(name, second):
        at = datetime.fromtimestamp(second, UTC)
        return Write(path=f"threads/{name}", fields={"accountId": "a", "lastMessageAt": at})

    async def walk():
        documents = MemoryDocuments()
        await documents.write([write(f"old{number}", second) for number, second in enumerate(times)])
        coming, seen, after = iter(enumerate(newer)), [], None
        while True:
            page = await documents.threads("a", limit=limit, after=after)
            seen += [document.id for document in page]
            for number, second in [*coming][:2]:
                await documents.write([write(f"new{number}", second)])
            cursor = document_cursor(page, limit, "lastMessageAt", "threads", "a")
            if cursor is None:
                return seen
            after = document_place(asking(cursor), "threads", "a")

    seen = asyncio.run(walk())
    assert len(set(seen)) == len(seen)
    assert {one for one in seen if one.startswith("old")} == {f"old{number}" for number in range(len(times))}
