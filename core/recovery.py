"""
Recovery: who forgot their PIN says who they are, shows that they have the phone, chooses another.

What a SIM alone shows (name, balance, statement) proves nothing, so the questions are about what it
does not show: the papers we have seen, or the number of somebody they have sent money to. Wrong
answers are counted by person; which of them was wrong is never said. Answers are kept nowhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import DateTime, ForeignKey, Integer, Row, Text, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, cooling, outbox, pins
from core.audit import Action, Actor
from core.cooling import Cooling
from core.db import Base
from core.errors import Denied, Refused
from core.outbox import Event, Fact
from core.pins import Hasher
from core.subscribers import AccountClosed, Person, Subscriber, Tier

TRIES_MAX: Final = 3
LOCK: Final = timedelta(hours=24)
# Wrong tries are forgotten after a day.
TRIES_FOR: Final = timedelta(hours=24)
# Right answers are good for so long: time enough for an SMS that is slow, and for another one.
PASSED_FOR: Final = timedelta(minutes=15)
# So long somebody may think about a new PIN after the code.
PROVED_FOR: Final = timedelta(minutes=10)
SENT_TO_FOR: Final = timedelta(days=90)
_END_LENGTH: Final = 3


@dataclass(eq=False)
class WrongAnswers(Denied):
    """What was answered is not what we know; which of it is not said."""

    tries_left: int


@dataclass(eq=False)
class RecoveryLocked(Denied):
    """Three times somebody could not say who they are."""

    until: datetime


@dataclass(eq=False)
class RecoveryOver(Refused):
    """It took too long, or was done in another session: begin again."""


class Question(StrEnum):
    """What is asked besides the name."""

    PAPERS = "papers"
    """The end of the number on the papers we have seen; the name is the one on them."""
    SENT_TO = "sent-to"
    """The number of somebody they have sent money to lately, with their PIN."""
    NOTHING = "nothing"
    """There is nothing else to ask: the cooling-off is a strict one."""


class Recovery(Base):
    """
    How far somebody has come with replacing a forgotten PIN, and their wrong answers.

    `passed_at` is when they answered, `proved_at` when they had the code, `cooling` what follows.
    """

    __tablename__ = "recoveries"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey(Subscriber.id), primary_key=True)
    wrong_tries: Mapped[int] = mapped_column(Integer, server_default="0")
    tried_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cooling: Mapped[str | None] = mapped_column(Text)
    passed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    proved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody says. Shown and kept nowhere: it has no `repr`."""

    name: str = field(repr=False)
    proof: str = field(default="", repr=False)


# Only what a PIN confirmed: a little goes by SMS without one, and a thief could send it to
# themselves for an answer.
_SENT_TO: Final = """
    SELECT true FROM orders o JOIN subscribers r ON r.id = CAST(o.args ->> 'recipient' AS bigint)
    WHERE o.subscriber_id = :subscriber AND o.kind = 'transfer' AND o.state = 'done'
      AND o.placed_at > :since AND o.key LIKE 'ussd:%'
"""
_SENT_TO_ANY: Final = text(f"{_SENT_TO} LIMIT 1")
_SENT_TO_TYPED: Final = text(f"{_SENT_TO} AND r.msisdn = :typed LIMIT 1")


def begin(session: Session, *, person: Person, now: datetime) -> Question | None:
    """
    What to ask of somebody; None when they have answered already and wait for the code.

    Raises:
        RecoveryLocked: They may not try.
        AccountClosed: It was closed meanwhile.
    """
    known = session.execute(
        select(Recovery.locked_until, Recovery.passed_at).where(Recovery.subscriber_id == person.id)
    ).one_or_none()
    if known is not None and known.locked_until is not None and now < known.locked_until:
        raise RecoveryLocked(until=known.locked_until)
    if known is not None and known.passed_at is not None and now < known.passed_at + PASSED_FOR:
        return None
    return _question(session, person, now=now)


def answer(
    session: Session,
    *,
    person: Person,
    question: Question,
    answers: Answers,
    actor: Actor,
    now: datetime,
) -> None:
    """
    Judge what somebody says. Their row stays locked, so nobody guesses in two sessions at once.

    A wrong try must be kept although it raises: call this outside of anything that is undone.

    Raises:
        WrongAnswers: Another try is left.
        RecoveryLocked: Three wrong tries, now or within the last day.
        RecoveryOver: By now something else would be asked.
        AccountClosed: It was closed meanwhile.
    """
    if _question(session, person, now=now) is not question:
        raise RecoveryOver
    was = _locked(session, person, now=now)
    if was.locked_until is not None and now < was.locked_until:
        raise RecoveryLocked(until=was.locked_until)
    if _is_right(session, person, question, answers, now=now):
        kind = cooling.Kind.STRICT if question is Question.NOTHING else cooling.Kind.USUAL
        _record(session, person, wrong_tries=0, passed_at=now, cooling=kind.value, now=now)
        return
    forgotten = was.locked_until is not None or was.tried_at + TRIES_FOR <= now
    wrong_tries = 1 if forgotten else was.wrong_tries + 1
    if wrong_tries < TRIES_MAX:
        _record(session, person, wrong_tries=wrong_tries, now=now)
        raise WrongAnswers(tries_left=TRIES_MAX - wrong_tries)
    until = now + LOCK
    _record(session, person, wrong_tries=wrong_tries, locked_until=until, now=now)
    fact = Fact(
        Event.RECOVERY_LOCKED, person.msisdn, person.language.value, {"until": until.isoformat()}
    )
    outbox.stage(session, facts=[fact], now=now)
    subject = f"subscriber:{person.id}"
    audit.record(session, actor=actor, action=Action.RECOVERY_LOCKED, subject=subject, now=now)
    raise RecoveryLocked(until=until)


