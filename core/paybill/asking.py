"""
Asking the provider about payments to our paybill that were told, and are too big to be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import receipts
from core.paybill.placing import locked, look
from core.paybill.rows import Payment, State
from core.rails import Provider
from core.receipts import Source, Use
from core.suspense import Kind

# After each time that the provider was asked: how long to wait for its answer, or with the next
# time. About a day in all.
_PAUSES: Final = tuple(
    timedelta(minutes=minutes) for minutes in (2, 4, 8, 16, 30, 60, 120, 240, 480, 480)
)
_LOT: Final = 50


@dataclass(frozen=True, slots=True)
class Known:
    """A payment that was told under some receipt, as it stands, and when it was told."""

    state: State
    received_at: datetime


def known(session: Session, *, receipt: str, provider: Provider = Provider.MPESA) -> Known | None:
    """The payment that was told under a receipt, if any was."""
    found = session.execute(
        select(Payment.state, Payment.received_at).where(
            Payment.provider == provider.value, Payment.receipt == receipt
        )
    ).one_or_none()
    return None if found is None else Known(State(found[0]), found[1])


def unconfirmed(session: Session, *, now: datetime, payments_max: int) -> list[str]:
    """Receipts of payments that the provider must be asked about now, the longest overdue first."""
    found = (
        select(Payment.receipt)
        .where(Payment.state == State.UNCONFIRMED, Payment.next_ask_at <= now)
        .where(Payment.asks < len(_PAUSES))
        .order_by(Payment.next_ask_at)
        .limit(payments_max)
    )
    return list(session.scalars(found))


def asked(
    session: Session, *, receipt: str, now: datetime, provider: Provider = Provider.MPESA
) -> None:
    """
    Say that the provider is asked about a payment, and plan when to ask again.

    Call it in the transaction that writes the question down, before it is put.
    """
    found = locked(session, provider, receipt)
    if found is None or found.state != State.UNCONFIRMED or found.next_ask_at is None:
        return
    found.next_ask_at = now + _PAUSES[min(found.asks, len(_PAUSES) - 1)]
    found.asks += 1


def give_up(session: Session, *, now: datetime) -> int:
    """
    Let staff look at payments that the provider was asked about for a day, and said nothing of.

    They stay unconfirmed: an answer that comes yet counts until staff have decided. Returns how
    many there were.
    """
    undecided = session.scalars(
        select(Payment)
        .where(Payment.state == State.UNCONFIRMED, Payment.next_ask_at <= now)
        .where(Payment.asks >= len(_PAUSES))
        .order_by(Payment.next_ask_at)
        .limit(_LOT)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    for found in undecided:
        found.next_ask_at = None
        if _is_its_deposits(session, found):
            found.state = State.DUPLICATE
        else:
            look(session, found, Kind.UNDECIDED, {"asks": found.asks}, now=now)
    return len(undecided)


def _is_its_deposits(session: Session, found: Payment) -> bool:
    """Whether the deposit that it was told for has settled by the same receipt meanwhile."""
    if found.deposit_id is None:
        return False
    used = receipts.used(session, provider=found.rail, code=found.receipt)
    return used == Use(Source.DEPOSIT, found.deposit_id)
