"""
Second factors that were lost: whoever has none any more is let in without it, by two of the staff.

One has seen who they are and proposes, another decides. Their owner hears of it by SMS.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, subscribers
from core.access import totp
from core.access.totp import NoSecondFactor
from core.audit import Action, Actor
from core.db import Base
from core.decisions import AlreadyDecided, AlreadyRequested, Proposal, words
from core.subscribers import Subscriber


class LostFactor(Proposal, Base):
    """A proposal that somebody do without their second factor, and what was decided."""

    __tablename__ = "lost_factors"
    __table_args__ = (
        CheckConstraint("decided_by <> proposed_by", name="by_two"),
        Index(
            "uq_lost_factors_subscriber_id",
            "subscriber_id",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))


_PROPOSE = text("""
    INSERT INTO lost_factors (subscriber_id, proposed_by, reason, proposed_at)
    VALUES (:subscriber, :by, :reason, :now)
    ON CONFLICT (subscriber_id) WHERE state = 'proposed' DO NOTHING RETURNING id
""")


def propose(session: Session, *, subscriber: int, actor: Actor, reason: str, now: datetime) -> int:
    """
    Propose that somebody do without their second factor; return the proposal's id.

    Raises:
        NoReason: There is none, or it is too long.
        NoSecondFactor: They have none.
        AlreadyRequested: It was proposed, and nobody has decided.
    """
    said = words(reason)
    if not totp.is_set(session, subscriber=subscriber):
        raise NoSecondFactor
    given = {"subscriber": subscriber, "by": actor.name, "reason": said, "now": now}
    made = session.scalar(_PROPOSE, given)
    if made is None:
        raise AlreadyRequested
    _audit(session, Action.FACTOR_LOST, subscriber, actor=actor, note=said, now=now)
    return int(made)


def proposed(session: Session, *, count: int = 100) -> Sequence[tuple[LostFactor, str]]:
    """What nobody has decided about, the oldest first, with the numbers of who is meant."""
    found = select(LostFactor, Subscriber.msisdn)
    found = found.join(Subscriber, Subscriber.id == LostFactor.subscriber_id)
    found = found.where(LostFactor.state == "proposed").order_by(LostFactor.id).limit(count)
    return [(row[0], row[1]) for row in session.execute(found)]


def approve(session: Session, *, lost: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Remove a second factor that somebody else proposed to remove, and tell its owner.

    Raises:
        AlreadyDecided: Nobody has proposed that, or somebody was faster.
        OwnRequest: It is the same person.
        NoReason: There is no note, or it is too long.
        NoSecondFactor: They have removed it themselves meanwhile.
    """
    said = words(note)
    found = _decide(session, lost, "approved", actor=actor, note=said, now=now)
    person = subscribers.by_id(session, subscriber=found.subscriber_id)
    _audit(session, Action.FACTOR_LOSS_APPROVED, person.id, actor=actor, note=said, now=now)
    totp.remove(session, person=person, actor=actor, now=now)


def decline(session: Session, *, lost: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Leave a second factor as it is.

    Raises:
        AlreadyDecided, OwnRequest, NoReason: As `approve`.
    """
    said = words(note)
    found = _decide(session, lost, "declined", actor=actor, note=said, now=now)
    who = found.subscriber_id
    _audit(session, Action.FACTOR_LOSS_DECLINED, who, actor=actor, note=said, now=now)


def _decide(
    session: Session, lost: int, state: str, *, actor: Actor, note: str, now: datetime
) -> LostFactor:
    found = session.get(LostFactor, lost, with_for_update=True, populate_existing=True)
    if found is None:
        raise AlreadyDecided
    found.decide(state, by=actor.name, note=note, now=now)
    session.flush()
    return found


def _audit(
    session: Session, action: Action, subscriber: int, *, actor: Actor, note: str, now: datetime
) -> None:
    subject, detail = f"subscriber:{subscriber}", {"note": note}
    audit.record(session, actor=actor, action=action, subject=subject, detail=detail, now=now)
