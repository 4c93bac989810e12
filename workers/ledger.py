"""
The ledger worker: executes placed orders in batches, and says that it lives.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import execution, holds, ledger, voucher_batches
from core.db import transact
from core.voucher_batches import Refunded
from workers.bell import HEARTBEAT_SECONDS
from workers.resources import Resources, current

log = structlog.get_logger(__name__)


def execute(**_: object) -> None:
    """Execute whatever is placed, until nothing is. Once or twice makes no difference."""
    have = current()
    with suppress(RedisError):
        have.bell.heard()
    while done := execution.execute(have.databases, now=have.clock(), may_post=have.anchor.holds):
        log.info("ledger.executed", orders=len(done))
        with suppress(RedisError):  # the outcomes stand; doors that wait will find them
            have.bell.announce(done)
        if len(done) < execution.BATCH_MAX:
            return


def roll_up(**_: object) -> None:
    """Take entries of record accounts into their balances."""
    transact(current().databases, ledger.roll_up)


def expire_holds(**_: object) -> None:
    """Give back what is held by holds whose time is over."""
    have = current()
    while have.do_with_money(lambda session: holds.expire(session, now=have.clock())):
        pass


def refund_vouchers(**_: object) -> None:
    """Give back what vouchers are worth whose time is over, or that were cancelled."""
    have = current()

    def refund(session: Session) -> Refunded | None:
        return voucher_batches.refund(session, now=have.clock())

    while (done := have.do_with_money(refund)) is not None:
        log.info("ledger.vouchers_refunded", batch=done.batch, vouchers=done.count)


class Heartbeat(threading.Thread):
    """Tells the doors, twice a second, that orders are being executed, and how far behind."""

    def __init__(self, resources: Resources) -> None:
        """Prepare; `start` begins it."""
        super().__init__(name="heartbeat", daemon=True)
        self._resources = resources
        self._stopped = threading.Event()

    def run(self) -> None:
        have = self._resources
        while not self._stopped.is_set():
            try:
                with have.databases() as session:
                    behind = execution.oldest(session, now=have.clock())
                have.bell.beat(behind)
            except (SQLAlchemyError, RedisError) as error:
                log.warning("ledger.heartbeat_failed", error=type(error).__name__)
            self._stopped.wait(HEARTBEAT_SECONDS)

    def stop(self) -> None:
        """End it, and say so to the doors."""
        self._stopped.set()
        self.join(timeout=2)
        with suppress(RedisError):
            self._resources.bell.stop()
