"""
Closing: an account is left for good, with nothing in it and nothing under way.

The number may open another; the account stays in the book. What must hold is looked at by a
function in the database, under the locks of the subscriber and of all their accounts: money on its
way comes before, and keeps the account open, or after, and goes nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from core import audit, outbox
from core.access import devices, keys
from core.access.devices import Because
from core.audit import Action, Actor
from core.errors import Denied, Refused
from core.limits import NotScreened
from core.money import Currency, Money
from core.outbox import Event, Fact
from core.subscribers import AccountClosed, Person


@dataclass(eq=False)
class MoneyLeft(Refused):
    """There is money in the account."""

    left: Money


@dataclass(eq=False)
class MoneyOwed(Refused):
    """Its owner owes us money after a reversal."""

    owed: Money


@dataclass(eq=False)
class StillOpen(Refused):
    """An order, money set aside, vouchers that were paid for or a reversal is still open."""


@dataclass(eq=False)
class ClosingRefused(Denied):
    """The account cannot be closed by its owner; why is nobody's business but the staff's."""


def close(session: Session, *, person: Person, actor: Actor, now: datetime) -> None:
    """
    Close an account whose owner has confirmed it with their PIN, and tell them.

    Raises:
        MoneyLeft: There is money in it, in whatever currency.
        MoneyOwed: They owe us some.
        StillOpen: Something is under way.
        NotScreened: Somebody has to look first; a moment.
        ClosingRefused: They are suspended, or a case is open.
        AccountClosed: It was closed already.
    """
    refusal = session.scalar(select(func.close_account(person.id, now, type_=JSONB)))
    if refusal is not None:
        raise _error(refusal)
    audit.record(
        session,
        actor=actor,
        action=Action.ACCOUNT_CLOSED,
        subject=f"subscriber:{person.id}",
        detail={"msisdn": person.msisdn},
        now=now,
    )
    devices.remove_all(session, subscriber=person.id, because=Because.CLOSED, actor=actor, now=now)
    keys.revoke_all(session, subscriber=person.id, actor=actor, now=now)
    facts = {"at": now.isoformat(), "wallet_number": person.wallet_number}
    fact = Fact(Event.ACCOUNT_CLOSED, person.msisdn, person.language.value, facts)
    outbox.stage(session, facts=[fact], now=now)


def _error(refusal: dict[str, object]) -> Refused | Denied:
    """What `close_account` found, as its error."""
    match refusal:
        case {"code": MoneyLeft.code, "left": int(minor), "currency": str(currency)}:
            return MoneyLeft(left=Money(minor, Currency[currency]))
        case {"code": MoneyOwed.code, "owed": int(minor), "currency": str(currency)}:
            return MoneyOwed(owed=Money(minor, Currency[currency]))
    without = (AccountClosed, ClosingRefused, NotScreened, StillOpen)
    return next(kind for kind in without if kind.code == refusal["code"])()
