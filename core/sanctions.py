"""
Sanctions lists: loaded as a whole, and the hits that staff decide about.

The trigger `screen_number` looks for a number when it registers; `core.screening` for names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, cases
from core.audit import Action, Actor
from core.cases import Case
from core.db import Base
from core.decisions import AlreadyDecided, OwnRequest, words
from core.errors import NotFound
from core.subscribers import Screening, Subscriber

_ROWS_PER_STATEMENT: Final = 5_000


@dataclass(eq=False)
class UnknownHit(NotFound):
    """There is no such hit."""


class SanctionLoad(Base):
    """
    A list as it was loaded. `screened_to` is the last subscriber who was held against it.

    Only the newest load is screened by: it screens by the lists of every source.
    """

    __tablename__ = "sanction_loads"
    __table_args__ = (Index("ix_sanction_loads_source", "source", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    entries: Mapped[int]
    loaded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    screened_to: Mapped[int] = mapped_column(BigInteger, server_default="0")
    screen_until: Mapped[int] = mapped_column(BigInteger)


class Sanction(Base):
    """Somebody on a list, as the list has them. Dates of birth may be a year, or a month."""

    __tablename__ = "sanctions"
    __table_args__ = (Index("ix_sanctions_numbers", "numbers", postgresql_using="gin"),)

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    list_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    aliases: Mapped[list[str]] = mapped_column(ARRAY(Text))
    numbers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    born: Mapped[list[str]] = mapped_column(ARRAY(Text))
    loaded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Hit(Base):
    """
    A subscriber who is like somebody on a list. Cleared once, the pair hits no more.

    Until the list says something else of them: `entry_digest` is of what it said.
    """

    __tablename__ = "hits"
    __table_args__ = (
        UniqueConstraint(
            "subscriber_id", "source", "list_id", "entry_digest", name="uq_hits_subscriber_id"
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id))
    source: Mapped[str] = mapped_column(Text)
    list_id: Mapped[str] = mapped_column(Text)
    entry_digest: Mapped[bytes] = mapped_column(LargeBinary, server_default=text(r"'\x'::bytea"))
    case_id: Mapped[int] = mapped_column(ForeignKey(Case.id))
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="open")
    proposed_by: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody on a list that is about to be loaded; numbers are E.164, dates ISO 8601."""

    list_id: str
    name: str
    aliases: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    born: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        """Of what the list says, in whichever order."""
        said = [self.name, *(sorted(each) for each in (self.aliases, self.numbers, self.born))]
        return hashlib.sha256(json.dumps(said).encode()).digest()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load has changed."""

    entries: int
    added: int
    changed: int
    removed: int

    @property
    def is_news(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def load(
    session: Session, *, source: str, entries: Sequence[Entry], actor: Actor, now: datetime
) -> Loaded:
    """
    Let a source's list be this, and no more. The same list again changes nothing.

    Everybody is screened anew afterwards, by a job, unless nothing is news. Whoever registers
    meanwhile waits for the moment this commits, not for its work.

    Args:
        session: The caller's transaction, for this alone.
        source: Whose list it is, as `un`.
        entries: The whole list.
        actor: Who loads it.
        now: When.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('kabambe.sanctions.load'))"))
    had = {
        row.list_id: Entry(
            row.list_id, row.name, tuple(row.aliases), tuple(row.numbers), tuple(row.born)
        )
        for row in session.execute(
            select(*Sanction.__table__.columns).where(Sanction.source == source)
        )
    }
    new = {entry.list_id: entry for entry in entries}
    assert len(new) == len(entries), "a list has each id once"
    gone = [list_id for list_id in had if list_id not in new]
    changed = [list_id for list_id in new if list_id in had and had[list_id] != new[list_id]]
    added = [list_id for list_id in new if list_id not in had]
    done = Loaded(len(new), len(added), len(changed), len(gone))
    if not done.is_news:
        return done
    for start in range(0, len(gone + changed), _ROWS_PER_STATEMENT):
        some = (gone + changed)[start : start + _ROWS_PER_STATEMENT]
        session.execute(
            delete(Sanction).where(Sanction.source == source, Sanction.list_id.in_(some))
        )
    _insert(session, source, [new[list_id] for list_id in changed + added], now)
    # From here to the commit nobody registers: whoever has is seen, whoever will sees the list.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('kabambe.sanctions'))"))
    until = session.scalar(select(func.max(Subscriber.id))) or 0
    digest = _digest(entries)
    session.add(
        SanctionLoad(
            source=source, digest=digest, entries=len(new), loaded_at=now, screen_until=until
        )
    )
    audit.record(
        session,
        actor=actor,
        action=Action.LIST_LOADED,
        subject=f"list:{source}",
        detail={
            "entries": done.entries,
            "added": done.added,
            "changed": done.changed,
            "removed": done.removed,
            "digest": digest.hex(),
        },
        now=now,
    )
    session.flush()
    return done


