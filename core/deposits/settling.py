"""
What becomes of a deposit: evidence against its row, once, under the row's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import arrivals, outbox, receipts, suspense
from core.deposits import rows
from core.deposits.rows import MAY_COME, OPEN, Deposit, State, locked
from core.errors import DomainError
from core.ledger import Posting
from core.money import Currency, Money
from core.outbox import Event, Fact
from core.rails import Provider
from core.receipts import Source, Use
from core.subscribers import Person, Subscriber
from core.suspense import Kind, Outcome

EXPIRES_AFTER: Final = timedelta(minutes=10)
REVIEWED_AFTER: Final = timedelta(hours=24)
_LOT: Final = 200


class Came(StrEnum):
    """What a success came to."""

    CREDITED = "credited"
    """Whom it was for has it now."""
    AGAIN = "again"
    """It was known."""
    UNCONFIRMED = "unconfirmed"
    """It is believed when the provider, asked, says so too: nothing has moved."""
    DUPLICATE = "duplicate"
    """The same payment was credited by another way."""
    REVIEW = "review"
    """Staff decide."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a success came to; `case` is what staff must look at, if anything."""

    came: Came
    state: State
    case: int | None = None


def settle(
    session: Session,
    *,
    deposit: int,
    receipt: str | None,
    told: Money | None,
    payer: str | None,
    provider_ref: str | None,
    now: datetime,
    confirmed: bool = False,
    confirm_above: Money | None = None,
) -> Settlement:
    """
    Take it that a payer has paid, and credit what we asked them for. Safe to repeat.

    Args:
        session: A worker's, short: nothing else is locked.
        deposit: Which.
        receipt: The provider's, if it tells one.
        told: The amount it tells, if it does.
        payer: Whom it names (E.164), if it does.
        provider_ref: What it calls the prompt, if it says so.
        now: When.
        confirmed: Whether the provider said so when we asked, and not by a callback alone.
        confirm_above: Above which amount a callback alone is not believed.

    Raises:
        UnknownDeposit: There is none.
    """
    found = locked(session, deposit)
    evidence = _evidence(receipt, told, payer, provider_ref, confirmed=confirmed)
    if found.state == State.DUPLICATE:
        return Settlement(Came.AGAIN, State.DUPLICATE)
    if found.state == State.SETTLED:
        return _again(session, found, receipt, evidence, now=now)
    if (known := decided_before(session, found, receipt, evidence, now=now)) is not None:
        return known
    kind = _kind(session, found, told=told, payer=payer, provider_ref=provider_ref)
    if found.state not in MAY_COME:
        kind = Kind.CONFLICT
    rows.keep_ref(session, found, provider_ref)
    if kind is not None:
        come = (told or found.money) if confirmed else None
        return _review(session, found, kind, evidence, now=now, receipt=receipt, come=come)
    if not confirmed and confirm_above is not None and confirm_above < found.money:
        found.claimed_receipt, found.next_ask_at = receipt or found.claimed_receipt, now
        return Settlement(Came.UNCONFIRMED, State(found.state))
    return _credit(session, found, receipt or found.claimed_receipt, evidence, now=now)


def fail(session: Session, *, deposit: int, code: str, why: str, now: datetime) -> State:
    """
    Take it that a payer has not paid, and will not. Safe to repeat; what has come stays.

    Args:
        session: A worker's.
        deposit: Which.
        code: The provider's, for why not.
        why: In words fit for a log.
        now: When.

    Raises:
        UnknownDeposit: There is none.
    """
    found = locked(session, deposit)
    if found.state in MAY_COME:
        failed(session, found, code=code, why=why, now=now)
    elif found.state in {State.SETTLED, State.REVIEW}:
        found.next_ask_at = None
        evidence = {"told": "failed", "code": code, "state": found.state}
        look(session, found, Kind.CONFLICT, evidence, now=now)
    return State(found.state)


def failed(session: Session, found: Deposit, *, code: str, why: str, now: datetime) -> None:
    """Let a deposit whose lock is held fail; whoever was not told of its end yet is."""
    was_told = found.state == State.EXPIRED
    found.code, found.why = code, why
    found.ends(State.FAILED, now)
    if not was_told:
        event = Event.DEPOSIT_FAILED if found.purpose == "own" else Event.TILL_FAILED
        tell(session, found, event, {"code": code}, now=now)


