"""What the engine itself knows: the protobuf of the version that is installed, read as text."""

import re
from functools import cache
from pathlib import Path

_PROTO = Path(__file__).parent.parent / "whatsapp_backend/node/node_modules/baileys/WAProto/WAProto.proto"


@cache
def protobuf() -> str:
    """All of it."""
    return _PROTO.read_text()


@cache
def message_parts() -> dict[str, str]:
    """Every part that a message may hold, and its type."""
    declared = re.search(r"^message Message \{\n(.*?)^    message ", protobuf(), re.DOTALL | re.MULTILINE)[1]
    return {name: kind for kind, name in re.findall(r"^    optional (\S+) (\w+) = ", declared, re.MULTILINE)}