def require_passed(session: Session, *, person: Person, now: datetime) -> None:
    """
    See that somebody has answered, and lately; nobody else gets a code.

    Raises:
        RecoveryOver: They have not, or it was long ago.
    """
    passed_at = session.scalar(
        select(Recovery.passed_at).where(Recovery.subscriber_id == person.id).with_for_update()
    )
    if passed_at is None or passed_at + PASSED_FOR <= now:
        raise RecoveryOver


def prove(session: Session, *, person: Person, now: datetime) -> None:
    """Remember that somebody who had answered has the phone, too: the code was right."""
    session.execute(
        text("UPDATE recoveries SET proved_at = :now WHERE subscriber_id = :subscriber"),
        {"now": now, "subscriber": person.id},
    )


def complete(
    session: Session, *, person: Person, pin: str, hasher: Hasher, actor: Actor, now: datetime
) -> Cooling:
    """
    Set a new PIN, let the account cool off, and tell its owner, who may not have done it.

    Raises:
        RecoveryOver: The code was not entered, or it was long ago.
        AccountClosed: It was closed meanwhile.
    """
    row = session.execute(
        text(
            "SELECT cooling, proved_at FROM recoveries WHERE subscriber_id = :subscriber FOR UPDATE"
        ),
        {"subscriber": person.id},
    ).one_or_none()
    if row is None or row.proved_at is None or row.proved_at + PROVED_FOR <= now:
        raise RecoveryOver
    cooled = cooling.begin(session, subscriber=person.id, kind=cooling.Kind(row.cooling), now=now)
    pins.keep(session, subscriber=person.id, pin=pin, hasher=hasher, actor=actor, now=now)
    session.execute(
        text(
            "UPDATE recoveries SET passed_at = NULL, proved_at = NULL, cooling = NULL"
            " WHERE subscriber_id = :subscriber"
        ),
        {"subscriber": person.id},
    )
    audit.record(
        session,
        actor=actor,
        action=Action.PIN_RECOVERED,
        subject=f"subscriber:{person.id}",
        detail={"cooling": row.cooling, "until": cooled.until.isoformat()},
        now=now,
    )
    facts = {
        "at": now.isoformat(),
        "until": cooled.until.isoformat(),
        "limit": cooled.day_max.minor,
    }
    fact = Fact(Event.PIN_CHANGED, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)
    return cooled


def _question(session: Session, person: Person, *, now: datetime) -> Question:
    has_papers = session.scalar(
        select(func.has_papers(Subscriber.id) & (Subscriber.tier != Tier.REJECTED.value)).where(
            Subscriber.id == person.id, Subscriber.closed_at.is_(None)
        )
    )
    if has_papers is None:
        raise AccountClosed
    if has_papers:
        return Question.PAPERS
    sent_to = session.scalar(_SENT_TO_ANY, {"subscriber": person.id, "since": now - SENT_TO_FOR})
    return Question.SENT_TO if sent_to else Question.NOTHING


def _locked(session: Session, person: Person, *, now: datetime) -> Row[tuple[object, ...]]:
    session.execute(
        text(
            "INSERT INTO recoveries (subscriber_id, tried_at) VALUES (:subscriber, :now)"
            " ON CONFLICT (subscriber_id) DO NOTHING"
        ),
        {"subscriber": person.id, "now": now},
    )
    return session.execute(
        text(
            "SELECT wrong_tries, tried_at, locked_until FROM recoveries"
            " WHERE subscriber_id = :subscriber FOR UPDATE"
        ),
        {"subscriber": person.id},
    ).one()


def _record(
    session: Session,
    person: Person,
    *,
    wrong_tries: int,
    now: datetime,
    locked_until: datetime | None = None,
    passed_at: datetime | None = None,
    cooling: str | None = None,
) -> None:
    session.execute(
        text(
            "UPDATE recoveries SET wrong_tries = :tries, tried_at = :now, locked_until = :until,"
            " passed_at = :passed, proved_at = NULL, cooling = :cooling"
            " WHERE subscriber_id = :subscriber"
        ),
        {
            "tries": wrong_tries,
            "now": now,
            "until": locked_until,
            "passed": passed_at,
            "cooling": cooling,
            "subscriber": person.id,
        },
    )


def _is_right(
    session: Session, person: Person, question: Question, answers: Answers, *, now: datetime
) -> bool:
    words = sorted(_words(answers.name))
    if question is Question.PAPERS:
        end = re.sub(r"[^0-9A-Z]", "", answers.proof.upper())[-_END_LENGTH:]
        matched = text("SELECT papers_match(:subscriber, CAST(:words AS text[]), :end)")
        given = {"subscriber": person.id, "words": words, "end": end}
        return bool(words) and bool(session.scalar(matched, given))
    name = session.scalar(select(Subscriber.name).where(Subscriber.id == person.id)) or ""
    is_named = words == sorted(_words(name))
    if question is Question.NOTHING:
        return is_named
    known = session.scalar(
        _SENT_TO_TYPED,
        {"subscriber": person.id, "since": now - SENT_TO_FOR, "typed": answers.proof},
    )
    return is_named and bool(known)


def _words(name: str) -> set[str]:
    """A name's words in small plain letters; `papers_match` makes the same of the papers'."""
    plain = unicodedata.normalize("NFKD", name).lower()
    plain = re.sub("[\u0300-\u036f'`\N{RIGHT SINGLE QUOTATION MARK}]", "", plain)
    return set(re.findall(r"[^\W\d_]+", plain))
