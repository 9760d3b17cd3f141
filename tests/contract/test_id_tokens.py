"""Firebase ID tokens: the same of Google's library and of the fake, and what only a signature can get wrong."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from key_server import Key, KeyServer

from whatsapp_backend.adapters.id_tokens import KEYS_URL, GoogleIdTokens
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.people import Identity
from whatsapp_backend.errors import AuthUnavailable, TokenRefused
from whatsapp_backend.testing.fake_clock import FakeClock
from whatsapp_backend.testing.memory_id_tokens import MemoryIdTokens, good_claims

PROJECT = "demo-inbox"
KEY, OTHER_KEY = Key(), Key()
KID = "key-1"
HOUR_S = 3600


class Google:
    """The adapter, its keys from a server of this machine."""

    def __init__(self, server, running, clock):
        self.server, self._running, self._clock = server, running, clock
        self.tokens = GoogleIdTokens(PROJECT, clock, keys_url=server.url, timeout_s=5)

    def issue(self, **claims):
        said = good_claims(PROJECT, now_ms=SystemClock().wall_ms()) | claims
        return KEY.signed(HEADER, {name: value for name, value in said.items() if value is not None})

    async def cut_off(self):
        await self._running.close()


class Fake:
    """The fake, which gives its tokens out itself."""

    def __init__(self):
        self.tokens = MemoryIdTokens(PROJECT, SystemClock())
        self.issue = self.tokens.issue

    async def cut_off(self):
        self.tokens.reachable = False


HEADER = {"alg": "RS256", "typ": "JWT", "kid": KID}


@pytest.fixture
async def server():
    server = KeyServer()
    server.keys = {KID: KEY.certificate, "key-2": OTHER_KEY.certificate}
    async with server.running() as running:
        server.running_server = running
        yield server


@pytest.fixture
def clock():
    """Its wall is the real one at the start: Google's library looks at that."""
    return FakeClock(wall_ms=SystemClock().wall_ms())


@pytest.fixture
def google(server, clock):
    return Google(server, server.running_server, clock)


@pytest.fixture(params=["google", "fake"])
def firebase(request):
    return request.getfixturevalue("google") if request.param == "google" else Fake()


def now_s():
    return SystemClock().wall_ms() // 1000


# -- Both --------------------------------------------------------------------------------------------------------------


async def test_a_token_says_who_signed_in(firebase):
    exp = now_s() + 1000
    token = firebase.issue(sub="uid-1", email="a@example.com", email_verified=True, exp=exp, name="Ana")
    assert await firebase.tokens.verify(token) == Identity(
        uid="uid-1", email="a@example.com", email_verified=True, expires_at_ms=exp * 1000
    )


@pytest.mark.parametrize("verified", [None, False, "true", 1])
async def test_an_address_is_verified_only_where_the_token_says_just_that(firebase, verified):
    identity = await firebase.tokens.verify(firebase.issue(email="a@example.com", email_verified=verified))
    assert (identity.email, identity.email_verified) == ("a@example.com", False)


async def test_whoever_has_no_address_has_none(firebase):
    identity = await firebase.tokens.verify(firebase.issue())
    assert (identity.uid, identity.email, identity.email_verified) == ("staff-1", None, False)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-project"},
        {"aud": None},
        {"aud": [PROJECT]},
        {"iss": "https://securetoken.google.com/another-project"},
        {"iss": f"https://securetoken.google.com/{PROJECT}/"},
        {"iss": "https://accounts.google.com"},
        {"iss": f"http://securetoken.google.com/{PROJECT}"},
        {"iss": None},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 129},
        {"exp": None},
        {"exp": "never"},
        {"exp": True},
        {"iat": None},
        {"iat": "now"},
        {"auth_time": None},
        {"auth_time": []},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong_makes_it_nobodys(firebase, claims):
    with pytest.raises(TokenRefused):
        await firebase.tokens.verify(firebase.issue(**claims))


