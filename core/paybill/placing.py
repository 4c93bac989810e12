"""
What becomes of a payment to our paybill: placed with whom it is for, or in suspense.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import arrivals, deposits, msisdn, orders, outbox, receipts, suspense
from core.errors import DomainError
from core.ledger import Posting
from core.money import Currency, Money
from core.msisdn import InvalidMsisdn
from core.outbox import Event, Fact
from core.paybill.rows import Payment, Refusal, State, UnknownPayment, has_come
from core.rails import Provider
from core.receipts import Source, Use
from core.subscribers import Subscriber
from core.suspense import Kind

_ACCOUNT_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a payment; `case` is what staff must look at, if anything."""

    id: int
    state: State
    is_new: bool
    case: int | None = None


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whom an account number means."""

    subscriber: int
    purpose: str


# One look: whom an account number means, and whether they may be given so much.
_OWNER: Final = text("""
    SELECT s.id, s.account_id, s.kind,
           ceiling_refusal(s.account_id, a.balance + :amount, :now, '{}', '{}') AS refusal
    FROM subscribers s JOIN accounts a ON a.id = s.account_id
    WHERE s.closed_at IS NULL AND (
        s.msisdn = :msisdn OR s.wallet_number = :digits
        OR s.id = (SELECT m.subscriber_id FROM merchants m WHERE m.till = :digits))
