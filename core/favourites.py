"""
Favourites: whom a person pays again and again, read from what they ordered.

Nothing is kept for it (ADR 0025): the newest orders of a person are neighbours in an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


# What was asked back went to the wrong one, and is nobody's favourite.
_PAID = text("""
    SELECT s.name, s.msisdn, s.wallet_number, m.till, count(*) AS times, max(o.id) AS newest
    FROM (
        SELECT id, kind, state, args FROM orders
        WHERE subscriber_id = :subscriber ORDER BY id DESC LIMIT :orders_max
    ) o
    JOIN subscribers s ON s.id = CAST(o.args ->> 'recipient' AS bigint)
    LEFT JOIN merchants m ON m.subscriber_id = s.id
    WHERE o.kind = :kind AND o.state = 'done'
      AND NOT EXISTS (SELECT FROM reversals r WHERE r.order_id = o.id)
    GROUP BY s.id, m.till
""")


def tills(session: Session, *, subscriber: int) -> list[Payee]:
    """The shops a person pays most, at most four; of equals, the one paid last."""
    found = _paid(session, subscriber, Kind.PAYMENT)
    paid = sorted(found, key=lambda row: (-row.times, -row.newest))
    return [Payee(row.name, row.till, row.till) for row in paid if row.till][:COUNT_MAX]


def people(session: Session, *, subscriber: int) -> list[Payee]:
    """The people a person sent money to last, at most four."""
    paid = sorted(_paid(session, subscriber, Kind.TRANSFER), key=lambda row: -row.newest)
    return [
        Payee(row.name, row.wallet_number, msisdn.masked(row.msisdn)) for row in paid[:COUNT_MAX]
    ]


def _paid(session: Session, subscriber: int, kind: Kind) -> Sequence[Row[Any]]:
    given = {"subscriber": subscriber, "kind": kind.value, "orders_max": ORDERS_MAX}
    return session.execute(_PAID, given).all()
