"""Pay a till: its number, the amount, PIN, outcome. The shop's name tells a slip in the number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core import favourites, merchants, transfers
from core.favourites import Payee
from core.money import Currency, Money
from core.orders import Kind, Placed
from core.subscribers import Person
from core.transfers import Quote, SameAccount
from menus.screen import AnyScreen, Ask, Hop, View
from menus.screens.ordering import OutcomeTell, PinAsk
from menus.text import Text, _


@dataclass(frozen=True, slots=True)
class Shop:
    """Who is paid, and the till that says so."""

    owner: Person
    till: str


@dataclass(frozen=True)
class Till(Ask[Shop]):
    """
    Which shop to pay, by the number on its wall, or one that was paid before.

    Those are fetched once and carried along; no till's number is as short as a choice.
    """

    known: tuple[Payee, ...] = ()

    def prompt(self, hop: Hop) -> Text:
        return _("Till number, or pick one:") if self.known else _("Till number:")

    def show(self, hop: Hop) -> View:
        offered = [
            Text("{name} {shown}", {"name": payee.name, "shown": payee.shown})
            for payee in self.known
        ]
        return View(self.prompt(hop), offered)

    def read(self, hop: Hop, text: str) -> Shop:
        till = "".join(text.split())
        if re.fullmatch(r"[1-9]", till) and int(till) <= len(self.known):
            till = self.known[int(till) - 1].number  # looked up as if typed: the shop may be gone
        owner = merchants.at_till(hop.unit.reading, till=till)
        if owner.id == hop.caller.id:
            raise SameAccount
        return Shop(owner, till)

    def then(self, hop: Hop, answer: Shop) -> AnyScreen:
        return Amount(answer.owner.id, answer.owner.name, answer.till)


@dataclass(frozen=True)
class Amount(Ask[Quote]):
    """How much."""

    to: int
    name: str
    till: str

    def prompt(self, hop: Hop) -> Text:
        return _("Pay {name}, till {till}\nAmount in KES:", name=self.name, till=self.till)

    def read(self, hop: Hop, text: str) -> Quote:
        amount = Money.parse(text, Currency.KES)
        return transfers.quote(
            hop.unit.reading, sender=hop.caller, amount=amount, kind=Kind.PAYMENT, now=hop.now
        )

    def then(self, hop: Hop, answer: Quote) -> Confirm:
        return Confirm(self.to, self.name, self.till, answer.amount, answer.fee)


@dataclass(frozen=True)
class Confirm(PinAsk):
    """Everything once more, and the PIN as the confirmation. The shop bears the fee."""

    to: int
    name: str
    till: str
    amount: Money
    fee: Money

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Pay {amount} to {name}, till {till}\nYou pay no fee, total {amount}"
            "\nEnter PIN to confirm:",
            amount=self.amount,
            name=self.name,
            till=self.till,
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


def begin(hop: Hop) -> AnyScreen:
    """Fetch the shops the caller pays most."""
    return Till(tuple(favourites.tills(hop.unit.reading, subscriber=hop.caller.id)))
