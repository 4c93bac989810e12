"""
What becomes of a payout: evidence against its row, once, under the row's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import arrivals, chart, ledger, receipts, suspense
from core.chart import Wanted
from core.ledger import Draft, InsufficientFunds, Journal, Reason
from core.money import Currency, Money
from core.outbox import Event
from core.receipts import Source, Use
from core.suspense import Kind
from core.withdrawals.rows import UNDER_WAY, State, Withdrawal, locked, tell


class Came(StrEnum):
    """What a provider's word came to."""

    DONE = "done"
    """It is paid, or back, by this."""
    AGAIN = "again"
    """It was known."""
    UNCONFIRMED = "unconfirmed"
    """It is believed when the provider, asked, says so too: nothing has moved."""
    REVIEW = "review"
    """Staff decide."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a provider's word came to; `case` is what staff must look at, if anything."""

    came: Came
    state: State
    case: int | None = None


def complete(
    session: Session,
    *,
    withdrawal: int,
    receipt: str | None,
    told: Money | None,
    now: datetime,
    payee_name: str | None = None,
    confirmed: bool = False,
    confirm_above: Money | None = None,
) -> Resolution:
    """
    Take it that a payout has reached its payee: what was set aside goes on. Safe to repeat.

    It counts whatever its owner's account has become meanwhile: paid is paid.

    Args:
        session: A worker's, short.
        withdrawal: Which.
        receipt: The provider's, if it tells one.
        told: The amount it tells, if it does.
        now: When.
        payee_name: What it calls the payee, if it does.
        confirmed: Whether the provider said so when we asked, and not by a callback alone.
        confirm_above: Above which amount a callback alone is not believed.

    Raises:
        UnknownWithdrawal: There is none.
    """
    found = locked(session, withdrawal)
    evidence = {
        "told": "paid",
        "receipt": receipt,
        "amount": None if told is None else str(told),
        "confirmed": confirmed,
    }
    if found.state == State.PAID:
        return _again(session, found, receipt, evidence, now=now)
    if told is not None and told != found.money:
        return _review(session, found, Kind.MISMATCH, evidence, now=now)
    if found.state not in UNDER_WAY:
        return _review(session, found, Kind.CONFLICT, evidence, now=now)
    if not confirmed and confirm_above is not None and confirm_above < found.money:
        found.next_ask_at = now
        return Resolution(Came.UNCONFIRMED, State(found.state))
    if receipt is not None and not _use(session, found, receipt, now=now):
        return _review(session, found, Kind.REPLAYED, evidence, now=now)
    found.payee_name = payee_name
    paid(session, found, now=now)
    return Resolution(Came.DONE, State.PAID)


def fail(
    session: Session,
    *,
    withdrawal: int,
    code: str,
    why: str,
    now: datetime,
    confirmed: bool = False,
    confirm_above: Money | None = None,
    is_doubtful: bool = False,
) -> Resolution:
    """
    Take it that a payout will not reach its payee: what was set aside comes back, the fee too.

    Safe to repeat. What is paid stays so; that it was told otherwise is for staff. Of what was sent
    more than once a callback may mean any sending: only an answer to our question is believed.

    Args:
        session: A worker's, short.
        withdrawal: Which.
        code: The provider's, for why not.
        why: In words fit for a log.
        now: When.
        confirmed: Whether the provider said so when we asked, and not by a callback alone.
        confirm_above: Above which amount a callback alone is not believed.
        is_doubtful: Whether the code does not even say that nothing was paid.

    Raises:
        UnknownWithdrawal: There is none.
    """
    found = locked(session, withdrawal)
    is_over = found.state not in UNDER_WAY
    if found.state == State.FAILED or (is_doubtful and is_over):
        return Resolution(Came.AGAIN, State(found.state))
    evidence = {"told": "failed", "code": code, "confirmed": confirmed}
    if is_over:
        case = look(session, found, Kind.CONFLICT, evidence, now=now)
        return Resolution(Came.REVIEW, State(found.state), case)
    if not confirmed and (is_doubtful or found.sends > 1):
        # As of a call that nobody answered: what the provider does not know of it counts.
        found.state, found.code, found.why, found.next_ask_at = State.UNSURE, code, why, now
        return Resolution(Came.UNCONFIRMED, State.UNSURE)
    if not confirmed and confirm_above is not None and confirm_above < found.money:
        found.next_ask_at = now
        return Resolution(Came.UNCONFIRMED, State(found.state))
    bounced(session, found, code=code, why=why, now=now)
    return Resolution(Came.DONE, State.FAILED)


