"""Documents of leases and locks: what is written, and what is made of others' documents."""

from datetime import UTC, datetime

import pytest

from whatsapp_backend.domain.leases import Instance, RunLock, Term, Timings
from whatsapp_backend.domain.moments import ms_at
from whatsapp_backend.rules import lease, run_lock
from whatsapp_backend.rules import lease_documents as documents

ONE = Instance(id="host-1.ab", nonce="n1", home="h")
TERM = Term(account="account_a", holder="host-1.ab", token=7, nonce="n1", home="h")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_term_comes_back_as_it_was_written():
    """And its document says in the server's time when it changed."""
    write = documents.term_write(TERM)
    assert (write.path, write.server_times) == ("whatsapp_account_owners/account_a", ("changedAt",))
    assert documents.term_of("account_a", write.fields) == TERM


def test_a_lock_comes_back_as_it_was_written_under_the_names_of_old():
    """`ownerId`, `expiresAtMs` and `startedAt` are what operators and older systems read."""
    lock = RunLock(
        account="account_a",
        owner="host-1.ab",
        kind="backfill",
        run="r1",
        token=7,
        expires_at_ms=ms_at(AT) + 1000,
        started_at_ms=ms_at(AT),
    )
    write = documents.lock_write(lock)
    assert write.path == "whatsapp_backfill_locks/account_a"
    assert write.fields["ownerId"] == "host-1.ab"
    assert (write.fields["expiresAtMs"], write.fields["startedAt"]) == (ms_at(AT) + 1000, AT)
    assert documents.lock_of("account_a", write.fields, updated_at_ns=0) == lock


@pytest.mark.parametrize("fields", [{"expiresAtMs": ms_at(AT)}, {"expiresAt": AT}])
def test_an_older_systems_lock_is_waited_for_until_it_expires(fields):
    """In both of the forms it had; it knows no terms, so nobody knows that its owner is dead."""
    lock = documents.lock_of("account_a", {"ownerId": "node-7", **fields}, updated_at_ns=0)
    assert run_lock.is_busy(lock, TERM, "r1", now_ms=ms_at(AT) - 1)
    assert not run_lock.is_busy(lock, TERM, "r1", now_ms=ms_at(AT))


@pytest.mark.parametrize(
    "fields", [{}, {"expiresAtMs": "soon"}, {"expiresAtMs": None, "ownerId": 7}, {"token": "x", "run": []}]
)
def test_a_lock_that_does_not_say_when_it_ends_has_ended(fields):
    """Rubbish in its document blocks no account for ever."""
    assert not run_lock.is_busy(documents.lock_of("account_a", fields, updated_at_ns=0), TERM, "r1", now_ms=1)


@pytest.mark.parametrize("fields", [{}, {"holder": 7, "token": "x"}, {"holder": None, "nonce": []}])
def test_a_term_that_is_none_is_free(fields):
    """Rubbish in its document blocks no account for ever."""
    term = documents.term_of("account_a", fields)
    assert not lease.is_own(term, ONE)
    assert lease.is_free(term, None, ONE, ttl_s=15)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl_s": 5.0},
        {"renew_s": 1.7},
        {"retry_s": 0.0},
        {"margin_s": 0.0},
        {"margin_s": 15.0},
        {"call_s": 0.0},
        {"call_s": 9.5},
    ],
)
def test_timings_that_cannot_work_together_are_refused(wrong):
    """A lease longer than its renewal, that longer than a pause, and time for one slow call."""
    with pytest.raises(ValueError):
        Timings(**wrong)
