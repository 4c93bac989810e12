"""
Orders about holds: somebody sets money aside for a merchant, who takes it, or gives it back.

Who owns the money consents once, with their PIN, to an amount, a merchant and a time. What is not
taken by then comes back by itself. The merchant bears the fee of what they take, as of a payment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from core import chart, holds, orders
from core.errors import DomainError
from core.fees import FeeChanged
from core.holds import HoldState, HoldTooSmall, UnknownHold
from core.ledger import Account, Posting
from core.money import Currency, Money
from core.orders import Kind, Outcome, Placed, State
from core.outbox import Event, Fact
from core.plans import Plan, Result
from core.subscribers import AccountClosed, Person
from core.transfers import SameAccount, UnknownTill

DAYS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """A hold as either side sees it. `owner` and `merchant` are subscribers, by id."""

    id: int
    reference: str
    owner: int
    merchant: int
    owner_name: str
    owner_msisdn: str
    merchant_name: str
    merchant_msisdn: str
    amount: Money
    captured: Money
    state: HoldState
    placed_at: datetime
    expires_at: datetime


def order(
    session: Session,
    *,
    owner: Person,
    merchant: Person,
    amount: Money,
    days: int,
    key: str,
    now: datetime,
) -> Placed:
    """
    Order money to be set aside for a merchant. Nothing has moved until a ledger worker does it.

    Args:
        session: The caller's transaction.
        owner: Whose money it is.
        merchant: Who may take it.
        amount: How much.
        days: For how many days.
        key: What makes a repeat harmless.
        now: When it is ordered.

    Raises:
        SameAccount: It is their own shop.
        KeyReused: The key was used before for something else.
    """
    if owner.id == merchant.id:
        raise SameAccount
    args = {
        "merchant": merchant.id,
        "amount": amount.minor,
        "currency": amount.currency.value,
        "days": days,
    }
    return orders.place(session, kind=Kind.HOLD, subscriber=owner.id, args=args, key=key, now=now)


_FEE = text("""
    SELECT fee('payment', :currency, :amount, :at) AS fee,
           excise(fee('payment', :currency, :amount, :at), :at) AS duty
""")


def _priced(amount: Money, at: datetime) -> dict[str, object]:
    return {"currency": amount.currency.value, "amount": amount.minor, "at": at}


def take(
    session: Session,
    *,
    merchant: int,
    reference: str,
    amount: Money | None,
    key: str,
    now: datetime,
) -> Placed:
    """
    Order what was set aside for a merchant to go to them, in whole or in part. The rest comes back.

    The fee of today is ordered with it, and no other will be charged.

    Raises:
        UnknownHold: Nothing was set aside for them under that reference.
        HoldTooSmall: Less was, or of another currency, or no more than the fee is to be taken.
        KeyReused: The key was used before for something else.
    """
    found = _for(session, merchant, reference)
    if amount is not None and (
        amount.currency is not found.amount.currency or found.amount < amount
    ):
        raise HoldTooSmall(held=found.amount)
    taken = found.amount if amount is None else amount
    due = session.execute(_FEE, _priced(taken, now)).one()
    if taken.minor <= due.fee:
        raise HoldTooSmall(held=found.amount)
    args = {"hold": found.id, "amount": taken.minor, "fee": int(due.fee)}
    return orders.place(
        session, kind=Kind.CAPTURE, subscriber=merchant, args=args, key=key, now=now
    )


def give_back(
    session: Session, *, merchant: int, reference: str, key: str, now: datetime
) -> Placed:
    """
    Order what was set aside for a merchant to come back to its owner.

    Raises:
        UnknownHold: Nothing was set aside for them under that reference.
        KeyReused: The key was used before for something else.
    """
    args = {"hold": _for(session, merchant, reference).id}
    return orders.place(
        session, kind=Kind.RELEASE, subscriber=merchant, args=args, key=key, now=now
    )


_SHOWN = """
    SELECT h.id, h.reference, h.owner_id, h.beneficiary_id, o.name AS owner_name,
           o.msisdn AS owner_msisdn, m.name AS merchant_name, m.msisdn AS merchant_msisdn,
           h.amount, h.captured, h.currency, h.state, h.placed_at, h.expires_at
    FROM holds h
    JOIN subscribers o ON o.id = h.owner_id
    JOIN subscribers m ON m.id = h.beneficiary_id
