"""
A deposit's row, and the states it goes through.
"""

from __future__ import annotations

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

from core.db import Base
from core.errors import NotFound, Refused
from core.money import Currency, Money
from core.rails import Provider
from core.subscribers import Subscriber


class State(StrEnum):
    """Where a deposit is. It goes on alone; what has ended stays so but for what is said here."""

    EXPECTED = "expected"
    """Asked for; nobody was prompted yet."""
    PROMPTING = "prompting"
    """The provider is just being asked to prompt the payer."""
    PROMPTED = "prompted"
    """The payer's phone asks for their PIN."""
    UNSURE = "unsure"
    """The provider did not answer: the payer may have been prompted."""
    SETTLED = "settled"
    """The money came, and whom it was for has it."""
    FAILED = "failed"
    """The provider says that it did not come. If it says otherwise later, that is for review."""
    EXPIRED = "expired"
    """Nobody has told us in time that it came. A late success settles it all the same."""
    REVIEW = "review"
    """Staff decide: it becomes settled, or failed."""
    DUPLICATE = "duplicate"
    """The money had come by another way, and was credited by it."""


OPEN: Final = (State.EXPECTED, State.PROMPTING, State.PROMPTED, State.UNSURE)
MAY_COME: Final = (*OPEN, State.EXPIRED)


@dataclass(eq=False)
class DepositOpen(Refused):
    """The payer was prompted a moment ago: another prompt must wait."""

    until: datetime


@dataclass(eq=False)
class UnknownDeposit(NotFound):
    """There is no such deposit."""


class Deposit(Base):
    """
    Money that a payer is asked for.

    `subscriber_id` is who gets it: of a `till`, the merchant. `payer` is E.164. `token_hash` is of
    what the provider's callback must know; `provider_ref` what the provider calls the prompt.
    Of a checkout, `checkout_url` is the page it is paid on, and `pages` how many were asked for.
    `claimed_receipt` was named by a callback that is not believed yet. `ended_at` is when it became
    what it is, other than open.
    """

    __tablename__ = "deposits"
    __table_args__ = (
        CheckConstraint("amount > 0 AND fee >= 0 AND fee < amount", name="amount"),
        Index("ix_deposits_expected", "prompt_at", postgresql_where=text("state = 'expected'")),
        Index(
            "ix_deposits_open",
            "begun_at",
            postgresql_where=text("state IN ('prompting', 'prompted', 'unsure', 'expired')"),
        ),
        Index(
            "ix_deposits_waiting",
            "prompt_at",
            postgresql_where=text("state IN ('expected', 'prompting', 'prompted', 'unsure')"),
        ),
        Index("ix_deposits_asked", "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
        Index("ix_deposits_payer", "payer", "expected_at"),
        Index("ix_deposits_subscriber_id", "subscriber_id", "id"),
        Index(
            "uq_deposits_provider_ref",
            "provider",
            "provider_ref",
            unique=True,
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    reference: Mapped[str] = mapped_column(Text, unique=True)
    provider: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    payer: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text, server_default="expected")
    expected_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    prompt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    begun_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    provider_ref: Mapped[str | None] = mapped_column(Text)
    asks: Mapped[int] = mapped_column(Integer, server_default="0")
    next_ask_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    claimed_receipt: Mapped[str | None] = mapped_column(Text)
    receipt: Mapped[str | None] = mapped_column(Text)
    checkout_url: Mapped[str | None] = mapped_column(Text)
    pages: Mapped[int] = mapped_column(Integer, server_default="0")
    code: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def money(self) -> Money:
        """What the payer is asked for."""
        return Money(self.amount, Currency[self.currency])

    @property
    def cost(self) -> Money:
        """What we keep of it."""
        return Money(self.fee, Currency[self.currency])

    @property
    def rail(self) -> Provider:
        return Provider(self.provider)

    @property
    def subject(self) -> str:
        """What a case calls it."""
        return f"deposit:{self.id}"

    def ends(self, state: State, now: datetime) -> None:
        """Become what it stays, and is not asked about any more."""
        self.state, self.ended_at, self.next_ask_at = state, now, None


@dataclass(frozen=True, slots=True)
class Seen:
    """A deposit as its owner sees it."""

    id: int
    reference: str
    state: State
    amount: Money
    fee: Money
    payer: str
    receipt: str
    code: str
    at: datetime


def locked(session: Session, deposit: int) -> Deposit:
    """
    Be the one who changes a deposit.

    Raises:
        UnknownDeposit: There is none.
    """
    found = session.get(Deposit, deposit, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownDeposit
    return found


def keep_ref(session: Session, found: Deposit, provider_ref: str | None) -> None:
    """Keep what the provider calls a prompt, where nobody had told us: it is asked by that."""
    if found.provider_ref is not None or provider_ref is None:
        return
    if not is_anothers(session, found, provider_ref):
        found.provider_ref = provider_ref


def is_anothers(session: Session, found: Deposit, provider_ref: str) -> bool:
    """Whether a provider calls another prompt so: whoever says so of this one is mistaken."""
    other = select(Deposit.id).where(
        Deposit.provider == found.provider, Deposit.provider_ref == provider_ref
    )
    return session.scalar(other) is not None
