"""
A withdrawal's row, and the states it goes through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import outbox
from core.db import Base
from core.errors import NotFound
from core.money import Currency, Money
from core.orders import Order
from core.outbox import Event, Fact
from core.rails import Provider
from core.subscribers import Subscriber


class State(StrEnum):
    """Where a withdrawal is. It leaves `failed` for `review` alone, and `paid` for `returned`."""

    REQUESTED = "requested"
    """The money is set aside; the provider was not asked yet."""
    SENDING = "sending"
    """The provider is just being asked to pay it out."""
    SENT = "sent"
    """The provider has taken it, and will tell what became of it."""
    UNSURE = "unsure"
    """The provider did not answer: it may have been paid out."""
    PAID = "paid"
    """It reached its payee."""
    FAILED = "failed"
    """It did not, and came back. If the provider says otherwise later, that is for review."""
    REVIEW = "review"
    """Staff decide: it becomes paid, or failed."""
    RETURNED = "returned"
    """It had reached its payee, or was said to, and came back: its owner has it again."""


UNDER_WAY: Final = (State.SENDING, State.SENT, State.UNSURE)


@dataclass(eq=False)
class UnknownWithdrawal(NotFound):
    """There is no such withdrawal."""


class Withdrawal(Base):
    """
    Money to be paid out. Amounts are minor units.

    `fee` is ours, `tariff` the provider's, which we pass on; `held` is what is set aside for it
    still: all of it, or nothing. `conversation` is its identifier with the provider, for ever.
    `provider_ref` is what the provider calls it. `not_found` is how often in a row the provider
    knew nothing of it, since `not_found_from`.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (
        CheckConstraint(
            "held IN (0, amount + fee + tariff)"
            " AND (held > 0 OR state IN ('paid', 'failed', 'review', 'returned'))",
            name="held",
        ),
        Index(
            "ix_withdrawals_requested", "due_at", "id", postgresql_where=text("state = 'requested'")
        ),
        Index(
            "ix_withdrawals_open",
            "begun_at",
            postgresql_where=text("state IN ('sending', 'sent', 'unsure')"),
        ),
        Index(
            "ix_withdrawals_asked",
            "next_ask_at",
            postgresql_where=text("next_ask_at IS NOT NULL"),
        ),
        Index("ix_withdrawals_subscriber_id", "subscriber_id", "id"),
        Index("ix_withdrawals_held", "subscriber_id", postgresql_where=text("held > 0")),
        Index("ix_withdrawals_provider_ref", "provider", "provider_ref"),
        Index("ix_withdrawals_begun", "provider", "begun_at"),
        Index(
            "ix_withdrawals_untold",
            "requested_at",
            postgresql_where=text(
                "delay_told_at IS NULL AND state IN ('requested', 'sending', 'sent', 'unsure')"
            ),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), unique=True)
    reference: Mapped[str] = mapped_column(Text, unique=True)
    provider: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    payee: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    tariff: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)
    conversation: Mapped[str] = mapped_column(Text, unique=True)
    state: Mapped[str] = mapped_column(Text, server_default="requested")
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    begun_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sends: Mapped[int] = mapped_column(Integer, server_default="0")
    provider_ref: Mapped[str | None] = mapped_column(Text)
    asks: Mapped[int] = mapped_column(Integer, server_default="0")
    next_ask_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    not_found: Mapped[int] = mapped_column(Integer, server_default="0")
    not_found_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    delay_told_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    receipt: Mapped[str | None] = mapped_column(Text)
    payee_name: Mapped[str | None] = mapped_column(Text)
    code: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def money(self) -> Money:
        """What its payee gets."""
        return Money(self.amount, Currency[self.currency])

    @property
    def total(self) -> int:
        """What it costs its owner, in minor units."""
        return self.amount + self.fee + self.tariff

    @property
    def rail(self) -> Provider:
        return Provider(self.provider)

    @property
    def subject(self) -> str:
        """What a case calls it, and the keys of its journals begin with."""
        return f"withdrawal:{self.id}"


class Token(Base):
    """What the addresses of a payout's callbacks hold, by its SHA-256; each sending has one."""

    __tablename__ = "withdrawal_tokens"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    withdrawal_id: Mapped[int] = mapped_column(ForeignKey(Withdrawal.id))


@dataclass(frozen=True, slots=True)
class Seen:
    """A withdrawal as its owner sees it."""

    id: int
    reference: str
    state: State
    amount: Money
    fee: Money
    payee: str
    receipt: str
    code: str
    at: datetime


def newest(session: Session, *, subscriber: int) -> Seen | None:
    """Their newest withdrawal that was set aside, as it stands; `fee` is all that it cost."""
    found = session.scalars(
        select(Withdrawal)
        .where(Withdrawal.subscriber_id == subscriber)
        .order_by(Withdrawal.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    return Seen(
        id=found.id,
        reference=found.reference,
        state=State(found.state),
        amount=found.money,
        fee=Money(found.fee + found.tariff, found.money.currency),
        payee=found.payee,
        receipt=found.receipt or "",
        code=found.code or "",
        at=found.requested_at,
    )


def locked(session: Session, withdrawal: int) -> Withdrawal:
    """
    Be the one who changes a withdrawal.

    Raises:
        UnknownWithdrawal: There is none.
    """
    found = session.get(Withdrawal, withdrawal, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownWithdrawal
    return found


def tell(
    session: Session, found: Withdrawal, event: Event, more: Mapping[str, object], *, now: datetime
) -> None:
    """Tell its owner what became of it."""
    person = session.execute(
        select(Subscriber.msisdn, Subscriber.language).where(Subscriber.id == found.subscriber_id)
    ).one()
    facts = {
        "reference": found.reference,
        "provider": found.provider,
        "amount": found.amount,
        "fee": found.fee + found.tariff,
        "currency": found.currency,
        "receipt": found.receipt or "",
        "msisdn": found.payee,
        "at": now.isoformat(),
        **more,
    }
    outbox.stage(session, facts=[Fact(event, person[0], person[1], facts)], now=now)
