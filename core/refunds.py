"""
Refunds: a merchant gives back what was paid to them, or a part of it, by their own decision.

Nobody else decides, for it is theirs. What comes back to the payer is never more than they paid;
the fee, which the merchant bore, stays with us. A reversal is another thing: there staff undo what
was a mistake, fee and all. What was refunded in part is not reversed, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Row, insert, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import chart, limits, orders
from core.chart import Wanted
from core.db import Base
from core.errors import DomainError, NotFound, Refused
from core.ledger import Draft, InsufficientFunds, Posting, Reason
from core.money import Currency, Money
from core.orders import Kind, Order, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.subscribers import AccountClosed, UnknownRecipient


@dataclass(eq=False)
class NoSuchPayment(NotFound):
    """Nobody has paid them under that reference."""


@dataclass(eq=False)
class RefundTooLarge(Refused):
    """The refund is more than is left of the payment."""

    left: Money


@dataclass(eq=False)
class PaymentReversed(Refused):
    """The payment was reversed: the payer has it back already."""


class Refund(Base):
    """What was given back of a payment, in minor units, by an order that is done."""

    __tablename__ = "refunds"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    order_id: Mapped[int] = mapped_column(
        ForeignKey(Order.id), primary_key=True, autoincrement=False
    )
    payment_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    refunded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the merchant sees it who may refund it."""

    id: int
    reference: str
    amount: Money
    refunded: Money
    is_reversed: bool

    @property
    def left(self) -> Money:
        """What may still be given back."""
        return Money(0, self.amount.currency) if self.is_reversed else self.amount - self.refunded


_PAID: Final = """
    SELECT p.id, p.reference, CAST(p.args ->> 'amount' AS bigint) AS amount,
           p.args ->> 'currency' AS currency,
           (SELECT coalesce(sum(x.amount), 0) FROM refunds x WHERE x.payment_id = p.id) AS refunded,
           EXISTS (SELECT FROM reversals v WHERE v.order_id = p.id AND v.state = 'approved')
               AS is_reversed
    FROM orders p
    WHERE p.kind = 'payment' AND p.state = 'done'
"""
_FOUND: Final = text(f"""{_PAID}
    AND p.reference = :reference AND CAST(p.args ->> 'recipient' AS bigint) = :merchant
""")
_MANY: Final = text(f"""{_PAID}
    AND p.reference = ANY (:references) AND CAST(p.args ->> 'recipient' AS bigint) = :merchant
""")


def payment(session: Session, *, merchant: int, reference: str) -> Payment:
    """
    A payment that somebody was paid.

    Raises:
        NoSuchPayment: Nobody has paid them under that reference.
    """
    row = session.execute(_FOUND, {"merchant": merchant, "reference": reference}).one_or_none()
    if row is None:
        raise NoSuchPayment
    return _payment(row)


def payments(
    session: Session, *, merchant: int, references: Sequence[str]
) -> Mapping[str, Payment]:
    """Those of some payments that somebody was paid, by their references."""
    rows = session.execute(_MANY, {"merchant": merchant, "references": list(references)})
    return {row.reference: _payment(row) for row in rows}


def require_refundable(found: Payment, *, amount: Money) -> None:
    """
    Say early what the ledger would refuse.

    Raises:
        PaymentReversed: The payer has it back already.
        RefundTooLarge: It is more than is left, nothing, or in another currency.
    """
    if (error := _too_much(found, amount)) is not None:
        raise error


def order(
    session: Session, *, merchant: int, found: Payment, amount: Money, key: str, now: datetime
) -> Placed:
    """
    Order a refund. Nothing has moved until a ledger worker executes it.

    Raises:
        KeyReused: The key was used before for something else.
    """
    return orders.place(
        session,
        kind=Kind.REFUND,
        subscriber=merchant,
        args={
            "payment": found.reference,
            "amount": amount.minor,
            "currency": amount.currency.value,
        },
        key=key,
        now=now,
    )


