"""The HTTP server around the routes: what is no HTTP gets an answer that quotes nothing."""

import asyncio

import pytest
from aiohttp import web

from whatsapp_backend.api.routes import Access, get
from whatsapp_backend.api.server import application, serving


@pytest.mark.parametrize(
    "raw",
    [
        "GET /canary HTTP/9.9",
        "canary",
        "GET / HTTP/1.1\r\ncanary",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: canary",
    ],
)
async def test_what_cannot_be_read_is_not_quoted(raw):
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with serving(application([get("/", hello, Access.ANYBODY)]), host="127.0.0.1", port=0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{raw}\r\n\r\n".encode())
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"canary" not in answer
