"""Quiet hours, within a day and over midnight."""

import pytest

from whatsapp_backend.rules.quiet import is_quiet

NIGHT, NOON = (22 * 60, 6 * 60), (12 * 60, 13 * 60)


@pytest.mark.parametrize(
    ("hours", "minute", "quiet"),
    [
        (None, 0, False),
        (NIGHT, 22 * 60 - 1, False),
        (NIGHT, 22 * 60, True),
        (NIGHT, 1439, True),
        (NIGHT, 0, True),
        (NIGHT, 6 * 60 - 1, True),
        (NIGHT, 6 * 60, False),
        (NOON, 12 * 60 - 1, False),
        (NOON, 12 * 60, True),
        (NOON, 13 * 60, False),
    ],
)
def test_quiet_hours_have_a_beginning_and_an_end(hours, minute, quiet):
    assert is_quiet(minute, hours) is quiet
