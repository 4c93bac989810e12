"""
Reversals: a transfer is asked back with a reason, and somebody else decides.

The mirror of its journal is posted under the reversal's own key and linked to it. What the
receiver has spent already is not taken below zero: it becomes what they owe us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Row, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, chart, ledger, outbox
from core.audit import Action, Actor
from core.db import Base
from core.decisions import AlreadyDecided, AlreadyRequested, OwnRequest, words
from core.errors import NotFound, Refused
from core.ledger import Draft, Entry, InsufficientFunds, Journal, Reason
from core.money import Currency, Money
from core.orders import Order
from core.outbox import Event, Fact
from core.subscribers import AccountClosed


class ReversalState(StrEnum):
    """Where a reversal is. It leaves `requested` once, and never returns."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(eq=False)
class UnknownTransfer(NotFound):
    """No transfer of theirs has that reference."""


@dataclass(eq=False)
class AlreadyRefunded(Refused):
    """The merchant has given some of the payment back already."""


@dataclass(eq=False)
class UnknownReversal(NotFound):
    """There is no such reversal."""


class Reversal(Base):
    """
    A request that a transfer be reversed, and what was decided.

    `debt` is what the receiver had spent already, in minor units; `journal_id` is the mirror. Asked
    for again under the same `key`, it is the same request.
    """

    __tablename__ = "reversals"
    __table_args__ = (
        # Declined, it may be asked for again; while it is asked for or done, it may not.
        Index(
            "uq_reversals_original_id",
            "original_id",
            unique=True,
            postgresql_where=text("state <> 'declined'"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    original_id: Mapped[int] = mapped_column(ForeignKey(Journal.id))
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    requested_by: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="requested")
    decided_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    key: Mapped[str | None] = mapped_column(Text(collation="C"))
    journal_id: Mapped[int | None] = mapped_column(ForeignKey(Journal.id), unique=True)
    debt: Mapped[int] = mapped_column(BigInteger, server_default="0")


def request(
    session: Session,
    *,
    subscriber: int,
    reference: str,
    actor: Actor,
    reason: str,
    now: datetime,
    key: str | None = None,
) -> int:
    """
    Ask for a transfer back; return the reversal's id.

    Args:
        session: The caller's transaction.
        subscriber: Who sent the money.
        reference: The transfer's, as on the receipt.
        actor: Who asks: the subscriber, or the staff member they told.
        reason: Why, in words.
        now: When.
        key: What makes a repeat harmless, if anything: it finds the first request.

    Raises:
        NoReason: There is none, or it is too long.
        UnknownTransfer: They have sent nothing under that reference.
        AlreadyRequested: It was asked for, and not declined.
    """
    original = session.execute(
        select(Journal.id, Order.id)
        .join(Order, Order.key == Journal.key)
        .where(Journal.reference == reference.strip().upper(), Order.subscriber_id == subscriber)
        .where(Journal.reason.in_([Reason.TRANSFER, Reason.PAYMENT]))
    ).one_or_none()
    if original is None:
        raise UnknownTransfer
    made = session.scalar(
        text(
            "INSERT INTO reversals (original_id, order_id, requested_by, reason, requested_at, key)"
            " VALUES (:original, :order, :by, :reason, :now, :key)"
            " ON CONFLICT (original_id) WHERE state <> 'declined' DO NOTHING RETURNING id"
        ),
        {
            "original": original[0],
            "order": original[1],
            "by": actor.name,
            "reason": words(reason),
            "now": now,
            "key": key,
        },
    )
    if made is None:
        return _requested_under(session, key, original=original[0])
    audit.record(
        session,
        actor=actor,
        action=Action.REVERSAL_REQUESTED,
        subject=f"reversal:{made}",
        detail={"reference": reference, "reason": words(reason)},
        now=now,
    )
    return int(made)


def _requested_under(session: Session, key: str | None, *, original: int) -> int:
    """
    The request that was made under a key before.

    Raises:
        AlreadyRequested: The one there is was made under another, or under none.
    """
    found = select(Reversal.id).where(Reversal.original_id == original, Reversal.key == key)
    made = session.scalar(found) if key else None
    if made is None:
        raise AlreadyRequested
    return made


def states(
    session: Session, *, subscriber: int, references: Sequence[str]
) -> Mapping[str, ReversalState]:
    """What became of those transfers of theirs that were asked back, by their references."""
    found = session.execute(
        select(Order.reference, Reversal.state)
        .join(Reversal, Reversal.order_id == Order.id)
        .where(Order.reference.in_(references), Order.subscriber_id == subscriber)
        .order_by(Reversal.id)  # of one that was declined and asked for again, the newest is left
    )
    return {reference: ReversalState(state) for reference, state in found}


@dataclass(frozen=True, slots=True)
class Request:
    """A reversal that is asked for, as whoever decides must see it."""

    id: int
    reference: str
    amount: Money
    sender: str
    recipient: str
    requested_by: str
    requested_at: datetime
    reason: str


_REQUESTED = text("""
    SELECT r.id, o.reference, CAST(o.args ->> 'amount' AS bigint) AS amount,
           o.args ->> 'currency' AS currency, s.msisdn AS sender, t.msisdn AS recipient,
           r.requested_by, r.requested_at, r.reason
    FROM reversals r
    JOIN orders o ON o.id = r.order_id
    JOIN subscribers s ON s.id = o.subscriber_id
    JOIN subscribers t ON t.id = CAST(o.args ->> 'recipient' AS bigint)
    WHERE r.state = 'requested' AND r.id > :after ORDER BY r.id LIMIT :most
""")


def requested(session: Session, *, after: int = 0, count: int = 50) -> Sequence[Request]:
    """What nobody has decided about, oldest first; `after` is the id to go on from."""
    rows = session.execute(_REQUESTED, {"after": after, "most": count})
    return [
        Request(
            row.id,
            row.reference,
            Money(row.amount, Currency[row.currency]),
            row.sender,
            row.recipient,
            row.requested_by,
            row.requested_at,
            row.reason,
        )
        for row in rows
    ]


def approve(session: Session, *, reversal: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Post the mirror of a transfer, and tell both sides.

    Args:
        session: The caller's transaction, a worker's.
        reversal: Its id.
        actor: The staff member who decides; not who asked.
        note: Why, in words.
        now: When.

    Raises:
        UnknownReversal: There is none.
        AlreadyDecided: Somebody was faster.
        OwnRequest: It was asked for by the same person.
        NoReason: There is no note, or it is too long.
        AccountClosed: Either side has left; it can only be declined.
        AlreadyRefunded: The merchant has given some of it back; it can only be declined.
        UnknownTransfer: It names another journal than staff are shown; it can only be declined.
    """
    found = _undecided(session, reversal, by=actor.name, note=note)
    # Doors write the row: what is mirrored must be what whoever decides was shown.
    if not session.scalar(_TIED, {"original": found.original_id, "order": found.order_id}):
        raise UnknownTransfer
    parties = _parties(session, found)
    if parties.left_at is not None:
        raise AccountClosed
    # Whoever refunds has the payment's row, too.
    session.execute(_ALONE, {"order": found.order_id})
    if session.scalar(_REFUNDED, {"order": found.order_id}):
        raise AlreadyRefunded
    legs = {
        account: -amount
        for account, amount in session.execute(
            select(Entry.account_id, Entry.amount).where(Entry.journal_id == found.original_id)
        )
    }
    draft = Draft(f"reversal:{reversal}", Reason.REVERSAL, legs)
    [posting] = ledger.post(session, drafts=[draft], now=now)
    debt = 0
    if posting.outcome == InsufficientFunds.code:
        # The account is locked from here on: what it holds now is what is taken.
        debt = -legs[parties.recipient_account] - int(posting.detail["available"])
        owed = chart.OWED.open(
            session, currency=Currency[parties.currency], owner=parties.recipient_id
        )
        legs[parties.recipient_account] += debt
        legs[owed] = -debt
        moved = {account: amount for account, amount in legs.items() if amount}
        [posting] = ledger.post(session, drafts=[Draft(draft.key, draft.reason, moved)], now=now)
    assert posting.outcome == "posted", f"{draft.key}: {posting.outcome}"
    mirror = session.scalars(select(Journal.id).where(Journal.key == draft.key)).one()
    found.journal_id, found.debt = mirror, debt
    _decide(session, found, ReversalState.APPROVED, actor=actor, note=note, now=now)
    _tell(session, parties, posting.detail, event=Event.TRANSFER_REVERSED, now=now, mirror=found)


def decline(session: Session, *, reversal: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Leave a transfer as it is, and tell who asked.

    Raises:
        UnknownReversal, AlreadyDecided, OwnRequest, NoReason: As `approve`.
    """
    found = _undecided(session, reversal, by=actor.name, note=note)
    _decide(session, found, ReversalState.DECLINED, actor=actor, note=note, now=now)
    _tell(session, _parties(session, found), {}, event=Event.REVERSAL_DECLINED, now=now)


def _undecided(session: Session, reversal: int, *, by: str, note: str) -> Reversal:
    """Be the one who decides about a reversal."""
    words(note)
    found = session.get(Reversal, reversal, with_for_update=True, populate_existing=True)
    if found is None:
        raise UnknownReversal
    if found.state != ReversalState.REQUESTED:
        raise AlreadyDecided
    if found.requested_by == by:
        raise OwnRequest
    return found


def _decide(
    session: Session,
    found: Reversal,
    state: ReversalState,
    *,
    actor: Actor,
    note: str,
    now: datetime,
) -> None:
    # All at once, and once: the database lets nobody change it afterwards.
    found.note, found.state = words(note), state
    found.decided_by, found.decided_at = actor.name, now
    audit.record(
        session,
        actor=actor,
        action=Action(f"reversal-{state.value}"),
        subject=f"reversal:{found.id}",
        detail={"note": found.note, "debt": found.debt},
        now=now,
    )


_ALONE = text("SELECT FROM orders WHERE id = :order FOR NO KEY UPDATE")
_REFUNDED = text("SELECT EXISTS (SELECT FROM refunds WHERE payment_id = :order)")
_TIED = text("""
    SELECT EXISTS (
        SELECT FROM orders o JOIN journals j ON j.key = o.key
        WHERE o.id = :order AND j.id = :original AND j.reason IN ('transfer', 'payment')
    )
""")
_PARTIES = text("""
    SELECT o.reference, CAST(o.args ->> 'amount' AS bigint) AS amount,
           o.args ->> 'currency' AS currency,
           s.msisdn AS sender_msisdn, s.language AS sender_language, s.name AS sender_name,
           a.id AS sender_account,
           r.msisdn AS recipient_msisdn, r.language AS recipient_language,
           r.name AS recipient_name, b.id AS recipient_account, r.id AS recipient_id,
           coalesce(s.closed_at, r.closed_at) AS left_at
    FROM orders o
    JOIN subscribers s ON s.id = o.subscriber_id
    JOIN subscribers r ON r.id = CAST(o.args ->> 'recipient' AS bigint)
    JOIN accounts a ON a.holder_id = s.id AND a.currency = o.args ->> 'currency'
        AND a.path LIKE 'user:%:main:%'
    JOIN accounts b ON b.holder_id = r.id AND b.currency = o.args ->> 'currency'
        AND b.path LIKE 'user:%:main:%'
    WHERE o.id = :order
""")


def _parties(session: Session, found: Reversal) -> Row[tuple[object, ...]]:
    return session.execute(_PARTIES, {"order": found.order_id}).one()


def _tell(
    session: Session,
    parties: Row[tuple[object, ...]],
    balances: Mapping[str, object],
    *,
    event: Event,
    now: datetime,
    mirror: Reversal | None = None,
) -> None:
    """
    Tell the sender; and the receiver, if money was taken from them.

    A receipt names the mirror, and gets its seal. Where there is a debt, only the receiver's does:
    the mirror tells then what they had left, which is nobody else's business.
    """
    common = {
        "reference": parties.reference,
        "amount": parties.amount,
        "currency": parties.currency,
        "at": now.isoformat(),
    }
    balance = balances.get(str(parties.sender_account))
    sealed = {} if mirror is None else {"journal": mirror.journal_id}
    shown = {} if mirror is None or mirror.debt else sealed
    facts = [
        Fact(
            event,
            parties.sender_msisdn,
            parties.sender_language,
            common | shown | {"name": parties.recipient_name, "balance": balance},
        )
    ]
    if balances:
        left = balances.get(str(parties.recipient_account), 0)
        facts.append(
            Fact(
                Event.TRANSFER_TAKEN_BACK,
                parties.recipient_msisdn,
                parties.recipient_language,
                common | sealed | {"name": parties.sender_name, "balance": left},
            )
        )
    outbox.stage(session, facts=facts, now=now)
