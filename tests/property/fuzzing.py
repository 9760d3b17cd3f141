"""Fuzzing: what the bridge may say, with something wrong in it. `make fuzz` does it until Ctrl-C.

From the examples of docs/frames.md and a conversation of every kind. A frame is a frame or a protocol error; entries
become documents that Firestore takes, or are parked, and a good message among them lands. What did not is made as small
as it gets, and kept in tests/histories/fuzz, where `make test` tries it for ever.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import logging
import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/property")]  # `make fuzz` runs this file by itself

import orjson  # noqa: E402
import structlog  # noqa: E402
from conversation import Conversation  # noqa: E402
from orders import applied  # noqa: E402
from world import ACCOUNT, ANA, GROUP, RECEIVED_AT_MS, payload  # noqa: E402

from whatsapp_backend.domain.journal import Commit, Entry, NewEntry  # noqa: E402
from whatsapp_backend.errors import ProtocolError  # noqa: E402
from whatsapp_backend.rules.decode import decode  # noqa: E402
from whatsapp_backend.rules.interpret import events_of  # noqa: E402

KEPT = ROOT / "tests/histories/fuzz"
NAMES = {"too-long", "not-json", "not-an-object", "unknown-type", "bad-field", "unknown-account", "bad-part"}
_FRAMES, _ENTRIES = 60, 40
_GOOD = "15550009999@s.whatsapp.net"
_KINDS = ("message", "history", "debt", "receipt", "call", "update")

Told = tuple[str, str, bytes]
"""Kind, origin and payload of an entry."""


class Found(AssertionError):
    """Something that must not be. `told` is what leads to it: a line, or entries."""

    def __init__(self, problem: str, told: bytes | list[Told]) -> None:
        super().__init__(f"{problem}\n{shown(told)}")
        self.problem, self.told = problem, told


# -- What is known to be good -------------------------------------------------------------------------------------


@cache
def examples() -> tuple[dict[str, Any], ...]:
    """Of the page: frames, and payloads of entries."""
    blocks = re.findall(r"^```json\n(.+?)\n```", (ROOT / "docs/frames.md").read_text(), re.MULTILINE | re.DOTALL)
    return tuple(json.loads(line) for block in blocks for line in block.splitlines())


@cache
def frames() -> tuple[bytes, ...]:
    """Those that the bridge sends or could send."""
    return tuple(json.dumps(one).encode() for one in examples() if "t" in one)


@cache
def entries() -> tuple[Told, ...]:
    """Entries of every kind."""
    told = [(_kind_of(one), "live", orjson.dumps(one)) for one in examples() if "t" not in one]
    drawn = [(one.new.kind, one.new.origin, one.new.payload or b"") for one in Conversation(7, 1500).drawn()]
    return (*told, *drawn)


def _kind_of(payload: dict[str, Any]) -> str:
    if "event" in payload:
        return "update"
    if "ids" in payload:
        return "receipt"
    return "call" if "what" in payload else "message"


# -- What goes wrong ----------------------------------------------------------------------------------------------

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, 1e300, 1 << 53, (1 << 63) - 1, 1 << 63, 253402300800, 1795328371000,
    "", " ", "a", "__x__", ".", "..", "a/b", "~", "@", "@lid", "1@lid", "@s.whatsapp.net", "1:2:3@lid:4@x", "me",
    "\x00", "a" * 2000, "é" * 750, "😀" * 300, "1" * 300 + "@s.whatsapp.net", "a" * 200_000, GROUP, ANA,
    [], {}, [[]], [None], [[[["x"]]]], {"": 1}, {"__x__": {"__y__": 1}}, {"a": {"a": {"a": {"a": [{"a": {}}]}}}},
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in _places(inner, (*path, key)))]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def mutated(value: Any, rng: random.Random) -> Any:
    """The same JSON with one thing changed."""
    places = _places(value)[1:]
    if not places:
        return rng.choice(_ODD)
    path = rng.choice(places)
    parent, key = _at(value, path[:-1]), path[-1]
    match rng.randrange(8):
        case 0:
            del parent[key]
        case 1:
            other = _at(value, rng.choice(places)) if rng.random() < 0.5 else [parent[key]]
            parent[key] = copy.deepcopy(other)
        case 2 if isinstance(parent, dict):
            parent[rng.choice(["__x__", "", "key", "id", "message", "x" * 2000])] = parent.pop(key)
        case 3 if isinstance(parent[key], list) and parent[key]:
            parent[key] = parent[key] * rng.choice([2, 50, 1500]) if len(parent[key]) < 5000 else []
        case 4 if isinstance(parent[key], int) and not isinstance(parent[key], bool):
            parent[key] = parent[key] * rng.choice([-1, 0, 1000, 1 << 20]) + rng.choice([-1, 0, 1])
        case 5 if isinstance(parent[key], str):
            parent[key] = parent[key] * rng.choice([2, 100]) + rng.choice(["", "/", "\u202e", "é"])
        case _:
            parent[key] = copy.deepcopy(rng.choice(_ODD))
    return value


def _scarred(data: bytes, rng: random.Random) -> bytes:
    """With some of its bytes changed, lost or doubled."""
    line = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        start = rng.randrange(len(line) + 1)
        match rng.randrange(4):
            case 0:
                line[start:start] = rng.choice(
                    [b"\\ud800", b"\xff", b"\\u0000", b'"', b"{", b"[" * 300, b"1e999", b","]
                )
            case 1:
                del line[start : start + rng.randrange(1, 40)]
            case 2:
                line[start:start] = line[start : start + rng.randrange(1, 60)]
            case _ if start < len(line):
                line[start] = rng.randrange(256)
    return bytes(line)


def spoiled(data: bytes, rng: random.Random) -> bytes:
    """JSON text with something wrong in it."""
    if rng.random() < 0.15:
        return _scarred(data, rng)
    value = json.loads(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        value = mutated(value, rng)
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


# -- What must hold -----------------------------------------------------------------------------------------------


def try_line(line: bytes) -> None:
    """A frame, or a protocol error by its name; of a commit's entries each can be read."""
    try:
        frame = decode(line)
    except ProtocolError as error:
        if error.name not in NAMES:
            raise Found(f"protocol error {error.name}", line) from error
        return
    except Exception as error:
        raise Found(f"{type(error).__name__}: {error}", line) from error
    if isinstance(frame, Commit):
        for new in frame.entries:
            _read(new, line)