def _insert(session: Session, source: str, entries: Sequence[Entry], now: datetime) -> None:
    for start in range(0, len(entries), _ROWS_PER_STATEMENT):
        rows = [
            {
                "list_id": entry.list_id,
                "name": entry.name,
                "aliases": entry.aliases,
                "numbers": entry.numbers,
                "born": entry.born,
            }
            for entry in entries[start : start + _ROWS_PER_STATEMENT]
        ]
        session.execute(
            text(
                "INSERT INTO sanctions (source, list_id, name, aliases, numbers, born, loaded_at)"
                " SELECT :source, list_id, name, aliases, numbers, born, :now"
                " FROM jsonb_to_recordset(CAST(:rows AS jsonb))"
                " AS r (list_id text, name text, aliases text[], numbers text[], born text[])"
            ),
            {"source": source, "now": now, "rows": json.dumps(rows)},
        )


def _digest(entries: Sequence[Entry]) -> bytes:
    said = sorted(
        (each.list_id, each.name, each.aliases, each.numbers, each.born) for each in entries
    )
    return hashlib.sha256(json.dumps(said).encode()).digest()


def propose_clearing(
    session: Session, *, hit: int, actor: Actor, reason: str, now: datetime
) -> None:
    """
    Say that a hit is somebody else; another member of staff decides.

    Raises:
        UnknownHit: There is none.
        AlreadyDecided: It is cleared, or somebody has proposed it.
        NoReason: There is none, or it is too long.
    """
    said = words(reason)
    found = _locked(session, hit)
    if found.state != "open":
        raise AlreadyDecided
    found.state, found.proposed_by, found.reason = "proposed", actor.name, said
    session.flush()
    _audit(session, found, Action.CLEARING_PROPOSED, actor=actor, note=said, now=now)


def clear(session: Session, *, hit: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Agree that a hit is somebody else. With no other hit, their money may move again.

    Raises:
        UnknownHit: There is none.
        AlreadyDecided: It is cleared, or nobody has proposed it.
        OwnRequest: It was proposed by the same person.
        NoReason: There is no note, or it is too long.
    """
    said = words(note)
    found = _proposed(session, hit, by=actor.name)
    found.state, found.decided_by = "cleared", actor.name
    found.note, found.decided_at = said, now
    session.flush()
    _audit(session, found, Action.HIT_CLEARED, actor=actor, note=said, now=now)
    others = select(Hit.id).where(Hit.subscriber_id == found.subscriber_id, Hit.state != "cleared")
    if not session.scalar(select(others.exists())):
        session.execute(
            update(Subscriber)
            .where(Subscriber.id == found.subscriber_id)
            .values(screening=Screening.CLEAR.value)
        )


def decline_clearing(session: Session, *, hit: int, actor: Actor, note: str, now: datetime) -> None:
    """
    Let a hit stand that somebody else thought cleared.

    Raises:
        UnknownHit, AlreadyDecided, OwnRequest, NoReason: As `clear`.
    """
    said = words(note)
    found = _proposed(session, hit, by=actor.name)
    found.state, found.proposed_by, found.reason = "open", None, None
    session.flush()
    _audit(session, found, Action.CLEARING_DECLINED, actor=actor, note=said, now=now)


def _locked(session: Session, hit: int) -> Hit:
    """A hit, and its subscriber's row: no screening of theirs and no other clearing goes on."""
    owner = session.scalar(select(Hit.subscriber_id).where(Hit.id == hit))
    if owner is None:
        raise UnknownHit
    session.execute(
        select(Subscriber.id).where(Subscriber.id == owner).with_for_update(key_share=True)
    )
    return session.scalars(
        select(Hit).where(Hit.id == hit).with_for_update(),
        execution_options={"populate_existing": True},
    ).one()


def _proposed(session: Session, hit: int, *, by: str) -> Hit:
    found = _locked(session, hit)
    if found.state != "proposed":
        raise AlreadyDecided
    if found.proposed_by == by:
        raise OwnRequest
    return found


def _audit(
    session: Session, hit: Hit, action: Action, *, actor: Actor, note: str, now: datetime
) -> None:
    """Keep it with what else is done to the person, and tell it in the case if that is open."""
    audit.record(
        session,
        actor=actor,
        action=action,
        subject=f"subscriber:{hit.subscriber_id}",
        detail={"hit": hit.id, "source": hit.source, "list_id": hit.list_id, "note": note},
        now=now,
    )
    if cases.get(session, case=hit.case_id).state == "open":
        said = f"{action.value}, {hit.source} {hit.list_id}: {note}"[:500]
        cases.note(session, case=hit.case_id, actor=actor, note=said, now=now)


def hits_of(session: Session, *, subscriber: int) -> Sequence[Hit]:
    """Everybody on a list whom somebody is like."""
    return session.scalars(
        select(Hit).where(Hit.subscriber_id == subscriber).order_by(Hit.id)
    ).all()
