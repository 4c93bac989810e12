"""
Deposits of which there is news: what a rail says unasked is a reason to ask it, and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.deposits import settling
from core.deposits.prompting import next_ask
from core.deposits.rows import MAY_COME, Deposit, State, locked
from core.rails import CHECKOUTS, Provider
from core.suspense import Kind

ASK_AGAIN_AFTER: Final = tuple(timedelta(days=each) for each in (1, 7, 30))
"""When it is asked whether what was credited was given back."""
_AGAIN: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Question:
    """A page that the rail must be asked about."""

    id: int
    rail_reference: str


def heard(session: Session, *, deposit: int, rail_reference: str, now: datetime) -> None:
    """Take it that a rail has news of a deposit's page: it is asked at once, whatever its state."""
    found = locked(session, deposit)
    if found.state == State.EXPECTED:
        return  # nobody has the page's address, so it cannot be paid on: see `opened`
    if found.provider_ref == rail_reference:
        found.next_ask_at = now


def questions(
    session: Session, *, provider: Provider, now: datetime, deposits_max: int
) -> list[Question]:
    """What a rail must be asked about now, the longest overdue first."""
    rows = session.execute(
        select(Deposit.id, Deposit.provider_ref)
        .where(Deposit.provider == provider.value)
        .where(Deposit.next_ask_at <= now, Deposit.provider_ref.is_not(None))
        .order_by(Deposit.next_ask_at)
        .limit(deposits_max)
    )
    return [Question(row[0], row[1]) for row in rows]


def asking(session: Session, *, deposit: int, now: datetime) -> None:
    """Say that a rail is about to be asked, and plan when again, should it not answer."""
    found = locked(session, deposit)
    if found.state in MAY_COME:
        found.asks += 1
        found.next_ask_at = next_ask(found, now)
    elif found.next_ask_at is not None:
        found.next_ask_at = now + _AGAIN


def answered(session: Session, *, deposit: int, now: datetime) -> None:
    """
    Say that a rail has answered: of what has ended it need not be asked again.

    But of what was credited, a few times more: that it was given back may be told by nobody.
    """
    found = locked(session, deposit)
    if found.state not in MAY_COME:
        found.next_ask_at = None
    if found.state == State.SETTLED and found.ended_at is not None:
        planned = (found.ended_at + after for after in ASK_AGAIN_AFTER)
        found.next_ask_at = next((at for at in planned if at > now), None)


def given_back(session: Session, *, deposit: int, why: str, now: datetime) -> None:
    """
    Take it that what was paid went back to who had paid it, as the rail said when it was asked.

    What is not credited yet has failed. What is, may be spent by now: staff decide.
    """
    found = locked(session, deposit)
    if found.state in MAY_COME:
        settling.failed(session, found, code="reversed", why=why, now=now)
    elif found.state in (State.SETTLED, State.REVIEW):
        evidence = {"told": "reversed", "why": why}
        settling.look(session, found, Kind.CONFLICT, evidence, now=now)


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether any page is to be asked for now, or about."""
    wanted = select(Deposit.id).where(Deposit.state == State.EXPECTED, Deposit.prompt_at <= now)
    asked = select(Deposit.id).where(Deposit.next_ask_at <= now)
    return any(
        session.scalar(each.where(Deposit.provider.in_(CHECKOUTS)).limit(1)) is not None
        for each in (wanted, asked)
    )


def is_open(session: Session) -> bool:
    """Whether any page is waited for."""
    found = select(Deposit.id).where(Deposit.provider.in_(CHECKOUTS), Deposit.state.in_(MAY_COME))
    return session.scalar(found.limit(1)) is not None
