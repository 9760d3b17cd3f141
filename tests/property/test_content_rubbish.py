"""Whatever a message holds, it is a content that a document can hold, nothing, or a ValueError."""

import re
from pathlib import Path

from engine import message_parts, protobuf
from hypothesis import given, settings
from hypothesis import strategies as st

from whatsapp_backend.domain.events import Content
from whatsapp_backend.rules.content import DETAIL_FIELDS, WRAPPERS, content_of, preview_of, richness, stub_content
from whatsapp_backend.rules.limits import value_problem

FIELDS = sorted(message_parts())
READ = Path(__file__).resolve().parents[2] / "whatsapp_backend" / "rules"
NAMES = sorted(
    {
        name
        for module in [READ / "content.py", *(READ / "kinds").glob("*.py")]
        for name in re.findall(r'"([a-z]\w*)"', module.read_text())
    }
)
"""Every word that the readers know, most of them names of fields."""

TEXT = st.sampled_from(
    [
        "",
        " ",
        "a",
        "ü😀\n",
        "\x00",
        "FN:x\r\nwaid=15551234567",
        "15551234567:1@c.us",
        '{"sections":[{"rows":[7]}]}',
        "[[1]]",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.sampled_from([0, 1, 2, 7, 1795328371, 253402300800, 1 << 63, 44.4, -0.0, 1e300])
    | TEXT
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5)


@settings(deadline=None, max_examples=400)
@given(
    st.dictionaries(st.sampled_from(FIELDS), OBJECTS | JSON, max_size=2), st.none() | st.sampled_from(sorted(WRAPPERS))
)
def test_any_json_is_a_content_nothing_or_a_value_error(message, wrapper):
    """Under any field that the engine knows, wrapped or not."""
    content = read({wrapper: {"message": message}} if wrapper else message)
    if content is not None:
        lands(content)


@settings(deadline=None, max_examples=400)
@given(st.data(), st.sampled_from(FIELDS))
def test_any_fields_of_the_right_names_are_no_worse(data, field):
    """Names and shapes as the protobuf has them, values as they come: deeper into every reader than chance gets."""
    content = read({field: data.draw(shaped(message_parts()[field], depth=4))})
    if content is not None:
        lands(content)


@settings(deadline=None)
@given(st.integers(-5, 300), st.lists(TEXT | JSON, max_size=4), st.none() | TEXT)
def test_any_stub_is_a_content_or_nothing(number, parameters, actor):
    """It raises nothing at all."""
    content = stub_content(number, parameters, actor)
    if content is not None:
        lands(content)


def read(message):
    try:
        return content_of(message)
    except ValueError:
        return None


def lands(content: Content) -> None:
    """It fits into a document, and its preview into a line."""
    assert isinstance(content.body, str | None)
    assert set(content.details or {}) <= DETAIL_FIELDS
    for value in (content.body, content.media, content.quoted, content.details, content.content_kind):
        assert value_problem(value) is None
    assert content.kind != "unknown" or content.content_kind
    preview = preview_of(content)
    assert 0 < len(preview) <= 100 and "\n" not in preview
    assert richness(content) in range(5)


def shaped(type_name: str, depth: int) -> st.SearchStrategy:
    """Values for a type of the protobuf: objects with its own field names, now and then something else."""
    name = type_name.rpartition(".")[2]
    body = re.search(rf"^ *message {name} \{{\n(.*?)^ *\}}", protobuf(), re.DOTALL | re.MULTILINE)
    if body is None or depth == 0:
        return {"string": TEXT, "bool": st.booleans(), "double": st.floats(-200, 200)}.get(type_name, SCALARS) | SCALARS
    fields = re.findall(r"^ *(optional |repeated |)([A-Za-z]\S*) (\w+) = \d+;", body[1], re.MULTILINE)
    values = {
        name: st.deferred(lambda kind=kind, rule=rule: several(rule, shaped(kind, depth - 1)))
        for rule, kind, name in fields
    }
    return st.fixed_dictionaries({}, optional=values) | SCALARS if values else SCALARS


def several(rule: str, one: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(one, max_size=3) | SCALARS if rule == "repeated " else one
