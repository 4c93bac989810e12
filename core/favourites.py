"""
Favourites: whom a person pays again and again, read from what they ordered, and from what M-Pesa
brought for them straight to a till.

Nothing is kept for it (ADR 0025): the newest orders of a person are neighbours in an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from core import msisdn
from core.orders import Kind

COUNT_MAX: Final = 4
# How many of a person's orders are looked at, the newest ones: months, for most people.
ORDERS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Payee:
    """
    Somebody whom a person has paid.

    Args:
        name: How others see them.
        number: What finds them, as if it were typed: a till, or a wallet number.
        shown: What of their numbers may be shown.
    """

    name: str
    number: str
    shown: str


# By the number that was prompted, since its owner has it: of who had it before it is no business of
# theirs (as in core/movements.py).
_PAID_FROM_OUTSIDE: Final = text("""
    SELECT s.name, m.till, count(*) AS times, max(d.expected_at) AS newest_at, 0 AS newest
    FROM (
        SELECT d.subscriber_id, d.expected_at, d.purpose, d.state
        FROM deposits d JOIN subscribers p ON p.msisdn = d.payer AND p.closed_at IS NULL
        WHERE p.id = :subscriber AND d.expected_at >= p.registered_at
        ORDER BY d.expected_at DESC LIMIT :orders_max
    ) d
    JOIN subscribers s ON s.id = d.subscriber_id AND s.closed_at IS NULL
    JOIN merchants m ON m.subscriber_id = s.id
    WHERE d.purpose = 'till' AND d.state IN ('settled', 'duplicate')
    GROUP BY s.id, m.till
""")
# What was asked back went to the wrong one, and is nobody's favourite; who has left is neither.
_PAID = text("""
    SELECT s.name, s.msisdn, s.wallet_number, m.till, count(*) AS times,
        max(o.placed_at) AS newest_at, max(o.id) AS newest
    FROM (
        SELECT id, kind, state, args, placed_at FROM orders
        WHERE subscriber_id = :subscriber ORDER BY id DESC LIMIT :orders_max
    ) o
    JOIN subscribers s ON s.id = CAST(o.args ->> 'recipient' AS bigint) AND s.closed_at IS NULL
    LEFT JOIN merchants m ON m.subscriber_id = s.id
    WHERE o.kind = :kind AND o.state = 'done'
      AND NOT EXISTS (SELECT FROM reversals r WHERE r.order_id = o.id)
    GROUP BY s.id, m.till
""")


def tills(session: Session, *, subscriber: int) -> list[Payee]:
    """The shops a person pays most, at most four; of equals, the one paid last."""
    given = {"subscriber": subscriber, "orders_max": ORDERS_MAX}
    ways = (
        *_paid(session, subscriber, Kind.PAYMENT),
        *session.execute(_PAID_FROM_OUTSIDE, given),
    )
    paid: dict[str, list[Row[Any]]] = {}
    for row in ways:
        if row.till:
            paid.setdefault(row.till, []).append(row)

    def rank(rows: Sequence[Row[Any]]) -> tuple[int, datetime, int]:
        newest_at, newest = max((row.newest_at, row.newest) for row in rows)
        return sum(row.times for row in rows), newest_at, newest

    ranked = sorted(paid.values(), key=rank, reverse=True)
    return [Payee(rows[0].name, rows[0].till, rows[0].till) for rows in ranked[:COUNT_MAX]]


def people(session: Session, *, subscriber: int) -> list[Payee]:
    """The people a person sent money to last, at most four."""
    paid = sorted(_paid(session, subscriber, Kind.TRANSFER), key=lambda row: -row.newest)
    return [
        Payee(row.name, row.wallet_number, msisdn.masked(row.msisdn)) for row in paid[:COUNT_MAX]
    ]


def _paid(session: Session, subscriber: int, kind: Kind) -> Sequence[Row[Any]]:
    given = {"subscriber": subscriber, "kind": kind.value, "orders_max": ORDERS_MAX}
    return session.execute(_PAID, given).all()
