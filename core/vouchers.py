"""
Vouchers: money that was paid for beforehand, and is had once by whoever types the code.

Their money is on one account for each currency; which voucher has how much of it is the voucher's
row, which decides who resolves it: one redemption, or one refund.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Row,
    Text,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import chart, codes, limits, orders, voucher_tries
from core.audit import Actor
from core.chart import Wanted
from core.codes import Veil
from core.db import Base
from core.errors import Denied, DomainError, NotFound, Refused
from core.ledger import Draft, Journal, Posting, Reason
from core.limits import AccountSuspended, RecipientSuspended
from core.money import Currency, Money
from core.orders import Kind, Order, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.subscribers import AccountClosed, Person, Subscriber
from core.voucher_tries import TRIES_MAX


class VoucherState(StrEnum):
    """Where a voucher is. It leaves `open` once, and never returns."""

    OPEN = "open"
    REDEEMED = "redeemed"
    REFUNDED = "refunded"


@dataclass(eq=False)
class UnknownVoucher(NotFound):
    """No voucher has that code."""

    tries_left: int


@dataclass(eq=False)
class TooManyCodes(Denied):
    """Five wrong codes were tried within a day."""


@dataclass(eq=False)
class VoucherUsed(Refused):
    """The voucher was redeemed already."""


@dataclass(eq=False)
class VoucherExpired(Refused):
    """The voucher's time is over."""


@dataclass(eq=False)
class VoucherCancelled(Refused):
    """Who issued the voucher has cancelled it."""


class VoucherForged(Exception):
    """Orders do not prove that the code was typed: somebody writes orders of their own."""


