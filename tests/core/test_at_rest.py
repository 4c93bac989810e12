"""Secrets at rest: read again only by who has the key, and only for what they were locked for."""

from __future__ import annotations

import pytest

from core.at_rest import Chest, Unreadable

CHEST = Chest("a key of the tests")


def test_what_is_locked_is_read_again():
    locked = CHEST.lock("whsec_abc", purpose="webhook:17")
    assert "whsec" not in locked
    assert CHEST.open(locked, purpose="webhook:17") == "whsec_abc"


def test_locked_twice_it_does_not_look_the_same():
    assert CHEST.lock("x", purpose="p") != CHEST.lock("x", purpose="p")


def test_it_does_not_open_for_another():
    locked = CHEST.lock("whsec_abc", purpose="webhook:17")
    with pytest.raises(Unreadable):
        CHEST.open(locked, purpose="webhook:18")


@pytest.mark.parametrize("place", [9, 30, -8])
def test_a_letter_changed_is_noticed(place):
    locked = CHEST.lock("whsec_abc", purpose="p")
    other = "A" if locked[place] != "A" else "B"
    with pytest.raises(Unreadable):
        CHEST.open(locked[:place] + other + locked[place:][1:], purpose="p")


def test_what_was_never_locked_is_refused():
    for said in ("", "whsec_abc", "é"):
        with pytest.raises(Unreadable):
            CHEST.open(said, purpose="p")


def test_a_new_key_is_put_before_the_old_one():
    locked = CHEST.lock("x", purpose="p")
    both = Chest("a newer key, a key of the tests")
    assert both.open(locked, purpose="p") == "x"
    with pytest.raises(Unreadable):
        CHEST.open(both.lock("x", purpose="p"), purpose="p")


def test_no_key_is_shown():
    assert "key" not in repr(CHEST)