@pytest.mark.parametrize("claim", ["iat", "auth_time"])
async def test_a_token_of_the_future_is_nobodys_yet_but_clocks_differ_a_little(firebase, claim):
    with pytest.raises(TokenRefused):
        await firebase.tokens.verify(firebase.issue(**{claim: now_s() + 60}))
    assert await firebase.tokens.verify(firebase.issue(**{claim: now_s() + 5}))


async def test_a_token_that_has_expired_is_nobodys_any_more_but_clocks_differ_a_little(firebase):
    with pytest.raises(TokenRefused):
        await firebase.tokens.verify(firebase.issue(exp=now_s() - 60))
    assert await firebase.tokens.verify(firebase.issue(exp=now_s() - 2))


RUBBISH = ["", "x", "a.b.c", "..", "....", "e30.e30.", "\x00", "é", "\udce9", "e30.e30.e30", "x" * 100_000]


@pytest.mark.parametrize("token", RUBBISH, ids=lambda token: repr(token[:9]))
@pytest.mark.parametrize("reachable", [True, False])
async def test_what_is_no_token_is_refused_whether_or_not_keys_can_be_had(firebase, token, reachable):
    if not reachable:
        await firebase.cut_off()
    with pytest.raises(TokenRefused):
        await firebase.tokens.verify(token)


async def test_without_keys_a_token_is_not_refused_but_cannot_be_told(firebase):
    token = firebase.issue()
    await firebase.cut_off()
    with pytest.raises(AuthUnavailable):
        await firebase.tokens.verify(token)


# -- Signatures --------------------------------------------------------------------------------------------------------


def forged():
    """Tokens that say all the right things, and that Google did not sign."""
    claims = good_claims(PROJECT, now_ms=SystemClock().wall_ms())
    good = KEY.signed(HEADER, claims)
    head, _, signature = good.split(".")
    other_body = KEY.signed(HEADER, claims | {"sub": "boss-1"}).split(".")[1]
    return {
        "unsigned": KEY.signed(HEADER | {"alg": "none"}, claims, "none"),
        "unsigned, though it says otherwise": KEY.signed(HEADER, claims, "none"),
        "None": KEY.signed(HEADER | {"alg": None}, claims, "none"),
        "its alg a list": KEY.signed(HEADER | {"alg": ["RS256"]}, claims),
        "HS256 by the public key": KEY.signed(HEADER | {"alg": "HS256"}, claims, "HS256"),
        "HS256 by the certificate": KEY.signed(HEADER | {"alg": "HS256"}, claims, "HS256 by certificate"),
        "HS256 in RS256's name": KEY.signed(HEADER, claims, "HS256"),
        "RS512": KEY.signed(HEADER | {"alg": "RS512"}, claims, "RS512"),
        "ES256": KEY.signed(HEADER | {"alg": "ES256"}, claims),
        "an unknown key": KEY.signed(HEADER | {"kid": "key-3"}, claims),
        "no key named": KEY.signed({"alg": "RS256", "typ": "JWT"}, claims),
        "its key a number": KEY.signed(HEADER | {"kid": 1}, claims),
        "its key a list": KEY.signed(HEADER | {"kid": [KID]}, claims),
        "another of the keys": KEY.signed(HEADER | {"kid": "key-2"}, claims),
        "another's key in a known name": Key().signed(HEADER, claims),
        "another's words": f"{head}.{other_body}.{signature}",
        "cut off": good[:-3],
        "its signature twice": f"{good}.{signature}",
    }


@pytest.mark.parametrize("how", forged())
async def test_what_google_did_not_sign_is_refused(google, how):
    assert await google.tokens.verify(google.issue())
    token = forged()[how]
    with pytest.raises(TokenRefused) as refused:
        await google.tokens.verify(token)
    told = "".join(traceback.format_exception(refused.value))
    assert not any(part in told for part in token.split(".") if part), "a traceback ends in the log"


