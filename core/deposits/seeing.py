"""
Deposits as they are looked up: one by its reference or its key, or page by page.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.deposits.rows import Deposit, UnknownDeposit


def of_reference(session: Session, *, subscriber: int, reference: str) -> Deposit:
    """
    Somebody's deposit.

    Raises:
        UnknownDeposit: They have none with that reference.
    """
    found = session.scalars(
        select(Deposit).where(Deposit.reference == reference, Deposit.subscriber_id == subscriber)
    ).one_or_none()
    if found is None:
        raise UnknownDeposit
    return found


def of_key(session: Session, *, key: str) -> Deposit | None:
    """What was asked for under a key, if anything was."""
    return session.scalars(select(Deposit).where(Deposit.key == key)).one_or_none()


def listed(
    session: Session, *, subscriber: int, before: int | None, count: int
) -> Sequence[Deposit]:
    """Somebody's deposits, the newest first; `before` is the id to go on from."""
    found = select(Deposit).where(Deposit.subscriber_id == subscriber)
    if before is not None:
        found = found.where(Deposit.id < before)
    return session.scalars(found.order_by(Deposit.id.desc()).limit(count)).all()


def by_reference(session: Session, *, reference: str) -> Deposit | None:
    """The deposit that people, and a provider's payment to us, call so."""
    return session.scalars(select(Deposit).where(Deposit.reference == reference)).one_or_none()
