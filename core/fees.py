"""
What a movement costs: dated tiers, read by the door that quotes and the ledger that charges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Integer, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.errors import Refused
from core.money import Currency, Money


@dataclass(eq=False)
class FeeChanged(Refused):
    """The fee is no longer the one that was shown."""

    fee: Money


class FeeTier(Base):
    """
    The fee from an amount upwards, from an instant on.

    A tariff is all rows of a kind and currency with the same `valid_from`; the newest that has
    begun is in force, and its tier with the highest `amount_from` not above the amount decides.
    The fee is `flat` minor units and `basis_points` of the amount, rounded up to the minor unit.
    """

    __tablename__ = "fee_tiers"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    amount_from: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    flat: Mapped[int] = mapped_column(BigInteger)
    basis_points: Mapped[int] = mapped_column(Integer)


def tariff(
    session: Session, *, kind: str, currency: Currency, now: datetime
) -> list[tuple[Money, Money]]:
    """The tiers in force: the amount each begins at, and the fee there. For people to read."""
    begun = (
        select(func.max(FeeTier.valid_from))
        .where(FeeTier.kind == kind, FeeTier.currency == currency.value, FeeTier.valid_from <= now)
        .scalar_subquery()
    )
    rows = session.execute(
        select(FeeTier.amount_from, func.fee(kind, currency.value, FeeTier.amount_from, now))
        .where(FeeTier.kind == kind, FeeTier.currency == currency.value)
        .where(FeeTier.valid_from == begun)
        .order_by(FeeTier.amount_from)
    )
    return [(Money(row[0], currency), Money(int(row[1]), currency)) for row in rows]
