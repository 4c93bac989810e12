"""The bell: rung once for many, heard before looking, and waited for only with a reason."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from workers import queues
from workers.queues import Name


@pytest.fixture
def line(house):
    return queues.queue(Name.LEDGER, house.redis)


def test_many_rings_are_one_job_until_it_is_heard(house, line):
    for _ in range(5):
        house.bell.ring()
    assert line.count == 1
    house.bell.heard()
    house.bell.ring()
    assert line.count == 2


def test_a_worker_that_died_between_ring_and_hearing_is_rung_for_again(house, line):
    house.bell.ring()
    line.empty()
    assert 0 < house.redis.ttl("kabambe:ledger:rung") <= 5


def test_nobody_waits_for_a_worker_that_is_gone_or_behind(house):
    for beat in (None, timedelta(seconds=1), timedelta(minutes=5)):
        house.redis.flushdb()
        if beat is not None:
            house.bell.beat(beat)
        assert not house.bell.is_answered()
        began = time.monotonic()
        house.bell.wait(1)
        assert time.monotonic() - began < 1


def test_who_waits_is_woken_by_the_outcome(house):
    house.bell.beat(timedelta(0))
    waiting = threading.Thread(target=house.bell.wait, args=(7,))
    waiting.start()
    house.bell.announce([6, 7])
    waiting.join(2)
    assert not waiting.is_alive()


def test_an_outcome_that_came_first_is_not_waited_for(house):
    house.bell.beat(timedelta(0))
    house.bell.announce([7])
    began = time.monotonic()
    house.bell.wait(7)
    assert time.monotonic() - began < 1


def test_nobody_waits_who_has_no_time_left_should_redis_freeze_meanwhile(house):
    house.bell.beat(timedelta(0))
    began = time.monotonic()
    house.bell.wait(99, 0.69)
    assert time.monotonic() - began < 0.5


def test_only_so_many_wait_at_once(house):
    house.bell.beat(timedelta(0))
    waiting = [threading.Thread(target=house.bell.wait, args=(n,)) for n in range(6)]
    for each in waiting:
        each.start()
    while len([c for c in house.redis.client_list() if "blmove" in c["cmd"]]) < len(waiting):
        time.sleep(0.005)
    began = time.monotonic()
    house.bell.wait(99)  # there is no chair left
    assert time.monotonic() - began < 1
    house.bell.announce(range(6))
    for each in waiting:
        each.join()


def test_all_who_wait_for_one_order_hear_of_it_at_once(house):
    house.bell.beat(timedelta(0))
    waiting = [threading.Thread(target=house.bell.wait, args=(7,)) for _ in range(5)]
    for each in waiting:
        each.start()
    while len([c for c in house.redis.client_list() if "blmove" in c["cmd"]]) < len(waiting):
        time.sleep(0.005)
    began = time.monotonic()
    house.bell.announce([7])
    for each in waiting:
        each.join()
    assert time.monotonic() - began < 1
    [key] = house.redis.keys("*outcome*")
    assert 0 < house.redis.ttl(key) <= 10


def test_an_order_whose_ring_was_lost_is_rung_for_by_the_relay(house, wanjiru, otieno):
    house.workers_are_there = False
    wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
    house.redis.flushdb()
    house.clock.passes(seconds=5)
    house.relay.once()
    house.work(Name.LEDGER)
    assert house.bank.rows("SELECT state FROM orders") == [("done",)]
