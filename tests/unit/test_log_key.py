"""The key behind the hashes in log lines: random, kept, private."""

import stat

import pytest

from whatsapp_backend.adapters.log_key import log_key
from whatsapp_backend.errors import StoreUnusable


def test_the_key_is_the_same_at_every_start_and_another_in_every_directory(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir(), other.mkdir()
    key = log_key(one)
    assert len(key) == 32
    assert log_key(one) == key
    assert log_key(other) != key


def test_nobody_else_may_read_it_and_nothing_else_is_left(tmp_path):
    log_key(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log-key"]
    assert stat.S_IMODE((tmp_path / "log-key").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_replaced(tmp_path, damaged):
    (tmp_path / "log-key").write_bytes(damaged)
    key = log_key(tmp_path)
    assert len(key) == 32
    assert log_key(tmp_path) == key


def test_a_crash_in_the_middle_leaves_nothing_in_the_way(tmp_path):
    (tmp_path / "log-key.new").write_bytes(b"half")
    assert len(log_key(tmp_path)) == 32
    assert [path.name for path in tmp_path.iterdir()] == ["log-key"]


def test_a_key_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "log-key").mkdir()
    with pytest.raises(StoreUnusable, match="log-key"):
        log_key(tmp_path)