def rejected(
    session: Session, *, withdrawal: int, code: str, why: str, now: datetime
) -> Resolution:
    """
    Say that the provider refused to take a payout: it comes back.

    Where the same identifier was sent before, that may have been taken: it is asked about.
    """
    found = locked(session, withdrawal)
    if found.state != State.SENDING:
        return Resolution(Came.AGAIN, State(found.state))
    if found.sends > 1:
        found.state, found.why, found.next_ask_at = State.UNSURE, why, now
        return Resolution(Came.UNCONFIRMED, State.UNSURE)
    bounced(session, found, code=code, why=why, now=now)
    return Resolution(Came.DONE, State.FAILED)


def paid(session: Session, found: Withdrawal, *, now: datetime) -> None:
    """Let what is set aside for a withdrawal, whose lock is held, go on."""
    legs = income(session, found)
    ids = opened(session, found)
    legs[ids[chart.HELD]] = -found.held
    legs[ids[chart.RAILS[found.provider].underway]] = found.amount
    draft = Draft(f"{found.subject}:paid", Reason.PAYOUT, legs)
    arrivals.post(session, draft, now=now)
    found.code = None  # that of a failure that was none
    end(session, found, State.PAID, now=now)
    path = chart.MAIN.named(found.money.currency, owner=found.subscriber_id)
    balance = ledger.balance(session, path=path).minor
    more = {"balance": balance, "journal": arrivals.journal(session, draft.key)}
    event = Event.WITHDRAWAL_PAID if found.purpose == "own" else Event.SETTLEMENT_PAID
    tell(session, found, event, more, now=now)


def end(session: Session, found: Withdrawal, state: State, *, now: datetime) -> None:
    """Be what it stays; nothing is set aside for it any more."""
    found.state, found.held, found.ended_at, found.next_ask_at = state, 0, now, None
    session.flush()


def bounced(session: Session, found: Withdrawal, *, code: str, why: str, now: datetime) -> None:
    """Let what is set aside for a withdrawal, whose lock is held, come back, and its float."""
    ids = opened(session, found)
    legs = {ids[chart.HELD]: -found.held, ids[chart.MAIN]: found.held}
    has_float = session.scalar(select(Journal.id).where(Journal.key == f"{found.subject}:send"))
    if has_float is not None:
        rail = chart.RAILS[found.provider]
        legs |= {ids[rail.underway]: found.amount, ids[rail.float_]: -found.amount}
    draft = Draft(f"{found.subject}:bounce", Reason.BOUNCE, legs)
    posting = arrivals.post(session, draft, now=now)
    found.code, found.why = code, why
    end(session, found, State.FAILED, now=now)
    session.execute(select(func.unspend(found.id)))
    more = {"code": code, "balance": posting.balance_after(ids[chart.MAIN])}
    tell(session, found, Event.WITHDRAWAL_FAILED, more, now=now)


def decided(session: Session, found: Withdrawal, *, is_paid: bool, now: datetime) -> None:
    """
    Let a payout in review, whose lock is held, end as staff have decided.

    Raises:
        InsufficientFunds: The book holds less float than was paid out.
    """
    if found.held and is_paid:
        paid(session, found, now=now)
    elif found.held:
        bounced(session, found, code="decided", why="staff have decided", now=now)
    elif is_paid:
        _paid_late(session, found, now=now)
        end(session, found, State.PAID, now=now)
    else:
        end(session, found, State.FAILED, now=now)


