"""A breaker lets one at a time find out whether an engine that was silent answers again."""

from __future__ import annotations

from core.breaker import PROBE_SECONDS, Breaker, Way


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_is_open_until_somebody_waited_in_vain():
    breaker = Breaker()
    assert [breaker.way(), breaker.way()] == [Way.OPEN, Way.OPEN]
    breaker.answered()
    breaker.was_silent()
    assert [breaker.way(), breaker.way(), breaker.way()] == [Way.PROBE, Way.SHUT, Way.SHUT]


def test_the_next_one_probes_when_a_probe_was_in_vain():
    breaker = Breaker()
    breaker.was_silent()
    assert breaker.way() is Way.PROBE
    breaker.was_silent()
    assert breaker.way() is Way.SHUT, "another's silence is none of the probe's"
    breaker.probed()
    assert [breaker.way(), breaker.way()] == [Way.PROBE, Way.SHUT]


def test_any_answer_opens_it():
    breaker = Breaker()
    breaker.was_silent()
    assert breaker.way() is Way.PROBE
    breaker.answered()
    assert [breaker.way(), breaker.way()] == [Way.OPEN, Way.OPEN]


def test_a_probe_that_nobody_hears_of_is_over_in_time():
    breaker = Breaker(monotonic=(time := Time()))
    breaker.was_silent()
    assert breaker.way() is Way.PROBE
    time.now += PROBE_SECONDS - 0.01
    assert breaker.way() is Way.SHUT
    time.now += 0.01
    assert [breaker.way(), breaker.way()] == [Way.PROBE, Way.SHUT]
