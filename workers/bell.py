"""
The ledger's bell: doors ring it and wait a moment; the ledger worker says when it is done.

Everything here may be lost without harm. The relay rings for orders that nobody heard of, and a
door that hears nothing tells its caller that an SMS will follow.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from workers.queues import enqueue

WAIT_SECONDS_MAX: Final = 2
# A wait that Redis freezes in takes 2.45 s, however short it was to be: with less than this left, a
# hop would be answered too late. (And Redis takes zero for ever.)
_WAIT_SECONDS_MIN: Final = 0.7
# An order older than this says that the ledger is behind: waiting would only hold threads.
BEHIND: Final = timedelta(seconds=1)
HEARTBEAT_SECONDS: Final = 0.5

EXECUTE: Final = "workers.ledger.execute"

_RUNG: Final = "kabambe:ledger:rung"
_ALIVE: Final = "kabambe:ledger:alive"
_OUTCOME: Final = "kabambe:ledger:outcome:"
_RUNG_SECONDS_MAX: Final = 5
_ALIVE_MS: Final = 2000
_OUTCOME_SECONDS: Final = 10


class Bell:
    """What doors and the ledger worker say to each other."""

    def __init__(
        self, redis: Redis, line: Queue, *, waiting_max: int, waiting: Redis | None = None
    ) -> None:
        """
        Hang the bell.

        Args:
            redis: Connections.
            line: The ledger's queue.
            waiting: Connections that may block for `WAIT_SECONDS_MAX`; those of `redis` otherwise.
            waiting_max: How many callers may wait at once in this process. The others are told
                that an SMS will follow, so that waiting never takes every thread of the web.
        """
        self._redis = redis
        self._waiting = redis if waiting is None else waiting
        self._line = line
        self._chairs = threading.BoundedSemaphore(waiting_max)

    def ring(self) -> None:
        """
        Say that there is work, unless that was said and not yet heard.

        The worker unsets the mark before it looks, so whoever finds it set has committed in time.

        Raises:
            RedisError: Redis did not hear it; the relay will ring.
        """
        if self._redis.set(_RUNG, 1, nx=True, ex=_RUNG_SECONDS_MAX):
            enqueue(self._line, EXECUTE)

    def wait(self, order: int, seconds_max: float = WAIT_SECONDS_MAX) -> None:
        """Wait until an order has its outcome, at most two seconds, or not at all."""
        seconds = min(seconds_max, WAIT_SECONDS_MAX)
        if seconds < _WAIT_SECONDS_MIN or not self._chairs.acquire(blocking=False):
            return
        try:
            with suppress(RedisError):
                if self.is_answered():
                    outcome = f"{_OUTCOME}{order}"
                    # It stays there: whoever asks for the same thing again may wait too.
                    self._waiting.blmove(outcome, outcome, seconds, "LEFT", "LEFT")  # type: ignore[arg-type]
        finally:
            self._chairs.release()

    def is_answered(self) -> bool:
        """Whether a ledger worker lives and keeps up, by its own word not two seconds old."""
        oldest_ms = self._redis.get(_ALIVE)
        return oldest_ms is not None and int(oldest_ms) < BEHIND / timedelta(milliseconds=1)

    def heard(self) -> None:
        """Say that the worker is about to look: whoever orders from now on must ring again."""
        self._redis.delete(_RUNG)

    def announce(self, orders: Sequence[int]) -> None:
        """Wake the doors that wait for these orders."""
        with self._redis.pipeline(transaction=False) as pipe:
            for order in orders:
                pipe.lpush(f"{_OUTCOME}{order}", 1)
                pipe.expire(f"{_OUTCOME}{order}", _OUTCOME_SECONDS)
            pipe.execute()

    def beat(self, oldest: timedelta) -> None:
        """Say that the ledger worker lives, and how old the oldest order is."""
        self._redis.set(_ALIVE, int(oldest / timedelta(milliseconds=1)), px=_ALIVE_MS)

    def stop(self) -> None:
        """Say that the ledger worker is going."""
        self._redis.delete(_ALIVE)


def answers(redis: Redis) -> bool:
    """Whether Redis is there."""
    try:
        return bool(redis.ping())
    except RedisError:
        return False
