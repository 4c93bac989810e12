"""
SMS of ours and what became of each: at most one per outbox row, and never sent twice in doubt.

    queued ── begin ──► sending ──► sent ──► delivered | failed      (delivery reports)
       │                   ├──► queued       it certainly did not go; try again later
       │                   ├──► rejected     the provider will not send it
       │                   ├──► failed       nor will we any longer
       │                   └──► unknown      it may have gone; never repeated
       └──► withheld       it is promotional, and the person has opted out
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Text,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import delivery_reports, sms_line
from core.db import Base
from core.delivery_reports import Report, State
from core.outbox import Category, Event, Outbox

# An outage of the provider's is waited for; who hears of their money a day late has long looked.
TRIED_FOR_MAX: Final = timedelta(days=1)
# What staff must mend first (credit, a key) is waited for: a weekend, and then some.
BLOCKED_FOR_MAX: Final = timedelta(days=3)
_BACKOFF_FIRST: Final = timedelta(seconds=2)
_BACKOFF_MAX: Final = timedelta(minutes=10)
_DOUBLED_MAX: Final = 16  # the longest was reached long before
_BLOCKED_AGAIN: Final = timedelta(minutes=1)


class Message(Base):
    """One SMS. Its words are not kept: they can be found again from the outbox row."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    outbox_id: Mapped[int] = mapped_column(ForeignKey(Outbox.id), unique=True)
    state: Mapped[str] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    provider_id: Mapped[str | None] = mapped_column(Text, unique=True)
    parts: Mapped[int | None] = mapped_column(Integer)
    cost: Mapped[str | None] = mapped_column(Text)
    why: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Source(StrEnum):
    """How we know that somebody has opted out."""

    ASKED = "asked"
    """They told us, or the provider in our place."""
    NETWORK = "network"
    """They told their network, which takes no promotional message for them from anybody."""


class OptOut(Base):
    """
    A number that wants no promotional messages. Receipts are sent all the same.

    Who wants them again `has_come_back`, and is kept: of two words that are understood in another
    order than they came, the one that came last counts. It came at `opted_out_at`.
    """

    __tablename__ = "opt_outs"

    msisdn: Mapped[str] = mapped_column(Text, primary_key=True)
    opted_out_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(Text, server_default=Source.ASKED.value)
    has_come_back: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))


IS_OUT: Final = OptOut.has_come_back.is_(False)


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that is ours to send now; `as_shared` when our own sender id is refused."""

    id: int
    outbox_id: int
    event: Event
    msisdn: str
    language: str
    facts: dict[str, Any]
    staged_at: datetime
    as_shared: bool


def begin(session: Session, *, outbox_id: int, now: datetime) -> Sending | None:
    """
    Claim the message of an outbox row; commit this before calling the provider.

    None when there is nothing to do: it was sent, it is being sent, or it must not be.
    A message left `sending` by a worker that died may have gone out, so it is never claimed again.
    """
    row = session.execute(
        select(Outbox).where(Outbox.id == outbox_id, Outbox.done_at.is_(None)).with_for_update()
    ).scalar_one_or_none()
    claimed = [] if row is None else _claim(session, [row], now=now)
    return claimed[0] if claimed else None


# As the partial index has it, word for word.
_PROMOTIONAL: Final = (Outbox.done_at.is_(None), text("outbox.category = 'promotional'"))


def begin_promotional(session: Session, *, count_max: int, now: datetime) -> list[Sending]:
    """
    Claim promotional messages that are due, the oldest first, one a number; commit this first.

    What another worker has in its hands is passed over.
    """
    is_taken = exists().where(Message.outbox_id == Outbox.id, Message.state != State.QUEUED.value)
    rows = session.scalars(
        select(Outbox)
        .where(*_PROMOTIONAL, Outbox.ring_at <= now, ~is_taken)
        .order_by(Outbox.ring_at, Outbox.id)
        .limit(count_max)
        .with_for_update(skip_locked=True)
    )
    # A number that stood twice in one request would have two answers that cannot be told apart.
    once: dict[str, Outbox] = {}
    for row in rows:
        once.setdefault(row.msisdn, row)
    return _claim(session, list(once.values()), now=now)


def count_promotional(session: Session, *, count_max: int, now: datetime) -> int:
    """How many promotional messages are due, as far as it matters."""
    due = select(Outbox.id).where(*_PROMOTIONAL, Outbox.ring_at <= now).limit(count_max).subquery()
    return session.scalar(select(func.count()).select_from(due)) or 0


def _claim(session: Session, rows: Sequence[Outbox], *, now: datetime) -> list[Sending]:
    """Make locked rows' messages ours, but for those whose people have opted out of them."""
    rows = _still_wanted(session, rows, now=now)
    if not rows:
        return []
    by_id = {row.id: row for row in rows}
    _make(session, list(by_id), State.QUEUED, now=now)
    claimed = session.execute(
        update(Message)
        .where(Message.outbox_id.in_(by_id), Message.state == State.QUEUED.value)
        .values(state=State.SENDING.value, tries=Message.tries + 1, changed_at=now)
        .returning(Message.outbox_id, Message.id)
    )
    as_shared = sms_line.is_sender_refused(session, now=now)
    return [
        Sending(
            message,
            outbox_id,
            Event((row := by_id[outbox_id]).event),
            row.msisdn,
            row.language,
            row.facts,
            row.staged_at,
            as_shared,
        )
        for outbox_id, message in sorted(tuple(each) for each in claimed)
    ]


