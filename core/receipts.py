"""
Receipts: a provider's own code for one movement of money, used once whatever it came by.

One payment may be told twice, by a prompt's result and as a payment to our paybill: whoever uses
its receipt first has it, under the table's own key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, Text, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from core.rails import Provider


class Source(StrEnum):
    """What a receipt was told of."""

    DEPOSIT = "deposit"
    PAYBILL = "paybill"
    WITHDRAWAL = "withdrawal"


class Receipt(Base):
    """A receipt that was used, and for what. Append-only; each row has one, each receipt one."""

    __tablename__ = "receipts"
    __table_args__ = (UniqueConstraint("source", "source_id", name="uq_receipts_source"),)

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    source_id: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Use:
    """What a receipt was used for."""

    source: Source
    id: int


def use(session: Session, *, provider: Provider, code: str, use: Use, now: datetime) -> Use:
    """
    Use a receipt, if nothing has; return what it is used for, which is `use` if that was first.

    Waits for whoever is just using it. What is used for has no receipt yet.
    """
    session.execute(
        insert(Receipt)
        .values(
            provider=provider.value,
            code=code,
            source=use.source.value,
            source_id=use.id,
            used_at=now,
        )
        .on_conflict_do_nothing(index_elements=[Receipt.provider, Receipt.code])
    )
    found = used(session, provider=provider, code=code)
    assert found is not None, "it is there by now"
    return found


def used(session: Session, *, provider: Provider, code: str) -> Use | None:
    """What a receipt is used for, if anything."""
    row = session.execute(
        select(Receipt.source, Receipt.source_id).where(
            Receipt.provider == provider.value, Receipt.code == code
        )
    ).one_or_none()
    return None if row is None else Use(Source(row[0]), row[1])