def decided(
    session: Session,
    found: Deposit,
    posted: Posting,
    *,
    person: Person,
    is_settled: bool,
    key: str,
    now: datetime,
) -> None:
    """Let a deposit in review, whose lock is held, end as staff gave its money away."""
    if not is_settled:  # to somebody else, or another amount than was asked for
        found.code, found.why = "credited-otherwise", "staff have decided"
    found.ends(State.SETTLED if is_settled else State.FAILED, now)
    balance = arrivals.balance_after(posted, session, person.id, found.money.currency)
    more = {"balance": balance, "journal": arrivals.journal(session, key)}
    if is_settled:
        event = Event.DEPOSIT_SETTLED if found.purpose == "own" else Event.TILL_RECEIVED
        tell(session, found, event, more, now=now)


def expire(session: Session, *, now: datetime) -> int:
    """
    End waiting: who asked is told after ten minutes, staff after a day. Return how many ended.

    What has expired is asked about all the same, and settles if it was paid.
    """
    late = _lot(
        session,
        Deposit.provider == Provider.MPESA,
        Deposit.state.in_(OPEN),
        Deposit.prompt_at <= now - EXPIRES_AFTER,
    )
    for found in late:
        asked_at = found.next_ask_at
        found.ends(State.EXPIRED, now)
        if found.begun_at is not None:  # else nobody was prompted, and nothing can come of it
            found.next_ask_at = asked_at or now + REVIEWED_AFTER
        tell(session, found, Event.DEPOSIT_EXPIRED, {}, now=now)
    undecided = _lot(
        session,
        Deposit.provider == Provider.MPESA,
        Deposit.state == State.EXPIRED,
        Deposit.begun_at <= now - REVIEWED_AFTER,
        Deposit.next_ask_at.is_not(None),
    )
    for found in undecided:
        look(session, found, Kind.UNDECIDED, {"asks": found.asks}, now=now)
        found.ends(State.REVIEW, now)
    return len(late) + len(undecided)


def _lot(session: Session, *which: object) -> list[Deposit]:
    query = select(Deposit).where(*which).order_by(Deposit.prompt_at).limit(_LOT)  # type: ignore[arg-type]
    locking = query.with_for_update(skip_locked=True)
    return list(session.scalars(locking.execution_options(populate_existing=True)))


def _evidence(
    receipt: str | None,
    told: Money | None,
    payer: str | None,
    provider_ref: str | None,
    *,
    confirmed: bool,
) -> dict[str, object]:
    """What was told, as a case keeps it."""
    return {
        "told": "paid",
        "receipt": receipt,
        "amount": None if told is None else str(told),
        "payer": payer,
        "provider_ref": provider_ref,
        "confirmed": confirmed,
    }


def _kind(
    session: Session,
    found: Deposit,
    *,
    told: Money | None,
    payer: str | None,
    provider_ref: str | None,
) -> Kind | None:
    """What of what was told is not as we asked for it."""
    if told is not None and told != found.money:
        return Kind.MISMATCH
    if payer is not None and payer != found.payer:
        return Kind.MISMATCH
    if provider_ref is None or provider_ref == found.provider_ref:
        return None
    if found.provider_ref is not None:
        return Kind.MISMATCH
    return Kind.REPLAYED if rows.is_anothers(session, found, provider_ref) else None


