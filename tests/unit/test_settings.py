"""The settings: precedence, units, refusals, and the files made from the table."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path

import pytest

from whatsapp_backend.domain.leases import Timings
from whatsapp_backend.errors import OperatorMustAct
from whatsapp_backend.policies import run_policies, run_ticks
from whatsapp_backend.settings import Settings, SettingsInvalid, load
from whatsapp_backend.settings.retired import RETIRED
from whatsapp_backend.settings.table import BACKFILL, RECENT_SYNC, VARIABLES

HOME = {"HOME": "/home/operator"}


def problems(environ: dict[str, str], **options) -> dict[str, str]:
    with pytest.raises(SettingsInvalid) as caught:
        load(HOME | environ, **options)
    return {problem.variable: str(problem) for problem in caught.value.problems}


def test_the_table_and_the_settings_have_the_same_attributes():
    attributes = [variable.attribute for variable in VARIABLES]
    fields = {field.name for field in dataclasses.fields(Settings)} - {"warnings"}
    assert len(attributes) == len(set(attributes))
    assert set(attributes) == fields


def test_no_name_stands_for_two_settings():
    names = [name.name for variable in VARIABLES for name in variable.names]
    assert len(names) == len(set(names))
    assert not RETIRED & set(names)


def test_defaults_are_those_of_the_runbook_and_the_design():
    settings = load(HOME)
    assert (settings.port, settings.bind_host, settings.account_namespace) == (8080, "127.0.0.1", "prod")
    assert settings.auto_backfill_enabled
    assert settings.auto_backfill_interval_s == 720
    assert settings.auto_backfill_cooldown_s == 3600
    assert settings.auto_backfill_attempt_backoff_s == 600
    assert settings.auto_backfill_lease_s == 900
    assert (settings.auto_backfill_accounts_per_tick, settings.auto_backfill_concurrency) == (4, 2)
    assert (settings.backfill_threads, settings.backfill_messages_per_thread, settings.backfill_page_size) == (
        50,
        100,
        20,
    )
    assert settings.backfill_max_days is None
    assert (settings.recent_sync_interval_s, settings.recent_sync_lookback_s, settings.recent_sync_lease_s) == (
        120,
        21_600,
        300,
    )
    assert (settings.recent_sync_threads, settings.recent_sync_messages_per_thread) == (30, 20)
    assert settings.recent_sync_concurrency == 1
    assert (settings.auto_repair_enabled, settings.auto_repair_threads_per_run) == (True, 200)
    assert settings.auto_repair_cooldown_s == 3600
    assert (settings.instance_lease_s, settings.instance_heartbeat_s, settings.standby) == (15, 5, False)
    assert settings.connect_timeout_s == 60
    assert (settings.history_timeout_s, settings.history_spacing_s, settings.history_retry_in_ms) == (45, 3, False)
    assert settings.quiet_hours is None
    assert (settings.journal_retention_days, settings.mirror_days) == (30, 30)
    assert settings.sync_full_history
    assert not settings.history_sync_dry_run
    assert not settings.firestore_local
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("environ", "attribute", "value"),
    [
        ({"WHATSAPP_BACKFILL_INTERVAL_SECONDS": "300"}, "auto_backfill_interval_s", 300),
        ({"AUTO_BACKFILL_INTERVAL_MS": "60000"}, "auto_backfill_interval_s", 60),
        (
            {"WHATSAPP_BACKFILL_INTERVAL_SECONDS": "300", "AUTO_BACKFILL_INTERVAL_MS": "60000"},
            "auto_backfill_interval_s",
            300,
        ),
        (
            {"WHATSAPP_BACKFILL_INTERVAL_SECONDS": "0", "AUTO_BACKFILL_INTERVAL_MS": "60000"},
            "auto_backfill_interval_s",
            60,
        ),
        (
            {"WHATSAPP_BACKFILL_INTERVAL_SECONDS": "-5", "AUTO_BACKFILL_INTERVAL_MS": "60000"},
            "auto_backfill_interval_s",
            60,
        ),
        (
            {"WHATSAPP_BACKFILL_COOLDOWN_MINUTES": "90", "AUTO_BACKFILL_COOLDOWN_SUCCESS_MS": "21600000"},
            "auto_backfill_cooldown_s",
            5400,
        ),
        (
            {"AUTO_BACKFILL_COOLDOWN_MINUTES": "30", "AUTO_BACKFILL_COOLDOWN_SUCCESS_MS": "21600000"},
            "auto_backfill_cooldown_s",
            1800,
        ),
        ({"AUTO_BACKFILL_COOLDOWN_SUCCESS_MS": "0"}, "auto_backfill_cooldown_s", 0),
        (
            {"WHATSAPP_BACKFILL_CONCURRENCY": "5", "AUTO_BACKFILL_MAX_CONCURRENCY": "1"},
            "auto_backfill_concurrency",
            5,
        ),
        ({"AUTO_BACKFILL_MAX_CONCURRENCY": "1"}, "auto_backfill_concurrency", 1),
        ({"AUTO_REPAIR_COOLDOWN_MINUTES": "-1"}, "auto_repair_cooldown_s", 3600),
        ({"WHATSAPP_BACKFILL_MESSAGES_PER_THREAD": "80"}, "backfill_page_size", 50),
        ({"WHATSAPP_BACKFILL_MESSAGES_PER_THREAD": "0"}, "backfill_page_size", 1),
        ({"WHATSAPP_BACKFILL_COUNT": "7"}, "backfill_page_size", 7),
        ({"WHATSAPP_CONNECT_TIMEOUT_MS": "1500"}, "connect_timeout_s", 1.5),
        ({"WHATSAPP_HISTORY_TIMEOUT_MS": "1000"}, "history_timeout_s", 1),
        ({"WHATSAPP_HISTORY_TIMEOUT_MS": "120000"}, "history_timeout_s", 120),
        ({"WHATSAPP_HISTORY_SPACING_MS": "0"}, "history_spacing_s", 0),
        ({"WHATSAPP_HISTORY_RETRY_IN_MILLISECONDS": "yes"}, "history_retry_in_ms", True),
        ({"WHATSAPP_QUIET_HOURS": "22:00-06:00"}, "quiet_hours", (1320, 360)),
        ({"WHATSAPP_QUIET_HOURS": " 00:00-23:59 "}, "quiet_hours", (0, 1439)),
        ({"INSTANCE_LEASE_MS": "30000"}, "instance_lease_s", 30),
        ({"INSTANCE_LEASE_MS": "10000", "INSTANCE_HEARTBEAT_MS": "5000"}, "instance_lease_s", 10),
        ({"INSTANCE_HEARTBEAT_MS": "1000"}, "instance_heartbeat_s", 1),
        ({"STANDBY": "on"}, "standby", True),
        ({"PORT": " 9000 "}, "port", 9000),
        ({"PORT": ""}, "port", 8080),
    ],
)
def test_units_and_precedence(environ, attribute, value):
    assert getattr(load(HOME | environ), attribute) == value


@pytest.mark.parametrize("word", ["1", "true", "TRUE", "Yes", "on"])
def test_words_for_on(word):
    assert load(HOME | {"FIRESTORE_LOCAL": word}).firestore_local is True


@pytest.mark.parametrize("word", ["0", "false", "FALSE", "No", "off"])
@pytest.mark.parametrize("name", ["WHATSAPP_AUTO_BACKFILL_ENABLED", "AUTO_BACKFILL_ENABLED"])
def test_backfill_is_off_as_soon_as_one_of_both_flags_says_no(name, word):
    environ = HOME | {"WHATSAPP_AUTO_BACKFILL_ENABLED": "true", "AUTO_BACKFILL_ENABLED": "true"}
    assert load(environ).auto_backfill_enabled
    assert not load(environ | {name: word}).auto_backfill_enabled


def test_the_environment_wins_over_the_file_and_options_over_both(tmp_path):
    file = tmp_path / "env"
    file.write_text("PORT=1001\nACCOUNT_NAMESPACE='file'\nexport INSTANCE_ID=from-file # a comment\n")
    settings = load(HOME | {"PORT": "1002"}, file, overrides={"PORT": "1003"})
    assert (settings.port, settings.account_namespace, settings.instance_id) == (1003, "file", "from-file")
    assert load(HOME | {"PORT": "1002"}, file).port == 1002


def test_the_file_is_not_expanded(tmp_path):
    file = tmp_path / "env"
    file.write_text("ADMIN_TOKEN=a${HOME}b\n")
    assert load(HOME, file).admin_token == "a${HOME}b"


def test_an_older_name_in_the_environment_loses_to_the_newer_one_in_the_file(tmp_path):
    file = tmp_path / "env"
    file.write_text("STATE_DIR=/srv/new\n")
    assert load(HOME | {"SESSIONS_PATH": "/srv/old"}, file).state_dir == Path("/srv/new")


def test_every_problem_is_reported_at_once(tmp_path):
    file = tmp_path / "env"
    file.write_text("PORT=eighty\nthis is no assignment\n")
    found = problems(
        {
            "AUTO_BACKFILL_ENABLED": "maybe",
            "AUTO_BACKFILL_INTERVAL_MS": "NaN",
            "WHATSAPP_BACKFILL_INTERVAL_SECONDS": "300",
            "WHATSAPP_HISTORY_SYNC_DRY_RUN": "maybe",
        },
        env_file=file,
        for_serving=True,
    )
    assert set(found) == {
        "env, line 2",
        "PORT",
        "AUTO_BACKFILL_ENABLED",
        "AUTO_BACKFILL_INTERVAL_MS",
        "WHATSAPP_HISTORY_SYNC_DRY_RUN",
        "FIREBASE_SERVICE_ACCOUNT_PATH",
    }
    assert found["PORT"] == "PORT is 'eighty': must be a whole number from 0 to 65535"


def test_the_error_text_lists_every_problem_and_blames_the_operator():
    with pytest.raises(OperatorMustAct) as caught:
        load(HOME | {"PORT": "x", "BIND_HOST": "0.0.0.0"})
    text = str(caught.value)
    assert text.startswith("2 settings are wrong")
    assert "PORT is 'x'" in text
    assert "BIND_HOST is '0.0.0.0'" in text
    assert "ADMIN_TOKEN" in text


@pytest.mark.parametrize("number", ["1e3", "12.5", "0x10", "١٢", "1_000", "300s", "99999999999999999999"])
def test_numbers_that_are_none_are_refused(number):
    assert "RECENT_SYNC_INTERVAL_MS" in problems({"RECENT_SYNC_INTERVAL_MS": number})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WHATSAPP_HISTORY_TIMEOUT_MS", "999"),
        ("WHATSAPP_HISTORY_TIMEOUT_MS", "120001"),
        ("WHATSAPP_HISTORY_TIMEOUT_MS", "45s"),
        ("WHATSAPP_HISTORY_SPACING_MS", "-1"),
        ("WHATSAPP_HISTORY_SPACING_MS", "600001"),
        ("WHATSAPP_HISTORY_RETRY_IN_MILLISECONDS", "ms"),
        *(
            ("WHATSAPP_QUIET_HOURS", hours)
            for hours in ("22-6", "22:00", "22:00-6:00", "24:00-06:00", "22:60-06:00", "22:00 - 06:00", "٢٢:00-06:00")
        ),
    ],
)
def test_how_the_phone_is_asked_cannot_be_set_to_anything(name, text):
    assert set(problems({name: text})) == {name}


def test_quiet_hours_that_begin_when_they_end_could_be_all_day_or_never():
    found = problems({"WHATSAPP_QUIET_HOURS": "22:00-22:00", "WHATSAPP_HISTORY_TIMEOUT_MS": "0"})
    assert "two different times" in found["WHATSAPP_QUIET_HOURS"]
    assert "WHATSAPP_HISTORY_TIMEOUT_MS" in found


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("ADMIN_TOKEN", "hush hush"),
        ("OBS_TOKEN", "hush hush"),
        ("FIREBASE_SERVICE_ACCOUNT_JSON", '{"private_key": "hush hush"'),
        ("FIREBASE_SERVICE_ACCOUNT_PATH", '{"private_key": "hush hush"}'),
    ],
)
def test_secrets_are_never_shown(name, secret):
    assert "hush" not in problems({name: secret})[name]


def test_secrets_are_not_in_the_repr():
    account = '{"project_id": "demo-inbox", "private_key": "hush"}'
    settings = load(HOME | {"ADMIN_TOKEN": "hush-token", "FIREBASE_SERVICE_ACCOUNT_JSON": account})
    assert settings.admin_token == "hush-token"
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("WHATSAPP_BACKFIL_COUNT", "WHATSAPP_BACKFILL_COUNT"),
        ("AUTO_BACKFILL_INTERVAL", "AUTO_BACKFILL_INTERVAL_MS"),
        ("RECENT_SYNC_INTERVAL_SECONDS", "RECENT_SYNC_INTERVAL_MS"),
        ("AUTO_REPAIR_ENABLED", "AUTO_REPAIR_THREADS_ENABLED"),
    ],
)
def test_a_misspelt_name_is_a_problem_and_the_nearest_one_is_named(name, near):
    assert f"did you mean {near}?" in problems({name: "1"})[name]


def test_names_made_up_by_container_platforms_are_no_problem():
    assert load(HOME | {"WHATSAPP_BACKEND_SERVICE_HOST": "10.0.0.1"}).warnings == ()


def test_names_without_effect_are_warned_about(tmp_path):
    file = tmp_path / "env"
    file.write_text("SOMETHING_ELSE=1\nREQUIRE_FIRESTORE=1\n")
    settings = load(HOME | {"UNRELATED": "1"}, file)
    assert settings.warnings == (
        "REQUIRE_FIRESTORE has no effect any more",
        "SOMETHING_ELSE in the env file is not a setting",
    )


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    assert "cannot be read" in problems({}, env_file=tmp_path / "absent")["--env-file"]
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in problems({}, env_file=binary)["--env-file"]


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:9000/ws/chat", "ws://localhost:1", "ws://[::1]:9000/ws/chat", "ws://127.0.0.1"]
)
def test_another_server_may_be_on_this_machine(url):
    assert load(HOME | {"WHATSAPP_WEB_URL": url}).web_url == url


@pytest.mark.parametrize(
    "url",
    [
        "wss://127.0.0.1:9000",
        "ws://10.0.0.1:9000",
        "ws://web.example.com/ws/chat",
        "ws://127.0.0.1.example.com",
        "ws://127.0.0.1@example.com",
        "ws://user@127.0.0.1:9000",
        "ws://127.0.0.1:99999",
        "ws://127.0.0.1:x",
        "http://127.0.0.1",
        "127.0.0.1:9000",
        "ws://",
        "ws://[::1",
    ],
)
def test_another_server_may_be_nowhere_else(url):
    assert "WHATSAPP_WEB_URL" in problems({"WHATSAPP_WEB_URL": url})


def test_serve_needs_credentials_or_to_be_told_to_stay_local(tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")
    assert load(HOME | {"GOOGLE_APPLICATION_CREDENTIALS": str(key)}, for_serving=True).credentials == key
    assert load(HOME | {"FIRESTORE_LOCAL": "true"}, for_serving=True).firestore_local
    assert load(HOME, for_serving=True, overrides={"FIRESTORE_LOCAL": "true"}).firestore_local
    assert "nowhere to write" in problems({}, for_serving=True)["FIREBASE_SERVICE_ACCOUNT_PATH"]


def test_serve_refuses_an_emulator_it_was_not_told_of_even_with_credentials(tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")
    environ = {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8085"}
    for credentials in ({}, {"GOOGLE_APPLICATION_CREDENTIALS": str(key)}):
        assert set(problems(environ | credentials, for_serving=True)) == {"FIRESTORE_EMULATOR_HOST"}


@pytest.mark.parametrize("address", ["127.0.0.1:8085", "localhost:1", "[::1]:65535"])
def test_told_to_stay_local_serve_uses_the_emulator_that_is_named(address):
    environ = HOME | {"FIRESTORE_EMULATOR_HOST": address, "FIRESTORE_LOCAL": "true"}
    settings = load(environ, for_serving=True)
    assert (settings.firestore_local, settings.firestore_emulator_host) == (True, address)
    assert settings.warnings == ()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "::1:8085",
        "[::1:8085",
        ":8085",
        "http://127.0.0.1:8085",
        "127.0.0.1:8085/",
        "user@127.0.0.1:8085",
        "127.0.0.1:8085@example.com",
        "127.0.0.1:8085?x",
        "10.0.0.1:8085",
        "firestore.example.com:8085",
    ],
)
def test_an_emulator_may_be_nowhere_else(address):
    found = problems({"FIRESTORE_EMULATOR_HOST": address, "FIRESTORE_LOCAL": "true"}, for_serving=True)
    assert set(found) == {"FIRESTORE_EMULATOR_HOST"}
    assert "of this machine" in found["FIRESTORE_EMULATOR_HOST"]


def test_credentials_in_order_of_precedence(tmp_path):
    path, adc = tmp_path / "path.json", tmp_path / "adc.json"
    path.write_text("{}")
    adc.write_text("{}")
    text = '{"project_id": "demo-inbox"}'
    environ = HOME | {"GOOGLE_APPLICATION_CREDENTIALS": str(adc)}
    assert load(environ).credentials == adc
    environ |= {"FIREBASE_SERVICE_ACCOUNT_JSON": base64.b64encode(text.encode()).decode()}
    assert load(environ).credentials == text
    assert load(environ | {"FIREBASE_SERVICE_ACCOUNT_JSON": text}).credentials == text
    assert load(environ | {"FIREBASE_SERVICE_ACCOUNT_JSON": str(adc)}).credentials == adc
    assert load(environ | {"FIREBASE_SERVICE_ACCOUNT_PATH": str(path)}).credentials == path


def test_a_credentials_file_that_is_missing_is_the_only_problem():
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"}
    assert set(problems(environ, for_serving=True)) == {"GOOGLE_APPLICATION_CREDENTIALS"}


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, "/home/operator/.local/state/whatsapp-backend"),
        ({"XDG_STATE_HOME": "/x"}, "/x/whatsapp-backend"),
        ({"XDG_STATE_HOME": "relative"}, "/home/operator/.local/state/whatsapp-backend"),
        ({"XDG_STATE_HOME": "/x", "STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"STATE_DIRECTORY": "/var/lib/a", "SESSIONS_PATH": "/srv/s"}, "/srv/s"),
        ({"STATE_DIRECTORY": "/var/lib/a", "SESSIONS_PATH": "/srv/s", "STATE_DIR": "/srv/a:b"}, "/srv/a:b"),
    ],
)
def test_where_the_state_is(environ, folder):
    assert load(HOME | environ).state_dir == Path(folder)


def test_recent_sync_must_look_back_at_least_one_interval():
    found = problems({"RECENT_SYNC_INTERVAL_MS": "120000", "RECENT_SYNC_LOOKBACK_MS": "60000"})
    assert set(found) == {"RECENT_SYNC_LOOKBACK_MS"}
    assert "RECENT_SYNC_INTERVAL_MS" in found["RECENT_SYNC_LOOKBACK_MS"]


class NoRuns:
    recent_sync_tick = backfill_tick = sweep = None


def of_runs(environ):
    """What runs are made of with these settings, by dotted names."""
    settings = load(HOME | environ)
    policies, ticks = run_policies(settings), run_ticks(settings, NoRuns())
    told = {f"every.{name}": seconds for name, (_, seconds) in ticks.items()}
    for kind, policy in policies.items():
        parts = {"": policy, "pace.": policy.pace, "limits.": policy.limits}
        for prefix, part in parts.items():
            told |= {f"{kind}.{prefix}{f.name}": getattr(part, f.name) for f in dataclasses.fields(part)}
    return told


DAY_MS = 86_400_000
IN_RUNS = [
    ("WHATSAPP_AUTO_BACKFILL_ENABLED", "no", "backfill.enabled", False),
    ("AUTO_BACKFILL_ENABLED", "0", "backfill.enabled", False),
    ("WHATSAPP_BACKFILL_INTERVAL_SECONDS", "300", "every.backfill", 300),
    ("AUTO_BACKFILL_INTERVAL_MS", "90000", "every.backfill", 90),
    ("WHATSAPP_BACKFILL_COOLDOWN_MINUTES", "90", "backfill.pace.cooldown_ms", 5_400_000),
    ("AUTO_BACKFILL_COOLDOWN_MINUTES", "30", "backfill.pace.cooldown_ms", 1_800_000),
    ("AUTO_BACKFILL_COOLDOWN_SUCCESS_MS", "21600000", "backfill.pace.cooldown_ms", 21_600_000),
    ("AUTO_BACKFILL_ATTEMPT_BACKOFF_MS", "0", "backfill.pace.backoff_ms", 0),
    ("AUTO_BACKFILL_LEASE_MS", "30000", "backfill.lock_life_s", 30),
    ("AUTO_BACKFILL_MAX_ACCOUNTS_PER_TICK", "3", "backfill.pace.per_tick", 3),
    ("WHATSAPP_BACKFILL_CONCURRENCY", "5", "backfill.slots", 5),
    ("AUTO_BACKFILL_MAX_CONCURRENCY", "1", "backfill.slots", 1),
    ("WHATSAPP_BACKFILL_THREADS", "10000", "backfill.limits.threads", 10_000),
    ("WHATSAPP_BACKFILL_COUNT", "7", "backfill.limits.thread", 7),
    ("WHATSAPP_BACKFILL_COUNT", "7", "backfill.limits.page", 7),
    ("WHATSAPP_BACKFILL_MESSAGES_PER_THREAD", "50", "backfill.limits.page", 50),
    ("WHATSAPP_BACKFILL_MAX_DAYS", "90", "backfill.dig_ms", 90 * DAY_MS),
    ("RECENT_SYNC_ENABLED", "off", "recent_sync.enabled", False),
    ("RECENT_SYNC_INTERVAL_MS", "60000", "every.recent-sync", 60),
    ("RECENT_SYNC_LOOKBACK_MS", "86400000", "recent_sync.limits.lookback_ms", DAY_MS),
    ("RECENT_SYNC_MAX_THREADS", "100", "recent_sync.limits.threads", 100),
    ("RECENT_SYNC_MAX_MESSAGES_PER_THREAD", "50", "recent_sync.limits.page", 50),
    ("RECENT_SYNC_MAX_MESSAGES_PER_THREAD", "50", "recent_sync.limits.thread", 50),
    ("RECENT_SYNC_MAX_CONCURRENCY", "2", "recent_sync.slots", 2),
    ("RECENT_SYNC_LEASE_MS", "60000", "recent_sync.lock_life_s", 60),
]


@pytest.mark.parametrize(("name", "text", "what", "value"), IN_RUNS)
def test_every_variable_of_runs_changes_how_they_are_made(name, text, what, value):
    assert of_runs({})[what] != value
    assert of_runs({name: text})[what] == value


@pytest.mark.parametrize(
    ("environ", "what", "value"),
    [
        ({"WHATSAPP_AUTO_BACKFILL_ENABLED": "yes", "AUTO_BACKFILL_ENABLED": "no"}, "backfill.enabled", False),
        ({"WHATSAPP_AUTO_BACKFILL_ENABLED": "no", "AUTO_BACKFILL_ENABLED": "yes"}, "backfill.enabled", False),
        ({"WHATSAPP_BACKFILL_INTERVAL_SECONDS": "0", "AUTO_BACKFILL_INTERVAL_MS": "90000"}, "every.backfill", 90),
        ({"WHATSAPP_BACKFILL_COOLDOWN_MINUTES": "0"}, "backfill.pace.cooldown_ms", 3_600_000),
        (
            {"WHATSAPP_BACKFILL_COOLDOWN_MINUTES": "1", "AUTO_BACKFILL_COOLDOWN_MINUTES": "2"},
            "backfill.pace.cooldown_ms",
            60_000,
        ),
        (
            {"AUTO_BACKFILL_COOLDOWN_MINUTES": "-1", "AUTO_BACKFILL_COOLDOWN_SUCCESS_MS": "5000"},
            "backfill.pace.cooldown_ms",
            5_000,
        ),
        ({"WHATSAPP_BACKFILL_CONCURRENCY": "0", "AUTO_BACKFILL_MAX_CONCURRENCY": "7"}, "backfill.slots", 7),
        (
            {"WHATSAPP_BACKFILL_COUNT": "10", "WHATSAPP_BACKFILL_MESSAGES_PER_THREAD": "30"},
            "backfill.limits.page",
            10,
        ),
        ({"WHATSAPP_BACKFILL_MESSAGES_PER_THREAD": "999"}, "backfill.limits.page", 50),
        ({"RECENT_SYNC_MAX_THREADS": "-3"}, "recent_sync.limits.threads", 1),
        ({"RECENT_SYNC_MAX_THREADS": "999"}, "recent_sync.limits.threads", 100),
        ({"RECENT_SYNC_MAX_MESSAGES_PER_THREAD": "999"}, "recent_sync.limits.thread", 50),
        ({"RECENT_SYNC_INTERVAL_MS": "60000", "RECENT_SYNC_LOOKBACK_MS": "60000"}, "every.recent-sync", 60),
    ],
)
def test_variables_of_runs_that_say_different_things(environ, what, value):
    assert of_runs(environ)[what] == value


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("WHATSAPP_AUTO_BACKFILL_ENABLED", ["maybe", "2"]),
        ("AUTO_BACKFILL_ENABLED", ["enabled", "-"]),
        ("WHATSAPP_BACKFILL_INTERVAL_SECONDS", ["86401", "NaN", "12 min"]),
        ("AUTO_BACKFILL_INTERVAL_MS", ["0", "999", "-1", "86400001"]),
        ("WHATSAPP_BACKFILL_COOLDOWN_MINUTES", ["43201", "1h"]),
        ("AUTO_BACKFILL_COOLDOWN_MINUTES", ["43201", "0.5"]),
        ("AUTO_BACKFILL_COOLDOWN_SUCCESS_MS", ["-1", "2592000001"]),
        ("AUTO_BACKFILL_ATTEMPT_BACKOFF_MS", ["-1", "86400001"]),
        ("AUTO_BACKFILL_LEASE_MS", ["29999", "0", "86400001"]),
        ("AUTO_BACKFILL_MAX_ACCOUNTS_PER_TICK", ["0", "1001", "all"]),
        ("WHATSAPP_BACKFILL_CONCURRENCY", ["101", "two"]),
        ("AUTO_BACKFILL_MAX_CONCURRENCY", ["0", "101"]),
        ("WHATSAPP_BACKFILL_THREADS", ["0", "10001"]),
        ("WHATSAPP_BACKFILL_COUNT", ["0", "100001"]),
        ("WHATSAPP_BACKFILL_MESSAGES_PER_THREAD", ["many"]),
        ("WHATSAPP_BACKFILL_MAX_DAYS", ["0", "3651", "-1"]),
        ("RECENT_SYNC_ENABLED", ["ja"]),
        ("RECENT_SYNC_INTERVAL_MS", ["999", "86400001"]),
        ("RECENT_SYNC_LOOKBACK_MS", ["999", "2592000001", "119999"]),
        ("RECENT_SYNC_MAX_THREADS", ["some"]),
        ("RECENT_SYNC_MAX_MESSAGES_PER_THREAD", ["1.5"]),
        ("RECENT_SYNC_MAX_CONCURRENCY", ["0", "101"]),
        ("RECENT_SYNC_LEASE_MS", ["29999", "86400001"]),
    ],
)
def test_variables_of_runs_that_are_wrong_are_named(name, wrong):
    for text in wrong:
        assert set(problems({name: text})) == {name}


def test_every_variable_of_runs_is_in_use_and_in_these_tables():
    variables = (*BACKFILL, *RECENT_SYNC)
    assert all(variable.used for variable in variables)
    assert {name for name, *_ in IN_RUNS} == {name.name for variable in variables for name in variable.names}


@pytest.mark.parametrize("name", ["a/b", ".hidden", "__x__", "x" * 129])
def test_instance_names_that_cannot_be_a_document_id_are_refused(name):
    assert "INSTANCE_ID" in problems({"INSTANCE_ID": name})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, (True, 200, 3600)),
        ({"AUTO_REPAIR_THREADS_ENABLED": "No"}, (False, 200, 3600)),
        ({"AUTO_REPAIR_THREADS_LIMIT_PER_RUN": "1"}, (True, 1, 3600)),
        ({"AUTO_REPAIR_THREADS_LIMIT_PER_RUN": "501"}, (True, 500, 3600)),
        ({"AUTO_REPAIR_THREADS_LIMIT_PER_RUN": "-3"}, (True, 1, 3600)),
        ({"AUTO_REPAIR_COOLDOWN_MINUTES": "0"}, (True, 200, 3600)),
        ({"AUTO_REPAIR_COOLDOWN_MINUTES": "1"}, (True, 200, 60)),
        ({"AUTO_REPAIR_COOLDOWN_MINUTES": "43200"}, (True, 200, 2_592_000)),
    ],
)
def test_values_of_repair(environ, expected):
    settings = load(HOME | environ)
    assert (
        settings.auto_repair_enabled,
        settings.auto_repair_threads_per_run,
        settings.auto_repair_cooldown_s,
    ) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AUTO_REPAIR_THREADS_ENABLED", "maybe"),
        ("AUTO_REPAIR_THREADS_LIMIT_PER_RUN", "many"),
        ("AUTO_REPAIR_THREADS_LIMIT_PER_RUN", "1.5"),
        ("AUTO_REPAIR_COOLDOWN_MINUTES", "1h"),
        ("AUTO_REPAIR_COOLDOWN_MINUTES", "43201"),
        ("WHATSAPP_HISTORY_SYNC_DRY_RUN", "dry"),
        ("WHATSAPP_HISTORY_SYNC_DRY_RUN", "2"),
    ],
)
def test_values_that_repair_and_the_dry_run_refuse(name, text):
    assert set(problems({name: text})) == {name}


def test_repair_as_the_environment_and_the_file_contradict_each_other(tmp_path):
    file = tmp_path / "env"
    file.write_text("AUTO_REPAIR_THREADS_ENABLED=true\nWHATSAPP_HISTORY_SYNC_DRY_RUN=true\n")
    environ = HOME | {"AUTO_REPAIR_THREADS_ENABLED": "false", "WHATSAPP_HISTORY_SYNC_DRY_RUN": "off"}
    settings = load(environ, file)
    assert (settings.auto_repair_enabled, settings.history_sync_dry_run) == (False, False)


@pytest.mark.parametrize("more", [{}, {"WHATSAPP_SYNC_FULL_HISTORY": "false"}])
def test_a_dry_run_is_warned_of_so_that_nobody_forgets_it(more):
    """Also where less history is asked for: the phone sends some of it anyway."""
    settings = load(HOME | {"WHATSAPP_HISTORY_SYNC_DRY_RUN": "1"} | more)
    assert settings.history_sync_dry_run
    assert settings.sync_full_history is not bool(more)
    (warning,) = settings.warnings
    assert warning.startswith("WHATSAPP_HISTORY_SYNC_DRY_RUN is on")
    assert [policy.enabled for policy in run_policies(settings).values()] == [False, False]


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"INSTANCE_LEASE_MS": "1999"}, "INSTANCE_LEASE_MS"),
        ({"INSTANCE_LEASE_MS": "600001"}, "INSTANCE_LEASE_MS"),
        ({"INSTANCE_LEASE_MS": "15s"}, "INSTANCE_LEASE_MS"),
        ({"INSTANCE_HEARTBEAT_MS": "999"}, "INSTANCE_HEARTBEAT_MS"),
        ({"INSTANCE_HEARTBEAT_MS": "-1"}, "INSTANCE_HEARTBEAT_MS"),
        ({"STANDBY": "perhaps"}, "STANDBY"),
        ({"INSTANCE_HEARTBEAT_MS": "7501"}, "INSTANCE_LEASE_MS"),
        ({"INSTANCE_LEASE_MS": "9999"}, "INSTANCE_LEASE_MS"),
        ({"INSTANCE_LEASE_MS": "3000", "INSTANCE_HEARTBEAT_MS": "3000"}, "INSTANCE_LEASE_MS"),
    ],
)
def test_a_lease_must_outlast_a_heartbeat_that_is_late(environ, variable):
    assert set(problems(environ)) == {variable}
    assert "INSTANCE_HEARTBEAT_MS" in problems({"INSTANCE_LEASE_MS": "9999"})["INSTANCE_LEASE_MS"]


@pytest.mark.parametrize("lease_ms", [2_000, 3_000, 9_999, 15_000, 600_000])
@pytest.mark.parametrize("part", [2, 2.5, 3, 15])
def test_every_lease_that_is_accepted_has_times_that_work_together(lease_ms, part):
    heartbeat_ms = max(1_000, min(300_000, int(lease_ms / part)))
    settings = load(HOME | {"INSTANCE_LEASE_MS": str(lease_ms), "INSTANCE_HEARTBEAT_MS": str(heartbeat_ms)})
    Timings.of(ttl_s=settings.instance_lease_s, renew_s=settings.instance_heartbeat_s)


def test_the_default_lease_has_the_times_of_the_page_on_leases():
    settings = load(HOME)
    assert Timings.of(ttl_s=settings.instance_lease_s, renew_s=settings.instance_heartbeat_s) == Timings()
