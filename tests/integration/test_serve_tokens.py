"""`whatsapp-backend serve` with tokens, as a process: what it asks for, by which names, and what its log tells."""

from __future__ import annotations

import aiohttp
import pytest
from whole import RealDaemon

ADMIN_TOKEN, OBS_TOKEN = "admin-token-of-the-test", "obs-token-of-the-test"
ACCOUNTS = "/api/whatsapp/accounts"


@pytest.fixture
async def daemon(tmp_path):
    """A daemon without WhatsApp and without Firestore that other machines can reach."""
    made = RealDaemon(
        state_dir=tmp_path / "state",
        server_url="ws://127.0.0.1:1",
        emulator="127.0.0.1:1",
        project="demo-x",
        BIND_HOST="0.0.0.0",
        ADMIN_TOKEN=ADMIN_TOKEN,
        OBS_TOKEN=OBS_TOKEN,
        ALLOWED_HOSTS="inbox.example.com",
    )
    await made.start()
    yield made
    await made.close()


async def test_a_daemon_that_others_can_reach_asks_for_a_token(daemon):
    url = daemon.url.replace("0.0.0.0", "127.0.0.1")
    async with aiohttp.ClientSession() as session:

        async def ask(path=ACCOUNTS, token=None, **headers):
            if token:
                headers["Authorization"] = f"Bearer {token}"
            async with session.get(url + path, headers=headers) as answer:
                return answer.status, (await answer.json()).get("error")

        assert await ask() == (401, "missing_auth_token")
        assert await ask(token="guess-of-the-test") == (401, "unauthorized")
        assert await ask(token=OBS_TOKEN) == (401, "unauthorized")
        assert await ask(token=ADMIN_TOKEN) == (200, None)
        for path in ("/ready", "/diag", "/health", "/"):
            assert (await ask(path))[0] == 200
        for host, status in (("inbox.example.com", 200), ("192.168.0.2:8080", 200), ("evil.example", 403)):
            assert (await ask(token=ADMIN_TOKEN, Host=host))[0] == status
        assert (await ask(Host="inbox.example.com", Origin="https://inbox.example.com"))[0] == 401
        assert (await ask(Host="inbox.example.com", Origin="https://evil.example"))[0] == 403
        async with session.post(url + "/api/session", json={"token": ADMIN_TOKEN}) as answer:
            assert (answer.status, (await answer.json())["role"]) == (200, "admin")
            cookie = answer.cookies["wb_session"].value
        assert await ask(Cookie=f"wb_session={cookie}") == (200, None)
    log = "\n".join(daemon.lines)
    assert not [secret for secret in (ADMIN_TOKEN, OBS_TOKEN, "guess-of-the-test", cookie) if secret in log]
