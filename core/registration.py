"""
Opening an account: a subscriber, a main account and a PIN, or none of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from core import audit, outbox, pins, subscribers
from core.audit import Action, Actor
from core.outbox import Event, Fact
from core.pins import Hasher
from core.subscribers import Language

TERMS_VERSION: Final = "2026-11"


def register(
    session: Session,
    *,
    msisdn: str,
    name: str,
    language: Language,
    pin: str,
    hasher: Hasher,
    actor: Actor,
    now: datetime,
) -> int:
    """
    Open an account for a number whose owner has accepted the terms; return the subscriber's id.

    Raises:
        AlreadyRegistered: The number has an account.
    """
    subscriber = subscribers.register(
        session,
        msisdn=msisdn,
        name=name,
        language=language,
        terms_version=TERMS_VERSION,
        now=now,
    )
    audit.record(
        session,
        actor=actor,
        action=Action.REGISTERED,
        subject=f"subscriber:{subscriber}",
        detail={"msisdn": msisdn, "name": name, "terms": TERMS_VERSION},
        now=now,
    )
    pins.keep(session, subscriber=subscriber, pin=pin, hasher=hasher, actor=actor, now=now)
    fact = Fact(Event.REGISTERED, msisdn, language.value, {"name": name})
    outbox.stage(session, facts=[fact], now=now)
    return subscriber