def _again(
    session: Session,
    found: Deposit,
    receipt: str | None,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> Settlement:
    """A success of what is settled: the receipt may be news, and must be no second one."""
    if receipt is None or receipt == found.receipt:
        return Settlement(Came.AGAIN, State.SETTLED)
    kind = Kind.SECOND_RECEIPT
    if found.receipt is None:
        mine = Use(Source.DEPOSIT, found.id)
        if receipts.use(session, provider=found.rail, code=receipt, use=mine, now=now) == mine:
            found.receipt = receipt
            return Settlement(Came.AGAIN, State.SETTLED)
        kind = Kind.REPLAYED
    case = look(session, found, kind, evidence, now=now)
    return Settlement(Came.REVIEW, State.SETTLED, case)


def decided_before(
    session: Session,
    found: Deposit,
    receipt: str | None,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> Settlement | None:
    """
    A success of which staff have given the money away: no news, but under another receipt.

    None where they have not. What they struck is none either: that it came is news to them.
    """
    if found.state != State.FAILED:
        return None
    case = suspense.stood(session, subject=found.subject)
    if case is None or case.outcome == Outcome.STRUCK:
        return None
    if receipt is None or case.receipt in (None, receipt):
        return Settlement(Came.AGAIN, State.FAILED)
    second = look(session, found, Kind.SECOND_RECEIPT, evidence, now=now, receipt=receipt)
    return Settlement(Came.REVIEW, State.FAILED, second)


def _credit(
    session: Session,
    found: Deposit,
    receipt: str | None,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> Settlement:
    """Credit what was asked for, unless the same payment was credited already."""
    if receipt is not None:
        mine = Use(Source.DEPOSIT, found.id)
        used = receipts.use(session, provider=found.rail, code=receipt, use=mine, now=now)
        if used.source is Source.PAYBILL:
            found.ends(State.DUPLICATE, now)
            return Settlement(Came.DUPLICATE, State.DUPLICATE)
        if used != mine:
            kept = {**evidence, "used_for": f"{used.source}:{used.id}"}
            return _review(session, found, Kind.REPLAYED, kept, now=now)
        found.receipt = receipt
    posted = arrivals.credit(
        session,
        provider=found.provider,
        key=found.subject,
        reference=found.reference,
        subscriber=found.subscriber_id,
        amount=found.money,
        fee=found.cost,
        purpose=found.purpose,
        now=now,
    )
    if isinstance(posted, DomainError):
        kept = {**evidence, "refusal": posted.code}
        return _review(session, found, Kind.NOT_RECEIVABLE, kept, now=now, come=found.money)
    found.ends(State.SETTLED, now)
    balance = arrivals.balance_after(posted, session, found.subscriber_id, found.money.currency)
    event = Event.DEPOSIT_SETTLED if found.purpose == "own" else Event.TILL_RECEIVED
    more = {"balance": balance, "journal": arrivals.journal(session, found.subject)}
    tell(session, found, event, more, now=now)
    return Settlement(Came.CREDITED, State.SETTLED)


def _review(
    session: Session,
    found: Deposit,
    kind: Kind,
    evidence: Mapping[str, object],
    *,
    now: datetime,
    come: Money | None = None,
    receipt: str | None = None,
) -> Settlement:
    """Leave it to staff; money that has certainly come stands in suspense meanwhile."""
    currency = (come or found.money).currency
    case = look(session, found, kind, evidence, now=now, receipt=receipt, currency=currency)
    if found.state != State.REVIEW:
        found.ends(State.REVIEW, now)
        tell(session, found, Event.DEPOSIT_IN_REVIEW, {}, now=now)
    if come is not None:
        # Once in its life, not once for each case: staff alone undo what they decided.
        if suspense.stood(session, subject=found.subject) is None:
            suspense.put_in(session, case=case, amount=come, now=now)
        found.next_ask_at = None
    elif found.provider_ref is not None:
        found.next_ask_at = now  # a callback alone said so
    return Settlement(Came.REVIEW, State.REVIEW, case)


def look(
    session: Session,
    found: Deposit,
    kind: Kind,
    evidence: Mapping[str, object],
    *,
    now: datetime,
    receipt: str | None = None,
    currency: Currency | None = None,
) -> int:
    """Let staff look at a deposit whose lock is held; return the case."""
    return suspense.look(
        session,
        kind=kind,
        subject=found.subject,
        provider=found.rail,
        currency=currency or found.money.currency,
        evidence={**evidence, "was": found.state},
        receipt=receipt or found.receipt,
        subscriber=found.subscriber_id,
        now=now,
    )


def tell(
    session: Session, found: Deposit, event: Event, more: Mapping[str, object], *, now: datetime
) -> None:
    """Tell whom it is for what became of it."""
    person = session.execute(
        select(Subscriber.msisdn, Subscriber.language).where(Subscriber.id == found.subscriber_id)
    ).one()
    facts = {
        "reference": found.reference,
        "provider": found.provider,
        "amount": found.amount,
        "fee": found.fee,
        "currency": found.currency,
        "receipt": found.receipt or "",
        "msisdn": found.payer,
        "at": now.isoformat(),
        **more,
    }
    outbox.stage(session, facts=[Fact(event, person[0], person[1], facts)], now=now)
