"""
Takings: what was paid to a shop, from an account or by a rail straight to its till.

A payment from an account is a journal of its own kind. What a rail brings to a till is, to the
book, money that came in, as what merchants put in themselves is: its own row says what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import statements
from core.money import Currency, Money
from core.rails import Provider
from core.statements import Page, Wanted

# A prompt that staff gave to somebody else, or in another amount, has failed; what was paid to the
# paybill and then stood in suspense was credited as their own money, with the fee of that.
_BY_RAIL: Final = """
    SELECT d.reference, d.provider, d.receipt, d.amount, d.currency
    FROM deposits d
    WHERE d.subscriber_id = :merchant AND d.purpose = 'till' AND d.state = 'settled'
      AND d.reference = {references}
    UNION ALL
    SELECT b.reference, b.provider, b.receipt, b.amount, b.currency
    FROM paybill_payments b
    JOIN merchants m ON m.subscriber_id = b.subscriber_id
    JOIN journals c ON c.reference = b.reference AND c.reason = 'deposit'
    WHERE b.subscriber_id = :merchant AND b.state = 'credited'
      AND regexp_replace(b.account, '[[:space:].-]', '', 'g') = m.till
      AND b.reference = {references}
"""
_SOME: Final = text(f"""{statements.SELECTED}
    WHERE e.account_id = :account AND e.amount > 0
    AND e.version <= :last AND e.version > :down_to
    AND (j.reason = 'payment' OR (j.reason IN ('deposit', 'resolution')
        AND EXISTS ({_BY_RAIL.format(references="j.reference")})))
    ORDER BY e.version DESC LIMIT :most
""")
_MANY: Final = text(_BY_RAIL.format(references="ANY (:references)"))


@dataclass(frozen=True, slots=True)
class ByRail:
    """A payment that a rail brought straight to a till; `receipt` is what the rail calls it."""

    provider: Provider
    receipt: str | None
    amount: Money


def page(session: Session, *, merchant: int, account: int, wanted: Wanted, lines_max: int) -> Page:
    """
    Some of what was paid to a shop, the newest first; there may be fewer lines, and still more.

    Args:
        session: Any.
        merchant: Whose shop.
        account: Their account in a currency.
        wanted: From where to where; `last` is where to go on from.
        lines_max: How many at most.
    """
    given = {"merchant": merchant, "account": account}
    return statements.stretch(session, _SOME, given, wanted, lines_max)


def by_rail(session: Session, *, merchant: int, references: Sequence[str]) -> Mapping[str, ByRail]:
    """Those of some payments that a rail brought straight to somebody's till, by reference."""
    rows = session.execute(_MANY, {"merchant": merchant, "references": list(references)})
    return {
        row.reference: ByRail(
            Provider(row.provider), row.receipt, Money(row.amount, Currency[row.currency])
        )
        for row in rows
    }
