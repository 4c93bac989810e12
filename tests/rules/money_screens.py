"""The screens about money with the largest values they can hold, and what they can refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from core import (
    cooling,
    decisions,
    ledger,
    limits,
    money,
    msisdn,
    pins,
    rates,
    strangers,
    subscribers,
    transfers,
)
from core.favourites import Payee
from core.holdings import LISTED, Holding
from core.money import Currency, Money, kes
from core.rates import Price
from core.reversals import ReversalState
from menus.screen import InvalidChoice
from menus.screens import balances, exchange, more, pay, reversal, send, statement

AT = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
NAME = "W" * 20
MUCH = kes(250_000_00)
TILL = "9999995"
ITEM = statement.Item(
    at=AT,
    amount=-MUCH,
    fee=kes(9_999_99),
    balance=kes(99_999_999_99),
    reference="TQ7X2M4KWZ",
    name=NAME,
    number="0733***002",
    reason="transfer",
)
SENT = reversal.Sent(ITEM.reference, MUCH, NAME, ITEM.number)

# More than anybody may hold, and about what one is worth in dollars.
LARGEST = {
    Currency.KES: (99_999_999_99, "0.0077"),
    Currency.USD: (999_999_99, "1"),
    Currency.EUR: (999_999_99, "1.0837"),
    Currency.GBP: (999_999_99, "1.2649"),
    Currency.USDT: (999_999_999999, "1.0003"),
    Currency.BTC: (99_99999999, "100123"),
    Currency.NGN: (99_999_999_99, "0.00066"),
}
HELD = tuple(Holding(7, Money(LARGEST[currency][0], currency)) for currency in LISTED)


def _told(give: Money, get: Money) -> str:
    rate = Decimal(LARGEST[give.currency][1]) / Decimal(LARGEST[get.currency][1])
    return exchange.told(Price(give, get, get, rate, "x", AT))


EXCHANGES = [
    (give, get.balance, _told(give.balance, get.balance))
    for give in HELD
    for get in HELD
    if give is not get
]

EXAMPLES = [
    send.Known(()),
    send.Known((Payee(NAME, "3847363387178", "0733***002"),) * 4),
    pay.Till(),
    pay.Till((Payee(NAME, TILL, TILL),) * 4),
    pay.Amount(1, NAME, TILL),
    pay.Confirm(1, NAME, TILL, MUCH, MUCH),
    statement.Statement(()),
    statement.Statement((ITEM,) * 20),
    statement.Statement((ITEM,) * 20, Currency.USDT),
    *(statement.Detail(replace(ITEM, asked=asked)) for asked in (None, *ReversalState)),
    statement.Detail(replace(ITEM, amount=MUCH, fee=kes(0))),
    statement.Detail(replace(ITEM, name="", number="", reason="release")),
    reversal.Why(SENT),
    reversal.Words(SENT),
    reversal.Confirm(SENT, "x" * 182),
    balances.Balances(HELD),
    balances.Balances((Holding(7, kes(0)),)),
    exchange.Give(()),
    exchange.Give(HELD),
    *(exchange.Get(holding) for holding in HELD),
    *(
        exchange.Amount(give, get.currency, seen)
        for give, get, rate in EXCHANGES
        for seen in (None, exchange.Seen(rate, AT - timedelta(seconds=89)))
    ),
    *(
        exchange.Confirm(give, 1, give.balance, get, get, rate, AT + timedelta(seconds=60))
        for give, get, rate in EXCHANGES
    ),
    *(exchange.Outcome(1, 1, give.balance, get) for give, get, _rate in EXCHANGES),
]

RAISED = {
    send.Recipient: [
        msisdn.InvalidMsisdn,
        strangers.TooManyStrangers,
        subscribers.InvalidWalletNumber,
        subscribers.UnknownRecipient,
        transfers.SameAccount,
    ],
    send.Known: [InvalidChoice, subscribers.UnknownRecipient],
    more.More: [
        InvalidChoice,
        limits.AccountSuspended,
        limits.NotScreened,
        cooling.CoolingOff,
    ],
    exchange.Get: [InvalidChoice, rates.RateStale, rates.ExchangeTooSmall],
    exchange.Amount: [
        money.InvalidAmount,
        ledger.InsufficientFunds,
        rates.RateStale,
        rates.ExchangeTooSmall,
        cooling.CoolingOff,
    ],
    exchange.Confirm: [pins.InvalidPin, pins.WrongPin],
    reversal.Words: [decisions.NoReason],
    reversal.Confirm: [pins.InvalidPin, pins.WrongPin, decisions.AlreadyRequested],
}
