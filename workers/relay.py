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
from rq import Queue
from sqlalchemy.exc import SQLAlchemyError

from core import announcements, backlog, messages, relaying, staff_acts, webhook_calls
from core.db import Databases, transact
from core.inbox import Inbox
from core.outbox import Category, Outbox
from workers import pace
from workers.bell import EXECUTE
from workers.mpesa.rings import Rings
from workers.queues import Name, enqueue, is_deaf, queue
from workers.rails import bell as rails_bell
from workers.ringing import Job

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 1.0
_UNHEARD: Final = timedelta(seconds=1)
_SWEEP_SECONDS: Final = 5.0
_RATES_SECONDS: Final = 30.0
_RECONCILE_SECONDS: Final = 60.0
_CREDIT_SECONDS: Final = 60.0
_CLEAR_SECONDS: Final = 600.0
# A line that pauses for longer is not rung for: its messages would only be counted as rung.
_PAUSE_SECONDS_MAX: Final = 2.0
# Longer than any provider call may take.
_ABANDONED: Final = timedelta(seconds=60)
_IDS_PER_JOB: Final = 25
# What is staged in so short a time is rung for together; whatever else comes meanwhile waits for
# it, too, and nobody hears the difference.
_TOGETHER_SECONDS: Final = 0.05
# Fewer unheard rings than this say that the SMS workers keep up.
_FEW_RINGS: Final = 5

DELIVER: Final = "workers.messages.deliver"
BROADCAST: Final = "workers.broadcast.send"
ASK_CREDIT: Final = "workers.credit.look"
UNDERSTAND: Final = "workers.messages.understand"
TAKE_IN: Final = "workers.messages.take_in"
ROLL_UP: Final = "workers.ledger.roll_up"
REFRESH_RATES: Final = "workers.rates.refresh"
EXPIRE_HOLDS: Final = "workers.ledger.expire_holds"
RECONCILE: Final = "workers.reconciliation.run"
REFUND_VOUCHERS: Final = "workers.ledger.refund_vouchers"
SCREEN: Final = "workers.compliance.screen"
LOOK: Final = "workers.compliance.look"
ACT: Final = "workers.staff.act"
UNDERSTAND_MPESA: Final = "workers.mpesa.letters.understand"
CALL_WEBHOOKS: Final = "workers.webhooks.deliver"
CLEAR_WEBHOOKS: Final = "workers.webhooks.clear"
CLEAR_ACCESS: Final = "workers.access.clear"
JOBS: Final = (
    EXECUTE,
    DELIVER,
    BROADCAST,
    UNDERSTAND,
    TAKE_IN,
    ASK_CREDIT,
    ROLL_UP,
    EXPIRE_HOLDS,
    REFUND_VOUCHERS,
    REFRESH_RATES,
    RECONCILE,
    SCREEN,
    LOOK,
    ACT,
    *rails_bell.JOBS,
    UNDERSTAND_MPESA,
    *Job,
    CALL_WEBHOOKS,
    CLEAR_WEBHOOKS,
    CLEAR_ACCESS,
)