""")


def validate(session: Session, *, account: str, amount: Money, now: datetime) -> Refusal | None:
    """
    Say whether a payment that is announced is wanted. Nothing is kept, and nothing promised.

    Args:
        session: Any.
        account: The account number that the payer typed.
        amount: How much they are about to pay.
        now: When.
    """
    if amount.currency is not Currency.KES or amount.minor <= 0:
        return Refusal.WRONG_AMOUNT
    deposit = deposits.by_reference(session, reference=_tidy(account))
    if deposit is not None:
        if deposit.state not in deposits.MAY_COME:
            return Refusal.UNKNOWN_ACCOUNT
        return None if deposit.money == amount else Refusal.WRONG_AMOUNT
    found = _look_up(session, account, amount, now=now)
    if found is None:
        return Refusal.UNKNOWN_ACCOUNT
    return None if found.refusal is None else Refusal.NOT_RECEIVABLE


def receive(
    session: Session,
    *,
    receipt: str,
    account: str,
    amount: Money,
    payer: str,
    at: datetime,
    confirmed: bool,
    now: datetime,
    provider: Provider = Provider.MPESA,
) -> Received:
    """
    Take it that somebody has paid to our paybill. Safe to repeat.

    Args:
        session: A worker's, short.
        receipt: The provider's.
        account: The account number that the payer typed.
        amount: How much.
        payer: Who, as the provider tells it: masked, a digest, or nothing.
        at: When, by the provider's clock.
        confirmed: Whether it may be credited at once: it is little, or the provider was asked.
        now: When it was told.
        provider: Over whose rail.
    """
    known = locked(session, provider, receipt)
    if known is not None:
        return _again(session, known, account=account, amount=amount, now=now)
    deposit = deposits.by_reference(session, reference=_tidy(account))
    owner = None if deposit else _owner(session, account, amount, now=now)
    made = session.scalar(
        insert(Payment)
        .values(
            provider=provider.value,
            receipt=receipt,
            reference=orders.reference("D"),
            account=_kept(account),
            payer=_kept(payer),
            subscriber_id=owner and owner.subscriber,
            deposit_id=deposit and deposit.id,
            currency=amount.currency.value,
            amount=amount.minor,
            state=State.UNCONFIRMED.value,
            paid_at=at,
            received_at=now,
            next_ask_at=None if confirmed else now,
        )
        .on_conflict_do_nothing(constraint="uq_paybill_payments_receipt")
        .returning(Payment.id)
    )
    found = locked(session, provider, receipt)
    assert found is not None, "it is there by now"
    if made is None:
        return _again(session, found, account=account, amount=amount, now=now)
    if found.deposit_id is not None:
        return _of_deposit(session, found, confirmed=confirmed, now=now)
    mine = Use(Source.PAYBILL, found.id)
    used = receipts.use(session, provider=provider, code=receipt, use=mine, now=now)
    if used != mine:
        found.state = State.DUPLICATE
        return Received(found.id, State.DUPLICATE, is_new=True)
    if confirmed:
        found.confirmed_at = now
        return _place(session, found, now=now)
    case = look(session, found, Kind.UNCONFIRMED, {}, now=now)
    suspense.put_in(session, case=case, amount=amount, now=now)
    return Received(found.id, State.UNCONFIRMED, is_new=True)


def confirmed(
    session: Session,
    *,
    receipt: str,
    amount: Money,
    now: datetime,
    provider: Provider = Provider.MPESA,
) -> Received:
    """
    Take it that the provider, asked, says that a payment was made, of `amount`. Safe to repeat.

    Raises:
        UnknownPayment: None was told under that receipt.
    """
    found = locked(session, provider, receipt)
    if found is None:
        raise UnknownPayment
    if amount != found.money:
        evidence = {"told": str(amount), "was": found.state}
        case = look(session, found, Kind.MISMATCH, evidence, now=now)
        if found.state == State.UNCONFIRMED and found.deposit_id is None:
            found.state = State.SUSPENDED
        return Received(found.id, State(found.state), is_new=False, case=case)
    found.confirmed_at = found.confirmed_at or now
    if found.state != State.UNCONFIRMED:
        return Received(found.id, State(found.state), is_new=False)
    if found.deposit_id is not None:
        return _of_deposit(session, found, confirmed=True, now=now)
    return _place(session, found, now=now)


def refuted(
    session: Session,
    *,
    receipt: str,
    why: str,
    now: datetime,
    provider: Provider = Provider.MPESA,
) -> Received:
    """
    Take it that the provider, asked, says that there was no such payment. Staff look.

    Raises:
        UnknownPayment: None was told under that receipt.
    """
    found = locked(session, provider, receipt)
    if found is None:
        raise UnknownPayment
    case = look(session, found, Kind.REFUTED, {"told": why, "was": found.state}, now=now)
    if found.state == State.UNCONFIRMED:
        found.state = State.STRUCK if found.deposit_id is not None else State.SUSPENDED
    return Received(found.id, State(found.state), is_new=False, case=case)


def _again(
    session: Session, found: Payment, *, account: str, amount: Money, now: datetime
) -> Received:
    """A receipt that was told before: of the same payment, or somebody is lying."""
    case = None
    if (found.account, found.money) != (_kept(account), amount):
        evidence = {"account": _kept(account), "amount": str(amount), "was": found.state}
        case = look(session, found, Kind.REPLAYED, evidence, now=now)
    return Received(found.id, State(found.state), is_new=False, case=case)


def _of_deposit(session: Session, found: Payment, *, confirmed: bool, now: datetime) -> Received:
    """A payment that was prompted for: the deposit has its receipt, and settles, once."""
    assert found.deposit_id is not None, "it is a deposit's"
    if not confirmed:
        return Received(found.id, State.UNCONFIRMED, is_new=True)
    found.confirmed_at = now
    deposit = session.get_one(deposits.Deposit, found.deposit_id, with_for_update=True)
    if deposit.money == found.money and not has_come(session, found):
        settled = deposits.settle(
            session,
            deposit=found.deposit_id,
            receipt=found.receipt,
            told=found.money,
            payer=None,
            provider_ref=None,
            confirmed=True,
            now=now,
        )
        used = receipts.used(session, provider=found.rail, code=found.receipt)
        is_its = used == Use(Source.DEPOSIT, found.deposit_id)
        if is_its or settled.state is deposits.State.REVIEW:
            found.state = State.DUPLICATE
            return Received(found.id, State.DUPLICATE, is_new=True, case=settled.case)
    # Somebody has used the reference for other money than was asked for under it.
    mine = Use(Source.PAYBILL, found.id)
    used = receipts.use(session, provider=found.rail, code=found.receipt, use=mine, now=now)
    if used != mine:
        found.state = State.DUPLICATE
        return Received(found.id, State.DUPLICATE, is_new=True)
    return _suspend(session, found, Kind.MISMATCH, {"deposit": found.deposit_id}, now=now)


def _place(session: Session, found: Payment, *, now: datetime) -> Received:
    """Give a payment to whom it is for, out of suspense if it stands there; else let it stand."""
    case = suspense.of(session, subject=found.subject)
    owner = _owner(session, found.account, found.money, now=now)
    if owner is None:
        return _suspend(session, found, Kind.UNKNOWN_ACCOUNT, {}, now=now)
    fee = arrivals.fee(session, amount=found.money, purpose=owner.purpose, now=now)
    key = found.subject if case is None else f"suspense:{case.id}:out"
    posted = arrivals.credit(
        session,
        key=key,
        reference=found.reference,
        subscriber=owner.subscriber,
        amount=found.money,
        fee=fee,
        purpose=owner.purpose,
        now=now,
        is_suspended=case is not None,
    )
    if isinstance(posted, DomainError):
        evidence = {"refusal": posted.code}
        return _suspend(session, found, Kind.NOT_RECEIVABLE, evidence, now=now)
    found.state, found.subscriber_id, found.fee = State.CREDITED, owner.subscriber, fee.minor
    if case is not None:
        note = "the provider, asked, says so too"
        suspense.close(
            session, found=case, outcome=suspense.Outcome.CREDITED, by="system", note=note, now=now
        )
    tell(session, found, posted, key=key, purpose=owner.purpose, now=now)
    return Received(found.id, State.CREDITED, is_new=True)


def _suspend(
    session: Session,
    found: Payment,
    kind: Kind,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> Received:
    case = look(session, found, kind, evidence, now=now)
    suspense.put_in(session, case=case, amount=found.money, now=now)
    found.state = State.SUSPENDED
    return Received(found.id, State.SUSPENDED, is_new=True, case=case)


def look(
    session: Session,
    found: Payment,
    kind: Kind,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> int:
    """Let staff look at a payment whose lock is held; return the case's id."""
    return suspense.look(
        session,
        kind=kind,
        subject=found.subject,
        provider=found.rail,
        currency=found.money.currency,
        evidence={"account": found.account, "payer": found.payer, **evidence},
        receipt=found.receipt,
        subscriber=found.subscriber_id,
        now=now,
    )


