"""
What the relay rings the M-Pesa worker for: whatever Postgres says is due.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from redis import Redis
from sqlalchemy.orm import Session

from core import deposits, paybill, rails, withdrawals
from core.db import Databases
from core.rails import Provider
from workers.daraja.line import PACE
from workers.mpesa.breaker import bars_questions
from workers.pace import pause_seconds
from workers.queues import Name, queue
from workers.ringing import Bells, Job

_SWEEP_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 15 * 60.0
_SETTLED_SECONDS: Final = 30.0  # not while everything starts
# A line that pauses for longer is not rung for.
_PAUSE_SECONDS_MAX: Final = 2.0


class Rings:
    """Asks Postgres every time, and rings for each kind of work that it has."""

    def __init__(self, databases: Databases, redis: Redis) -> None:
        """Take what it works with."""
        self._databases = databases
        self._redis = redis
        self._bells = Bells(redis, queue(Name.MPESA, redis))
        self._swept_at = 0.0
        self._looked_at = time.monotonic() - _LOOK_SECONDS + _SETTLED_SECONDS

    def ring(self, now: datetime) -> None:
        """
        Ring for everything that is due now.

        Raises:
            RedisError: Redis did not hear it.
            SQLAlchemyError: Postgres did not say.
        """
        if pause_seconds(self._redis, now=now, name=PACE) <= _PAUSE_SECONDS_MAX:
            with self._databases() as session:
                due = list(_due(session, now))
            for job in due:
                self._bells.ring(job)
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            self._bells.ring(Job.SWEEP)
        if time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self._bells.ring(Job.LOOK)


def _due(session: Session, now: datetime) -> Iterator[Job]:
    if deposits.due(session, now=now, deposits_max=1):
        yield Job.PROMPT
    if deposits.doubtful(session, now=now, deposits_max=1):
        yield Job.ASK
    stopped = rails.breaker(session, provider=Provider.MPESA, now=now)
    if stopped is None and withdrawals.due(session, now=now, withdrawals_max=1):
        yield Job.PAY
    if bars_questions(session, now=now):
        return
    if withdrawals.doubtful(session, now=now, withdrawals_max=1):
        yield Job.RESOLVE
    if paybill.unconfirmed(session, now=now, payments_max=1):
        yield Job.CONFIRM