@settings(max_examples=300)
@given(
    st.text(max_size=60), st.dictionaries(st.sampled_from(["alg", "kid", "typ"]), st.sampled_from([KID, "RS256", 1]))
)
def test_whatever_strangers_make_up_is_refused_and_breaks_nothing(text, header):
    google = GoogleIdTokens(PROJECT, FakeClock(), keys_url="http://127.0.0.1:9/x509")
    google._keys, google._keys_until_s = {KID: KEY.certificate, "RS256": "no certificate"}, float("inf")
    for token in (text, f"{text}.{text}.{text}", KEY.signed(header, {"x": text}), KEY.signed(HEADER, [text])):
        with pytest.raises(TokenRefused):
            asyncio.run(google.verify(token))


# -- Keys --------------------------------------------------------------------------------------------------------------


async def test_keys_are_kept_as_long_as_their_server_says(server, google, clock):
    token = google.issue()
    for _ in range(3):
        await google.tokens.verify(token)
    await clock.advance(1000)
    await google.tokens.verify(token)
    assert server.asked == 1
    server.keys = {"key-2": OTHER_KEY.certificate}
    server.cache_control, server.age = "max-age=1000", "400"
    await clock.advance(19_302 - 1000)
    for _ in range(2):
        with pytest.raises(TokenRefused):
            await google.tokens.verify(token)
    assert server.asked == 2
    await clock.advance(601)
    with pytest.raises(TokenRefused):
        await google.tokens.verify(token)
    assert server.asked == 3


@pytest.mark.parametrize("said", [None, "no-store", "max-age=0", "s-maxage=900", "max-age=-5"])
async def test_keys_of_which_nothing_is_said_are_not_kept(server, google, said):
    server.cache_control = said
    for _ in range(2):
        await google.tokens.verify(google.issue())
    assert server.asked == 2


async def test_all_who_come_at_once_wait_for_one_answer(server, google):
    token = google.issue()
    await asyncio.gather(*(google.tokens.verify(token) for _ in range(20)))
    assert server.asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(status=404, text="{}"),
        web.Response(status=302, headers={"Location": "/x509"}),
        web.Response(text="<html>"),
        web.Response(text="[]"),
        web.Response(text='{"keys": [{"kid": "key-1"}]}'),
        web.Response(text=""),
    ],
    ids=lambda answer: f"{answer.status} {answer.text}",
)
async def test_a_server_that_gives_no_keys_is_not_there_and_has_a_rest(server, google, clock, answer):
    token = google.issue()
    server.answer = answer
    for _ in range(3):
        with pytest.raises(AuthUnavailable):
            await google.tokens.verify(token)
    assert server.asked == 1, "nobody waits for it again at once"
    server.answer = None
    await clock.advance(5)
    assert await google.tokens.verify(token)


async def test_a_server_that_does_not_answer_is_not_waited_for(server, clock):
    async def hang(reader, writer):
        await reader.read()  # until the other side gives up
        writer.close()

    hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    tokens = GoogleIdTokens(PROJECT, clock, keys_url=f"http://127.0.0.1:{port}/x509", timeout_s=0.05)
    token = Google(server, None, clock).issue()
    with pytest.raises(AuthUnavailable):
        await asyncio.gather(*(tokens.verify(token) for _ in range(5)))
    hanging.close()
    await hanging.wait_closed()


async def test_old_keys_are_not_believed_for_longer_because_there_are_no_new_ones(google, clock):
    token = google.issue()
    assert await google.tokens.verify(token)
    await google.cut_off()
    assert await google.tokens.verify(token)
    await clock.advance(19_302)
    with pytest.raises(AuthUnavailable):
        await google.tokens.verify(token)


def test_googles_own_keys_come_over_tls():
    assert KEYS_URL.startswith("https://www.googleapis.com/")
