"""
Merchants: subscribers with a till, at which others pay them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Computed, DateTime, ForeignKey, Identity, Integer, Text, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column
from stdnum import luhn

from core import audit, msisdn, naming, subscribers
from core.audit import Action, Actor
from core.db import Base
from core.errors import NotFound
from core.subscribers import Kind, Person, Subscriber
from core.transfers import UnknownTill


@dataclass(eq=False)
class NoTill(NotFound):
    """They have no till: they are not a merchant."""


class Merchant(Base):
    """
    A subscriber's shop. `till` has seven digits, the last of which checks the others.

    `shop_name` is what it calls itself; without one it is called as its owner is.
    """

    __tablename__ = "merchants"

    number: Mapped[int] = mapped_column(
        Integer, Identity(always=True, maxvalue=999_999), primary_key=True
    )
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), unique=True)
    till: Mapped[str] = mapped_column(
        Text, Computed("till_number(number)", persisted=True), unique=True
    )
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    shop_name: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    contact: Mapped[str | None] = mapped_column(Text)


class Category(StrEnum):
    """What a shop sells."""

    FOOD = "food"
    GROCERIES = "groceries"
    CLOTHES = "clothes"
    TRANSPORT = "transport"
    HEALTH = "health"
    EDUCATION = "education"
    SERVICES = "services"
    ONLINE = "online"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop as its owner sees it."""

    till: str
    name: str
    shop_name: str | None
    category: Category | None
    contact: str | None
    opened_at: datetime


def of(session: Session, *, subscriber: int) -> Shop:
    """
    Somebody's shop.

    Raises:
        NoTill: They have none.
    """
    row = session.execute(
        select(
            Merchant.till,
            Subscriber.name,
            Merchant.shop_name,
            Merchant.category,
            Merchant.contact,
            Merchant.opened_at,
        )
        .join(Subscriber, Subscriber.id == Merchant.subscriber_id)
        .where(Merchant.subscriber_id == subscriber)
    ).one_or_none()
    if row is None:
        raise NoTill
    category = None if row.category is None else Category(row.category)
    return Shop(row.till, row.name, row.shop_name, category, row.contact, row.opened_at)


def describe(
    session: Session,
    *,
    subscriber: int,
    shop_name: str | None = None,
    category: Category | None = None,
    contact: str | None = None,
    actor: Actor,
    now: datetime,
) -> Shop:
    """
    Change what is given of how a shop describes itself; what is None stays.

    Raises:
        NoTill: They have none.
        InvalidName: It cannot be printed on a receipt, or is ours.
        InvalidMsisdn: The contact is no phone number.
    """
    of(session, subscriber=subscriber)
    values = {
        "shop_name": None if shop_name is None else naming.parse_name(shop_name),
        "category": None if category is None else category.value,
        "contact": None if contact is None else msisdn.parse(contact),
    }
    changed = {name: value for name, value in values.items() if value is not None}
    if changed:
        session.execute(
            update(Merchant).where(Merchant.subscriber_id == subscriber).values(**changed)
        )
        audit.record(
            session,
            actor=actor,
            action=Action.SHOP_DESCRIBED,
            subject=f"subscriber:{subscriber}",
            detail=changed,
            now=now,
        )
    return of(session, subscriber=subscriber)


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
    number = session.scalar(
        select(Subscriber.msisdn)
        .join(Merchant, Merchant.subscriber_id == Subscriber.id)
        .where(Merchant.till == digits, Subscriber.closed_at.is_(None))
    )
    if number is None:
        raise UnknownTill
    return subscribers.recipient(session, msisdn=number)


def has_till(session: Session, *, subscriber: int) -> bool:
    """Whether somebody is a merchant."""
    found = select(Merchant.number).where(Merchant.subscriber_id == subscriber)
    return session.scalar(found) is not None
