"""
Execution: placed orders of every kind, in batches, each exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Protocol

import structlog
from sqlalchemy.orm import Session

from core import (
    exchange,
    hold_orders,
    ledger,
    orders,
    outbox,
    refunds,
    transfers,
    vouchers,
    withdrawals,
)
from core.db import Databases, is_of_the_database, transact
from core.errors import DomainError, Refused
from core.orders import Claimed, Kind, Outcome
from core.plans import Plan, Result

log = structlog.get_logger(__name__)

BATCH_MAX: Final = 100


class Planner(Protocol):
    """A module that knows what orders of one kind come to."""

    def plan(self, session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
        """Plan claimed orders."""
        ...

    def refuse(self, session: Session, *, order: int, error: DomainError) -> Result:
        """Say what is recorded and told when an order cannot be executed."""
        ...


PLANNERS: Final[Mapping[Kind, Planner]] = {
    Kind.TRANSFER: transfers,
    Kind.PAYMENT: transfers,
    Kind.EXCHANGE: exchange,
    Kind.REDEMPTION: vouchers,
    Kind.HOLD: hold_orders,
    Kind.CAPTURE: hold_orders,
    Kind.RELEASE: hold_orders,
    Kind.REFUND: refunds,
    Kind.WITHDRAWAL: withdrawals,
}


@dataclass(eq=False)
class NotExecuted(Refused):
    """The order could not be executed because of a fault of ours."""


def execute(
    databases: Databases, *, now: datetime, may_post: Callable[[Session], bool] | None = None
) -> list[int]:
    """
    Execute up to a hundred placed orders in one transaction; return the ids that were executed.

    Orders another worker holds are passed over. An order is executed once however often this
    runs: its journals' keys are the order's own.

    Args:
        databases: Where they are.
        now: When they are executed.
        may_post: Asked first, in the same transaction; where it says no, all orders stay placed.

    Raises:
        DBAPIError: The database went, or a lock was not had: nothing happened, do it again.
    """

    def batch(session: Session) -> list[int]:
        if may_post is not None and not may_post(session):
            return []
        claimed = orders.claim(session, kinds=tuple(PLANNERS), orders_max=BATCH_MAX)
        if not claimed:
            return []
        try:
            with session.begin_nested():
                _execute(session, claimed, now=now)
        except Exception as error:
            if is_of_the_database(error):
                raise
            log.exception("execution.batch_failed", orders=len(claimed))
            for each in claimed:
                _execute_alone(session, each, now=now)
        return [each.id for each in claimed]

    return transact(databases, batch)


def oldest(session: Session, *, now: datetime) -> timedelta:
    """How long the oldest order has waited that this process could execute."""
    return orders.oldest(session, kinds=tuple(PLANNERS), now=now)


def _execute_alone(session: Session, claimed: Claimed, *, now: datetime) -> None:
    """Execute one order of a batch that failed; the one at fault is refused, and moves nothing."""
    try:
        with session.begin_nested():
            _execute(session, [claimed], now=now)
    except Exception as error:
        if is_of_the_database(error):
            raise
        log.exception("execution.order_failed", order=claimed.id)
        result = _not_executed(session, claimed)
        orders.record(session, outcomes=[result.outcome], now=now)
        outbox.stage(session, facts=result.facts, now=now)


def _not_executed(session: Session, claimed: Claimed) -> Result:
    """Refuse an order for a fault of ours, in words if its owner can be told in any."""
    try:
        with session.begin_nested():
            planner = PLANNERS[claimed.kind]
            return planner.refuse(session, order=claimed.id, error=NotExecuted())
    except Exception as error:
        if is_of_the_database(error):
            raise
        log.exception("execution.order_untold", order=claimed.id)
        return Result(Outcome.refused(claimed.id, NotExecuted()), [])


def _execute(session: Session, claimed: Sequence[Claimed], *, now: datetime) -> None:
    by_kind: dict[Kind, list[int]] = {}
    for each in claimed:
        by_kind.setdefault(each.kind, []).append(each.id)
    plans = [
        plan
        for kind, ids in by_kind.items()
        for plan in PLANNERS[kind].plan(session, ids=ids, now=now)
    ]
    plans.sort(key=lambda plan: plan.order)  # first come, first served
    drafts = [draft for plan in plans for draft in plan.drafts]
    postings = iter(ledger.post(session, drafts=drafts, now=now))
    results = [plan.settle(list(islice(postings, len(plan.drafts)))) for plan in plans]
    orders.record(session, outcomes=[result.outcome for result in results], now=now)
    outbox.stage(session, facts=[fact for result in results for fact in result.facts], now=now)
