"""
Payment links: a merchant asks for a payment in writing, and whoever has the link can make it.

A link says whom, what for, and how much or that the payer says. Paying by it is a payment like any
other; the order remembers the link. One that is for a single payment is taken by an order when that
is placed, and free again if the order is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Row,
    Text,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import orders, transfers
from core.db import Base
from core.errors import Invalid, NotFound, Refused
from core.merchants import Merchant
from core.money import Currency, Money
from core.orders import Kind, Order, Placed
from core.subscribers import Person, Subscriber
from core.transfers import SameAccount

MEMO_LENGTH_MAX: Final = 60
# Without I, L, O and U, as references: a link is read out, too.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH: Final = 12


@dataclass(eq=False)
class UnknownLink(NotFound):
    """There is no such payment link."""


@dataclass(eq=False)
class LinkOver(Refused):
    """The payment link has expired, or the merchant has closed it."""


@dataclass(eq=False)
class LinkPaid(Refused):
    """The payment link was for one payment, and that was made."""


@dataclass(eq=False)
class LinkTaken(Refused):
    """Somebody is paying by that link at this moment."""


@dataclass(eq=False)
class LinkAmountDiffers(Invalid):
    """The payment link is for another amount, or says that the payer must name one."""


class LinkState(StrEnum):
    """Whether a link can be paid by."""

    OPEN = "open"
    TAKEN = "taken"
    """Somebody is paying."""
    PAID = "paid"
    """It was for one payment, and that was made."""
    EXPIRED = "expired"
    CLOSED = "closed"
    """By the merchant, or they have left."""


class PaymentLink(Base):
    """
    A link. `amount` is empty where the payer says how much; `memo` is what it is for.

    `used_by` is the order that took a link for one payment, whatever became of it.
    """

    __tablename__ = "payment_links"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_payment_links_subscriber_id", "subscriber_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(Text, unique=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Merchant.subscriber_id))
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int | None] = mapped_column(BigInteger)
    memo: Mapped[str] = mapped_column(Text)
    is_single_use: Mapped[bool] = mapped_column(Boolean)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    used_by: Mapped[int | None] = mapped_column(ForeignKey(Order.id))


class PaymentLinkUse(Base):
    """An order that was placed by a link."""

    __tablename__ = "payment_link_uses"
    __table_args__ = (Index("ix_payment_link_uses_link_id", "link_id", "order_id"),)

    order_id: Mapped[int] = mapped_column(
        ForeignKey(Order.id), primary_key=True, autoincrement=False
    )
    link_id: Mapped[int] = mapped_column(ForeignKey(PaymentLink.id))


@dataclass(frozen=True, slots=True)
class Link:
    """
    A link as whoever has it sees it.

    `shop` is what the merchant calls the shop; `payee` is who a phone says is paid at its till.
    """

    id: int
    code: str
    merchant: int
    shop: str
    payee: str
    till: str
    currency: Currency
    amount: Money | None
    memo: str
    is_single_use: bool
    state: LinkState
    made_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class LinkPayment:
    """A payment that was made by a link: its order's id, and what it is called."""

    id: int
    reference: str


_SEEN: Final = (
    select(
        PaymentLink,
        Merchant.till,
        Merchant.shop_name,
        Subscriber.name,
        Subscriber.closed_at.label("left_at"),
        Order.state.label("order_state"),
    )
    .join(Merchant, Merchant.subscriber_id == PaymentLink.subscriber_id)
    .join(Subscriber, Subscriber.id == PaymentLink.subscriber_id)
    .outerjoin(Order, Order.id == PaymentLink.used_by)
    .execution_options(populate_existing=True)
)
_LOCK: Final = text("SELECT id FROM payment_links WHERE code = :code FOR NO KEY UPDATE")


def make(
    session: Session,
    *,
    merchant: int,
    currency: Currency,
    amount: Money | None,
    memo: str,
    is_single_use: bool,
    expires_at: datetime | None,
    now: datetime,
) -> Link:
    """Ask for a payment: of an amount, or of whatever the payer says."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    session.execute(
        insert(PaymentLink).values(
            code=code,
            subscriber_id=merchant,
            currency=currency.value,
            amount=None if amount is None else amount.minor,
            memo=" ".join(memo.split())[:MEMO_LENGTH_MAX],
            is_single_use=is_single_use,
            made_at=now,
            expires_at=expires_at,
        )
    )
    return find(session, code=code, now=now)


def find(session: Session, *, code: str, now: datetime) -> Link:
    """
    A link, by its code.

    Raises:
        UnknownLink: There is none.
    """
    row = session.execute(_SEEN.where(PaymentLink.code == code.upper())).one_or_none()
    if row is None:
        raise UnknownLink
    return _link(row, now=now)


def listed(
    session: Session, *, merchant: int, before: int | None, count: int, now: datetime
) -> Sequence[Link]:
    """Somebody's links, the newest first; `before` is the id to go on from."""
    wanted = _SEEN.where(PaymentLink.subscriber_id == merchant)
    if before is not None:
        wanted = wanted.where(PaymentLink.id < before)
    rows = session.execute(wanted.order_by(PaymentLink.id.desc()).limit(count))
    return [_link(row, now=now) for row in rows]