def _still_wanted(session: Session, rows: Sequence[Outbox], *, now: datetime) -> list[Outbox]:
    """Withhold what is promotional from who has opted out since it was staged; return the rest."""
    numbers = [row.msisdn for row in rows if Event(row.event).category is Category.PROMOTIONAL]
    if not numbers:
        return list(rows)
    gone = set(session.scalars(select(OptOut.msisdn).where(OptOut.msisdn.in_(numbers), IS_OUT)))
    withheld = [row.id for row in rows if row.msisdn in gone]
    if withheld:
        _make(session, withheld, State.WITHHELD, now=now)
        session.execute(
            update(Message)
            .where(Message.outbox_id.in_(withheld), Message.state == State.QUEUED.value)
            .values(state=State.WITHHELD.value, why="opted out", changed_at=now)
        )
        session.execute(update(Outbox).where(Outbox.id.in_(withheld)).values(done_at=now))
    return [row for row in rows if row.msisdn not in gone]


def _make(session: Session, outbox_ids: Sequence[int], state: State, *, now: datetime) -> None:
    rows = [{"outbox_id": each, "state": state.value, "changed_at": now} for each in outbox_ids]
    session.execute(
        insert(Message).on_conflict_do_nothing(index_elements=[Message.outbox_id]), rows
    )


def sent(
    session: Session,
    *,
    message: Sending,
    provider_id: str,
    parts: int | None,
    cost: str | None,
    now: datetime,
) -> None:
    """The provider took it. A report that came before this answer is applied at once."""
    delivery_reports.alone_with(session, provider_id)
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(
            state=State.SENT.value,
            provider_id=provider_id,
            parts=parts,
            cost=cost,
            why=None,
            changed_at=now,
        )
    )
    _close(session, outbox_id=message.outbox_id, now=now)
    early = session.get(Report, provider_id)
    if early is not None:
        _advance(session, early, now=now)


def unreachable(
    session: Session,
    *,
    message: Sending,
    why: str,
    retry_after: timedelta | None = None,
    now: datetime,
) -> None:
    """It certainly did not go: try again later, each time after longer, and give up after a day."""
    if now - message.staged_at > TRIED_FOR_MAX:
        _end(session, message=message, state=State.FAILED, why=why, now=now)
        return
    tries = session.scalar(select(Message.tries).where(Message.id == message.id)) or 1
    backoff = min(_BACKOFF_FIRST * 2 ** min(tries - 1, _DOUBLED_MAX), _BACKOFF_MAX)
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(
            state=State.QUEUED.value,
            why=why,
            changed_at=now,
        )
    )
    ring_at = now + max(backoff, retry_after or timedelta(0))
    session.execute(update(Outbox).where(Outbox.id == message.outbox_id).values(ring_at=ring_at))


