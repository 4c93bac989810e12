"""
Execution: placed orders of every kind, in batches, each exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import DataError, InternalError, ProgrammingError
from sqlalchemy.orm import Session

from core import exchange, ledger, orders, outbox, transfers
from core.db import Databases, transact
from core.errors import DomainError, Refused
from core.orders import Claimed, Kind
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


PLANNERS: Final[Mapping[Kind, Planner]] = {Kind.TRANSFER: transfers, Kind.EXCHANGE: exchange}


@dataclass(eq=False)
class NotExecuted(Refused):
    """The order could not be executed because of a fault of ours."""


# Faults that the same order would meet again. A server that went, or a lock that was not had, is
# none of these: those end the batch, and it is done again.
_OUR_FAULT = (AssertionError, LookupError, DataError, InternalError, ProgrammingError)


def execute(databases: Databases, *, now: datetime) -> list[int]:
    """
    Execute up to a hundred placed orders in one transaction; return the ids that were executed.

    Orders another worker holds are passed over. An order is executed once however often this
    runs: its journals' keys are the order's own.
    """

    def batch(session: Session) -> list[int]:
        claimed = orders.claim(session, orders_max=BATCH_MAX)
        if not claimed:
            return []
        try:
            with session.begin_nested():
                _execute(session, claimed, now=now)
        except _OUR_FAULT:
            log.exception("execution.batch_failed", orders=len(claimed))
            for each in claimed:
                _execute_alone(session, each, now=now)
        return [each.id for each in claimed]

    return transact(databases, batch)


def _execute_alone(session: Session, claimed: Claimed, *, now: datetime) -> None:
    """Execute one order of a batch that failed; the one at fault is refused, and moves nothing."""
    try:
        with session.begin_nested():
            _execute(session, [claimed], now=now)
    except _OUR_FAULT:
        log.exception("execution.order_failed", order=claimed.id)
        result = PLANNERS[claimed.kind].refuse(session, order=claimed.id, error=NotExecuted())
        orders.record(session, outcomes=[result.outcome], now=now)
        outbox.stage(session, facts=result.facts, now=now)


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
