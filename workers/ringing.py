"""
The bells of the jobs that look for their own work: each is rung once until somebody has heard it.

A mark in Redis says that one is rung. The job takes it away before it looks, so whoever finds it
there has committed in time; lost, it is over in seconds.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import Final

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from workers.queues import enqueue

_RUNG: Final = "kabambe:mpesa:rung:"
_RUNG_SECONDS_MAX: Final = 5


class Job(StrEnum):
    """What looks for work of its own, by its dotted name."""

    PROMPT = "workers.mpesa.deposits.prompt"
    ASK = "workers.mpesa.deposits.ask"
    PAY = "workers.mpesa.withdrawals.pay"
    RESOLVE = "workers.mpesa.withdrawals.resolve"
    CONFIRM = "workers.mpesa.payments.confirm"
    SWEEP = "workers.mpesa.sweeping.sweep"
    LOOK = "workers.mpesa.floats.look"


class Bells:
    """What the relay rings and the jobs hear."""

    def __init__(self, redis: Redis, line: Queue) -> None:
        """Hang them on one queue."""
        self._redis = redis
        self._line = line

    def ring(self, job: Job) -> None:
        """
        Say that there is work, unless that was said and not heard yet.

        Raises:
            RedisError: Redis did not hear it.
        """
        if self._redis.set(_RUNG + job, 1, nx=True, ex=_RUNG_SECONDS_MAX):
            enqueue(self._line, job)

    def heard(self, job: Job) -> None:
        """Say that a job is about to look."""
        with suppress(RedisError):
            self._redis.delete(_RUNG + job)