"""
_NEWEST = text(f"""{_SHOWN}
    WHERE :subscriber IN (h.owner_id, h.beneficiary_id)
      AND h.id < coalesce(CAST(:before AS bigint), h.id + 1)
      AND h.state = coalesce(CAST(:state AS text), h.state)
    ORDER BY h.id DESC LIMIT :most
""")
_NAMED = text(
    f"{_SHOWN} WHERE h.reference = :reference AND :subscriber IN (h.owner_id, h.beneficiary_id)"
)


def listed(
    session: Session,
    *,
    subscriber: int,
    state: HoldState | None = None,
    before: int | None = None,
    count: int = 50,
) -> list[Shown]:
    """Holds of somebody's money, or for their shop, newest first; `before` is where to go on."""
    given = {"subscriber": subscriber, "state": state, "before": before, "most": count}
    return [_shown(row) for row in session.execute(_NEWEST, given)]


def of_reference(session: Session, *, subscriber: int, reference: str) -> Shown:
    """
    A hold of somebody's money, or for their shop.

    Raises:
        UnknownHold: They have none with that reference.
    """
    given = {"subscriber": subscriber, "reference": reference}
    row = session.execute(_NAMED, given).one_or_none()
    if row is None:
        raise UnknownHold
    return _shown(row)


def _for(session: Session, merchant: int, reference: str) -> Shown:
    found = of_reference(session, subscriber=merchant, reference=reference)
    if found.merchant != merchant:
        raise UnknownHold
    return found


def _shown(row: Row[Any]) -> Shown:
    currency = Currency[row.currency]
    return Shown(
        id=row.id,
        reference=row.reference,
        owner=row.owner_id,
        merchant=row.beneficiary_id,
        owner_name=row.owner_name,
        owner_msisdn=row.owner_msisdn,
        merchant_name=row.merchant_name,
        merchant_msisdn=row.merchant_msisdn,
        amount=Money(row.amount, currency),
        captured=Money(row.captured, currency),
        state=HoldState(row.state),
        placed_at=row.placed_at,
        expires_at=row.expires_at,
    )


_CLAIMED = text("""
    SELECT o.id, o.key, o.kind, o.reference, o.args, o.placed_at,
           equivalent(CAST(o.args ->> 'amount' AS bigint), o.args ->> 'currency', 'KES',
               o.placed_at) AS spend,
           s.id AS subscriber, s.name, s.msisdn, s.language, s.account_id, s.closed_at,
           m.id AS merchant, m.name AS merchant_name, m.msisdn AS merchant_msisdn,
           m.language AS merchant_language, m.kind AS merchant_kind, m.closed_at AS merchant_left,
           h.id AS hold, h.beneficiary_id AS beneficiary, h.amount AS held,
           h.currency AS held_currency, w.name AS owner_name,
           w.msisdn AS owner_msisdn, w.language AS owner_language
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    LEFT JOIN subscribers m ON m.id = CAST(o.args ->> 'merchant' AS bigint)
    LEFT JOIN holds h ON h.id = CAST(o.args ->> 'hold' AS bigint)
    LEFT JOIN subscribers w ON w.id = h.owner_id
    WHERE o.id = ANY (:ids)
    ORDER BY o.id
""")


def plan(session: Session, *, ids: Sequence[int], now: datetime) -> list[Plan]:
    """What placed orders about holds come to: each resolves its hold by itself, one by one."""
    rows = session.execute(_CLAIMED, {"ids": list(ids)}).all()
    return [Plan(row.id, [], partial(_settle, session, row, now)) for row in rows]


def refuse(session: Session, *, order: int, error: DomainError) -> Result:
    """What is recorded and told when such an order cannot be executed."""
    row = session.execute(_CLAIMED, {"ids": [order]}).one()
    return _refused(row, error)


def _settle(session: Session, row: Row[Any], now: datetime, _postings: Sequence[Posting]) -> Result:
    act: Callable[[Session, Row[Any], datetime], list[Fact]] = {
        Kind.HOLD: _hold,
        Kind.CAPTURE: _capture,
        Kind.RELEASE: _release,
    }[Kind(row.kind)]
    try:
        with session.begin_nested():
            facts = act(session, row, now)
    except DomainError as error:
        return _refused(row, error)
    return Result(Outcome(row.id, State.DONE, {}), facts)