def close(session: Session, *, merchant: int, code: str, now: datetime) -> Link:
    """
    Let nobody pay by a link from now on. Who is paying at this moment still does.

    Raises:
        UnknownLink: They have none of that code.
    """
    closed = session.scalar(
        update(PaymentLink)
        .where(PaymentLink.subscriber_id == merchant, PaymentLink.code == code.upper())
        .values(closed_at=now)
        .returning(PaymentLink.id)
    )
    if closed is None:
        raise UnknownLink
    return find(session, code=code, now=now)


def pay(
    session: Session, *, payer: Person, code: str, amount: Money | None, key: str, now: datetime
) -> Placed:
    """
    Order the payment that a link asks for.

    Args:
        session: The caller's transaction.
        payer: Who pays.
        code: The link's.
        amount: How much, where the link leaves it to them; else the link's own, or None.
        key: What makes a repeat harmless.
        now: When.

    Raises:
        UnknownLink: There is none.
        LinkOver, LinkPaid, LinkTaken: It cannot be paid by, or not now.
        LinkAmountDiffers: The amount is not what the link is for.
        SameAccount: It is their own.
        KeyReused and what `transfers.quote` raises.
    """
    session.execute(_LOCK, {"code": code.upper()})
    link = find(session, code=code, now=now)
    match link.state:
        case LinkState.TAKEN:
            raise LinkTaken
        case LinkState.PAID:
            raise LinkPaid
        case LinkState.EXPIRED | LinkState.CLOSED:
            raise LinkOver
    wanted = link.amount or amount
    if wanted is None or wanted.currency is not link.currency or amount not in (None, wanted):
        raise LinkAmountDiffers
    if payer.id == link.merchant:
        raise SameAccount
    quoted = transfers.quote(session, sender=payer, amount=wanted, kind=Kind.PAYMENT, now=now)
    placed = transfers.order(
        session,
        sender=payer,
        recipient=link.merchant,
        quoted=quoted,
        key=key,
        now=now,
        link=link.code,
        memo=link.memo,
    )
    session.execute(insert(PaymentLinkUse).values(order_id=placed.id, link_id=link.id))
    if link.is_single_use:
        session.execute(
            update(PaymentLink).where(PaymentLink.id == link.id).values(used_by=placed.id)
        )
    return placed


def payments(
    session: Session, *, link: Link, before: int | None, count: int
) -> Sequence[LinkPayment]:
    """The payments that were made by a link, newest first; `before` is the id to go on from."""
    made = (
        select(Order.id, Order.reference)
        .join(PaymentLinkUse, PaymentLinkUse.order_id == Order.id)
        .where(PaymentLinkUse.link_id == link.id, Order.state == orders.State.DONE.value)
    )
    if before is not None:
        made = made.where(PaymentLinkUse.order_id < before)
    rows = session.execute(made.order_by(PaymentLinkUse.order_id.desc()).limit(count))
    return [LinkPayment(row.id, row.reference) for row in rows]


def _link(row: Row[Any], *, now: datetime) -> Link:
    link: PaymentLink = row.PaymentLink
    currency = Currency[link.currency]
    return Link(
        id=link.id,
        code=link.code,
        merchant=link.subscriber_id,
        shop=row.shop_name or row.name,
        payee=row.name,
        till=row.till,
        currency=currency,
        amount=None if link.amount is None else Money(link.amount, currency),
        memo=link.memo,
        is_single_use=link.is_single_use,
        state=_state(link, row, now=now),
        made_at=link.made_at,
        expires_at=link.expires_at,
    )


def _state(link: PaymentLink, row: Row[Any], *, now: datetime) -> LinkState:
    if link.is_single_use and row.order_state == orders.State.DONE:
        return LinkState.PAID
    if link.closed_at is not None or row.left_at is not None:
        return LinkState.CLOSED
    if link.expires_at is not None and link.expires_at <= now:
        return LinkState.EXPIRED
    if link.is_single_use and row.order_state == orders.State.PLACED:
        return LinkState.TAKEN
    return LinkState.OPEN
