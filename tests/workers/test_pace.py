"""The pace of the line: one for all workers, a place for what hurries, and slower in trouble."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from house_parts import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from core.outbox import Category
from workers.pace import Pace, pause_seconds

AT_ONCE = -1.0
"""No patience: what `time.monotonic` never is again."""


@pytest.fixture
def redis(redis_url):
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
        yield redis
        redis.flushdb()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pace(redis, clock):
    return Pace(redis, clock, per_second=10)


def burst(pace, category=Category.RECEIPT):
    """How many messages of a category may go now."""
    count = 0
    while pace.enter(category, until=AT_ONCE):
        count += 1
    return count


def entered(url: str, seconds: float) -> int:
    """What one worker sends, one message after another, in so many seconds."""
    with Redis.from_url(url) as redis:
        pace = Pace(redis, lambda: datetime.now(UTC), per_second=100)
        ends, count = time.monotonic() + seconds, 0
        while pace.enter(Category.RECEIPT, until=ends):
            count += 1
        return count


def test_four_workers_together_are_as_fast_as_one(redis, redis_url):
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=fresh) as workers:
        list(workers.map(entered, [redis_url] * 4, [0.0] * 4))  # everybody is there
        redis.flushdb()
        began = time.monotonic()
        counts = list(workers.map(entered, [redis_url] * 4, [2.0] * 4))
        took = time.monotonic() - began
    assert 200 * 0.8 <= sum(counts) <= 100 * took + 100


class TestOneSecond:
    def test_holds_as_many_as_the_pace_says(self, pace, clock):
        assert burst(pace) == 10
        clock.passes(seconds=0.5)
        assert burst(pace) == 5

    def test_keeps_a_place_for_codes(self, pace):
        assert burst(pace) == 10
        assert burst(pace, Category.CODE) == 10
        assert burst(pace, Category.CODE) == 0

    def test_has_room_for_news_only_when_nobody_else_wants_any(self, pace, clock):
        assert pace.enter(Category.RECEIPT, until=AT_ONCE)
        assert burst(pace, Category.PROMOTIONAL) == 0
        clock.passes(seconds=0.1)
        assert pace.enter(Category.PROMOTIONAL, until=AT_ONCE, count=10)
        assert burst(pace, Category.RECEIPT) == 0  # they were a second's worth
        clock.passes(seconds=0.1)
        assert burst(pace, Category.RECEIPT) == 1  # and a receipt waits for its turn, not for all
        assert burst(pace, Category.CODE) == 10

    def test_has_its_unused_turns_back(self, pace):
        assert pace.enter(Category.RECEIPT, until=AT_ONCE, count=10)
        assert burst(pace) == 0
        pace.leave(4)
        assert burst(pace) == 4

    def test_may_be_waited_for(self, redis):
        pace = Pace(redis, lambda: datetime.now(UTC), per_second=10)
        assert burst(pace) >= 10
        began = time.monotonic()
        assert pace.enter(Category.RECEIPT, until=began + 1)
        assert 0.01 < time.monotonic() - began < 0.3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(list(Category)), st.integers(0, 700), st.integers(1, 5)),
        min_size=1,
        max_size=60,
    )
)
def test_no_second_ever_has_more_than_twice_the_pace_and_the_codes(redis, steps):
    redis.flushdb()
    clock = Clock()
    pace = Pace(redis, clock, per_second=5)
    went: list[tuple[datetime, Category]] = []
    for category, milliseconds, wanted in steps:
        clock.passes(milliseconds=milliseconds)
        gone = sum(pace.enter(category, until=AT_ONCE) for _ in range(wanted))
        went += [(clock.now, category)] * gone
    for begin, _ in went:
        within = [c for at, c in went if begin <= at < begin + timedelta(seconds=1)]
        assert len(within) <= 15
        assert len([c for c in within if c is not Category.CODE]) <= 10


class TestTrouble:
    def test_stops_everybody_for_a_moment_and_then_one_goes_to_see(self, pace, clock, redis):
        pace.slow_down()
        assert pause_seconds(redis, now=clock()) == 0.5
        assert [burst(pace, each) for each in Category] == [0, 0, 0]
        clock.passes(seconds=0.5)
        assert burst(pace) == 1
        assert burst(pace, Category.CODE) == 0

    def test_met_by_many_calls_at_once_is_one(self, pace):
        for _ in range(8):
            pace.slow_down()
        assert pace.slowness() == 1
        assert pace.pause_seconds() == 0.5

    def test_again_and_again_is_waited_for_longer(self, pace, clock):
        pauses = []
        for _ in range(8):
            pace.slow_down()
            pauses.append(pace.pause_seconds())
            clock.passes(seconds=pauses[-1])
        assert pauses == [0.5, 1, 2, 4, 8, 16, 16, 16]

    def test_is_over_after_as_many_successes(self, pace, clock):
        for _ in range(3):
            pace.slow_down()
            clock.passes(seconds=pace.pause_seconds())
        rates = []
        while pace.slowness():
            pace.speed_up()
            clock.passes(seconds=10)
            rates.append(burst(pace))
        assert rates == [1, 1, 10]
        pace.speed_up()
        assert pace.slowness() == 0

    def test_is_not_over_for_what_was_under_way_when_it_began(self, pace):
        pace.slow_down()
        pace.speed_up()
        assert pace.slowness() == 1

    def test_lasts_as_long_as_the_provider_asks_for(self, pace, clock):
        pace.slow_down(least_seconds=30)
        assert pace.pause_seconds() == 30
        pace.slow_down(least_seconds=60)  # another of the same wave was told more
        assert pace.pause_seconds() == 60
        assert pace.slowness() == 1
        clock.passes(seconds=59)
        assert burst(pace) == 0

    def test_is_never_longer_than_an_hour(self, pace):
        pace.slow_down(least_seconds=10**9)
        assert pace.pause_seconds() == 3600

    def test_is_forgotten_when_it_is_mended(self, pace):
        pace.slow_down(least_seconds=60)
        pace.resume()
        assert burst(pace) == 10
