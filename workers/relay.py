"""
The relay: rings RQ for whatever Postgres says is undone. Losing all of Redis loses nothing.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg2
import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from core import backlog, messages, relaying
from core.db import Databases, transact
from core.inbox import Inbox
from core.outbox import Outbox
from workers.bell import EXECUTE
from workers.queues import Name, enqueue, is_deaf, queue

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 1.0
_UNHEARD: Final = timedelta(seconds=1)
_SWEEP_SECONDS: Final = 5.0
_RATES_SECONDS: Final = 30.0
_RECONCILE_SECONDS: Final = 60.0
# Longer than any provider call may take.
_ABANDONED: Final = timedelta(seconds=60)
_IDS_PER_JOB: Final = 25

DELIVER: Final = "workers.messages.deliver"
UNDERSTAND: Final = "workers.messages.understand"
ROLL_UP: Final = "workers.ledger.roll_up"
REFRESH_RATES: Final = "workers.rates.refresh"
EXPIRE_HOLDS: Final = "workers.ledger.expire_holds"
RECONCILE: Final = "workers.reconciliation.run"
REFUND_VOUCHERS: Final = "workers.ledger.refund_vouchers"
SCREEN: Final = "workers.compliance.screen"
LOOK: Final = "workers.compliance.look"
JOBS: Final = (
    EXECUTE,
    DELIVER,
    UNDERSTAND,
    ROLL_UP,
    EXPIRE_HOLDS,
    REFUND_VOUCHERS,
    REFRESH_RATES,
    RECONCILE,
    SCREEN,
    LOOK,
)


class Relay:
    """Wakes at once when something is staged, and every second anyway."""

    def __init__(self, databases: Databases, redis: Redis, clock: Callable[[], datetime]) -> None:
        """Take what it works with."""
        self._databases = databases
        self._clock = clock
        self._ledger = queue(Name.LEDGER, redis)
        self._sms = queue(Name.SMS, redis)
        self._swept_at = 0.0
        self._priced_at = 0.0
        self._reconciled_at = time.monotonic()  # not while everything starts
        self._stopped = threading.Event()

    def run(self) -> None:
        """Relay until stopped. A database or a Redis that goes away is waited for."""
        while not self._stopped.is_set():
            try:
                with closing(self._listen()) as listening:
                    while not self._stopped.is_set():
                        self.once()
                        _await_notice(listening)
            except (SQLAlchemyError, psycopg2.Error, RedisError, OSError) as error:
                log.warning("relay.interrupted", error=type(error).__name__)
                self._stopped.wait(POLL_SECONDS)

    def stop(self) -> None:
        """End it within a second."""
        self._stopped.set()

    def once(self) -> None:
        """Ring for everything that is due now."""
        now = self._clock()
        while self._relay(Outbox, DELIVER, now) or self._relay(Inbox, UNDERSTAND, now):
            pass
        with self._databases() as session:
            behind = backlog.oldest(session, now=now)
        if behind.order > _UNHEARD and not is_deaf(self._ledger):
            enqueue(self._ledger, EXECUTE)
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            self._sweep(now)
        if time.monotonic() - self._priced_at > _RATES_SECONDS and not is_deaf(self._sms):
            self._priced_at = time.monotonic()
            enqueue(self._sms, REFRESH_RATES)
        if time.monotonic() - self._reconciled_at > _RECONCILE_SECONDS and not is_deaf(self._sms):
            self._reconciled_at = time.monotonic()
            enqueue(self._sms, RECONCILE)

    def _relay(self, box: type[Outbox | Inbox], job: str, now: datetime) -> bool:
        """Ring for one lot of a box; whether it was a full one. Not into ears that are full."""
        if is_deaf(self._sms):
            return False
        with self._databases.begin() as session:
            ids = relaying.due(session, box=box, now=now)
            for first in range(0, len(ids), _IDS_PER_JOB):
                enqueue(self._sms, job, ids=ids[first : first + _IDS_PER_JOB])
        return len(ids) == relaying.ROWS_MAX

    def _sweep(self, now: datetime) -> None:
        """Do what is wanted every so often."""
        lost = transact(
            self._databases,
            lambda session: messages.abandoned(session, older_than=now - _ABANDONED, now=now),
        )
        if lost:
            log.warning("sms.abandoned", messages=lost)
        if not is_deaf(self._ledger):
            enqueue(self._ledger, ROLL_UP)
            enqueue(self._ledger, EXPIRE_HOLDS)
            enqueue(self._ledger, REFUND_VOUCHERS)
        if not is_deaf(self._sms):
            enqueue(self._sms, SCREEN)
            enqueue(self._sms, LOOK)

    def _listen(self) -> Any:  # noqa: ANN401 - psycopg2's connection is untyped here
        """Open a connection of its own that hears notices."""
        engine = self._databases.kw["bind"]
        connection = engine.raw_connection()
        raw = connection.driver_connection
        connection.detach()  # it waits for notices: the pool must not hand it out again
        raw.autocommit = True
        with raw.cursor() as cursor:
            cursor.execute("LISTEN relay")
        return raw


def _await_notice(listening: Any) -> None:  # noqa: ANN401 - as above
    if select.select([listening], [], [], POLL_SECONDS)[0]:
        listening.poll()
        listening.notifies.clear()
