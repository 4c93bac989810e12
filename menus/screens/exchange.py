"""
Exchange money: from which currency, to which, how much, PIN at a promised price, outcome.

Who holds one currency alone is not asked which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Final

from core import cooling, exchange, holdings, limits, rates
from core.exchange import QuoteExpired
from core.holdings import LISTED, Holding
from core.money import Currency, Money
from core.orders import Placed
from core.rates import Price
from menus.pages import LINES_MAX
from menus.screen import AnyScreen, Ask, Hop, Pick
from menus.screens.ordering import OutcomeTell, PinAsk
from menus.text import Text, _

_DIGITS_MAX: Final = 5
_FEW: Final = 10
_MANY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A rate as the caller is told it, and when it was true."""

    rate: str
    at: datetime


@dataclass(frozen=True)
class Give(Pick[Holding]):
    """Which money to part with."""

    held: tuple[Holding, ...]
    fetched: ClassVar[bool] = True
    left_out: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        if not self.held:
            return _("You have no money to exchange.")
        if len(self.held) > LINES_MAX:
            return _(
                "Exchange which money? Or type its code, as {code}:", code=self.held[-1].currency
            )
        return _("Exchange which money?")

    def items(self, hop: Hop) -> Sequence[Holding]:
        return self.held

    def label(self, item: Holding) -> Text:
        return Text("{balance}", {"balance": item.balance})

    def word(self, item: Holding) -> str:
        return item.currency.value

    def then(self, hop: Hop, answer: Holding) -> Get:
        return Get(answer)


@dataclass(frozen=True)
class Get(Pick[Currency]):
    """
    For what. A currency that has no rate now is refused here, before anybody types.

    They are more than a page holds, and a page turned is an answer more: the last may be typed.
    """

    mine: Holding
    fetched: ClassVar[bool] = True
    left_out: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _(
            "You have {balance}. Exchange to (or type {code}):",
            balance=self.mine.balance,
            code=self.items(hop)[-1],
        )

    def items(self, hop: Hop) -> Sequence[Currency]:
        return [currency for currency in LISTED if currency is not self.mine.currency]

    def label(self, item: Currency) -> Text:
        return Text(item.value)

    def word(self, item: Currency) -> str:
        return item.value

    def then(self, hop: Hop, answer: Currency) -> Amount:
        price = rates.price(hop.unit.reading, give=self.mine.balance, currency=answer, now=hop.now)
        return Amount(self.mine, answer, Seen(told(price), price.at))


@dataclass(frozen=True)
class Amount(Ask[Money]):
    """
    How much to give. What it gets is promised on the next screen alone.

    `seen` is None where such a promise was not taken up in time.
    """

    mine: Holding
    currency: Currency
    seen: Seen | None = None
    fetched: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        asked = _(
            "Amount in {currency} (you have {available}):",
            currency=self.mine.currency,
            available=self.mine.balance.figures,
        )
        if self.seen is None:
            return _("That price is over.\n{asked}", asked=asked)
        age = max(int((hop.now - self.seen.at).total_seconds()), 0)
        return _("{rate}, {age} s ago\n{asked}", rate=self.seen.rate, age=age, asked=asked)

    def read(self, hop: Hop, text: str) -> Money:
        return Money.parse(text, self.mine.currency)

    def then(self, hop: Hop, answer: Money) -> Confirm:
        quoted = exchange.quote(
            hop.db,
            subscriber=hop.caller.id,
            give=answer,
            currency=self.currency,
            now=hop.now,
        )
        price = quoted.price
        return Confirm(
            mine=self.mine,
            quote=quoted.id,
            give=price.give,
            get=price.get,
            fee=price.spread,
            rate=told(price),
            until=quoted.expires_at,
        )

    def again(self, hop: Hop) -> AnyScreen | None:
        for mine in _some(hop):
            if mine.currency is self.mine.currency:
                return Get(mine).then(hop, self.currency)
        return None


@dataclass(frozen=True)
class Confirm(PinAsk):
    """The promise, how long it holds, and the PIN that takes it up."""

    mine: Holding
    quote: int
    give: Money
    get: Money
    fee: Money
    rate: str
    until: datetime

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Give {give}, get {get}\n{rate}, incl. fee {fee}\n{left} s left. Enter PIN:",
            give=self.give,
            get=self.get,
            rate=self.rate,
            fee=self.fee,
            left=max(int((self.until - hop.now).total_seconds()), 0),
        )

    def then(self, hop: Hop, answer: None) -> AnyScreen:
        try:
            placed = exchange.order(
                hop.db,
                subscriber=hop.caller.id,
                quote=self.quote,
                key=hop.key,
                now=hop.now,
            )
        except QuoteExpired:  # nothing was written: another price is had for the amount
            return Amount(self.mine, self.get.currency)
        return Outcome(placed.id, self.mine.account, self.give, self.get)


@dataclass(frozen=True)
class Outcome(OutcomeTell):
    """What became of the order, if the ledger has said so by now."""

    account_id: int
    give: Money
    get: Money

    def received(self, placed: Placed) -> Text:
        return _(
            "Your request to exchange {give} for {get} is received. You will get an SMS."
            "\nRef {reference}",
            give=self.give,
            get=self.get,
            reference=placed.reference,
        )

    def done(self, placed: Placed) -> Text:
        # The journal's two accounts with a balance are theirs: what they gave from, and the other.
        given = str(self.account_id)
        [got] = (balance for account, balance in placed.outcome.items() if account != given)
        return _(
            "Exchanged {give} for {get}.\nBalances {left}, {now}.\nRef {reference}",
            give=self.give,
            get=self.get,
            left=Money(placed.outcome[given], self.give.currency),
            now=Money(got, self.get.currency),
            reference=placed.reference,
        )


def begin(hop: Hop) -> AnyScreen:
    """Fetch what the caller has to exchange, if they may."""
    some = _some(hop)
    return Get(some[0]) if len(some) == 1 else Give(some)


def _some(hop: Hop) -> tuple[Holding, ...]:
    limits.require_standing(hop.unit.reading, subscriber=hop.caller.id)
    cooling.require_over(hop.unit.reading, subscriber=hop.caller.id, now=hop.now)
    held = holdings.held(hop.unit.reading, subscriber=hop.caller.id)
    return tuple(holding for holding in held if holding.balance.minor)


def told(price: Price) -> str:
    """A rate as people say it, one of the dearer currency: `1 USD = KES 132.32`."""
    one, other, rate = price.give.currency, price.get.currency, price.rate
    if rate < 1:
        one, other, rate = other, one, 1 / rate
    # Five digits tell it: 1.0891, 132.32, 11,583,000. The amounts are exact.
    rounded = rate.quantize(Decimal(1).scaleb(rate.adjusted() + 1 - _DIGITS_MAX))
    places = 4 if rate < _FEW else 2 if rate < _MANY else 0
    return f"1 {one.value} = {other.value} {rounded:,.{places}f}"
