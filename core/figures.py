"""
Figures: how the house stands at this moment, as staff see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import backlog, breaks, rails
from core.backlog import Backlog
from core.money import Currency, Money
from core.rails import Pot, Provider


@dataclass(frozen=True, slots=True)
class Held:
    """What people have with us in one currency."""

    people: int
    money: Money


@dataclass(frozen=True, slots=True)
class Float:
    """What a provider said last that we have there."""

    pot: str
    available: Money
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """
    How the house stands.

    Args:
        people: How many accounts are open.
        logged_in: On how many devices somebody is logged in.
        held: What people have with us, by currency.
        orders: Today's by state, from midnight in Nairobi on.
        backlog: How far the workers are behind.
        open_breaks: What does not agree, by kind.
        open_cases: How many suspicions are open.
        open_suspense: How many cases of suspense are.
        reversals: How many wait for a decision.
        float: What there is to pay out from.
    """

    people: int
    logged_in: int
    held: Sequence[Held]
    orders: Mapping[str, int]
    backlog: Backlog
    open_breaks: Mapping[str, int]
    open_cases: int
    open_suspense: int
    reversals: int
    float: Sequence[Float]


_COUNTS = text("""
    SELECT (SELECT count(*) FROM subscribers WHERE closed_at IS NULL) AS people,
           (SELECT count(*) FROM devices WHERE revoked_at IS NULL AND ends_at > :now) AS logged_in,
           (SELECT count(*) FROM cases WHERE state = 'open') AS open_cases,
           (SELECT count(*) FROM suspense_cases WHERE state <> 'closed') AS open_suspense,
           (SELECT count(*) FROM reversals WHERE state = 'requested') AS reversals
""")
_HELD = text("""
    SELECT currency, count(DISTINCT holder_id) AS people, sum(balance) AS minor
    FROM accounts WHERE holder_id IS NOT NULL AND path LIKE 'user:%' AND balance > 0
    GROUP BY currency ORDER BY currency
""")
_ORDERS = text("""
    SELECT state, count(*) AS count FROM orders
    WHERE placed_at >= date_trunc('day', CAST(:now AS timestamptz), 'Africa/Nairobi')
    GROUP BY state ORDER BY state
""")


def look(session: Session, *, now: datetime) -> Figures:
    """Count and add up."""
    counts = session.execute(_COUNTS, {"now": now}).one()
    pots = {pot: _float(session, pot) for pot in (Pot.UTILITY, Pot.PAYBILL)}
    return Figures(
        people=counts.people,
        logged_in=counts.logged_in,
        held=[
            Held(row.people, Money(int(row.minor), Currency[row.currency]))
            for row in session.execute(_HELD)
        ],
        orders={row.state: row[1] for row in session.execute(_ORDERS, {"now": now})},
        backlog=backlog.oldest(session, now=now),
        open_breaks={kind.value: n for kind, n in breaks.open_counts(session).items()},
        open_cases=counts.open_cases,
        open_suspense=counts.open_suspense,
        reversals=counts.reversals,
        float=[each for each in pots.values() if each is not None],
    )


def _float(session: Session, pot: Pot) -> Float | None:
    told = rails.told_balance(
        session, provider=Provider.MPESA, account=pot.value, currency=Currency.KES
    )
    return None if told is None else Float(pot.value, told[0], told[1])