def tell(
    session: Session, found: Payment, posted: Posting, *, key: str, purpose: str, now: datetime
) -> None:
    """Tell whose it is that they have it."""
    assert found.subscriber_id is not None, "somebody has it"
    person = session.execute(
        select(Subscriber.msisdn, Subscriber.language).where(Subscriber.id == found.subscriber_id)
    ).one()
    balance = arrivals.balance_after(posted, session, found.subscriber_id, found.money.currency)
    facts = {
        "reference": found.reference,
        "provider": found.provider,
        "amount": found.amount,
        "fee": found.fee,
        "currency": found.currency,
        "receipt": found.receipt,
        "msisdn": "",
        "balance": balance,
        "journal": arrivals.journal(session, key),
        "at": now.isoformat(),
    }
    event = Event.DEPOSIT_SETTLED if purpose == "own" else Event.TILL_RECEIVED
    outbox.stage(session, facts=[Fact(event, person[0], person[1], facts)], now=now)


def locked(session: Session, provider: Provider, receipt: str) -> Payment | None:
    """The payment that was told under a receipt, locked."""
    return session.scalars(
        select(Payment)
        .where(Payment.provider == provider.value, Payment.receipt == receipt)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _kept(words: str) -> str:
    """A stranger's words as they can be kept: no longer than anybody honest needs."""
    printable = "".join(letter for letter in words[:_ACCOUNT_MAX] if letter.isprintable())
    return printable.strip()


def _tidy(account: str) -> str:
    """An account number as we write it: people put blanks and small letters into it."""
    return re.sub(r"[\s.-]", "", _kept(account)).upper()


def _owner(session: Session, account: str, amount: Money, *, now: datetime) -> _Owner | None:
    """Whom an account number means, and whether it is their till."""
    found = _look_up(session, account, amount, now=now)
    if found is None:
        return None
    is_till = re.fullmatch(r"[0-9]{7}", _tidy(account)) is not None
    return _Owner(found.id, "till" if is_till else "own")


def _look_up(session: Session, account: str, amount: Money, *, now: datetime) -> Row[Any] | None:
    tidy = _tidy(account)
    try:
        number = msisdn.parse(tidy)
    except InvalidMsisdn:
        number = ""
    given = {"msisdn": number, "digits": tidy, "amount": amount.minor, "now": now}
    return session.execute(_OWNER, given).one_or_none()
