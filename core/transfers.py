"""
Transfers between two subscribers: quoted by a door, ordered, planned for the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from core import chart, ledger, limits, orders
from core.errors import DomainError, Refused
from core.fees import FeeChanged
from core.ledger import Draft, InsufficientFunds, Posting, Reason
from core.money import Currency, Money, kes
from core.orders import Kind, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.subscribers import Person, UnknownRecipient


@dataclass(eq=False)
class SameAccount(Refused):
    """The sender and the recipient are the same person."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a transfer would cost, shown before it is ordered."""

    amount: Money
    fee: Money

    @property
    def total(self) -> Money:
        return self.amount + self.fee


# One look at everything: what it costs, what there is, and what the ledger would say.
_QUOTED = text("""
    SELECT balance, fee('transfer', currency, :amount, :now) AS fee,
           limit_refusal('transfer', id, :amount, :now) AS refusal
    FROM accounts WHERE id = :account
""")


def quote(session: Session, *, sender: Person, amount: Money, now: datetime) -> Quote:
    """
    Price a transfer, and say early what the ledger would refuse.

    Advice: `post` decides, under the account's lock, when the order is executed.

    Raises:
        AmountTooSmall: Less than may be sent.
        AmountTooLarge: More than may be sent at once.
        DailyLimitReached: The day's limit would be passed.
        TooManyTransfers: The hour's number is used up.
        InsufficientFunds: The sender holds less than the amount and the fee.
    """
    found = session.execute(
        _QUOTED, {"account": sender.account_id, "amount": amount.minor, "now": now}
    ).one()
    if found.refusal is not None:
        raise limits.refusal(found.refusal["code"], found.refusal)
    quoted = Quote(amount, Money(int(found.fee), amount.currency))
    available = Money(found.balance, amount.currency)
    if available < quoted.total:
        raise InsufficientFunds(available=available, requested=quoted.total)
    return quoted


def order(
    session: Session,
    *,
    sender: Person,
    recipient: int,
    quoted: Quote,
    key: str,
    now: datetime,
) -> Placed:
    """
    Order a transfer as it was quoted. Nothing has moved until a ledger worker executes it.

    Args:
        session: The hop's transaction.
        sender: Who pays.
        recipient: The subscriber who was shown by name, by id: the number may change hands.
        quoted: The amount, and the fee the sender has seen.
        key: What makes a repeat harmless.
        now: When it is ordered.

    Raises:
        KeyReused: The key was used before for something else.
    """
    return orders.place(
        session,
        kind=Kind.TRANSFER,
        subscriber=sender.id,
        args={
            "recipient": recipient,
            "amount": quoted.amount.minor,
            "fee": quoted.fee.minor,
            "currency": quoted.amount.currency.value,
        },
        key=key,
        now=now,
    )


_CLAIMED = text("""
    SELECT o.id, o.key, o.reference,
           CAST(o.args ->> 'amount' AS bigint) AS amount,
           CAST(o.args ->> 'fee' AS bigint) AS fee,
           fee('transfer', o.args ->> 'currency', CAST(o.args ->> 'amount' AS bigint), o.placed_at)
               AS fee_due,
           s.name AS sender_name, s.msisdn AS sender_msisdn, s.language AS sender_language,
           s.account_id AS sender_account,
           r.name AS recipient_name, r.msisdn AS recipient_msisdn,
           r.language AS recipient_language, r.account_id AS recipient_account
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    LEFT JOIN subscribers r ON r.id = CAST(o.args ->> 'recipient' AS bigint)
    WHERE o.id = ANY (:ids)
    ORDER BY o.id
""")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """What placed transfers come to: a journal, or a refusal before the book is opened."""
    income = ledger.account_id(session, path=chart.TRANSFER_FEES.named(Currency.KES))
    plans = []
    for row in session.execute(_CLAIMED, {"ids": list(ids)}):
        if (error := _objection(row)) is not None:
            plans.append(Plan.refused(row.id, error, _refused(row, error)))
        else:
            settle = partial(_settle, row, now=now)
            plans.append(Plan(row.id, [_draft(row, income=income)], settle))
    return plans


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when a transfer cannot be executed."""
    row = session.execute(_CLAIMED, {"ids": [order]}).one()
    return Result(Outcome.refused(order, error), [_refused(row, error)])


def _settle(row: Row[Any], postings: Sequence[Posting], *, now: datetime) -> Result:
    [posting] = postings
    if posting.is_posted:
        done = Outcome(row.id, State.DONE, dict(posting.detail))
        return Result(done, _receipts(row, posting, now=now))
    error = _refusal(row, posting)
    return Result(Outcome.refused(row.id, error), [_refused(row, error)])


def _objection(row: Row[Any]) -> DomainError | None:
    """What is wrong with an order before the book is even opened."""
    if row.recipient_account is None:
        return UnknownRecipient()
    if row.recipient_account == row.sender_account:
        return SameAccount()
    if row.fee != row.fee_due:
        return FeeChanged(fee=kes(row.fee_due))
    return None


def _draft(row: Row[Any], *, income: int) -> Draft:
    legs = {row.sender_account: -(row.amount + row.fee), row.recipient_account: row.amount}
    if row.fee:
        legs[income] = row.fee
    return Draft(
        key=row.key,
        reason=Reason.TRANSFER,
        legs=legs,
        reference=row.reference,
        spender=(row.sender_account, row.amount),
    )


def _refusal(row: Row[Any], posting: Posting) -> DomainError:
    if posting.outcome == InsufficientFunds.code:
        return InsufficientFunds(
            available=kes(posting.detail["available"]), requested=kes(row.amount + row.fee)
        )
    return limits.refusal(posting.outcome, posting.detail)


def _receipts(row: Row[Any], posting: Posting, *, now: datetime) -> list[Fact]:
    common = {"reference": row.reference, "amount": row.amount, "at": now.isoformat()}
    sent = common | {
        "name": row.recipient_name,
        "msisdn": row.recipient_msisdn,
        "fee": row.fee,
        "balance": posting.balance_after(row.sender_account),
    }
    received = common | {
        "name": row.sender_name,
        "msisdn": row.sender_msisdn,
        "balance": posting.balance_after(row.recipient_account),
    }
    return [
        Fact(Event.TRANSFER_SENT, row.sender_msisdn, row.sender_language, sent),
        Fact(Event.TRANSFER_RECEIVED, row.recipient_msisdn, row.recipient_language, received),
    ]


def _refused(row: Row[Any], error: DomainError) -> Fact:
    kept = Outcome.refused(row.id, error).facts
    return Fact(
        Event.TRANSFER_REFUSED,
        row.sender_msisdn,
        row.sender_language,
        {"reference": row.reference, "amount": row.amount, "refusal": kept},
    )
