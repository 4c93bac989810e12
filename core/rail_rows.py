"""
What is under way over a rail, in and out, as staff look at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.money import Currency, Money
from core.rails import Provider

_ROWS_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A deposit or a withdrawal that has not ended; `receipt` and `code` are the provider's."""

    what: str
    reference: str
    state: str
    amount: Money
    number: str
    at: datetime
    receipt: str
    code: str


_UNDER_WAY = text("""
    SELECT 'deposit' AS what, reference, state, amount, currency, payer AS number,
           expected_at AS at, coalesce(receipt, '') AS receipt, coalesce(code, '') AS code
    FROM deposits WHERE provider = :provider
        AND state IN ('expected', 'prompting', 'prompted', 'unsure', 'review')
    UNION ALL
    SELECT 'withdrawal', reference, state, amount, currency, payee, requested_at,
           coalesce(receipt, ''), coalesce(code, '')
    FROM withdrawals WHERE provider = :provider
        AND state IN ('requested', 'sending', 'sent', 'unsure', 'review')
    ORDER BY at LIMIT :most
""")


def under_way(session: Session, *, provider: Provider, count: int = _ROWS_MAX) -> Sequence[Row]:
    """What has not ended, the oldest first."""
    rows = session.execute(_UNDER_WAY, {"provider": provider.value, "most": count})
    return [
        Row(
            row.what,
            row.reference,
            row.state,
            Money(row.amount, Currency[row.currency]),
            row.number,
            row.at,
            row.receipt,
            row.code,
        )
        for row in rows
    ]