class Batch(Base):
    """
    Vouchers of one value that were paid for at once, by `issuer_id` or, without one, by the house.

    `value` is in minor units; `salt` and the key called `key_id` derive the codes; `refunded` is
    how many went back, and `closed_at` when the last of them was resolved.
    """

    __tablename__ = "voucher_batches"
    __table_args__ = (
        Index("ix_voucher_batches_open", "expires_at", postgresql_where=text("closed_at IS NULL")),
        Index("ix_voucher_batches_issuer_id", "issuer_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    issuer_id: Mapped[int | None] = mapped_column(ForeignKey(Subscriber.id))
    currency: Mapped[str] = mapped_column(Text)
    value: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(Text)
    journal_id: Mapped[int] = mapped_column(ForeignKey(Journal.id), unique=True)
    issued_by: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    refunded: Mapped[int] = mapped_column(Integer, server_default="0")

    @property
    def money(self) -> Money:
        """What each voucher is worth."""
        return Money(self.value, Currency[self.currency])


class Voucher(Base):
    """One voucher. Of its code only a keyed hash is kept; `order_id` is the one that got it."""

    __tablename__ = "vouchers"
    __table_args__ = (
        Index("ix_vouchers_open", "batch_id", "number", postgresql_where=text("state = 'open'")),
    )

    batch_id: Mapped[int] = mapped_column(ForeignKey(Batch.id), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    state: Mapped[str] = mapped_column(Text, server_default="open")
    order_id: Mapped[int | None] = mapped_column(ForeignKey(Order.id), unique=True)
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Found:
    """A voucher whose code somebody has typed; of the code, its keyed hash."""

    batch: int
    number: int
    value: Money
    expires_at: datetime
    code_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """A batch as who issued it sees it: what became of its vouchers, and none of their codes."""

    id: int
    value: Money
    count: int
    redeemed: int
    refunded: int
    issued_at: datetime
    expires_at: datetime
    cancelled_at: datetime | None


def find(
    session: Session,
    *,
    person: Person,
    typed: str,
    veil: Veil,
    actor: Actor,
    now: datetime,
    key: str = "",
) -> Found:
    """
    Find the voucher of a code. Their tries stay locked, so that nobody guesses in parallel.

    A wrong try must be kept although it raises: call this outside of anything that is undone.
    That a voucher is spent is said early as advice; it is decided when the order is executed. Who
    has ordered it under `key` already, and was not heard, finds it all the same: `order` says what
    became of it.

    Raises:
        InvalidVoucherCode: A slip of the finger; no try is counted.
        UnknownVoucher: Nobody has that code; another try is left.
        TooManyCodes: Five wrong ones within a day, which is over a day after the first.
        VoucherUsed, VoucherExpired, VoucherCancelled: It is no more.
    """
    hashed = veil.hash(codes.parse(typed))
    return find_hashed(session, person=person, hashed=hashed, actor=actor, now=now, key=key)


def find_hashed(
    session: Session,
    *,
    person: Person,
    hashed: bytes,
    actor: Actor,
    now: datetime,
    key: str = "",
) -> Found:
    """
    Find a voucher by its code's hash, where the code itself was never let in.

    Raises:
        UnknownVoucher, TooManyCodes, VoucherUsed, VoucherExpired, VoucherCancelled: As `find`.
    """
    wrong_tries = voucher_tries.wrong(session, person, now=now)
    if wrong_tries >= TRIES_MAX:
        raise TooManyCodes
    found = text("SELECT * FROM voucher_of(:hash)")
    row = session.execute(found, {"hash": hashed}).one_or_none()
    if row is None:
        voucher_tries.count(session, person, wrong_tries + 1, actor=actor, now=now)
        if wrong_tries + 1 >= TRIES_MAX:
            raise TooManyCodes
        raise UnknownVoucher(tries_left=TRIES_MAX - wrong_tries - 1)
    error = _objection(row, at=now)
    voucher = {"batch": row.batch_id, "number": row.number}
    if error is not None and not _is_ordered(session, person, voucher, key=key):
        raise error
    value = Money(row.value, Currency[row.currency])
    return Found(row.batch_id, row.number, value, row.expires_at, hashed)


def _is_ordered(session: Session, person: Person, voucher: dict[str, int], *, key: str) -> bool:
    """Whether somebody has ordered this voucher under a key."""
    found = select(Order.id).where(
        Order.key == key,
        Order.kind == Kind.REDEMPTION.value,
        Order.subscriber_id == person.id,
        Order.args.contains(voucher),
    )
    return session.scalar(found) is not None


def order(session: Session, *, subscriber: int, found: Found, key: str, now: datetime) -> Placed:
    """
    Order a voucher's money. Nothing has moved until a ledger worker executes it.

    The order proves that its owner had the code, to the worker, which believes no door. What it
    keeps is of no use to anybody else, nor for another order.

    Safe to repeat: the same key finds the first order.

    Raises:
        KeyReused: The key was used before for something else.
    """
    had = hashlib.sha256(found.code_hash + f"{subscriber}:{key}".encode()).hexdigest()
    return orders.place(
        session,
        kind=Kind.REDEMPTION,
        subscriber=subscriber,
        args={"batch": found.batch, "number": found.number, "proof": had},
        key=key,
        now=now,
    )


_CLAIMED = text("""
    SELECT o.id, o.key, o.reference, o.placed_at, b.value, b.currency, b.expires_at,
           b.cancelled_at, v.batch_id, v.number, v.state,
           o.args ->> 'proof' = encode(sha256(v.code_hash
               || convert_to(concat_ws(':', s.id, o.key), 'UTF8')), 'hex') AS is_proved,
           s.id AS subscriber, s.msisdn, s.language, s.account_id, s.closed_at
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    JOIN vouchers v ON v.batch_id = CAST(o.args ->> 'batch' AS integer)
        AND v.number = CAST(o.args ->> 'number' AS integer)
    JOIN voucher_batches b ON b.id = v.batch_id
    WHERE o.id = ANY (:ids)
    ORDER BY v.batch_id, v.number, o.id
""")
# Whoever locks vouchers locks them in this order, and before any account.
_LOCKED = text(f"{_CLAIMED.text} FOR UPDATE OF v")
_REDEEMED = text("""
    UPDATE vouchers SET state = 'redeemed', order_id = :order, resolved_at = :now
    WHERE batch_id = :batch AND number = :number AND state = 'open' RETURNING number
""")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """
    What placed redemptions come to, each of another voucher.

    Of two for one voucher the second is planned when the first is settled, for it may be refused
    where the other would not be.
    """
    rows = session.execute(_LOCKED, {"ids": list(ids)}).all()
    assert len(rows) == len(ids), "each names a voucher"
    # One without any proof was placed before orders had one: nothing is lost, they type it again.
    if any(unproved := [row.reference for row in rows if not row.is_proved]):
        raise VoucherForged(unproved)
    there = [row for row in rows if row.closed_at is None]
    accounts = chart.opened(session, {want for row in there for want in _wanted(row)})
    plans: list[Plan] = []
    seen: set[tuple[int, int]] = set()
    for row in rows:
        error = _objection(row, at=row.placed_at) if row.closed_at is None else AccountClosed()
        if error is not None:
            plans.append(Plan.refused(row.id, error, _refused(row, error)))
            continue
        vouchers, mine = (accounts[want] for want in _wanted(row))
        draft = Draft(
            key=row.key,
            reason=Reason.REDEMPTION,
            legs={vouchers: -row.value, mine: row.value},
            reference=row.reference,
            # They spend nothing, but whether they may move money at all, and hold so much, counts.
            spender=(row.account_id, 0),
        )
        voucher = (row.batch_id, row.number)
        assert voucher not in seen, "two orders for one voucher are not of one run"
        seen.add(voucher)
        plans.append(Plan(row.id, [draft], partial(_settle, session, row, mine, now)))
    return plans


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when a redemption cannot be executed."""
    row = session.execute(_CLAIMED, {"ids": [order]}).one()
    return Result(Outcome.refused(order, error), [_refused(row, error)])


def _settle(
    session: Session, row: Row[Any], mine: int, now: datetime, postings: Sequence[Posting]
) -> Result:
    [posting] = postings
    if not posting.is_posted:
        found = limits.refusal(posting.outcome, posting.detail)
        error = RecipientSuspended() if isinstance(found, AccountSuspended) else found
        return Result(Outcome.refused(row.id, error), [_refused(row, error)])
    taken = {"order": row.id, "batch": row.batch_id, "number": row.number, "now": now}
    assert session.scalar(_REDEEMED, taken) == row.number, "its row is locked, and was open"
    facts = {
        "reference": row.reference,
        "amount": row.value,
        "currency": row.currency,
        "balance": posting.balance_after(mine),
        "at": now.isoformat(),
    }
    told = Fact(Event.VOUCHER_REDEEMED, row.msisdn, row.language, facts)
    return Result(Outcome(row.id, State.DONE, dict(posting.detail)), [told])


def issued_by(session: Session, *, subscriber: int, before: int | None, count: int) -> list[Issued]:
    """Batches that somebody issued, the newest first; `before` is the number to go on from."""
    found = text("SELECT * FROM batches_of(:subscriber, :before, :count)")
    given = {"subscriber": subscriber, "before": before, "count": count}
    rows = session.execute(found, given)
    return [Issued(row[0], Money(row[1], Currency[row[2]]), *row[3:]) for row in rows]


def _wanted(row: Row[Any]) -> list[Wanted]:
    """Where a voucher's money is, and where it would go."""
    currency = Currency[row.currency]
    return [(chart.VOUCHERS, currency, None), (chart.MAIN, currency, row.subscriber)]


def _objection(row: Row[Any], *, at: datetime) -> DomainError | None:
    """Why a voucher is no more. Who ordered in time has it, unless it was refunded meanwhile."""
    if row.state == VoucherState.REDEEMED:
        return VoucherUsed()
    if row.cancelled_at is not None:
        return VoucherCancelled()
    if row.state == VoucherState.REFUNDED or row.expires_at <= at:
        return VoucherExpired()
    return None


def _refused(row: Row[Any], error: DomainError) -> Fact:
    facts = {"reference": row.reference, "refusal": Outcome.refused(row.id, error).facts}
    return Fact(Event.VOUCHER_REFUSED, row.msisdn, row.language, facts)
