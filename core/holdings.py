"""
What a person holds: their main account in each currency, as far as it was ever used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import chart
from core.ledger import Account
from core.money import Currency, Money

# The order in which currencies are listed for people, most used first. It never changes.
LISTED: Final = (
    Currency.KES,
    Currency.USD,
    Currency.EUR,
    Currency.GBP,
    Currency.USDT,
    Currency.BTC,
    Currency.NGN,
)


@dataclass(frozen=True, slots=True)
class Holding:
    """One of a person's accounts, by its id, and what was on it a moment ago."""

    account: int
    balance: Money

    @property
    def currency(self) -> Currency:
        return self.balance.currency


def held(session: Session, *, subscriber: int) -> list[Holding]:
    """A person's main accounts, in the order of `LISTED`."""
    paths = {chart.MAIN.named(currency, owner=subscriber): currency for currency in LISTED}
    found = session.execute(
        select(Account.id, Account.path, Account.balance).where(Account.path.in_(paths))
    )
    holdings = [Holding(row.id, Money(row.balance, paths[row.path])) for row in found]
    return sorted(holdings, key=lambda each: LISTED.index(each.currency))


def aside(session: Session, *, subscriber: int) -> dict[Currency, Money]:
    """What of a person's money is set aside by holds, in each currency that ever was."""
    paths = {chart.HELD.named(currency, owner=subscriber): currency for currency in LISTED}
    found = session.execute(select(Account.path, Account.balance).where(Account.path.in_(paths)))
    return {paths[row.path]: Money(row.balance, paths[row.path]) for row in found}
