"""
Execution: placed orders of every kind, in batches, each exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
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
from core.db import Databases, is_of_the_database, is_unmigrated, transact
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

# They resolve a hold by itself, in a journal of its own, and need a transaction of their own.
ALONE: Final = frozenset({Kind.HOLD, Kind.CAPTURE, Kind.RELEASE})


@dataclass(eq=False)
class NotExecuted(Refused):
    """The order could not be executed because of a fault of ours."""


def execute(
    databases: Databases, *, now: datetime, may_post: Callable[[Session], bool] | None = None
) -> list[int]:
    """
    Execute up to a hundred placed orders, first come, first served; return the ids of those.

    It is one transaction, or as many as there are runs of orders that the book takes in one call:
    each locks its accounts once. Orders another worker holds are passed over. An order is executed
    once however often this runs: its journals' keys are the order's own.

    Args:
        databases: Where they are.
        now: When they are executed.
        may_post: Asked first, in the same transaction; where it says no, all orders stay placed.

    Raises:
        DBAPIError: The database went, is not migrated, or a lock was not had: what was done before
            stands, and what was not is still placed. Do it again.
    """
    done: list[int] = []
    sizes = [BATCH_MAX]  # of the runs to come, the next one last
    while sizes:
        work = partial(_work, size=sizes.pop(), may_post=may_post, now=now)
        ids, left = transact(databases, work)
        done += ids
        sizes += reversed(left)
    return done


def _work(
    session: Session, *, size: int, may_post: Callable[[Session], bool] | None, now: datetime
) -> tuple[list[int], list[int]]:
    """Execute the first run of so many orders; the ids of it, and the sizes of the others."""
    if may_post is not None and not may_post(session):
        return [], []
    claimed = orders.claim(session, kinds=tuple(PLANNERS), orders_max=size)
    if not claimed:
        return [], []
    first, *others = _runs(claimed)
    left = [len(each) for each in others]
    try:
        with session.begin_nested():
            _execute(session, first, now=now)
    except Exception as error:
        if _is_not_the_orders(error):
            raise
        log.exception("execution.batch_failed", orders=len(first))
        if len(first) > 1:
            return [], [1] * len(first) + left
        # Once more: somebody may have left since it was looked at.
        _execute_alone(session, first[0], now=now)
    return [each.id for each in first], left


def _is_not_the_orders(error: Exception) -> bool:
    """Whether no order is at fault: all stay placed, until the database is there, and ours."""
    return is_of_the_database(error) or is_unmigrated(error)


def _runs(claimed: Sequence[Claimed]) -> list[list[Claimed]]:
    """
    Cut a batch into runs, each of which the book takes in one call.

    What posts by itself would post after those that come later, and lock accounts out of their
    order. Of two orders about one thing, the second depends on what became of the first.
    """
    runs: list[list[Claimed]] = []
    seen: set[tuple[Kind, str]] = set()
    is_open = False
    for each in claimed:
        is_alone = each.kind in ALONE
        about = None if each.about is None else (each.kind, each.about)
        if not is_open or is_alone or about in seen:
            runs.append([])
            seen.clear()
        runs[-1].append(each)
        is_open = not is_alone
        if about is not None:
            seen.add(about)
    return runs


def oldest(session: Session, *, now: datetime) -> timedelta:
    """How long the oldest order has waited that this process could execute."""
    return orders.oldest(session, kinds=tuple(PLANNERS), now=now)


def _execute_alone(session: Session, claimed: Claimed, *, now: datetime) -> None:
    """Execute one order of a batch that failed; the one at fault is refused, and moves nothing."""
    try:
        with session.begin_nested():
            _execute(session, [claimed], now=now)
    except Exception as error:
        if _is_not_the_orders(error):
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
        if _is_not_the_orders(error):
            raise
        log.exception("execution.order_untold", order=claimed.id)
        return Result(Outcome.refused(claimed.id, NotExecuted()), [])


def _execute(session: Session, claimed: Sequence[Claimed], *, now: datetime) -> None:
    by_kind: dict[Kind, list[int]] = {}
    for each in claimed:
        by_kind.setdefault(each.kind, []).append(each.id)
    # Always in the same order: some lock what an order is about before any account.
    plans = [
        plan
        for kind, planner in PLANNERS.items()
        if (ids := by_kind.get(kind))
        for plan in planner.plan(session, ids=ids, now=now)
    ]
    plans.sort(key=lambda plan: plan.order)  # first come, first served
    drafts = [draft for plan in plans for draft in plan.drafts]
    postings = iter(ledger.post(session, drafts=drafts, now=now))
    results = [plan.settle(list(islice(postings, len(plan.drafts)))) for plan in plans]
    orders.record(session, outcomes=[result.outcome for result in results], now=now)
    outbox.stage(session, facts=[fact for result in results for fact in result.facts], now=now)
