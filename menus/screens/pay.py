"""Pay a till: its number, the amount, PIN, outcome. The shop's name tells a slip in the number."""

from __future__ import annotations

from dataclasses import dataclass

from core import merchants, transfers
from core.money import Currency, Money
from core.orders import Kind, Placed
from core.subscribers import Person
from core.transfers import Quote, SameAccount
from menus.screen import Ask, Hop
from menus.screens.ordering import OutcomeTell, PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Till(Ask[Person]):
    """Which shop to pay, by the number on its wall."""

    def prompt(self, hop: Hop) -> Text:
        return _("Till number:")

    def read(self, hop: Hop, text: str) -> Person:
        shop = merchants.at_till(hop.unit.reading, till=text)
        if shop.id == hop.caller.id:
            raise SameAccount
        return shop

    def then(self, hop: Hop, answer: Person) -> Amount:
        return Amount(answer.id, answer.name)


@dataclass(frozen=True)
class Amount(Ask[Quote]):
    """How much."""

    to: int
    name: str

    def prompt(self, hop: Hop) -> Text:
        return _("Pay {name}\nAmount in KES:", name=self.name)

    def read(self, hop: Hop, text: str) -> Quote:
        amount = Money.parse(text, Currency.KES)
        return transfers.quote(
            hop.unit.reading, sender=hop.caller, amount=amount, kind=Kind.PAYMENT, now=hop.now
        )

    def then(self, hop: Hop, answer: Quote) -> Confirm:
        return Confirm(self.to, self.name, answer.amount, answer.fee)


@dataclass(frozen=True)
class Confirm(PinAsk):
    """Everything once more, and the PIN as the confirmation. The shop bears the fee."""

    to: int
    name: str
    amount: Money
    fee: Money

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Pay {amount} to {name}\nYou pay no fee.\nEnter PIN to confirm:",
            amount=self.amount,
            name=self.name,
        )

    def then(self, hop: Hop, answer: None) -> Outcome:
        placed = transfers.order(
            hop.db,
            sender=hop.caller,
            recipient=self.to,
            quoted=Quote(self.amount, self.fee, Kind.PAYMENT),
            key=hop.key,
            now=hop.now,
        )
        return Outcome(placed.id, hop.caller.account_id, self.name, self.amount)


@dataclass(frozen=True)
class Outcome(OutcomeTell):
    """What became of the order, if the ledger has said so by now."""

    account_id: int
    name: str
    amount: Money

    def received(self, placed: Placed) -> Text:
        return _(
            "Your request to pay {amount} to {name} is received. You will get an SMS."
            "\nRef {reference}",
            amount=self.amount,
            name=self.name,
            reference=placed.reference,
        )

    def done(self, placed: Placed) -> Text:
        return _(
            "Paid {amount} to {name}.\nBalance {balance}.\nRef {reference}",
            amount=self.amount,
            name=self.name,
            balance=Money(placed.outcome[str(self.account_id)], Currency.KES),
            reference=placed.reference,
        )