_CLAIMED: Final = """
    SELECT o.id, o.key, o.reference, o.args ->> 'payment' AS payment,
           CAST(o.args ->> 'amount' AS bigint) AS amount, o.args ->> 'currency' AS currency,
           p.id AS payment_id,
           s.id AS merchant, s.name AS merchant_name, s.msisdn AS merchant_msisdn,
           s.language AS merchant_language, s.tier, s.screening, s.closed_at AS merchant_left,
           r.id AS payer, r.name AS payer_name, r.msisdn AS payer_msisdn,
           r.language AS payer_language, r.closed_at AS payer_left, r.account_id AS payer_account
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    JOIN orders p ON p.reference = o.args ->> 'payment'
    JOIN subscribers r ON r.id = p.subscriber_id
    WHERE o.id = ANY (:ids)
    ORDER BY p.id, o.id
"""
_SEEN: Final = text(_CLAIMED)
# Whoever gives back or reverses a payment has its row, before any account.
_LOCKED: Final = text(f"{_CLAIMED} FOR NO KEY UPDATE OF p")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """
    What placed refunds come to, each of another payment.

    Of two for one payment the second is planned when the first is settled, for the first may be
    refused where the other would not be.
    """
    rows = session.execute(_LOCKED, {"ids": list(ids)}).all()
    assert len(rows) == len(ids), "each names a payment"
    errors = {row.id: _objection(session, row) for row in rows}
    wanted = {want for row in rows if errors[row.id] is None for want in _wanted(row)}
    accounts = chart.opened(session, wanted)
    plans: list[Plan] = []
    seen: set[int] = set()
    for row in rows:
        if (error := errors[row.id]) is not None:
            plans.append(Plan.refused(row.id, error, _refused(row, error)))
            continue
        merchant, payer = (accounts[want] for want in _wanted(row))
        draft = Draft(
            key=row.key,
            reason=Reason.PAYMENT_REFUND,
            legs={merchant: -row.amount, payer: row.amount},
            reference=row.reference,
        )
        assert row.payment_id not in seen, "two refunds of one payment are not of one run"
        seen.add(row.payment_id)
        plans.append(Plan(row.id, [draft], partial(_settle, session, row, draft, now)))
    return plans


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when a refund cannot be executed."""
    row = session.execute(_SEEN, {"ids": [order]}).one()
    return Result(Outcome.refused(order, error), [_refused(row, error)])


def _objection(session: Session, row: Row[Any]) -> DomainError | None:
    if row.merchant_left is not None:
        return AccountClosed()
    if (error := limits.standing(row.tier, row.screening)) is not None:
        return error
    if row.payer_left is not None:
        return UnknownRecipient()
    try:
        limits.require_recipient(session, account=row.payer_account, sender=row.merchant)
    except limits.RecipientSuspended as error:
        return error
    try:
        found = payment(session, merchant=row.merchant, reference=row.payment)
    except NoSuchPayment as error:
        return error
    return _too_much(found, Money(row.amount, Currency[row.currency]))


def _too_much(found: Payment, amount: Money) -> DomainError | None:
    if found.is_reversed:
        return PaymentReversed()
    if amount.currency is not found.amount.currency or not 0 < amount.minor <= found.left.minor:
        return RefundTooLarge(left=found.left)
    return None


def _settle(
    session: Session, row: Row[Any], draft: Draft, now: datetime, postings: Sequence[Posting]
) -> Result:
    [posting] = postings
    currency = Currency[row.currency]
    if not posting.is_posted:
        assert posting.outcome == InsufficientFunds.code, posting.outcome
        error = InsufficientFunds(
            available=Money(posting.detail["available"], currency),
            requested=Money(row.amount, currency),
        )
        return Result(Outcome.refused(row.id, error), [_refused(row, error)])
    session.execute(
        insert(Refund).values(
            order_id=row.id, payment_id=row.payment_id, amount=row.amount, refunded_at=now
        )
    )
    done = Outcome(row.id, State.DONE, dict(posting.detail))
    return Result(done, _receipts(row, draft, posting, now=now))


def _wanted(row: Row[Any]) -> list[Wanted]:
    """Where the money comes from, and where it goes."""
    currency = Currency[row.currency]
    return [(chart.MAIN, currency, row.merchant), (chart.MAIN, currency, row.payer)]


def _receipts(row: Row[Any], draft: Draft, posting: Posting, *, now: datetime) -> list[Fact]:
    merchant, payer = draft.legs
    common = _about(row) | {"at": now.isoformat()}
    sent = common | {
        "name": row.payer_name,
        "msisdn": row.payer_msisdn,
        "balance": posting.balance_after(merchant),
    }
    received = common | {
        "name": row.merchant_name,
        "msisdn": row.merchant_msisdn,
        "balance": posting.balance_after(payer),
    }
    return [
        Fact(Event.REFUND_SENT, row.merchant_msisdn, row.merchant_language, sent),
        Fact(Event.REFUND_RECEIVED, row.payer_msisdn, row.payer_language, received),
    ]


def _refused(row: Row[Any], error: DomainError) -> Fact:
    facts = _about(row) | {"refusal": Outcome.refused(row.id, error).facts}
    return Fact(Event.REFUND_REFUSED, row.merchant_msisdn, row.merchant_language, facts)


def _about(row: Row[Any]) -> dict[str, object]:
    return {
        "reference": row.reference,
        "payment": row.payment,
        "amount": row.amount,
        "currency": row.currency,
    }


def _payment(row: Row[Any]) -> Payment:
    currency = Currency[row.currency]
    return Payment(
        id=row.id,
        reference=row.reference,
        amount=Money(row.amount, currency),
        refunded=Money(int(row.refunded), currency),
        is_reversed=row.is_reversed,
    )