def _paid_late(session: Session, found: Withdrawal, *, now: datetime) -> None:
    """Book a payout that came to light when its money had come back already: its owner owes it."""
    currency, owner = found.money.currency, found.subscriber_id
    rail = chart.RAILS[found.provider]
    pot = rail.float_.open(session, currency=currency)
    float_left = -ledger.balance(session, path=rail.float_.named(currency)).minor
    if float_left < found.amount:
        raise InsufficientFunds(available=Money(float_left, currency), requested=found.money)
    key = f"{found.subject}:late"
    if arrivals.left(session, owner) is not None:  # nobody is there who could owe it
        costs = rail.costs.open(session, currency=currency)
        legs = {pot: found.amount, costs: -found.amount}
        arrivals.post(session, Draft(key, Reason.PAYOUT, legs), now=now)
        return
    main = chart.MAIN.open(session, currency=currency, owner=owner)
    legs = income(session, found) | {main: -found.total, pot: found.amount}
    [posting] = ledger.post(session, drafts=[Draft(key, Reason.PAYOUT, legs)], now=now)
    if posting.outcome == InsufficientFunds.code:
        # The account is locked from here on: what it holds now is what is taken.
        debt = found.total - int(posting.detail["available"])
        owed = chart.OWED.open(session, currency=currency, owner=owner)
        legs |= {main: debt - found.total, owed: -debt}
        moved = {account: amount for account, amount in legs.items() if amount}
        arrivals.post(session, Draft(key, Reason.PAYOUT, moved), now=now)


def opened(session: Session, found: Withdrawal) -> dict[chart.Place, int]:
    """The accounts that a payout may touch, by their places in the chart."""
    currency, owner = found.money.currency, found.subscriber_id
    own = (chart.MAIN, chart.HELD)
    others = (chart.RAILS[found.provider].underway, chart.RAILS[found.provider].float_)
    wanted: list[Wanted] = [(place, currency, owner) for place in own]
    wanted += [(place, currency, None) for place in others]
    return {place: id_ for (place, _, _), id_ in chart.opened(session, wanted).items()}


def income(session: Session, found: Withdrawal) -> dict[int, int]:
    """What of a withdrawal is our fee, the duty in it, and the provider's tariff."""
    currency: Currency = found.money.currency
    duty = int(session.scalar(select(func.excise(found.fee, found.requested_at))) or 0)
    amounts = {
        chart.WITHDRAWAL_FEES: found.fee - duty,
        chart.EXCISE: duty,
        chart.RAILS[found.provider].costs: found.tariff,
    }
    moved = {place: amount for place, amount in amounts.items() if amount}
    ids = chart.opened(session, [(place, currency, None) for place in moved])
    return {ids[place, currency, None]: amount for place, amount in moved.items()}


def _use(session: Session, found: Withdrawal, receipt: str, *, now: datetime) -> bool:
    mine = Use(Source.WITHDRAWAL, found.id)
    if receipts.use(session, provider=found.rail, code=receipt, use=mine, now=now) != mine:
        return False
    found.receipt = receipt
    return True


def _again(
    session: Session,
    found: Withdrawal,
    receipt: str | None,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> Resolution:
    if receipt is None or receipt == found.receipt:
        return Resolution(Came.AGAIN, State.PAID)
    if found.receipt is None and _use(session, found, receipt, now=now):
        return Resolution(Came.AGAIN, State.PAID)
    kind = Kind.REPLAYED if found.receipt is None else Kind.SECOND_RECEIPT
    return Resolution(Came.REVIEW, State.PAID, look(session, found, kind, evidence, now=now))


def _review(
    session: Session,
    found: Withdrawal,
    kind: Kind,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> Resolution:
    """Leave it to staff; what is set aside stays so."""
    case = look(session, found, kind, evidence, now=now)
    found.state, found.next_ask_at = State.REVIEW, None
    return Resolution(Came.REVIEW, State.REVIEW, case)


def look(
    session: Session,
    found: Withdrawal,
    kind: Kind,
    evidence: Mapping[str, object],
    *,
    now: datetime,
) -> int:
    """Let staff look at a withdrawal whose lock is held; return the case."""
    return suspense.look(
        session,
        kind=kind,
        subject=found.subject,
        provider=found.rail,
        currency=found.money.currency,
        evidence={**evidence, "was": found.state},
        subscriber=found.subscriber_id,
        now=now,
    )
