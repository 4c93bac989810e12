"""
Payouts of which there is news: what a rail says unasked is a reason to ask it, and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.rails import CHECKOUTS, Provider
from core.withdrawals.paying import due, next_ask
from core.withdrawals.rows import UNDER_WAY, State, Withdrawal, locked

ASK_AGAIN_AFTER: Final = tuple(timedelta(days=each) for each in (1, 3, 7, 30))
"""When it is asked whether a payout that was paid has come back."""
_AGAIN: Final = timedelta(minutes=5)
_NEWS: Final = (*UNDER_WAY, State.PAID, State.REVIEW, State.FAILED)


@dataclass(frozen=True, slots=True)
class Question:
    """A payout that the rail must be asked about, under our identifier."""

    id: int
    conversation: str


def heard(session: Session, *, withdrawal: int, now: datetime) -> None:
    """Take it that a rail has news of a payout: it is asked at once, whatever its state."""
    found = locked(session, withdrawal)
    if found.state in _NEWS:
        found.next_ask_at = now


def questions(
    session: Session, *, provider: Provider, now: datetime, withdrawals_max: int
) -> list[Question]:
    """What a rail must be asked about now, the longest overdue first."""
    rows = session.execute(
        select(Withdrawal.id, Withdrawal.conversation)
        .where(Withdrawal.provider == provider.value, Withdrawal.next_ask_at <= now)
        .order_by(Withdrawal.next_ask_at)
        .limit(withdrawals_max)
    )
    return [Question(row[0], row[1]) for row in rows]


def asking(session: Session, *, withdrawal: int, now: datetime) -> None:
    """Say that a rail is about to be asked, and plan when again, should it not answer."""
    found = locked(session, withdrawal)
    if found.state in UNDER_WAY:
        found.asks += 1
        found.next_ask_at = next_ask(found, now)
    elif found.next_ask_at is not None:
        found.next_ask_at = now + _AGAIN


def answered(session: Session, *, withdrawal: int, now: datetime) -> None:
    """
    Say that a rail has answered: of what has ended it need not be asked again.

    But of what was paid, a few times more: that it came back may be told by nobody.
    """
    found = locked(session, withdrawal)
    if found.state not in UNDER_WAY:
        found.next_ask_at = None
    if found.state == State.PAID and found.ended_at is not None:
        planned = (found.ended_at + after for after in ASK_AGAIN_AFTER)
        found.next_ask_at = next((at for at in planned if at > now), None)


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether any payout is to be asked for now, or about."""
    asked = select(Withdrawal.id).where(
        Withdrawal.provider.in_(CHECKOUTS), Withdrawal.next_ask_at <= now
    )
    return session.scalar(asked.limit(1)) is not None or any(
        due(session, provider=provider, now=now, withdrawals_max=1) for provider in CHECKOUTS
    )


def is_open(session: Session) -> bool:
    """Whether any payout is waited for."""
    found = select(Withdrawal.id).where(
        Withdrawal.provider.in_(CHECKOUTS), Withdrawal.state.in_([State.REQUESTED, *UNDER_WAY])
    )
    return session.scalar(found.limit(1)) is not None