class Relay:
    """Wakes at once when something is staged, and every second anyway."""

    def __init__(
        self,
        databases: Databases,
        redis: Redis,
        clock: Callable[[], datetime],
        *,
        has_mpesa: bool = False,
    ) -> None:
        """Take what it works with."""
        self._mpesa = Rings(databases, redis) if has_mpesa else None
        self._databases = databases
        self._clock = clock
        self._ledger = queue(Name.LEDGER, redis)
        self._sms = queue(Name.SMS, redis)
        self._rails = rails_bell.Ringing(databases, redis)
        self._safaricom = queue(Name.MPESA, redis)
        self._webhooks = queue(Name.WEBHOOKS, redis)
        self._swept_at = 0.0
        self._redis = redis
        self._priced_at = 0.0
        self._asked_credit_at = 0.0
        self._cleared_at = self._forgotten_at = time.monotonic()
        self._reconciled_at = time.monotonic()  # not while everything starts
        self._stopped = threading.Event()

    def run(self) -> None:
        """Relay until stopped. A database or a Redis that goes away is waited for."""
        while not self._stopped.is_set():
            try:
                with closing(self._listen()) as listening:
                    while not self._stopped.is_set():
                        self.once()
                        self._await_more(listening)
            except (SQLAlchemyError, psycopg2.Error, RedisError, OSError) as error:
                log.warning("relay.interrupted", error=type(error).__name__)
                self._stopped.wait(POLL_SECONDS)

    def stop(self) -> None:
        """End it within a second."""
        self._stopped.set()

    def once(self) -> None:
        """Ring for everything that is due now."""
        now = self._clock()
        self._ring_for_letters(now)
        self._ring_for_events(now)  # after letters: what comes last to the front is heard first
        self._rails.once(now)
        if self._mpesa is not None:
            self._mpesa.ring(now)
        with self._databases() as session:
            behind = backlog.oldest(session, now=now)
            has_news = messages.count_promotional(session, count_max=1, now=now)
            is_decided = staff_acts.is_due(session)
        if is_decided and not is_deaf(self._ledger):
            enqueue(self._ledger, ACT)
        if has_news and announcements.is_daytime(now) and not self._sms.count:
            enqueue(self._sms, BROADCAST)  # behind everything, and never two in the queue
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
        if time.monotonic() - self._asked_credit_at > _CREDIT_SECONDS and not is_deaf(self._sms):
            self._asked_credit_at = time.monotonic()
            enqueue(self._sms, ASK_CREDIT)
        self._clear()

    def _await_more(self, listening: Any) -> None:  # noqa: ANN401 - psycopg2's, untyped here
        """
        Wait until more may be due than events, a second at most, and ring for these meanwhile.

        Under load there are many of them a second, and all else that is asked for costs twenty
        questions to Postgres.
        """
        ends = time.monotonic() + POLL_SECONDS
        while not self._stopped.is_set() and (left := ends - time.monotonic()) > 0:
            news = _heard(listening, seconds=left)
            if news - {Outbox.__tablename__}:
                return
            if news:
                self._ring_for_events(self._clock())
                self._stopped.wait(_TOGETHER_SECONDS)

    def _ring_for_events(self, now: datetime) -> None:
        """Ring for messages, unless nobody may send, and for the webhooks that told of them."""
        if pace.pause_seconds(self._redis, now=now) <= _PAUSE_SECONDS_MAX:
            for category in (Category.CODE, Category.RECEIPT):
                while self._relay(Outbox, DELIVER, now, category=category):
                    pass
        with self._databases() as session:
            is_called = webhook_calls.is_due(session, now=now)
        if is_called and not self._webhooks.count:
            enqueue(self._webhooks, CALL_WEBHOOKS)  # one who hears it makes all calls that are due

    def _ring_for_letters(self, now: datetime) -> None:
        """Ring for what providers have told us; of rails, that is their own ringing's."""
        while self._relay(Inbox, UNDERSTAND, now, provider="africastalking", is_written=True):
            pass
        # Nobody waits for a delivery report, and there are many: they leave room for receipts.
        if self._sms.count < _FEW_RINGS:
            self._relay(Inbox, TAKE_IN, now, provider="africastalking", is_written=False)
        if self._mpesa is not None:
            # On a queue of its own, so that a slow Safaricom never holds up an SMS.
            line = self._safaricom
            while self._relay(Inbox, UNDERSTAND_MPESA, now, provider="mpesa", line=line):
                pass

    def _relay(
        self,
        box: type[Outbox | Inbox],
        job: str,
        now: datetime,
        *,
        category: Category | None = None,
        provider: str | None = None,
        is_written: bool | None = None,
        line: Queue | None = None,
    ) -> bool:
        """
        Ring for one lot of a box; whether it was a full one.

        Not into ears that are full, but for codes and for what people write, which go before what
        is queued already.
        """
        is_first = category is Category.CODE or bool(is_written)
        line = line or self._sms
        if is_deaf(line, is_first=is_first):
            return False
        more = {} if category is None else {"category": category.value}
        with self._databases.begin() as session:
            ids = relaying.due(
                session,
                box=box,
                now=now,
                category=category,
                provider=provider,
                is_written=is_written,
            )
            for first in range(0, len(ids), _IDS_PER_JOB):
                some = ids[first : first + _IDS_PER_JOB]
                enqueue(line, job, is_first=is_first, ids=some, **more)
        return len(ids) == relaying.ROWS_MAX

    def _clear(self) -> None:
        """Have deleted what is over, now and then."""
        if time.monotonic() - self._cleared_at > _CLEAR_SECONDS and not self._webhooks.count:
            self._cleared_at = time.monotonic()
            enqueue(self._webhooks, CLEAR_WEBHOOKS)
        if time.monotonic() - self._forgotten_at > _CLEAR_SECONDS and not is_deaf(self._sms):
            self._forgotten_at = time.monotonic()
            enqueue(self._sms, CLEAR_ACCESS)

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


def _heard(listening: Any, *, seconds: float) -> set[str]:  # noqa: ANN401 - as above
    """Wait so long at most; the tables that were told of."""
    if select.select([listening], [], [], seconds)[0]:
        listening.poll()
    news = {notice.payload for notice in listening.notifies}
    listening.notifies.clear()
    return news
