"""
Debts: what a reversal left people owing us, taken from what they have since, never below zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import audit, chart, ledger, outbox
from core.audit import Action, Actor
from core.decisions import words
from core.ledger import Draft, InsufficientFunds, Journal, Reason
from core.money import Currency, Money
from core.outbox import Event, Fact

_OWED: Final = text("""
    SELECT o.id AS account, o.version, -o.balance AS owed, o.currency, s.id AS subscriber,
           s.msisdn, s.language, coalesce(m.balance, 0) AS has
    FROM accounts o
    JOIN subscribers s ON s.id = o.holder_id
    LEFT JOIN accounts m
        ON m.path = concat_ws(':', 'user', s.id, 'main', lower(o.currency))
    WHERE o.path LIKE 'user:%:owed:%' AND o.balance < 0 AND o.id > :after
      AND s.id = coalesce(:subscriber, s.id)
    ORDER BY o.id LIMIT :most
""")
_CURRENCIES_MAX: Final = len(Currency)


@dataclass(frozen=True, slots=True)
class Debt:
    """What somebody owes us in one currency, and what they have in it."""

    account: int
    version: int
    subscriber: int
    msisdn: str
    language: str
    owed: Money
    has: Money

    @property
    def key(self) -> str:
        """What makes it harmless to collect the same twice: the debt as it stood."""
        return f"debt:{self.subscriber}:{self.owed.currency.lower()}:{self.version}"


@dataclass(frozen=True, slots=True)
class Collected:
    """What was taken, and what is left of the debt."""

    amount: Money
    owed: Money


def listed(
    session: Session, *, subscriber: int | None = None, after: int = 0, count: int = 50
) -> Sequence[Debt]:
    """Who owes us how much, by `account`; `after` is the one to go on from."""
    rows = session.execute(_OWED, {"subscriber": subscriber, "after": after, "most": count})
    return [
        Debt(
            account=row.account,
            version=row.version,
            subscriber=row.subscriber,
            msisdn=row.msisdn,
            language=row.language,
            owed=Money(row.owed, Currency[row.currency]),
            has=Money(row.has, Currency[row.currency]),
        )
        for row in rows
    ]


def collect(
    session: Session, *, subscriber: int, actor: Actor, note: str, now: datetime
) -> Sequence[Collected]:
    """
    Take what somebody owes us from their main accounts, as far as it is there, and tell them.

    Nothing that they have set aside is touched, and no other currency. What is left stays owed.

    Args:
        session: The caller's transaction, a worker's.
        subscriber: Who owes it.
        actor: The staff member who collects.
        note: Why now, in words.
        now: When.

    Raises:
        NoReason: There is no note, or it is too long.
    """
    why = words(note)
    collected = []
    for found in listed(session, subscriber=subscriber, count=_CURRENCIES_MAX):
        taken = _take(session, found, now=now)
        if taken is None:
            continue
        debt, amount, balance = taken
        left = debt.owed - amount
        moved = {"amount": amount.minor, "currency": amount.currency.value}
        audit.record(
            session,
            actor=actor,
            action=Action.DEBT_COLLECTED,
            subject=f"subscriber:{subscriber}",
            detail=moved | {"key": debt.key, "note": why},
            now=now,
        )
        journal = session.scalars(select(Journal.id).where(Journal.key == debt.key)).one()
        told = {"owed": left.minor, "balance": balance, "at": now.isoformat(), "journal": journal}
        fact = Fact(Event.DEBT_COLLECTED, debt.msisdn, debt.language, moved | told)
        outbox.stage(session, facts=[fact], now=now)
        collected.append(Collected(amount, left))
    return collected


def _take(session: Session, debt: Debt, *, now: datetime) -> tuple[Debt, Money, int] | None:
    """Post what is there of a debt: the debt as it stood, how much, and the balance left."""
    for _ in range(2):
        amount = min(debt.owed, debt.has)
        if not amount.minor:
            return None
        main = chart.MAIN.open(session, currency=amount.currency, owner=debt.subscriber)
        legs = {main: -amount.minor, debt.account: amount.minor}
        draft = Draft(debt.key, Reason.REPAYMENT, legs)
        [posting] = ledger.post(session, drafts=[draft], now=now)
        if posting.outcome == "posted":
            return debt, amount, int(posting.detail[str(main)])
        if posting.outcome != InsufficientFunds.code:
            return None  # somebody else has collected it, a moment ago
        # It was spent meanwhile. Both accounts are locked from here on: once more is enough.
        again = listed(session, subscriber=debt.subscriber, after=debt.account - 1, count=1)
        if not again or again[0].account != debt.account:
            return None
        [debt] = again
    return None
