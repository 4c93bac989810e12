"""Rates as a source tells them, and money in other currencies than shillings."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

from core import chart, ledger, rates, subscribers
from core.ledger import Draft, Reason
from core.money import Currency, Money
from core.rates import Rate

_gifts = count(1)


def tell_rates(house, **pairs: tuple[str, str]) -> None:
    """Say what the source says now: `USDKES=("129", "131")`."""
    now = house.clock()
    told = [
        Rate(Currency[pair[:-3]], Currency[pair[-3:]], Decimal(bid), Decimal(ask), "test", now)
        for pair, (bid, ask) in pairs.items()
    ]
    with house.databases["worker"].begin() as session:
        rates.record(session, rates=told, now=now)


def give(house, person, money: Money) -> None:
    """Let somebody have money of any currency."""
    with house.databases["owner"].begin() as session:
        owner = subscribers.recipient(session, msisdn=person.phone.msisdn).id
        cash = chart.SANDBOX_CASH.open(session, currency=money.currency)
        mine = chart.MAIN.open(session, currency=money.currency, owner=owner)
        draft = Draft(
            f"gift:{next(_gifts)}", Reason.OPENING, {cash: -money.minor, mine: money.minor}
        )
        [posting] = ledger.post(session, drafts=[draft], now=house.clock())
        assert posting.is_posted


def held(house, person, currency: Currency) -> Money:
    """What somebody holds of a currency."""
    with house.databases["owner"]() as session:
        owner = subscribers.recipient(session, msisdn=person.phone.msisdn).id
        return ledger.balance(session, path=chart.MAIN.named(currency, owner=owner))
