"""
Payouts that had reached their payee, and came back: their owner has all of it again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import arrivals, chart, suspense
from core.ledger import Draft, Entry, Journal, Reason
from core.outbox import Event
from core.suspense import Kind
from core.withdrawals.resolving import Came, Resolution, bounced, income, look, opened
from core.withdrawals.rows import UNDER_WAY, State, Withdrawal, locked, tell


def returned(session: Session, *, withdrawal: int, why: str, now: datetime) -> Resolution:
    """
    Take it that a payout came back, as the rail said when it was asked. Safe to repeat.

    What was taken for it, the fee too, goes back to its owner, and what the rail took to us; where
    they have left, it stands in suspense.

    Args:
        session: A worker's, short.
        withdrawal: Which.
        why: In words fit for a log.
        now: When.

    Raises:
        UnknownWithdrawal: There is none.
    """
    found = locked(session, withdrawal)
    if found.state in (State.RETURNED, State.FAILED):
        return Resolution(Came.AGAIN, State(found.state))
    if found.state in UNDER_WAY:
        bounced(session, found, code="returned", why=why, now=now)
        return Resolution(Came.DONE, State.FAILED)
    evidence = {"told": "returned", "why": why}
    if found.state != State.PAID:
        case = look(session, found, Kind.CONFLICT, evidence, now=now)
        return Resolution(Came.REVIEW, State(found.state), case)
    found.code, found.why, found.state = "returned", why, State.RETURNED
    session.flush()
    if arrivals.left(session, found.subscriber_id) is not None:
        case = look(session, found, Kind.NOT_RECEIVABLE, evidence, now=now)
        suspense.put_in(session, case=case, amount=found.money, now=now)
        return Resolution(Came.REVIEW, State.RETURNED, case)
    ids = opened(session, found)
    legs = {account: -amount for account, amount in income(session, found).items()}
    legs[ids[chart.MAIN]] = found.total
    costs, cost = _cost(session, found)
    legs[costs] = legs.get(costs, 0) + cost
    legs[ids[chart.RAILS[found.provider].float_]] = -(found.amount + cost)
    moved = {account: amount for account, amount in legs.items() if amount}
    draft = Draft(f"{found.subject}:return", Reason.RETURN, moved)
    posting = arrivals.post(session, draft, now=now)
    more = {"code": "returned", "balance": posting.balance_after(ids[chart.MAIN])}
    tell(session, found, Event.WITHDRAWAL_FAILED, more, now=now)
    return Resolution(Came.DONE, State.RETURNED)


def _cost(session: Session, found: Withdrawal) -> tuple[int, int]:
    """The account of what a rail charges us, and what it took for this payout."""
    place, currency = chart.RAILS[found.provider].costs, found.money.currency
    [costs] = chart.opened(session, [(place, currency, None)]).values()
    taken = session.scalar(
        select(Entry.amount)
        .join(Journal, Journal.id == Entry.journal_id)
        .where(Journal.key == f"{found.subject}:cost", Entry.account_id == costs)
    )
    return costs, -(taken or 0)
