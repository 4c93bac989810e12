"""
Transfers between two subscribers, and payments to merchants: quoted, ordered, planned.

They differ in who bears the fee: of a transfer the sender, of a payment the merchant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from core import chart, limits, orders
from core.chart import Place, Wanted
from core.errors import DomainError, NotFound, Refused
from core.fees import FeeChanged
from core.ledger import Draft, InsufficientFunds, Posting, Reason
from core.money import Currency, Money
from core.orders import Kind, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.subscribers import AccountClosed, Person, Subscriber, UnknownRecipient


@dataclass(eq=False)
class SameAccount(Refused):
    """The sender and the recipient are the same person."""


@dataclass(eq=False)
class UnknownTill(NotFound):
    """No shop has that till number."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a movement would cost, shown before it is ordered. `fee` is borne by who is charged."""

    amount: Money
    fee: Money
    kind: Kind = Kind.TRANSFER

    @property
    def total(self) -> Money:
        """What leaves the payer's account."""
        return self.amount + self.fee if self.kind is Kind.TRANSFER else self.amount


@dataclass(frozen=True, slots=True)
class _Manner:
    """How one kind is booked and told."""

    reason: Reason
    income: Place
    sent: Event
    received: Event
    refused: Event


_MANNERS: Final[Mapping[str, _Manner]] = {
    Kind.TRANSFER: _Manner(
        Reason.TRANSFER,
        chart.TRANSFER_FEES,
        Event.TRANSFER_SENT,
        Event.TRANSFER_RECEIVED,
        Event.TRANSFER_REFUSED,
    ),
    Kind.PAYMENT: _Manner(
        Reason.PAYMENT,
        chart.PAYMENT_FEES,
        Event.PAYMENT_SENT,
        Event.PAYMENT_RECEIVED,
        Event.PAYMENT_REFUSED,
    ),
}

# One look at everything: what it costs, what there is, and what the ledger would say.
_QUOTED = text("""
    SELECT fee(:kind, :currency, :amount, :now) AS fee,
           limit_refusal(:kind, :account, equivalent(:amount, :currency, 'KES', :now), :now)
               AS refusal,
           (SELECT balance FROM accounts WHERE path = :path) AS balance
""")


def quote(
    session: Session,
    *,
    sender: Person,
    amount: Money,
    now: datetime,
    kind: Kind = Kind.TRANSFER,
) -> Quote:
    """
    Price a transfer or a payment, and say early what the ledger would refuse.

    Advice: `post` decides, under the account's lock, when the order is executed.

    Raises:
        AccountSuspended: The sender may not send at all.
        AmountTooSmall: Less than may be sent.
        AmountTooLarge: More than may be sent at once.
        DailyLimitReached, MonthlyLimitReached: The limit would be passed.
        TooManyTransfers: The hour's number is used up.
        InsufficientFunds: The sender holds less than the total.
    """
    found = session.execute(
        _QUOTED,
        {
            "kind": kind.value,
            "currency": amount.currency.value,
            "amount": amount.minor,
            "account": sender.account_id,
            "path": chart.MAIN.named(amount.currency, owner=sender.id),
            "now": now,
        },
    ).one()
    if found.refusal is not None:
        raise limits.refusal(found.refusal["code"], found.refusal)
    quoted = Quote(amount, Money(int(found.fee), amount.currency), kind)
    available = Money(found.balance or 0, amount.currency)
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
    link: str = "",
    memo: str = "",
) -> Placed:
    """
    Order what was quoted. Nothing has moved until a ledger worker executes it.

    Args:
        session: The hop's transaction.
        sender: Who pays.
        recipient: The subscriber who was shown by name, by id: the number may change hands.
        quoted: The amount, and the fee that was shown.
        key: What makes a repeat harmless.
        now: When it is ordered.
        link: By which payment link, if by one.
        memo: What for, if anybody said.

    Raises:
        KeyReused: The key was used before for something else.
    """
    said = {"link": link, "memo": memo}
    return orders.place(
        session,
        kind=quoted.kind,
        subscriber=sender.id,
        args={
            "recipient": recipient,
            "amount": quoted.amount.minor,
            "fee": quoted.fee.minor,
            "currency": quoted.amount.currency.value,
            **{name: value for name, value in said.items() if value},
        },
        key=key,
        now=now,
    )


