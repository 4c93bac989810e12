"""
What a door does, and what the ledger makes of it: price a withdrawal, order it, set it aside.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Row, insert, text
from sqlalchemy.orm import Session

from core import chart, limits, orders, rails
from core.chart import Wanted
from core.errors import DomainError
from core.fees import FeeChanged
from core.ledger import Draft, InsufficientFunds, Posting, Reason
from core.money import Currency, Money
from core.orders import Kind, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.rails import Provider
from core.subscribers import AccountClosed, Person
from core.withdrawals.rows import Withdrawal

# 26 characters of Crockford's base 32, as a ULID has; with "p_", 28 of the 32 that M-Pesa takes.
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LETTERS_COUNT: Final = 26


@dataclass(frozen=True, slots=True)
class Quote:
    """
    What a withdrawal would cost, shown before it is ordered.

    Args:
        amount: What arrives.
        fee: Ours.
        tariff: The provider's, which we pass on.
    """

    amount: Money
    fee: Money
    tariff: Money

    @property
    def total(self) -> Money:
        """What leaves the account."""
        return self.amount + self.fee + self.tariff


_QUOTED: Final = text("""
    SELECT fee('withdrawal', :currency, :amount, :now) AS fee,
           fee(:payout, :currency, :amount, :now) AS tariff,
           limit_refusal('withdrawal', :account, equivalent(:amount, :currency, 'KES', :now), :now)
               AS refusal,
           (SELECT balance FROM accounts WHERE path = :path) AS balance
""")


def quote(
    session: Session,
    *,
    person: Person,
    amount: Money,
    now: datetime,
    provider: Provider = Provider.MPESA,
) -> Quote:
    """
    Price a withdrawal, and say early what the ledger would refuse.

    Advice: `post` decides, under the account's lock, when the order is executed.

    Raises:
        NotWholeShillings: M-Pesa cannot move it.
        AccountSuspended, NotScreened: Their money may not move.
        AmountTooSmall, AmountTooLarge: It is not within what is paid out at once.
        DailyLimitReached, MonthlyLimitReached, TooManyTransfers: A limit would be passed.
        AmountCooling, DayCooling: The account cools off.
        InsufficientFunds: They hold less than the total.
    """
    if provider is Provider.MPESA:
        rails.require_whole(amount)
    given = {
        "currency": amount.currency.value,
        "amount": amount.minor,
        "account": person.account_id,
        "path": chart.MAIN.named(amount.currency, owner=person.id),
        "payout": f"{provider}-payout",
        "now": now,
    }
    found = session.execute(_QUOTED, given).one()
    if found.refusal is not None:
        raise limits.refusal(found.refusal["code"], found.refusal)
    quoted = Quote(
        amount,
        Money(int(found.fee or 0), amount.currency),
        Money(int(found.tariff or 0), amount.currency),
    )
    available = Money(found.balance or 0, amount.currency)
    if available < quoted.total:
        raise InsufficientFunds(available=available, requested=quoted.total)
    return quoted


def order(
    session: Session,
    *,
    person: Person,
    payee: str,
    quoted: Quote,
    key: str,
    now: datetime,
    provider: Provider = Provider.MPESA,
    purpose: str = "own",
) -> Placed:
    """
    Order what was quoted. Nothing has moved until a ledger worker executes it.

    Args:
        session: The hop's transaction.
        person: Whose money it is.
        payee: Whose phone it goes to, in E.164; of other rails, as `core.payees` writes it.
        quoted: The amount, and what was shown that it costs.
        key: What makes a repeat harmless.
        now: When it is ordered.
        provider: Over whose rail.
        purpose: `own`, or `settlement` of what a shop has taken.

    Raises:
        InvalidMsisdn: The payee's is no number of M-Pesa's.
        KeyReused: The key was used before for something else.
    """
    if provider is Provider.MPESA:
        rails.require_mobile(payee)
    return orders.place(
        session,
        kind=Kind.WITHDRAWAL,
        subscriber=person.id,
        args={
            "provider": provider.value,
            "purpose": purpose,
            "payee": payee,
            "amount": quoted.amount.minor,
            "fee": quoted.fee.minor,
            "tariff": quoted.tariff.minor,
            "currency": quoted.amount.currency.value,
        },
        key=key,
        now=now,
    )


_CLAIMED: Final = text("""
    SELECT o.*, coalesce(fee('withdrawal', o.currency, o.amount, o.placed_at), 0) AS fee_due,
           coalesce(fee(o.provider || '-payout', o.currency, o.amount, o.placed_at), 0)
               AS tariff_due,
           equivalent(o.amount, o.currency, 'KES', o.placed_at) AS spend,
           s.id AS owner, s.msisdn, s.language, s.account_id, s.closed_at
    FROM (
        SELECT id, key, reference, subscriber_id, placed_at, args ->> 'provider' AS provider,
               args ->> 'purpose' AS purpose, args ->> 'payee' AS payee,
               CAST(args ->> 'amount' AS bigint) AS amount, CAST(args ->> 'fee' AS bigint) AS fee,
               CAST(args ->> 'tariff' AS bigint) AS tariff, args ->> 'currency' AS currency
        FROM orders WHERE id = ANY (:ids)
    ) o
    JOIN subscribers s ON s.id = o.subscriber_id
    ORDER BY o.id