def _read(new: NewEntry, told: bytes | list[Told]) -> None:
    try:
        events_of(Entry(seq=1, account=ACCOUNT, new=new))
    except Exception as error:
        raise Found(f"{type(error).__name__} in events_of: {error}", told) from error


@dataclass
class _Refusals:
    """Documents in memory whose refusals are noted: what Firestore does not take must not be tried."""

    problems: list[str]

    def watch(self, documents: Any) -> None:
        write = documents.write

        async def watched(writes: Any) -> Any:
            outcomes = await write(writes)
            self.problems += [f"{one.result.name}: {one.detail}" for one in outcomes if one.detail]
            return outcomes

        documents.write = watched


def try_entries(told: list[Told]) -> None:
    """They land or are parked, in two pieces, and a good message after them lands."""
    news = [NewEntry(kind=kind, source=f"f:{n}", origin=origin, received_at_ms=RECEIVED_AT_MS, payload=text)
            for n, (kind, origin, text) in enumerate(told)]  # fmt: skip
    for new in news:
        _read(new, told)
    good = replace(news[0], source="good", kind="message", payload=orjson.dumps(payload("AFTER", chat=_GOOD)))
    journal = [Entry(seq=seq, account=ACCOUNT, new=new) for seq, new in enumerate([*news, good], 1)]
    refusals = _Refusals([])
    try:
        half = len(journal) // 2
        world = asyncio.run(applied([(journal[:half], "rest"), (journal[half:], "")], refusals.watch))
    except Exception as error:
        raise Found(f"{type(error).__name__}: {error}", told) from error
    if refusals.problems:
        raise Found(f"a write that Firestore refuses, {refusals.problems[0]}", told)
    if world.message("AFTER", chat=_GOOD)["body"] != "hi":
        raise Found("the good message shows something else", told)
    if any(len(one.reason) > 200 for one in world.store._parked.values()):
        raise Found("a reason that tells too much", told)


def shrunk(told: list[Told], problem: str) -> list[Told]:
    """As few of them as show the same kind of problem."""
    small = list(told)
    for one in told:
        less = [other for other in small if other is not one]
        if less and _problem_of(less).startswith(problem.partition(":")[0]):
            small = less
    return small


def _problem_of(told: list[Told]) -> str:
    try:
        try_entries(told)
    except Found as found:
        return found.problem
    return ""


# -- Rounds -------------------------------------------------------------------------------------------------------


def one_round(seed: int) -> None:
    """Some frames and some entries, all drawn from the seed. Raises Found."""
    rng = random.Random(seed)
    for _ in range(_FRAMES):
        try_line(spoiled(rng.choice(frames()), rng))
    told = []
    for _ in range(_ENTRIES):
        kind, origin, text = rng.choice(entries())
        if rng.random() < 0.03:
            kind = rng.choice(_KINDS)
        told.append((kind, origin, spoiled(text, rng) if rng.random() < 0.7 else text))
    try:
        try_entries(told)
    except Found as found:
        small = shrunk(told, found.problem)
        raise Found(_problem_of(small) or found.problem, small) from found


def shown(told: bytes | list[Told]) -> str:
    """For people."""
    if isinstance(told, bytes):
        return repr(told[:4000])
    return "\n".join(f"{kind} {origin} {text[:4000]!r}" for kind, origin, text in told)


def keep(told: bytes | list[Told]) -> Path:
    """Where `make test` finds it."""
    if isinstance(told, bytes):
        content: Any = {"line": told.decode("latin-1")}
    else:
        content = {"entries": [[kind, origin, text.decode("latin-1")] for kind, origin, text in told]}
    data = json.dumps(content, indent=1).encode()
    path = KEPT / f"{hashlib.sha256(data).hexdigest()[:12]}.json"
    path.write_bytes(data + b"\n")
    return path


def try_kept(path: Path) -> None:
    """What was found once."""
    content = json.loads(path.read_bytes())
    if "line" in content:
        try_line(content["line"].encode("latin-1"))
    else:
        try_entries([(kind, origin, text.encode("latin-1")) for kind, origin, text in content["entries"]])


def main(say: Callable[[str], None], arguments: Sequence[str]) -> None:
    """Until Ctrl-C, or until something is found; with a seed only that round."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    seeds = random.SystemRandom()
    rounds = 0
    try:
        while True:
            seed = int(arguments[0]) if arguments else seeds.randrange(1 << 48)
            try:
                one_round(seed)
            except Found as found:
                say(f"seed {seed}: {found}\nkept as {keep(found.told).relative_to(ROOT)}")
                sys.exit(1)
            rounds += 1
            if rounds % 50 == 0:
                say(f"{rounds} rounds of {_FRAMES} frames and {_ENTRIES} entries")
            if arguments:
                return
    except KeyboardInterrupt:
        say(f"{rounds} rounds, nothing found")


if __name__ == "__main__":
    main(lambda text: sys.stdout.write(f"{text}\n"), sys.argv[1:])
