"""
A payment to our paybill, and the states it goes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.deposits import Deposit
from core.errors import NotFound
from core.money import Currency, Money
from core.rails import Provider
from core.subscribers import Subscriber


class State(StrEnum):
    """Where a payment to our paybill is."""

    UNCONFIRMED = "unconfirmed"
    """The provider is asked about it first; after a day staff decide, unless it answers yet."""
    CREDITED = "credited"
    """Whose it is has it."""
    SUSPENDED = "suspended"
    """It stands in suspense; staff decide."""
    DUPLICATE = "duplicate"
    """It was credited as the deposit that it belongs to."""
    RETURNED = "returned"
    """It went back to the payer."""
    STRUCK = "struck"
    """It had never come."""


class Refusal(StrEnum):
    """Why a payment that is announced is not wanted."""

    UNKNOWN_ACCOUNT = "unknown-account"
    WRONG_AMOUNT = "wrong-amount"
    NOT_RECEIVABLE = "not-receivable"


@dataclass(eq=False)
class UnknownPayment(NotFound):
    """No payment to our paybill has that receipt."""


class Payment(Base):
    """
    A payment to our paybill, as it was told, under the provider's receipt.

    `account` and `payer` are verbatim, and a stranger's words. `deposit_id` is the deposit whose
    reference the account is. While it is unconfirmed the provider is asked at `next_ask_at`, and
    was asked `asks` times; without such a time it is not asked any more.
    """

    __tablename__ = "paybill_payments"
    __table_args__ = (
        UniqueConstraint("provider", "receipt", name="uq_paybill_payments_receipt"),
        Index(
            "ix_paybill_payments_asked",
            "next_ask_at",
            postgresql_where=text("state = 'unconfirmed'"),
        ),
        Index("ix_paybill_payments_subscriber_id", "subscriber_id", "id"),
        Index(
            "ix_paybill_payments_deposit_id",
            "deposit_id",
            postgresql_where=text("deposit_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    receipt: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text, unique=True)
    account: Mapped[str] = mapped_column(Text)
    payer: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id))
    deposit_id: Mapped[int | None] = mapped_column(ForeignKey(Deposit.id))
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger, server_default="0")
    state: Mapped[str] = mapped_column(Text)
    paid_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    asks: Mapped[int] = mapped_column(Integer, server_default="0")
    next_ask_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def money(self) -> Money:
        return Money(self.amount, Currency[self.currency])

    @property
    def rail(self) -> Provider:
        return Provider(self.provider)

    @property
    def subject(self) -> str:
        """What a case calls it, and the keys of its journals begin with."""
        return f"paybill:{self.id}"


def has_come(session: Session, found: Payment) -> bool:
    """Whether a deposit, whose lock is held, has come by another payment under its reference."""
    other = select(Payment.id).where(
        Payment.deposit_id == found.deposit_id,
        Payment.id != found.id,
        Payment.state == State.DUPLICATE,
    )
    return session.scalar(other.limit(1)) is not None
