"""FirestoreDocuments against a server that does what it is told, over a real channel."""

import asyncio

import grpc
import pytest
from google.cloud.firestore_v1 import types

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.documents import FirestoreDocuments
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.writes import Result, Write
from whatsapp_backend.errors import DocumentsUnavailable

CLOCK = SystemClock()


class ScriptedFirestore(grpc.GenericRpcHandler):
    """Answers BatchWrite: every write lands, unless `abort` says otherwise. `gate` holds the answers back."""

    def __init__(self):
        self.batches = []
        self.abort = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.at_once = self.most_at_once = 0

    def service(self, details):
        if details.method.endswith("/BatchWrite"):
            return grpc.unary_unary_rpc_method_handler(
                self.batch_write,
                request_deserializer=types.BatchWriteRequest.pb().FromString,
                response_serializer=types.BatchWriteResponse.pb().SerializeToString,
            )
        return grpc.unary_stream_rpc_method_handler(self.refuse)

    async def refuse(self, request, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not today")
        yield b""

    async def batch_write(self, request, context):
        self.batches.append([write.update.name.rpartition("/documents/")[2] for write in request.writes])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.arrived.set()
        await self.gate.wait()
        self.at_once -= 1
        if self.abort:
            await context.abort(*self.abort)
        answer = types.BatchWriteResponse.pb()()
        for number, _ in enumerate(request.writes, 1):
            answer.status.add()
            answer.write_results.add().update_time.seconds = number
        return answer


@pytest.fixture
async def server():
    scripted = ScriptedFirestore()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([scripted])
    scripted.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield scripted
    scripted.gate.set()
    await server.stop(None)


@pytest.fixture
async def client(server):
    client = firestore_client("demo-x", emulator_host=f"127.0.0.1:{server.port}")
    yield client
    await close(client)


def some(count, start=0):
    return [Write(path=f"a/{n}", fields={"n": n}) for n in range(start, start + count)]


async def eventually(condition):
    async with asyncio.timeout(10):
        while not condition():
            await CLOCK.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (grpc.StatusCode.UNAVAILABLE, Result.RETRY),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Result.RETRY),
        (grpc.StatusCode.ABORTED, Result.RETRY),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Result.RETRY),
        (grpc.StatusCode.INTERNAL, Result.RETRY),
        (grpc.StatusCode.CANCELLED, Result.RETRY),
        (grpc.StatusCode.UNKNOWN, Result.RETRY),
        (grpc.StatusCode.PERMISSION_DENIED, Result.DENIED),
        (grpc.StatusCode.UNAUTHENTICATED, Result.DENIED),
        (grpc.StatusCode.NOT_FOUND, Result.DENIED),
        (grpc.StatusCode.FAILED_PRECONDITION, Result.DENIED),
        (grpc.StatusCode.INVALID_ARGUMENT, Result.INVALID),
    ],
)
async def test_a_call_that_fails_is_the_outcome_of_all_its_writes(server, client, code, result):
    server.abort = (code, "because")
    outcomes = await FirestoreDocuments(client).write(some(3))
    assert [outcome.result for outcome in outcomes] == [result] * 3
    assert all("because" in outcome.detail for outcome in outcomes)


async def test_nothing_is_tried_twice(server, client):
    server.abort = (grpc.StatusCode.UNAVAILABLE, "because")
    await FirestoreDocuments(client).write(some(3))
    assert len(server.batches) == 1


async def test_a_server_that_does_not_answer_in_time_means_retry(server, client):
    server.gate.clear()
    outcomes = await FirestoreDocuments(client, timeout_s=0.2).write(some(2))
    assert {outcome.result for outcome in outcomes} == {Result.RETRY}


async def test_nobody_listening_means_retry_at_once():
    client = firestore_client("demo-x", emulator_host="127.0.0.1:1")
    async with asyncio.timeout(10):
        outcomes = await FirestoreDocuments(client).write(some(2))
    await close(client)
    assert {outcome.result for outcome in outcomes} == {Result.RETRY}


async def test_a_connection_closed_under_a_write_means_retry(server, client):
    server.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(FirestoreDocuments(client).write(some(2)))
        await server.arrived.wait()
        await close(client)
    assert {outcome.result for outcome in writing.result()} == {Result.RETRY}


async def test_batches_hold_500_writes_and_four_are_in_flight(server, client):
    server.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(FirestoreDocuments(client).write(some(3200)))
        await eventually(lambda: server.at_once == 4)
        server.gate.set()
    assert sorted(map(len, server.batches)) == [200, *[500] * 6]
    assert server.most_at_once == 4
    assert [outcome.updated_at_ns for outcome in writing.result()] == [(n % 500 + 1) * 10**9 for n in range(3200)]


async def test_the_calls_in_flight_are_limited_over_all_callers(server, client):
    server.gate.clear()
    documents = FirestoreDocuments(client, in_flight=2)
    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(documents.write(some(1, start=number)))
        await eventually(lambda: server.at_once == 2)
        server.gate.set()
    assert server.most_at_once == 2
    assert len(server.batches) == 6


async def test_a_cancelled_write_lets_land_what_is_in_flight_and_starts_nothing_more(server, client):
    server.gate.clear()
    documents = FirestoreDocuments(client, in_flight=2)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(documents.write(some(3000)))
        await eventually(lambda: server.at_once == 2)
        writing.cancel()
        await CLOCK.sleep(0.05)
        assert not writing.done()
        server.gate.set()
    assert writing.cancelled()
    assert len(server.batches) == 2
    assert server.at_once == 0
    assert (await documents.write(some(1)))[0].result is Result.LANDED


async def test_a_cancelled_write_does_not_wait_for_ever(server, client):
    server.gate.clear()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(FirestoreDocuments(client, grace_s=0.1).write(some(2)))
        await server.arrived.wait()
        writing.cancel()
    assert writing.cancelled()


async def test_a_large_write_lets_other_tasks_have_a_turn(client):
    """By documents and not by time, which other work on this machine would spoil: 200 take a few milliseconds."""
    encoded_in_turn = [0]
    documents = FirestoreDocuments(client)
    encode = documents._encoder.encode

    def counted(write):
        encoded_in_turn[-1] += 1
        return encode(write)

    async def count_turns():
        while sum(encoded_in_turn) < 2000:
            encoded_in_turn.append(0)
            await CLOCK.sleep(0)

    documents._encoder.encode = counted
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(count_turns())
        await documents.write(some(2000))
    assert sum(encoded_in_turn) == 2000
    assert max(encoded_in_turn) <= 200


async def test_reads_that_fail_say_so(client):
    with pytest.raises(DocumentsUnavailable, match="not today"):
        await FirestoreDocuments(client).read(["a/b"])