def _hold(session: Session, row: Row[Any], now: datetime) -> list[Fact]:
    if row.closed_at is not None:
        raise AccountClosed
    if row.merchant is None or row.merchant_left is not None or row.merchant_kind != "merchant":
        raise UnknownTill
    amount = Money(row.args["amount"], Currency[row.args["currency"]])
    until = row.placed_at + timedelta(days=row.args["days"])
    holds.place(
        session,
        owner=row.subscriber,
        amount=amount,
        key=row.key,
        expires_at=until,
        now=now,
        beneficiary=row.merchant,
        reference=row.reference,
        spender=(row.account_id, row.spend),
    )
    common = _common(row, amount, now) | {"until": until.isoformat()}
    mine = common | {
        "name": row.merchant_name,
        "balance": _balance(session, row.subscriber, amount.currency),
    }
    theirs = common | {"name": row.name}
    return [
        Fact(Event.HOLD_PLACED, row.msisdn, row.language, mine),
        Fact(Event.HOLD_OFFERED, row.merchant_msisdn, row.merchant_language, theirs),
    ]


def _require_theirs(row: Row[Any]) -> None:
    """
    See that a hold is for whom it is resolved by. A door's word is not enough: doors are outside.

    Raises:
        UnknownHold: It is for somebody else, or there is none.
    """
    if row.beneficiary != row.subscriber:
        raise UnknownHold


def _capture(session: Session, row: Row[Any], now: datetime) -> list[Fact]:
    if row.closed_at is not None:
        raise AccountClosed
    _require_theirs(row)
    amount = Money(row.args["amount"], Currency[row.held_currency])
    currency = amount.currency
    due = session.execute(_FEE, _priced(amount, row.placed_at)).one()
    # Orders of before fees were ordered with them have none.
    if row.args.get("fee", due.fee) != due.fee:
        raise FeeChanged(fee=Money(int(due.fee), currency))
    fees: dict[int, int] = {}
    if due.fee > due.duty:
        fees[chart.PAYMENT_FEES.open(session, currency=currency)] = int(due.fee - due.duty)
    if due.duty:
        fees[chart.EXCISE.open(session, currency=currency)] = int(due.duty)
    mine = chart.MAIN.open(session, currency=currency, owner=row.subscriber)
    holds.capture(
        session,
        hold=row.hold,
        to=mine,
        now=now,
        amount=amount,
        fees=fees,
        reference=row.reference,
    )
    common = _common(row, amount, now) | {"left": row.held - amount.minor}
    taken = common | {
        "name": row.owner_name,
        "fee": int(due.fee),
        "balance": _balance(session, row.subscriber, currency),
    }
    gone = common | {"name": row.name}
    return [
        Fact(Event.HOLD_TAKEN, row.msisdn, row.language, taken),
        Fact(Event.HOLD_CAPTURED, row.owner_msisdn, row.owner_language, gone),
    ]


def _release(session: Session, row: Row[Any], now: datetime) -> list[Fact]:
    _require_theirs(row)
    holds.release(session, hold=row.hold, now=now, reference=row.reference)
    amount = Money(row.held, Currency[row.held_currency])
    facts = _common(row, amount, now) | {"name": row.name}
    return [Fact(Event.HOLD_RELEASED, row.owner_msisdn, row.owner_language, facts)]


def _common(row: Row[Any], amount: Money, now: datetime) -> dict[str, object]:
    return {
        "reference": row.reference,
        "amount": amount.minor,
        "currency": amount.currency.value,
        "at": now.isoformat(),
    }


def _balance(session: Session, subscriber: int, currency: Currency) -> int:
    path = chart.MAIN.named(currency, owner=subscriber)
    return int(session.scalars(select(Account.balance).where(Account.path == path)).one())


def _refused(row: Row[Any], error: DomainError) -> Result:
    outcome = Outcome.refused(row.id, error)
    facts = {"reference": row.reference, "refusal": outcome.facts}
    return Result(outcome, [Fact(Event.HOLD_REFUSED, row.msisdn, row.language, facts)])
