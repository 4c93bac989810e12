"""
What went into and out of an account, newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.money import Money, kes


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as its owner sees it; `name` and `msisdn` are the other person's, if any."""

    at: datetime
    reason: str
    amount: Money
    fee: Money
    balance: Money
    reference: str
    name: str
    msisdn: str


# The fee is legs of the same journal: shown apart, it is taken out of the entry of who bore it.
_LATEST = text("""
    SELECT j.posted_at, j.reason, e.amount,
           CASE WHEN (j.reason, e.amount > 0) IN (('transfer', false), ('payment', true))
           THEN coalesce((
               SELECT sum(f.amount) FROM entries f JOIN accounts a ON a.id = f.account_id
               WHERE f.journal_id = j.id AND a.path ~ '^(fees|tax):'), 0) ELSE 0 END AS fee,
           e.balance_after, coalesce(j.reference, '') AS reference,
           coalesce(other.name, '') AS name, coalesce(other.msisdn, '') AS msisdn
    FROM entries e
    JOIN journals j ON j.id = e.journal_id
    LEFT JOIN LATERAL (
        SELECT s.name, s.msisdn FROM entries o JOIN subscribers s ON s.account_id = o.account_id
        WHERE o.journal_id = j.id AND o.account_id <> e.account_id LIMIT 1
    ) other ON true
    WHERE e.account_id = :account
    ORDER BY e.version DESC
    LIMIT :most
""")


def latest(session: Session, *, account: int, lines_max: int) -> Sequence[Line]:
    """The newest lines of a KES account. `amount` leaves the fee out; money spent is negative."""
    return [
        Line(
            at=row.posted_at,
            reason=row.reason,
            amount=kes(row.amount + int(row.fee)),
            fee=kes(int(row.fee)),
            balance=kes(row.balance_after),
            reference=row.reference,
            name=row.name,
            msisdn=row.msisdn,
        )
        for row in session.execute(_LATEST, {"account": account, "most": lines_max})
    ]
