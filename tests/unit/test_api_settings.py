"""Where the API is, and that nobody can reach it who needs no token."""

from __future__ import annotations

import pytest
from test_settings import HOME, problems

from whatsapp_backend.settings import load
from whatsapp_backend.settings.surfaces import SURFACES
from whatsapp_backend.surfaces import hosts_of

GOOD = "0123456789abcdef"
OTHER = "fedcba9876543210"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_alone_is_listened_to_without_a_token(host):
    settings = load(HOME | {"BIND_HOST": host})
    assert (settings.bind_host, settings.admin_token, settings.allowed_hosts) == (host, None, ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "2001:db8::7"])
def test_others_are_listened_to_with_one(host):
    assert load(HOME | {"BIND_HOST": host, "ADMIN_TOKEN": GOOD}).bind_host == host
    assert set(problems({"BIND_HOST": host})) == {"BIND_HOST"}
    assert "ADMIN_TOKEN" in problems({"BIND_HOST": host})["BIND_HOST"]


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0", "10.0.0.1:8080", "[::1]", "fe80::1%eth0", "http://127.0.0.1"]
)
def test_what_is_no_address_is_refused_also_with_one(host):
    assert set(problems({"BIND_HOST": host, "ADMIN_TOKEN": GOOD})) == {"BIND_HOST"}


def test_a_public_name_needs_a_token_also_where_only_a_proxy_of_this_machine_asks():
    names = "Inbox.example.com , wa.example.com"
    assert load(HOME | {"ALLOWED_HOSTS": names, "ADMIN_TOKEN": GOOD}).allowed_hosts == (
        "inbox.example.com",
        "wa.example.com",
    )
    assert "ADMIN_TOKEN" in problems({"ALLOWED_HOSTS": names})["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    "names",
    [
        ",",
        "a.example.com,",
        "*.example.com",
        "https://inbox.example.com",
        "inbox.example.com:443",
        "inbox.example.com/",
        "-inbox.example.com",
        "inbox..example.com",
        "inbox.example.com.",
        "[::1]",
        "x" * 64,
        ".".join(["x" * 63] * 4),
        "bücher.example",
    ],
)
def test_what_is_no_list_of_names_is_refused(names):
    assert set(problems({"ALLOWED_HOSTS": names, "ADMIN_TOKEN": GOOD})) == {"ALLOWED_HOSTS"}


@pytest.mark.parametrize("reached", [{"BIND_HOST": "0.0.0.0"}, {"ALLOWED_HOSTS": "inbox.example.com"}])
def test_a_token_that_could_be_guessed_is_refused_where_others_can_try_and_warned_of_where_not(reached):
    found = problems(reached | {"ADMIN_TOKEN": GOOD[:15]})
    assert set(found) == {"ADMIN_TOKEN"}
    assert GOOD[:15] not in found["ADMIN_TOKEN"]
    (warning,) = load(HOME | {"ADMIN_TOKEN": GOOD[:15]}).warnings
    assert warning.startswith("ADMIN_TOKEN is short")
    assert GOOD[:15] not in warning
    assert load(HOME | reached | {"ADMIN_TOKEN": GOOD}).warnings == ()
    (warning,) = load(HOME | reached | {"ADMIN_TOKEN": GOOD, "OBS_TOKEN": OTHER[:15]}).warnings
    assert warning.startswith("OBS_TOKEN is short")


def test_who_watches_must_not_be_admin_by_accident():
    assert load(HOME | {"ADMIN_TOKEN": GOOD, "OBS_TOKEN": OTHER}).obs_token == OTHER
    assert load(HOME | {"OBS_TOKEN": OTHER}).admin_token is None
    found = problems({"ADMIN_TOKEN": GOOD, "OBS_TOKEN": f" {GOOD} "})
    assert set(found) == {"OBS_TOKEN"}
    assert GOOD not in found["OBS_TOKEN"]


def test_every_reason_is_told_at_once_and_a_token_that_is_wrong_itself_is_not_called_absent():
    reached = {"BIND_HOST": "0.0.0.0", "ALLOWED_HOSTS": "inbox.example.com"}
    assert set(problems(reached, for_serving=True)) == {"BIND_HOST", "ALLOWED_HOSTS", "FIREBASE_SERVICE_ACCOUNT_PATH"}
    assert set(problems(reached | {"ADMIN_TOKEN": "two words"})) == {"ADMIN_TOKEN"}
    assert set(problems(reached | {"ADMIN_TOKEN": "short", "OBS_TOKEN": "short"})) == {"ADMIN_TOKEN", "OBS_TOKEN"}


def test_every_setting_of_the_api_is_in_use():
    assert all(variable.used for variable in SURFACES)


LOOPBACK_NAMES = ["127.0.0.1", "127.0.0.1:1", "localhost:8080", "[::1]:8080", "LOCALHOST"]
ADDRESSES = ["0.0.0.0:8080", "192.168.0.2:8080", "[2001:db8::7]", "10.0.0.1"]
NAMES = ["inbox.example.com", "INBOX.example.com:443"]
NEVER = ["evil.example", "inbox.example.com.evil.example", "x.inbox.example.com", "inbox.example.com.", "", "a b"]


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({}, LOOPBACK_NAMES),
        ({"ADMIN_TOKEN": GOOD}, LOOPBACK_NAMES),
        ({"ADMIN_TOKEN": GOOD, "ALLOWED_HOSTS": "inbox.example.com"}, [*LOOPBACK_NAMES, *NAMES]),
        ({"ADMIN_TOKEN": GOOD, "BIND_HOST": "0.0.0.0"}, [*LOOPBACK_NAMES, *ADDRESSES]),
        ({"ADMIN_TOKEN": GOOD, "BIND_HOST": "::"}, [*LOOPBACK_NAMES, *ADDRESSES]),
        ({"ADMIN_TOKEN": GOOD, "BIND_HOST": "::1"}, LOOPBACK_NAMES),
        (
            {"ADMIN_TOKEN": GOOD, "BIND_HOST": "192.168.0.2", "ALLOWED_HOSTS": "inbox.example.com"},
            [*LOOPBACK_NAMES, *ADDRESSES, *NAMES],
        ),
    ],
)
def test_by_which_names_the_daemon_may_be_asked(more, known):
    hosts = hosts_of(load(HOME | more))
    assert [name for name in [*LOOPBACK_NAMES, *ADDRESSES, *NAMES, *NEVER] if hosts.knows(name)] == known