# Accounts in shillings are the subscribers' own columns; those of other currencies are looked up.
_CLAIMED = text("""
    SELECT o.*, fee(o.kind, o.currency, o.amount, o.placed_at) AS fee_due,
           excise(o.fee, o.placed_at) AS duty,
           equivalent(o.amount, o.currency, 'KES', o.placed_at) AS spend,
           s.id AS sender, s.name AS sender_name, s.msisdn AS sender_msisdn,
           s.language AS sender_language, s.account_id AS sender_account,
           s.closed_at AS sender_left, r.closed_at AS recipient_left,
           r.id AS recipient, r.name AS recipient_name, r.msisdn AS recipient_msisdn,
           r.language AS recipient_language, r.account_id AS recipient_account,
           r.kind AS recipient_kind
    FROM (
        SELECT id, key, kind, reference, subscriber_id, placed_at,
               CAST(args ->> 'recipient' AS bigint) AS recipient_id,
               CAST(args ->> 'amount' AS bigint) AS amount,
               CAST(args ->> 'fee' AS bigint) AS fee, args ->> 'currency' AS currency,
               args ->> 'link' AS link, args ->> 'memo' AS memo
        FROM orders WHERE id = ANY (:ids)
    ) o
    JOIN subscribers s ON s.id = o.subscriber_id
    LEFT JOIN subscribers r ON r.id = o.recipient_id
    ORDER BY o.id
""")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """What placed orders come to: a journal, or a refusal before the book is opened."""
    rows = session.execute(_CLAIMED, {"ids": list(ids)}).all()
    objections = {row.id: _objection(row) for row in rows}
    wanted = {want for row in rows if objections[row.id] is None for want in _wanted(row)}
    accounts = chart.opened(session, wanted)
    plans = []
    for row in rows:
        if (error := objections[row.id]) is not None:
            plans.append(Plan.refused(row.id, error, _refused(row, error)))
        else:
            settle = partial(_settle, session, row, accounts=accounts, now=now)
            plans.append(Plan(row.id, [_draft(row, accounts)], settle))
    return plans


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when an order cannot be executed."""
    row = session.execute(_CLAIMED, {"ids": [order]}).one()
    return Result(Outcome.refused(order, error), [_refused(row, error)])


def _wanted(row: Row[Any]) -> list[Wanted]:
    """The accounts an order touches beside those that are known already."""
    currency = Currency[row.currency]
    wanted: list[Wanted] = []
    if currency is not Currency.KES:
        wanted += [(chart.MAIN, currency, row.sender), (chart.MAIN, currency, row.recipient)]
    if row.fee:
        wanted += [(_MANNERS[row.kind].income, currency, None), (chart.EXCISE, currency, None)]
    return wanted


def _parties(row: Row[Any], accounts: Mapping[Wanted, int]) -> tuple[int, int]:
    """The accounts of who pays and who is paid."""
    currency = Currency[row.currency]
    if currency is Currency.KES:
        return row.sender_account, row.recipient_account
    return (
        accounts[chart.MAIN, currency, row.sender],
        accounts[chart.MAIN, currency, row.recipient],
    )


def _settle(
    session: Session,
    row: Row[Any],
    postings: Sequence[Posting],
    *,
    accounts: Mapping[Wanted, int],
    now: datetime,
) -> Result:
    [posting] = postings
    if posting.is_posted:
        done = Outcome(row.id, State.DONE, dict(posting.detail))
        return Result(done, _receipts(row, posting, accounts, now=now))
    error = _refusal(session, row, posting)
    return Result(Outcome.refused(row.id, error), [_refused(row, error)])


def _objection(row: Row[Any]) -> DomainError | None:
    """What is wrong with an order before the book is even opened."""
    if row.sender_left is not None:
        return AccountClosed()
    if row.recipient is None or row.recipient_left is not None:
        return _unknown(row)
    if row.recipient == row.sender:
        return SameAccount()
    if row.kind == Kind.PAYMENT and row.recipient_kind != "merchant":
        return UnknownTill()
    if row.fee != row.fee_due:
        return FeeChanged(fee=Money(row.fee_due, Currency[row.currency]))
    return None


def _unknown(row: Row[Any]) -> DomainError:
    return UnknownTill() if row.kind == Kind.PAYMENT else UnknownRecipient()


def _draft(row: Row[Any], accounts: Mapping[Wanted, int]) -> Draft:
    payer, paid = _parties(row, accounts)
    currency, manner = Currency[row.currency], _MANNERS[row.kind]
    by_payer = row.fee if row.kind == Kind.TRANSFER else 0
    legs = {payer: -(row.amount + by_payer), paid: row.amount - (row.fee - by_payer)}
    if row.fee > row.duty:
        legs[accounts[manner.income, currency, None]] = row.fee - row.duty
    if row.duty:
        legs[accounts[chart.EXCISE, currency, None]] = row.duty
    return Draft(
        key=row.key,
        reason=manner.reason,
        legs=legs,
        reference=row.reference,
        spender=(row.sender_account, row.spend),
    )


def _refusal(session: Session, row: Row[Any], posting: Posting) -> DomainError:
    if posting.outcome == InsufficientFunds.code:
        # To the book it is one thing whether a bound is the payer's or of somebody just leaving.
        left_at = select(Subscriber.closed_at).where(Subscriber.id == row.recipient)
        if session.scalar(left_at) is not None:
            return _unknown(row)
        currency = Currency[row.currency]
        total = row.amount + (row.fee if row.kind == Kind.TRANSFER else 0)
        available = Money(posting.detail["available"], currency)
        return InsufficientFunds(available=available, requested=Money(total, currency))
    return limits.refusal(posting.outcome, posting.detail)


def _receipts(
    row: Row[Any], posting: Posting, accounts: Mapping[Wanted, int], *, now: datetime
) -> list[Fact]:
    payer, paid = _parties(row, accounts)
    manner, is_transfer = _MANNERS[row.kind], row.kind == Kind.TRANSFER
    common = _about(row) | {"at": now.isoformat()}
    sent = common | {
        "name": row.recipient_name,
        "msisdn": row.recipient_msisdn,
        "fee": row.fee if is_transfer else 0,
        "balance": posting.balance_after(payer),
    }
    received = common | {
        "name": row.sender_name,
        "msisdn": row.sender_msisdn,
        "fee": 0 if is_transfer else row.fee,
        "balance": posting.balance_after(paid),
    }
    return [
        Fact(manner.sent, row.sender_msisdn, row.sender_language, sent),
        Fact(manner.received, row.recipient_msisdn, row.recipient_language, received),
    ]


def _refused(row: Row[Any], error: DomainError) -> Fact:
    kept = Outcome.refused(row.id, error).facts
    facts = _about(row) | {"refusal": kept}
    return Fact(_MANNERS[row.kind].refused, row.sender_msisdn, row.sender_language, facts)


def _about(row: Row[Any]) -> dict[str, object]:
    about = {"reference": row.reference, "amount": row.amount, "currency": row.currency}
    said = {"link": row.link, "memo": row.memo}
    return about | {name: value for name, value in said.items() if value}
