"""
What a person's money did over a rail last, and where that stands: enough to say it in one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from core.money import Currency, Money
from core.rails import Provider
from core.subscribers import Person


class Way(StrEnum):
    """Which way money goes."""

    IN = "in"
    """From the person's own phone, or whoever paid our paybill for them, to their account."""
    OUT = "out"
    """From their account to their phone."""
    SHOP = "shop"
    """From their phone to a merchant's account."""


class Stage(StrEnum):
    """Where a movement stands, as far as it is a person's business."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    EXPIRED = "expired"
    """Nobody has told us in time; it may still be confirmed."""
    CHECKED = "checked"
    """Staff decide."""


STAGES: Final[Mapping[str, Stage]] = {
    # deposits
    "expected": Stage.PENDING,
    "prompting": Stage.PENDING,
    "prompted": Stage.PENDING,
    "settled": Stage.CONFIRMED,
    "duplicate": Stage.CONFIRMED,
    "expired": Stage.EXPIRED,
    # withdrawals
    "requested": Stage.PENDING,
    "sending": Stage.PENDING,
    "sent": Stage.PENDING,
    "paid": Stage.CONFIRMED,
    # both
    "unsure": Stage.PENDING,
    "failed": Stage.FAILED,
    "review": Stage.CHECKED,
    # what was paid to our paybill
    "unconfirmed": Stage.PENDING,
    "credited": Stage.CONFIRMED,
    "suspended": Stage.CHECKED,
    "returned": Stage.FAILED,
    "struck": Stage.FAILED,
}


@dataclass(frozen=True, slots=True)
class Movement:
    """
    A deposit, a withdrawal or a payment by a rail as its owner sees it.

    Args:
        way: Which way it goes.
        amount: What leaves the payer, or arrives at the payee.
        stage: Where it stands.
        code: The provider's code for why it failed, if it did.
        name: The shop's.
        reference: Ours.
        receipt: The provider's, if it has told one.
        at: When it was asked for.
    """

    way: Way
    amount: Money
    stage: Stage
    code: str
    name: str
    reference: str
    receipt: str
    at: datetime


# A payment at a till is its payer's, by the number that was prompted; of who had that number before
# it is no business of who has it now.
_NEWEST: Final = text("""
    (SELECT 'in' AS way, amount, currency, state, code, '' AS name, reference, receipt,
            expected_at AS asked_at
     FROM deposits WHERE subscriber_id = :subscriber AND purpose = 'own' AND provider = :provider
     ORDER BY id DESC LIMIT 1)
    UNION ALL
    (SELECT 'shop', d.amount, d.currency, d.state, d.code, s.name, d.reference, d.receipt,
            d.expected_at
     FROM deposits d JOIN subscribers s ON s.id = d.subscriber_id
     WHERE d.payer = :msisdn AND d.purpose = 'till' AND d.provider = :provider
       AND d.expected_at >= (SELECT registered_at FROM subscribers WHERE id = :subscriber)
     ORDER BY d.expected_at DESC LIMIT 1)
    UNION ALL
    (SELECT 'out', amount, currency, state, code, '', reference, receipt, requested_at
     FROM withdrawals WHERE subscriber_id = :subscriber AND provider = :provider
     ORDER BY id DESC LIMIT 1)
    UNION ALL
    (SELECT 'in', amount, currency, state, NULL, '', reference, receipt, received_at
     FROM paybill_payments
     WHERE subscriber_id = :subscriber AND provider = :provider
       AND deposit_id IS NULL AND state <> 'duplicate'
     ORDER BY id DESC LIMIT 1)
    UNION ALL
    -- What the ledger has not heard of yet is no withdrawal; who asked for it wants to see it.
    (SELECT 'out', CAST(args ->> 'amount' AS bigint), args ->> 'currency', 'requested', NULL, '',
            reference, NULL, placed_at
     FROM orders
     WHERE subscriber_id = :subscriber AND kind = 'withdrawal' AND state = 'placed'
       AND args ->> 'provider' = :provider
     ORDER BY id DESC LIMIT 1)
    ORDER BY asked_at DESC LIMIT 1
""")


def newest(session: Session, *, person: Person, provider: Provider) -> Movement | None:
    """Their newest movement by a rail, as it stands."""
    given = {"subscriber": person.id, "msisdn": person.msisdn, "provider": provider.value}
    row = session.execute(_NEWEST, given).one_or_none()
    return None if row is None else movement(row)


def movement(row: Row[Any]) -> Movement:
    """What a row of these names and columns tells."""
    return Movement(
        way=Way(row.way),
        amount=Money(row.amount, Currency[row.currency]),
        stage=STAGES[row.state],
        code=row.code or "",
        name=row.name,
        reference=row.reference,
        receipt=row.receipt or "",
        at=row.asked_at,
    )
