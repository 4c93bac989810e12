"""
Telling people that an address is told what becomes of their money: they may not have set it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from core import outbox
from core.outbox import Event, Fact
from core.subscribers import Person

# What an SMS has room for.
HOST_LENGTH_MAX: Final = 40


def tell(session: Session, *, person: Person, url: str, now: datetime) -> None:
    """Tell somebody that a webhook of theirs leads to an address from now on."""
    facts = {"host": (urlsplit(url).hostname or "")[:HOST_LENGTH_MAX], "at": now.isoformat()}
    told = Fact(Event.WEBHOOK_SET, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[told], now=now)
