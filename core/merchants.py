"""
Merchants: subscribers with a till, at which others pay them.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import Computed, DateTime, ForeignKey, Identity, Integer, Text, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from stdnum import luhn

from core import audit, subscribers
from core.audit import Action, Actor
from core.db import Base
from core.subscribers import Kind, Person, Subscriber
from core.transfers import UnknownTill


class Merchant(Base):
    """A subscriber's shop. `till` has seven digits, the last of which checks the others."""

    __tablename__ = "merchants"

    number: Mapped[int] = mapped_column(
        Integer, Identity(always=True, maxvalue=999_999), primary_key=True
    )
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), unique=True)
    till: Mapped[str] = mapped_column(
        Text, Computed("till_number(number)", persisted=True), unique=True
    )
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def open_till(session: Session, *, subscriber: int, actor: Actor, now: datetime) -> str:
    """Make a subscriber a merchant, or find them one; return their till number."""
    session.execute(
        insert(Merchant)
        .values(subscriber_id=subscriber, opened_at=now)
        .on_conflict_do_nothing(index_elements=[Merchant.subscriber_id])
    )
    session.execute(
        update(Subscriber).where(Subscriber.id == subscriber).values(kind=Kind.MERCHANT.value)
    )
    till = session.scalars(select(Merchant.till).where(Merchant.subscriber_id == subscriber)).one()
    audit.record(
        session,
        actor=actor,
        action=Action.TILL_OPENED,
        subject=f"subscriber:{subscriber}",
        detail={"till": till},
        now=now,
    )
    return till


def at_till(session: Session, *, till: str) -> Person:
    """
    The merchant with a till, with or without blanks in its number.

    Raises:
        UnknownTill: A digit is wrong or missing, or nobody has that till.
    """
    digits = "".join(till.split())
    if not re.fullmatch(r"[0-9]{7}", digits) or not luhn.is_valid(digits):
        raise UnknownTill
    msisdn = session.scalar(
        select(Subscriber.msisdn)
        .join(Merchant, Merchant.subscriber_id == Subscriber.id)
        .where(Merchant.till == digits, Subscriber.closed_at.is_(None))
    )
    if msisdn is None:
        raise UnknownTill
    return subscribers.recipient(session, msisdn=msisdn)


def has_till(session: Session, *, subscriber: int) -> bool:
    """Whether somebody is a merchant."""
    found = select(Merchant.number).where(Merchant.subscriber_id == subscriber)
    return session.scalar(found) is not None