""")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """What placed withdrawals come to: money set aside, or a refusal before the book is opened."""
    rows = session.execute(_CLAIMED, {"ids": list(ids)}).all()
    objections = {row.id: _objection(row) for row in rows}
    wanted = {
        place for row in rows if objections[row.id] is None for place in (_held(row), _main(row))
    }
    accounts = chart.opened(session, wanted)
    plans = []
    for row in rows:
        if (error := objections[row.id]) is not None:
            plans.append(Plan.refused(row.id, error, _refused(row, error)))
        else:
            settle = partial(_settle, session, row, now=now)
            plans.append(Plan(row.id, [_draft(row, accounts)], settle))
    return plans


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when an order cannot be executed."""
    row = session.execute(_CLAIMED, {"ids": [order]}).one()
    return Result(Outcome.refused(order, error), [_refused(row, error)])


def _objection(row: Row[Any]) -> DomainError | None:
    if row.closed_at is not None:
        return AccountClosed()
    due = row.fee_due + row.tariff_due
    if (row.fee, row.tariff) != (row.fee_due, row.tariff_due):
        return FeeChanged(fee=Money(due, Currency[row.currency]))
    if row.provider != Provider.MPESA:
        return None
    try:
        rails.require_whole(Money(row.amount, Currency[row.currency]))
        rails.require_mobile(row.payee)
    except DomainError as error:
        return error
    return None


def _held(row: Row[Any]) -> Wanted:
    return chart.HELD, Currency[row.currency], row.owner


def _main(row: Row[Any]) -> Wanted:
    return chart.MAIN, Currency[row.currency], row.owner


def _draft(row: Row[Any], accounts: Mapping[Wanted, int]) -> Draft:
    total = row.amount + row.fee + row.tariff
    return Draft(
        key=row.key,
        reason=Reason.WITHDRAWAL,
        legs={accounts[_main(row)]: -total, accounts[_held(row)]: total},
        reference=row.reference,
        spender=(row.account_id, row.spend),
    )


def _settle(
    session: Session, row: Row[Any], postings: Sequence[Posting], *, now: datetime
) -> Result:
    [posting] = postings
    if not posting.is_posted:
        error = _refusal(row, posting)
        return Result(Outcome.refused(row.id, error), [_refused(row, error)])
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LETTERS_COUNT))
    session.execute(
        insert(Withdrawal).values(
            order_id=row.id,
            reference=row.reference,
            provider=row.provider,
            purpose=row.purpose,
            subscriber_id=row.owner,
            payee=row.payee,
            currency=row.currency,
            amount=row.amount,
            fee=row.fee,
            tariff=row.tariff,
            held=row.amount + row.fee + row.tariff,
            conversation=f"p_{letters}",
            requested_at=now,
            due_at=now,
        )
    )
    return Result(Outcome(row.id, State.DONE, dict(posting.detail)), [])


def _refusal(row: Row[Any], posting: Posting) -> DomainError:
    if posting.outcome == InsufficientFunds.code:
        currency = Currency[row.currency]
        available = Money(posting.detail["available"], currency)
        requested = Money(row.amount + row.fee + row.tariff, currency)
        return InsufficientFunds(available=available, requested=requested)
    return limits.refusal(posting.outcome, posting.detail)


def _refused(row: Row[Any], error: DomainError) -> Fact:
    facts = {
        "reference": row.reference,
        "amount": row.amount,
        "currency": row.currency,
        "msisdn": row.payee,
        "refusal": Outcome.refused(row.id, error).facts,
    }
    return Fact(Event.WITHDRAWAL_REFUSED, row.msisdn, row.language, facts)
