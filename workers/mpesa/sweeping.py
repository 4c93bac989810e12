"""
What time alone makes due: doubt about calls nobody came back from, endings, delays, settlements.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy.orm import Session

from core import deposits, inquiries, paybill, settlements, withdrawals
from core.db import is_of_the_database
from core.errors import DomainError
from core.ledger import InsufficientFunds
from core.orders import Placed
from workers.resources import Resources, current
from workers.ringing import Job

log = structlog.get_logger(__name__)

_LOST_AFTER: Final = timedelta(minutes=15)
_LOT: Final = 50


def sweep(**_: object) -> None:
    """Do what is due. Twice is as once: each looks at what is there."""
    have = current()
    have.heard(Job.SWEEP)
    now = have.clock()
    sweeps = {
        "prompts": partial(deposits.sweep, now=now),
        "endings": partial(deposits.expire, now=now),
        "payouts": partial(withdrawals.sweep, now=now),
        "payments": partial(paybill.give_up, now=now),
        "delays": partial(withdrawals.tell_delayed, now=now),
        "questions": partial(inquiries.lose, now=now, after=_LOST_AFTER),
    }
    for what, work in sweeps.items():
        swept = have.do_with_money(work)
        if swept:
            log.warning("mpesa.swept", what=what, count=swept)
    _settle(have)


def _settle(have: Resources) -> None:
    """Order the day's settlements, each by itself; the ledger's worker is rung for them."""
    with have.databases() as session:
        due = settlements.due(session, now=have.clock(), merchants_max=_LOT)
    ordered = 0
    for merchant in due:

        def settle(session: Session, merchant: int = merchant) -> Placed | DomainError | None:
            return settlements.settle(session, subscriber=merchant, now=have.clock())

        try:
            came = have.do_with_money(settle)
        except Exception as error:
            if is_of_the_database(error):
                raise  # that is no merchant's fault: the next sweep goes on
            log.exception("mpesa.settlement_failed", subscriber=merchant)
            continue
        if isinstance(came, InsufficientFunds):
            log.info("mpesa.nothing_to_settle", subscriber=merchant)
        elif isinstance(came, DomainError):
            log.warning("mpesa.settlement_not_ordered", subscriber=merchant, code=came.code)
        ordered += isinstance(came, Placed)
    if ordered:
        log.info("mpesa.settlements_ordered", count=ordered)
        have.bell.ring()
