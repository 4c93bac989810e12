"""
What a statement has that nobody told us: payments whose callbacks were lost, receipts that we lack.

A statement is a file, and may be anybody's: what it says is only taken for what a callback is taken
for. Each such payment is asked about, and counts when Safaricom says so, too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import paybill
from workers.daraja.statement import Arrival, OrganisationStatement

Doing = Callable[[Callable[[Session], int]], int]

_LOT: Final = 500
_KNOWN: Final = text("""
    SELECT code FROM receipts WHERE provider = 'mpesa' AND code = ANY (:receipts)
    UNION
    SELECT receipt FROM paybill_payments WHERE provider = 'mpesa' AND receipt = ANY (:receipts)
""")


def take(do: Doing, statement: OrganisationStatement, *, now: datetime) -> int:
    """
    Have Safaricom asked about payments that we did not know; return how many there are.

    Args:
        do: Does each lot in one transaction in which money may be moved.
        statement: Whose arrivals are looked at.
        now: When.

    Raises:
        Misread: The statement is none.
    """
    told = list(statement.arrivals())
    taken = 0
    for first in range(0, len(told), _LOT):
        taken += do(partial(_take, told[first : first + _LOT], now=now))
    return taken


def _take(told: list[Arrival], session: Session, *, now: datetime) -> int:
    given = {"receipts": [each.receipt for each in told]}
    known = set(session.scalars(_KNOWN, given))
    new = [each for each in told if each.receipt not in known]
    for each in new:
        paybill.receive(
            session,
            receipt=each.receipt,
            account=each.account,
            amount=each.amount,
            payer=each.payer,
            at=each.at,
            confirmed=False,
            now=now,
        )
    return len(new)
