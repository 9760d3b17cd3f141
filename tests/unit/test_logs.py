"""Log lines: one line each, whatever strangers send; and what systemd is told."""

import io
import logging
import re
import socket
import subprocess
import sys
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_backend.cli.logs import LogFormat, configure_logs, use_format, use_key
from whatsapp_backend.cli.notify import notify
from whatsapp_backend.rules.identity import account_id
from whatsapp_backend.rules.redact import redact_phone

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [a-z]+ +\S.*")
NASTY = [
    "two\nlines",
    "two\r\nlines",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "lone \ud800 surrogate",
    "\u2028separator\u2029",
    "\u202eright to left",
    "nul\x00",
    "\x85next line",
    "",
    "' quote \" both",
]


@pytest.fixture(autouse=True)
def log_settings_of_other_tests():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:], logging.root.level = handlers, level


def logged(write) -> str:
    stream = io.StringIO()
    configure_logs(stream=stream)
    write(structlog.get_logger())
    return stream.getvalue()


def is_one_line(text: str) -> bool:
    line = text.removesuffix("\n")
    return text.endswith("\n") and len(line.splitlines()) == 1 and line.isprintable() and bool(LINE.fullmatch(line))


@pytest.mark.parametrize("text", NASTY)
def test_a_value_never_breaks_out_of_its_line(text):
    line = logged(lambda log: log.info("received", body=text, account="account_test_1"))
    assert is_one_line(line)
    assert line.rstrip().endswith("account=account_test_1")


@pytest.mark.parametrize("text", [text for text in NASTY if text])
def test_neither_do_event_names_nor_what_is_nested(text):
    assert is_one_line(logged(lambda log: log.info(text)))
    assert is_one_line(logged(lambda log: log.info("bridge-log", fields={text: [text]})))
    assert is_one_line(logged(lambda log: log.info("bridge-log", **{text: 1})))


@given(text=st.text(alphabet=st.characters(codec=None)))
def test_no_text_at_all_breaks_out_of_its_line(text):
    assert is_one_line(logged(lambda log: log.info("received", body=text)))


def test_the_words_operators_grep_for_are_plain():
    line = logged(lambda log: log.info("[realtime]", accountId="account_test_1", writeOK=True, ts=1795328371000))
    assert line.rstrip().endswith("info    [realtime] accountId=account_test_1 writeOK=true ts=1795328371000")


def test_an_exception_is_one_line_with_its_traceback():
    def fail(log):
        body = "first\nsecond"
        try:
            raise ValueError(body)
        except ValueError:
            log.exception("failed")

    line = logged(fail)
    assert is_one_line(line)
    assert "Traceback" in line
    assert "ValueError" in line
    assert "raise ValueError(body)" in line
    assert "second" not in line, "its text may quote somebody"


def test_what_libraries_log_is_one_line_too():
    line = logged(lambda _: logging.getLogger("aiohttp.server").error("request of %r failed\nbadly", "somebody"))
    assert is_one_line(line)
    assert " error " in line
    assert "name=aiohttp.server" in line


def test_of_what_libraries_log_only_their_own_words_and_numbers_are_told():
    line = logged(lambda _: logging.getLogger("x").error("%s took %.1f s\nfuture: <Task 'body'>", "somebody", 2.5))
    assert line.rstrip().endswith("said='… took 2.5 s'")
    assert is_one_line(logged(lambda _: logging.getLogger("x").error("100%", "somebody")))


def test_what_nobody_catches_is_a_line_that_quotes_nobody():
    """As a process of its own: the hooks are the interpreter's."""
    program = """
import sys, threading
from whatsapp_backend.cli.logs import configure_logs, log_crashes
configure_logs()
log_crashes()
def fail():
    raise ValueError(sys.argv[1])
class Bad:
    def __del__(self):
        fail()
Bad()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""
    done = subprocess.run([sys.executable, "-c", program, "canary"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [line.split()[2] for line in done.stderr.splitlines()] == ["exception_ignored", "thread_crashed", "crashed"]
    assert "canary" not in done.stderr
    assert done.stderr.count("in fail") == 3


def logged_as_json(write) -> dict[str, Any]:
    stream = io.StringIO()
    configure_logs(stream=stream, format=LogFormat.JSON)
    write(structlog.get_logger())
    (line,) = stream.getvalue().splitlines()
    return dict(orjson.loads(line))


def test_as_json_a_line_is_an_object_whose_values_keep_their_types():
    line = logged_as_json(lambda log: log.info("[realtime]", ts=1795328371000, writeOK=True, of=None, some={"a": [1]}))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    told = {"ts": 1795328371000, "writeOK": True, "of": None, "some": {"a": [1]}}
    assert list(line) == ["level", "event", *told]
    assert line == {"level": "info", "event": "[realtime]", **told}


@pytest.mark.parametrize("value", [*NASTY, 1 << 70, {1: {"a"}}, b"\xff", float("nan"), LogFormat.TEXT, object])
def test_as_json_nothing_breaks_the_line(value):
    assert logged_as_json(lambda log: log.info("received", body=value, after=1))["after"] == 1


@given(text=st.text(alphabet=st.characters(codec=None)))
def test_as_json_no_text_at_all_breaks_the_line(text):
    assert logged_as_json(lambda log: log.info("received", body=text, **{f"x{text}": [text]}))["event"] == "received"


def test_a_logger_that_has_written_lines_follows_the_format():
    stream = io.StringIO()
    configure_logs(stream=stream)
    log = structlog.get_logger()
    log.info("as text")
    use_format(LogFormat.JSON)
    log.info("as json")
    assert orjson.loads(stream.getvalue().splitlines()[1])["event"] == "as json"


@pytest.mark.parametrize("format", LogFormat)
def test_numbers_and_accounts_are_masked_wherever_they_stand(format):
    account = account_id("+15550001111", "test")
    stream = io.StringIO()
    configure_logs(stream=stream, format=format)
    use_key(b"key")
    try:
        raise OSError(5, "of 15550001111", "15550001111")
    except OSError:
        structlog.get_logger().exception("15550001111", accountId=account, x={"+15550001111": ["a15550001111z"]})
    assert "15550001111" not in stream.getvalue()
    assert account not in stream.getvalue()
    assert f"{account[:21]}…" in stream.getvalue()
    assert stream.getvalue().count(redact_phone("15550001111", b"key").partition("#")[2]) >= 4


def test_libraries_are_heard_from_warnings_on():
    assert logged(lambda _: logging.getLogger("apscheduler").info("job added")) == ""


def test_a_line_stays_shorter_than_journald_would_break_it():
    assert len(logged(lambda log: log.info("received", body="x" * 1_000_000))) < 10_000


@pytest.fixture
def systemd(tmp_path):
    """A socket as systemd opens it, and what was said to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.settimeout(5)
        yield opened


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told(systemd, tmp_path, kind):
    address = str(tmp_path / "notify") if kind == "path" else f"@{tmp_path.name}-{id(systemd)}"
    systemd.bind("\0" + address[1:] if kind == "abstract" else address)
    notify({"NOTIFY_SOCKET": address}, "READY=1")
    assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}])
def test_nobody_asked_to_be_told(environ):
    notify(environ, "READY=1")


def test_a_systemd_that_is_gone_stops_nobody(tmp_path):
    notify({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, "READY=1")
