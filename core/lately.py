"""
What a caller's last session asked for, and what became of it: enough to say it in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from core import movements
from core.money import Currency, Money
from core.movements import Movement
from core.orders import Placed, State


@dataclass(frozen=True, slots=True)
class Ordered:
    """
    An order and what it was about.

    Args:
        placed: The order as it stands.
        kind: A kind of order, maybe one that only newer processes know.
        amount: What was to leave the caller's account, or came into it; None where nobody knows.
        got: What an exchange gives for it.
        name: Who was to get it.
    """

    placed: Placed
    kind: str
    amount: Money | None
    got: Money | None
    name: str


# Keys of a session's orders are together in the index, as those of its deposits are. What another
# kind's arguments mean is not known here, and what a voucher was worth from the book alone: no door
# may read vouchers. Of a withdrawal that was set aside, its own row knows where it stands.
_NEWEST: Final = text("""
    (SELECT o.id, o.kind, o.reference, o.state, o.outcome, coalesce(r.name, '') AS name,
            coalesce(CAST(a.args ->> 'amount' AS bigint), q.give, e.amount) AS amount,
            coalesce(a.args ->> 'currency', q.give_currency, e.currency) AS currency,
            q.get AS got, q.get_currency AS got_currency, o.placed_at AS asked_at,
            NULL AS way, NULL AS code, NULL AS receipt
     FROM orders o
     CROSS JOIN LATERAL (
         SELECT CASE WHEN o.kind IN ('transfer', 'payment', 'withdrawal') THEN o.args END AS args
     ) a
     LEFT JOIN subscribers r ON r.id = CAST(a.args ->> 'recipient' AS bigint)
     LEFT JOIN quotes q ON q.order_id = o.id
     LEFT JOIN LATERAL (
         SELECT e.amount, a.currency
         FROM journals j
         JOIN entries e ON e.journal_id = j.id
         JOIN accounts a ON a.id = e.account_id
         WHERE j.key = o.key AND a.holder_id = o.subscriber_id
         LIMIT 1
     ) e ON o.kind = 'redemption'
     WHERE o.key >= :first AND o.key < :after AND o.subscriber_id = :subscriber
       AND NOT EXISTS (SELECT FROM withdrawals w WHERE w.order_id = o.id)
     ORDER BY o.id DESC
     LIMIT 1)
    UNION ALL
    (SELECT w.id, o.kind, w.reference, w.state, NULL, '', w.amount, w.currency, NULL, NULL,
            o.placed_at, 'out', w.code, w.receipt
     FROM orders o JOIN withdrawals w ON w.order_id = o.id
     WHERE o.key >= :first AND o.key < :after AND o.subscriber_id = :subscriber
     ORDER BY o.id DESC
     LIMIT 1)
    UNION ALL
    (SELECT d.id, 'deposit', d.reference, d.state, NULL, s.name, d.amount, d.currency, NULL, NULL,
            d.expected_at, CASE d.purpose WHEN 'own' THEN 'in' ELSE 'shop' END, d.code, d.receipt
     FROM deposits d JOIN subscribers s ON s.id = d.subscriber_id
     WHERE d.key >= :first AND d.key < :after
       AND d.payer = (SELECT c.msisdn FROM subscribers c WHERE c.id = :subscriber)
     ORDER BY d.id DESC
     LIMIT 1)
    ORDER BY asked_at DESC
    LIMIT 1
""")


def newest(session: Session, *, subscriber: int, session_id: str) -> Ordered | Movement | None:
    """What one of their USSD sessions asked for last, if it asked for anything."""
    row = session.execute(
        _NEWEST,
        # ";" is what comes after ":", which ends a session's id in keys.
        {
            "first": f"ussd:{session_id}:",
            "after": f"ussd:{session_id};",
            "subscriber": subscriber,
        },
    ).one_or_none()
    if row is None:
        return None
    return _ordered(row) if row.way is None else movements.movement(row)


def _ordered(row: Row[Any]) -> Ordered:
    return Ordered(
        placed=Placed(row.id, row.reference, State(row.state), row.outcome or {}),
        kind=row.kind,
        amount=_money(row.amount, row.currency),
        got=_money(row.got, row.got_currency),
        name=row.name,
    )


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(minor, Currency[currency])
