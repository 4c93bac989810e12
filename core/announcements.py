"""
Announcements: the same words to many people, who may have opted out of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import String, case, cast, exists, func, insert, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from core import audit, db
from core.audit import Action, Actor
from core.messages import IS_OUT, OptOut
from core.outbox import Event, Outbox
from core.subscribers import Kind, Language, Subscriber, Tier

EVERYBODY: Final = "all"
MERCHANTS: Final = "merchants"
AUDIENCES: Final = (EVERYBODY, MERCHANTS, *(tier.value for tier in Tier))
# The same words again so soon are the same command twice.
AGAIN_AFTER: Final = timedelta(days=1)
# Nobody is woken by news. Hours in Nairobi.
DAY_BEGINS: Final = 8
DAY_ENDS: Final = 20

_NAIROBI: Final = ZoneInfo("Africa/Nairobi")


class AlreadyAnnounced(Exception):
    """The same words went to the same people not a day ago."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who an announcement would go to, by language, and how many of them have opted out."""

    by_language: Mapping[Language, int]
    opted_out: int

    @property
    def count(self) -> int:
        return sum(self.by_language.values())


def is_daytime(now: datetime) -> bool:
    """Whether news may go out at this time of day."""
    return DAY_BEGINS <= now.astimezone(_NAIROBI).hour < DAY_ENDS


def audience(session: Session, *, to: str) -> Audience:
    """Count whom an announcement would reach."""
    counted = session.execute(
        select(Subscriber.language, _HAS_OPTED_OUT, func.count())
        .where(*_are(to))
        .group_by(Subscriber.language, _HAS_OPTED_OUT)
    ).all()
    by_language = {
        Language(language): count for language, has_opted_out, count in counted if not has_opted_out
    }
    gone = sum(count for _, has_opted_out, count in counted if has_opted_out)
    return Audience(by_language, gone)


def announce(
    session: Session,
    *,
    words: Mapping[Language, str],
    to: str,
    actor: Actor,
    now: datetime,
    again: bool = False,
) -> int:
    """
    Stage an announcement to everybody it concerns who has not opted out; return to how many.

    Args:
        session: The caller's transaction.
        words: What it says, in every language; where one is missing, in English.
        to: One of `AUDIENCES`.
        actor: Whose announcement it is.
        now: The present.
        again: Say it even though it was said already.

    Raises:
        AlreadyAnnounced: The same went to the same not a day ago.
    """
    said = {language.value: text for language, text in words.items()}
    name = hashlib.sha256("\n".join([to, *map(str, sorted(said.items()))]).encode()).hexdigest()
    subject = f"announcement:{name[:16]}"
    db.alone(session, subject)
    former = audit.history(session, subject=subject, count=1)
    if former and now - former[0].at < AGAIN_AFTER and not again:
        raise AlreadyAnnounced
    english = words[Language.ENGLISH]
    others = {language: text for language, text in words.items() if text != english}
    text = case(others, value=Subscriber.language, else_=english) if others else literal(english)
    people = select(
        literal(Event.ANNOUNCED.value),
        Subscriber.msisdn,
        Subscriber.language,
        func.jsonb_build_object("said", cast(text, String)),
        literal(now),
        literal(now),
        literal(Event.ANNOUNCED.category.value),
    ).where(*_are(to), ~_HAS_OPTED_OUT)
    columns = ["event", "msisdn", "language", "facts", "staged_at", "ring_at", "category"]
    staged = session.execute(insert(Outbox).from_select(columns, people.order_by(Subscriber.id)))
    count = int(staged.rowcount)  # type: ignore[attr-defined]  # an INSERT's result has one
    audit.record(
        session,
        actor=actor,
        action=Action.ANNOUNCED,
        subject=subject,
        detail={"to": to, "words": said, "people": count},
        now=now,
    )
    return count


_HAS_OPTED_OUT: Final = exists().where(OptOut.msisdn == Subscriber.msisdn, IS_OUT)


def _are(to: str) -> list[ColumnElement[bool]]:
    are: list[ColumnElement[bool]] = [Subscriber.closed_at.is_(None)]
    if to == MERCHANTS:
        are.append(Subscriber.kind == Kind.MERCHANT.value)
    elif to != EVERYBODY:
        are.append(Subscriber.tier == Tier(to).value)
    return are
