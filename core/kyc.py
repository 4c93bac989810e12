"""
Know your customer: the papers people show us, and what staff decide of them.

A tier decides how much somebody may move (`limits`). One member of staff sets it; to lift a
suspension takes two.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Self

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, cases, outbox, subscribers
from core.access import devices
from core.access.devices import Because
from core.audit import Action, Actor
from core.db import Base
from core.decisions import AlreadyDecided, AlreadyRequested, Proposal, words
from core.errors import Denied, Invalid, NotFound, Refused
from core.outbox import Event, Fact
from core.subscribers import Subscriber, Tier, UnknownRecipient

_NAME_LENGTH_MAX: Final = 100
_END_LENGTH: Final = 3
_YEAR_MIN: Final = 1900


class Document(StrEnum):
    """What somebody can show us."""

    NATIONAL_ID = "national-id"
    PASSPORT = "passport"
    ALIEN_ID = "alien-id"
    MILITARY_ID = "military-id"


_NUMBERS: Final = {
    Document.NATIONAL_ID: r"[0-9]{6,9}",
    Document.PASSPORT: r"[A-Z0-9]{6,9}",
    Document.ALIEN_ID: r"[0-9]{6,9}",
    Document.MILITARY_ID: r"[A-Z0-9]{5,9}",
}


@dataclass(eq=False)
class InvalidPapers(Invalid):
    """The name, the number or the date of birth is none that such a document could have."""


@dataclass(eq=False)
class NoPapers(Refused):
    """They have shown us no papers, and cannot be verified."""


@dataclass(eq=False)
class SuspensionStands(Denied):
    """A suspension is lifted by two people: one proposes, another approves."""


@dataclass(eq=False)
class UnknownLift(NotFound):
    """Nobody has proposed to lift that suspension."""


class Submission(Base):
    """
    Papers that somebody showed us. Append-only; the newest count.

    Of the document's number a keyed digest is kept, and its last characters.
    """

    __tablename__ = "identities"
    __table_args__ = (
        Index("ix_identities_subscriber_id", "subscriber_id", "id"),
        Index("ix_identities_document_digest", "document_digest"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    name: Mapped[str] = mapped_column(Text)
    document_kind: Mapped[str] = mapped_column(Text)
    document_digest: Mapped[bytes] = mapped_column(LargeBinary)
    document_end: Mapped[str] = mapped_column(Text)
    born_on: Mapped[date] = mapped_column(Date)
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Lift(Proposal, Base):
    """A proposal that a suspended subscriber get another tier, and what was decided."""

    __tablename__ = "lifts"
    __table_args__ = (
        Index(
            "uq_lifts_subscriber_id",
            "subscriber_id",
            unique=True,
            postgresql_where=text("state = 'proposed'"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    tier: Mapped[str] = mapped_column(Text)
    is_used: Mapped[bool] = mapped_column(server_default=text("false"))


@dataclass(frozen=True, slots=True, repr=False)
class Papers:
    """What is on a document, as far as we need it. It is shown nowhere: it has no `repr`."""

    name: str
    document: Document
    number: str
    born_on: date

    @classmethod
    def read(cls, *, name: str, document: str, number: str, born_on: str, today: date) -> Self:
        """
        Understand what was typed off a document.

        Args:
            name: The whole name, as it stands there.
            document: A kind of document, as `national-id`.
            number: Its number, with or without blanks.
            born_on: The date of birth, as `1990-01-31`.
            today: They were born before.

        Raises:
            InvalidPapers: One of these cannot be.
        """
        plain = " ".join(name.split())
        digits = re.sub(r"[\s/-]", "", number).upper()
        try:
            kind, born = Document(document), date.fromisoformat(born_on)
        except ValueError:
            raise InvalidPapers from None
        is_name = re.fullmatch(r"[^\W\d_][^\d_]*", plain) and len(plain) <= _NAME_LENGTH_MAX
        if not is_name or not re.fullmatch(_NUMBERS[kind], digits):
            raise InvalidPapers
        if not date(_YEAR_MIN, 1, 1) <= born < today:
            raise InvalidPapers
        return cls(plain, kind, digits, born)

    def digest(self, pepper: str) -> bytes:
        """What finds the document again and tells nobody its number."""
        said = f"document\n{self.document}\n{self.number}"
        return hmac.new(pepper.encode(), said.encode(), hashlib.sha256).digest()


def submit(
    session: Session, *, subscriber: int, papers: Papers, pepper: str, actor: Actor, now: datetime
) -> None:
    """
    Keep what somebody showed us. Their name on it is held against the sanctions lists, too.

    Args:
        session: The caller's transaction, a worker's.
        subscriber: Whose papers.
        papers: What is on them.
        pepper: The secret that document numbers are digested with.
        actor: The member of staff who saw them.
        now: When.
    """
    session.execute(
        insert(Submission).values(
            subscriber_id=subscriber,
            name=papers.name,
            document_kind=papers.document.value,
            document_digest=papers.digest(pepper),
            document_end=papers.number[-_END_LENGTH:],
            born_on=papers.born_on,
            submitted_at=now,
        )
    )
    session.execute(update(Subscriber).where(Subscriber.id == subscriber).values(screened_at=None))
    audit.record(
        session,
        actor=actor,
        action=Action.PAPERS_SUBMITTED,
        subject=f"subscriber:{subscriber}",
        detail={"document": papers.document.value, "end": papers.number[-_END_LENGTH:]},
        now=now,
    )


def papers_of(session: Session, *, subscriber: int) -> Submission | None:
    """The newest papers of somebody."""
    mine = select(Submission).where(Submission.subscriber_id == subscriber)
    return session.scalars(mine.order_by(Submission.id.desc()).limit(1)).one_or_none()


def sharing(session: Session, *, subscriber: int) -> Sequence[int]:
    """Other subscribers who have shown us the same document: the same person, or a borrowed one."""
    mine = select(Submission.document_digest).where(Submission.subscriber_id == subscriber)
    theirs = select(Submission.subscriber_id).distinct()
    theirs = theirs.where(Submission.document_digest.in_(mine))
    theirs = theirs.where(Submission.subscriber_id != subscriber)
    return session.scalars(theirs.order_by(Submission.subscriber_id)).all()


def set_tier(
    session: Session,
    *,
    subscriber: int,
    tier: Tier,
    actor: Actor,
    note: str,
    now: datetime,
    case: int | None = None,
) -> None:
    """
    Decide how much somebody may move, and tell them. Who is suspended is logged in nowhere.

    Args:
        session: The caller's transaction, a worker's.
        subscriber: Whose tier.
        tier: Which.
        actor: The member of staff who decides.
        note: Why, in words.
        now: When.
        case: The case in whose course this is done: then they are not told, as whoever is
            suspected must not learn of it.

    Raises:
        NoReason: There is no note, or it is too long.
        NoPapers: They are to be verified, and have shown nothing.
        SuspensionStands: They are suspended: `propose_lift`.
        UnknownCase, CaseClosed: There is no such case, or it is closed.
    """
    said = words(note)
    was = session.scalar(
        select(Subscriber.tier).where(Subscriber.id == subscriber).with_for_update(key_share=True)
    )
    if was is None:
        raise UnknownRecipient
    if was == Tier.SUSPENDED and tier is not Tier.SUSPENDED:
        raise SuspensionStands
    _set(session, subscriber, tier, actor=actor, note=said, now=now)
    if case is None:
        _tell(session, subscriber, tier, now=now)
    else:
        cases.note(session, case=case, actor=actor, note=f"{tier.value}: {said}"[:500], now=now)


def propose_lift(
    session: Session, *, subscriber: int, tier: Tier, actor: Actor, reason: str, now: datetime
) -> int:
    """
    Propose that somebody be no longer suspended; return the proposal's id.

    Raises:
        NoReason: There is none, or it is too long.
        AlreadyRequested: It was proposed, and nobody has decided.
        AlreadyDecided: They are not suspended.
    """
    said = words(reason)
    was = session.scalar(select(Subscriber.tier).where(Subscriber.id == subscriber))
    if was != Tier.SUSPENDED or tier is Tier.SUSPENDED:
        raise AlreadyDecided
    made = session.scalar(
        text(
            "INSERT INTO lifts (subscriber_id, tier, proposed_by, reason, proposed_at)"
            " VALUES (:subscriber, :tier, :by, :said, :now)"
            " ON CONFLICT (subscriber_id) WHERE state = 'proposed' DO NOTHING RETURNING id"
        ),
        {"subscriber": subscriber, "tier": tier.value, "by": actor.name, "said": said, "now": now},
    )
    if made is None:
        raise AlreadyRequested
    _audit(session, Action.LIFT_PROPOSED, subscriber, actor=actor, note=said, now=now)
    return int(made)


def proposed_lifts(session: Session, *, count: int = 100) -> Sequence[tuple[Lift, str]]:
    """Lifts that nobody has decided about, the oldest first, with the numbers of who is meant."""
    found = select(Lift, Subscriber.msisdn).join(Subscriber, Subscriber.id == Lift.subscriber_id)
    found = found.where(Lift.state == "proposed").order_by(Lift.id).limit(count)
    return [(row[0], row[1]) for row in session.execute(found)]


def open_lift(session: Session, *, subscriber: int) -> int | None:
    """The lift of somebody's suspension that nobody has decided about."""
    mine = (Lift.subscriber_id == subscriber, Lift.state == "proposed")
    return session.scalar(select(Lift.id).where(*mine))


