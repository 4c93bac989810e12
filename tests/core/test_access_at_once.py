"""What is counted is counted one at a time: whoever asks twice at once has no more of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from contextlib import contextmanager

import pytest

from core import subscribers
from core.access import keys, tries
from core.access.keys import ACTIVE_MAX, Lifetime, TooManyApiKeys
from core.access.principals import Permission
from core.access.tries import TRIES_MAX, LogInLocked
from core.audit import Actor

NUMBER = "+254712000001"
ACTOR = Actor(NUMBER, "app", "test")


class Two:
    """Two transactions at once: what the second does when the first has done and not committed."""

    def __init__(self, house) -> None:
        self.databases = house.databases["web"]

    @contextmanager
    def then(self, first, second):
        """See that the second waits for the first; yield how it ends."""
        with ThreadPoolExecutor() as pool:
            with self.databases.begin() as session:
                first(session)
                other = pool.submit(self._does, second)
                with pytest.raises(StillWaiting):
                    other.result(timeout=0.3)
            yield other

    def _does(self, work):
        with self.databases.begin() as session:
            return work(session)


@pytest.fixture
def two(house) -> Two:
    return Two(house)


class TestKeys:
    @pytest.fixture
    def make(self, house, wanjiru):
        with house.databases["web"].begin() as session:
            person = subscribers.recipient(session, msisdn=NUMBER)

        def make(session):
            return keys.make(
                session,
                person=person,
                name="Till",
                permissions=[Permission.READ],
                lifetime=Lifetime.DAY,
                actor=ACTOR,
                now=house.clock(),
            )

        return make

    def test_two_that_count_at_once_do_not_both_find_room(self, house, two, make):
        for _n in range(ACTIVE_MAX - 1):
            with house.databases["web"].begin() as session:
                make(session)
        with two.then(make, make) as second, pytest.raises(TooManyApiKeys):
            second.result(timeout=5)
        assert house.bank.one("SELECT count(*) FROM api_keys") == ACTIVE_MAX


class TestTries:
    SUBJECT = tries.of_number(NUMBER)

    def test_who_tries_beside_the_fifth_is_locked_out_with_it(self, house, two):
        def wrong(session):
            tries.require_unlocked(session, subject=self.SUBJECT, now=house.clock())
            return tries.count(session, subject=self.SUBJECT, now=house.clock())

        for _n in range(TRIES_MAX - 1):
            with house.databases["web"].begin() as session:
                assert wrong(session) is None
        with two.then(wrong, wrong) as second, pytest.raises(LogInLocked):
            second.result(timeout=5)

    def test_tries_are_forgotten_after_a_day_and_when_one_is_right(self, house):
        def wrong():
            with house.databases["web"].begin() as session:
                return tries.count(session, subject=self.SUBJECT, now=house.clock())

        assert [wrong() for _n in range(4)] == [None] * 4
        house.clock.passes(hours=24)
        assert [wrong() for _n in range(4)] == [None] * 4
        with house.databases["web"].begin() as session:
            tries.forget(session, subject=self.SUBJECT)
        assert [wrong() for _n in range(4)] == [None] * 4
        until = house.clock.now.replace(minute=45)
        assert wrong() == until
