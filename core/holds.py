"""
Holds: money set aside, which then goes on, in whole or in part, or comes back. Resolved once.

A hold's money is on its owner's `held` account, so it counts against nothing else at once. The
row of the hold decides who resolves it; the journals' keys are the hold's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import chart, cooling, ledger, limits
from core.db import Base
from core.errors import Invalid, NotFound, Refused
from core.ledger import Account, Draft, InsufficientFunds, Reason
from core.money import Currency, Money
from core.orders import KeyReused
from core.subscribers import AccountClosed


class HoldState(StrEnum):
    """Where a hold is. It leaves `open` once, and never returns."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(eq=False)
class UnknownHold(NotFound):
    """There is no such hold."""


@dataclass(eq=False)
class HoldResolved(Refused):
    """The hold was captured, released or has expired already."""


@dataclass(eq=False)
class HoldTooSmall(Invalid):
    """More was to be captured than is held, or nothing."""

    held: Money


class Hold(Base):
    """
    Money set aside until it is captured, released, or `expires_at` has come.

    Amounts are minor units of the accounts' currency; `captured` is what went on. A hold for a
    merchant, `beneficiary_id`, has the reference of the order that placed it.
    """

    __tablename__ = "holds"
    __table_args__ = (
        Index("ix_holds_open", "expires_at", postgresql_where=text("state = 'open'")),
        Index("ix_holds_owner_id", "owner_id"),
        Index("ix_holds_held", "held_account_id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id))
    held_account_id: Mapped[int] = mapped_column(ForeignKey(Account.id))
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    captured: Mapped[int] = mapped_column(BigInteger, server_default="0")
    state: Mapped[str] = mapped_column(Text, server_default="open")
    placed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    beneficiary_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id"), index=True)
    reference: Mapped[str | None] = mapped_column(Text, unique=True)

    @property
    def money(self) -> Money:
        return Money(self.amount, Currency[self.currency])


_PLACED: Final = text("""
    INSERT INTO holds (key, owner_id, account_id, held_account_id, currency, amount, placed_at,
        expires_at, beneficiary_id, reference)
    VALUES (:key, :owner, :account, :held, :currency, :amount, :now, :expires_at, :beneficiary,
        :reference)
    ON CONFLICT (key) DO NOTHING RETURNING id
""")


def place(
    session: Session,
    *,
    owner: int,
    amount: Money,
    key: str,
    expires_at: datetime,
    now: datetime,
    beneficiary: int | None = None,
    reference: str | None = None,
    spender: tuple[int, int] | None = None,
) -> int:
    """
    Set money of a subscriber aside; return the hold's id. Safe to repeat.

    Args:
        session: The caller's transaction, a worker's.
        owner: The subscriber's id.
        amount: What is set aside, from their account in that currency.
        key: What makes a repeat harmless.
        expires_at: When it comes back by itself.
        now: When it is placed.
        beneficiary: The merchant it is for, if it is for one.
        reference: That of the order that asked for it.
        spender: Whose limits it counts against, and with how much, in shillings.

    Raises:
        AmountTooSmall, AmountTooLarge, DailyLimitReached, MonthlyLimitReached, TooManyTransfers:
            It counts against limits, and one would be passed.
        AccountSuspended, NotScreened: Their money may not move.
        AccountClosed: They have left.
        CoolingOff: Their account cools off.
        InsufficientFunds: They hold less.
        KeyReused: The key was used before for another hold.
    """
    limits.require_standing(session, subscriber=owner)
    cooling.require_over(session, subscriber=owner, now=now)
    row: dict[str, Any] = {
        "key": key,
        "owner": owner,
        "account": chart.MAIN.open(session, currency=amount.currency, owner=owner),
        "held": chart.HELD.open(session, currency=amount.currency, owner=owner),
        "currency": amount.currency.value,
        "amount": amount.minor,
        "now": now,
        "expires_at": expires_at,
        "beneficiary": beneficiary,
        "reference": reference,
    }
    # A hold whose money is not there is no hold, whatever whoever asked does next.
    with session.begin_nested():
        made = session.scalar(_PLACED, row)
        if made is not None:
            legs = {row["account"]: -amount.minor, row["held"]: amount.minor}
            draft = Draft(f"hold:{made}:place", Reason.HOLD, legs, reference, spender)
            [posting] = ledger.post(session, drafts=[draft], now=now)
            if not posting.is_posted and posting.outcome != InsufficientFunds.code:
                raise limits.refusal(posting.outcome, posting.detail)
            if not posting.is_posted:
                available = Money(posting.detail["available"], amount.currency)
                raise InsufficientFunds(available=available, requested=amount)
            return int(made)
    first = session.scalars(select(Hold).where(Hold.key == key)).one()
    if (first.owner_id, first.money) != (owner, amount):
        raise KeyReused
    return first.id


def capture(
    session: Session,
    *,
    hold: int,
    to: int,
    now: datetime,
    amount: Money | None = None,
    fees: Mapping[int, int] | None = None,
    reference: str | None = None,
) -> None:
    """
    Let held money go on to an account, in whole or in part; what is left comes back.

    Args:
        session: The caller's transaction, a worker's.
        hold: Its id.
        to: The account that gets it.
        now: When.
        amount: How much of it; None for all.
        fees: What of it goes to which other accounts, borne by whom it goes on to.
        reference: That of the order that asked for it.

    Raises:
        UnknownHold: There is none.
        HoldResolved: It was resolved before, or its time is over.
        HoldTooSmall: Less is held, or the amount is not above the fees, or of another currency.
        AccountSuspended: Its owner's money may not move any more; it can only come back.
        RecipientSuspended: Nor may that of whom it would go on to.
        CeilingReached: They would hold more than they may.
    """
    found = _open(session, hold=hold)
    if found.expires_at <= now:
        raise HoldResolved
    taken = found.money if amount is None else amount
    due = sum((fees or {}).values())
    # Of what a fee eats up whole nothing would go on.
    if taken.currency is not found.money.currency or not due < taken.minor <= found.amount:
        raise HoldTooSmall(held=found.money)
    limits.require_standing(session, subscriber=found.owner_id)
    limits.require_recipient(session, account=to, sender=found.owner_id)
    legs = {found.held_account_id: -found.amount, to: taken.minor - due}
    legs |= fees or {}
    if taken.minor < found.amount:
        # It may be the owner's own account that the captured part goes on to.
        legs[found.account_id] = legs.get(found.account_id, 0) + found.amount - taken.minor
    if to != found.account_id:
        others = [account for account in {*legs, found.account_id} if account != to]
        _require_room(session, account=to, others=others, amount=legs[to], now=now)
    _resolve(found, state=HoldState.CAPTURED, captured=taken.minor, now=now)
    draft = Draft(f"hold:{hold}:resolve", Reason.CAPTURE, legs, reference)
    _post(session, [draft], now=now)


def _require_room(
    session: Session, *, account: int, others: Sequence[int], amount: int, now: datetime
) -> None:
    """
    See that whoever has an account may hold so much more, under the locks of what is to be posted.

    Raises:
        RecipientSuspended: They have left.
        CeilingReached: They may not.
    """
    asked = func.arrival_refusal(account, others, amount, now, type_=JSONB(none_as_null=True))
    refusal = session.scalar(select(asked))
    if refusal is not None:
        raise (
            limits.RecipientSuspended()
            if refusal["code"] == AccountClosed.code
            else limits.refusal(refusal["code"], refusal)
        )


def release(session: Session, *, hold: int, now: datetime, reference: str | None = None) -> None:
    """
    Give held money back.

    Raises:
        UnknownHold: There is none.
        HoldResolved: It was resolved before.
    """
    found = _open(session, hold=hold)
    _resolve(found, state=HoldState.RELEASED, now=now)
    _post(session, [_giving_back(found, reference=reference)], now=now)


def expire(session: Session, *, now: datetime, holds_max: int = 100) -> int:
    """Give back what is held by holds whose time is over; return how many there were."""
    due = session.scalars(
        select(Hold)
        .where(Hold.state == HoldState.OPEN, Hold.expires_at <= now)
        .order_by(Hold.expires_at)
        .limit(holds_max)
        .with_for_update(skip_locked=True)
    ).all()
    for found in due:
        _resolve(found, state=HoldState.EXPIRED, now=now)
    # In one call, which locks the accounts of all of them in its order.
    _post(session, [_giving_back(found) for found in due], now=now)
    return len(due)


def _open(session: Session, *, hold: int) -> Hold:
    """Be the one who may resolve a hold. A refusal leaves it as it is, whatever is done after."""
    found = session.get(Hold, hold, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownHold
    if found.state != HoldState.OPEN:
        raise HoldResolved
    return found


def _resolve(found: Hold, *, state: HoldState, now: datetime, captured: int = 0) -> None:
    found.state, found.resolved_at, found.captured = state, now, captured


def _giving_back(hold: Hold, *, reference: str | None = None) -> Draft:
    legs = {hold.held_account_id: -hold.amount, hold.account_id: hold.amount}
    return Draft(f"hold:{hold.id}:resolve", Reason.RELEASE, legs, reference)


def _post(session: Session, drafts: Sequence[Draft], *, now: datetime) -> None:
    for draft, posting in zip(drafts, ledger.post(session, drafts=drafts, now=now), strict=True):
        assert posting.outcome == "posted", f"{draft.key}: {posting.outcome}"
