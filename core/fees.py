"""
What a movement costs: dated tiers, read by the door that quotes and the ledger that charges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, DateTime, Integer, Numeric, Text, text
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
    A tariff in US dollars is every currency's, by its equivalent, unless the currency has a newer
    one of its own. The fee is `flat` minor units and `basis_points` of the amount, rounded up,
    at least `fee_min` and at most `fee_max`. Excise duty is within it.
    """

    __tablename__ = "fee_tiers"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    amount_from: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    flat: Mapped[int] = mapped_column(BigInteger)
    basis_points: Mapped[int] = mapped_column(Integer)
    fee_min: Mapped[int] = mapped_column(BigInteger, server_default="0")
    fee_max: Mapped[int | None] = mapped_column(BigInteger)


class ReferenceRate(Base):
    """US dollars for one of a currency, from an instant on: for tiers and limits alone."""

    __tablename__ = "reference_rates"

    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    usd: Mapped[Decimal] = mapped_column(Numeric(30, 18))


class ExciseDuty(Base):
    """Excise duty on fees, in basis points on top of what we keep, from an instant on."""

    __tablename__ = "excise_duty"

    valid_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    basis_points: Mapped[int] = mapped_column(Integer)


@dataclass(frozen=True, slots=True)
class Tier:
    """One line of a tariff as people read it."""

    amount_from: Money
    basis_points: int
    flat: Money


_TARIFF = text("""
    SELECT equivalent(t.amount_from, t.currency, :currency, :now) AS amount_from, t.basis_points,
           equivalent(t.flat, t.currency, :currency, :now) AS flat
    FROM fee_tiers t
    WHERE t.kind = :kind AND (t.valid_from, t.currency) = (
        SELECT v.valid_from, v.currency FROM fee_tiers v
        WHERE v.kind = :kind AND v.currency IN (:currency, 'USD') AND v.valid_from <= :now
        ORDER BY v.valid_from DESC, (v.currency = :currency) DESC LIMIT 1)
    ORDER BY t.amount_from
""")


def tariff(session: Session, *, kind: str, currency: Currency, now: datetime) -> list[Tier]:
    """The tiers in force, from the amounts they begin at. For people to read."""
    given = {"kind": kind, "currency": currency.value, "now": now}
    return [
        Tier(Money(row.amount_from, currency), row.basis_points, Money(row.flat, currency))
        for row in session.execute(_TARIFF, given)
    ]