def approve_lift(session: Session, *, lift: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Lift a suspension that somebody else proposed to lift, and tell the subscriber.

    Raises:
        UnknownLift: Nobody has proposed that.
        AlreadyDecided: Somebody was faster.
        OwnRequest: It is the same person.
        NoReason, NoPapers: As `set_tier`.
    """
    said = words(note)
    found = _decide(session, lift, "approved", actor=actor, note=said, now=now)
    subscriber, tier = found.subscriber_id, Tier(found.tier)
    _audit(session, Action.LIFT_APPROVED, subscriber, actor=actor, note=said, now=now)
    _set(session, subscriber, tier, actor=actor, note=said, now=now)
    _tell(session, subscriber, tier, now=now)


def decline_lift(session: Session, *, lift: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Leave somebody suspended.

    Raises:
        UnknownLift, AlreadyDecided, OwnRequest, NoReason: As `approve_lift`.
    """
    said = words(note)
    found = _decide(session, lift, "declined", actor=actor, note=said, now=now)
    _audit(session, Action.LIFT_DECLINED, found.subscriber_id, actor=actor, note=said, now=now)


def _decide(
    session: Session, lift: int, state: str, *, actor: Actor, note: str, now: datetime
) -> Lift:
    """Be the one who decides about a lift."""
    found = session.get(Lift, lift, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownLift
    found.decide(state, by=actor.name, note=note, now=now)
    session.flush()  # the trigger that guards the tier looks for it
    return found


def _audit(
    session: Session, action: Action, subscriber: int, *, actor: Actor, note: str, now: datetime
) -> None:
    audit.record(
        session,
        actor=actor,
        action=action,
        subject=f"subscriber:{subscriber}",
        detail={"note": note},
        now=now,
    )


def _set(
    session: Session, subscriber: int, tier: Tier, *, actor: Actor, note: str, now: datetime
) -> None:
    if tier is Tier.VERIFIED and papers_of(session, subscriber=subscriber) is None:
        raise NoPapers
    subscribers.set_tier(session, subscriber=subscriber, tier=tier, actor=actor, note=note, now=now)
    if tier is Tier.SUSPENDED:
        because = Because.SUSPENDED
        devices.remove_all(session, subscriber=subscriber, because=because, actor=actor, now=now)


def _tell(session: Session, subscriber: int, tier: Tier, *, now: datetime) -> None:
    msisdn, language = session.execute(
        select(Subscriber.msisdn, Subscriber.language).where(Subscriber.id == subscriber)
    ).one()
    fact = Fact(Event.TIER_SET, msisdn, language, {"tier": tier.value})
    outbox.stage(session, facts=[fact], now=now)