def blocked(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """
    It did not go, and will not until staff mend something: it is kept, and tried every minute.

    That counts as no try. After three days nobody waits for it any longer.
    """
    if now - message.staged_at > BLOCKED_FOR_MAX:
        _end(session, message=message, state=State.FAILED, why=why, now=now)
        return
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(state=State.QUEUED.value, tries=Message.tries - 1, why=why, changed_at=now)
    )
    session.execute(
        update(Outbox).where(Outbox.id == message.outbox_id).values(ring_at=now + _BLOCKED_AGAIN)
    )


def rejected(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """The provider will not send it, however often it is asked."""
    _end(session, message=message, state=State.REJECTED, why=why, now=now)


def failed(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """It did not go, for a fault of ours: the runbook says how it is sent after all."""
    _end(session, message=message, state=State.FAILED, why=why, now=now)


def unknown(session: Session, *, message: Sending, why: str, now: datetime) -> None:
    """It may have gone out. A receipt sent twice misleads; one not sent can be asked for."""
    _end(session, message=message, state=State.UNKNOWN, why=why, now=now)


def abandoned(session: Session, *, older_than: datetime, now: datetime) -> int:
    """Call messages `unknown` whose worker died between claiming and recording; return how many."""
    outbox_ids = session.scalars(
        update(Message)
        .where(Message.state == State.SENDING.value, Message.changed_at < older_than)
        .values(state=State.UNKNOWN.value, why="the worker died while sending", changed_at=now)
        .returning(Message.outbox_id)
    ).all()
    for outbox_id in outbox_ids:
        _close(session, outbox_id=outbox_id, now=now)
    return len(outbox_ids)


def report(
    session: Session,
    *,
    provider_id: str,
    state: State,
    why: str | None,
    status: str,
    now: datetime,
) -> None:
    """
    Take a delivery report in, in whatever order and however often it comes.

    Args:
        session: The caller's transaction.
        provider_id: Which message of the provider's.
        state: How far it says the message has got; `SENT` for a status that says nothing of it.
        why: Its reason, if any.
        status: Its own word.
        now: When it came.
    """
    kept = delivery_reports.keep(
        session, provider_id=provider_id, state=state, why=why, status=status, now=now
    )
    _advance(session, kept, now=now)


def opt_out(session: Session, *, msisdn: str, at: datetime, source: Source = Source.ASKED) -> None:
    """Remember that a number wants no promotional messages, unless it said otherwise since."""
    _heed(session, msisdn=msisdn, at=at, source=source, has_come_back=False)


def opt_in(session: Session, *, msisdn: str, at: datetime) -> None:
    """Remember that a number wants them, or wants them again, unless it said otherwise since."""
    _heed(session, msisdn=msisdn, at=at, source=Source.ASKED, has_come_back=True)


def _heed(
    session: Session, *, msisdn: str, at: datetime, source: Source, has_come_back: bool
) -> None:
    word = {"opted_out_at": at, "source": source.value, "has_come_back": has_come_back}
    session.execute(
        insert(OptOut)
        .values(msisdn=msisdn, **word)
        .on_conflict_do_update(
            index_elements=[OptOut.msisdn], set_=word, where=OptOut.opted_out_at <= at
        )
    )


def _advance(session: Session, report: Report, *, now: datetime) -> None:
    behind = [state.value for state in State(report.state).behind]
    session.execute(
        update(Message)
        .where(Message.provider_id == report.provider_id, Message.state.in_(behind))
        .values(state=report.state, why=report.why, changed_at=now)
    )


def _end(session: Session, *, message: Sending, state: State, why: str, now: datetime) -> None:
    session.execute(
        update(Message)
        .where(Message.id == message.id)
        .values(state=state.value, why=why, changed_at=now)
    )
    _close(session, outbox_id=message.outbox_id, now=now)


def _close(session: Session, *, outbox_id: int, now: datetime) -> None:
    session.execute(update(Outbox).where(Outbox.id == outbox_id).values(done_at=now))
