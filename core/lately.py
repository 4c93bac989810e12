"""
What a caller's last session ordered, and what became of it: enough to say it in one line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from core.money import Currency, Money
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


# Keys of a session's orders are together in the index. What another kind's arguments mean is not
# known here, and what a voucher was worth from the book alone: no door may read vouchers.
_NEWEST: Final = text("""
    SELECT o.id, o.kind, o.reference, o.state, o.outcome, coalesce(r.name, '') AS name,
           coalesce(CAST(a.args ->> 'amount' AS bigint), q.give, e.amount) AS amount,
           coalesce(a.args ->> 'currency', q.give_currency, e.currency) AS currency,
           q.get AS got, q.get_currency AS got_currency
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT CASE WHEN o.kind IN ('transfer', 'payment') THEN o.args END AS args
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
    ORDER BY o.id DESC
    LIMIT 1
""")


def ordered(session: Session, *, subscriber: int, session_id: str) -> Ordered | None:
    """The newest order of one of their USSD sessions, if it ordered anything."""
    row = session.execute(
        _NEWEST,
        # ";" is what comes after ":", which ends a session's id in keys.
        {
            "first": f"ussd:{session_id}:",
            "after": f"ussd:{session_id};",
            "subscriber": subscriber,
        },
    ).one_or_none()
    return None if row is None else _ordered(row)


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
