"""Send money: recipient, amount, PIN, outcome."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core import favourites, msisdn, subscribers, transfers
from core.money import Currency, Money
from core.orders import Placed
from core.subscribers import Person
from core.transfers import Quote
from menus.screen import AnyScreen, Ask, Hop
from menus.screens.ordering import OutcomeTell, PinAsk
from menus.screens.payees import PayeeAsk, other
from menus.text import Text, _


@dataclass(frozen=True)
class Recipient(PayeeAsk[Person]):
    """Whom to send to, by phone number or by the 13 digits of their wallet number."""

    def prompt(self, hop: Hop) -> Text:
        if self.known:
            return _("Send money to (phone number, or pick one):")
        return _("Send money to (phone number):")

    def find(self, hop: Hop, number: str) -> Person:
        # No country's code is 384, so no phone number looks like one of ours.
        if re.fullmatch(r"384[0-9]{10}", "".join(number.split())):
            found = subscribers.by_wallet_number(hop.unit.reading, number=number)
        else:
            found = subscribers.recipient(hop.unit.reading, msisdn=msisdn.parse(number))
        return other(hop, found)

    def then(self, hop: Hop, answer: Person) -> Amount:
        return Amount(answer.id, answer.name, msisdn.masked(answer.msisdn))


@dataclass(frozen=True)
class Amount(Ask[Quote]):
    """How much; the name tells a slip in the number."""

    to: int
    name: str
    number: str

    def prompt(self, hop: Hop) -> Text:
        return _("To {name} {number}\nAmount in KES:", name=self.name, number=self.number)

    def read(self, hop: Hop, text: str) -> Quote:
        amount = Money.parse(text, Currency.KES)
        return transfers.quote(hop.unit.reading, sender=hop.caller, amount=amount, now=hop.now)

    def then(self, hop: Hop, answer: Quote) -> Confirm:
        return Confirm(self.to, self.name, self.number, answer)


@dataclass(frozen=True)
class Confirm(PinAsk):
    """Everything once more, and the PIN as the confirmation."""

    to: int
    name: str
    number: str
    quoted: Quote

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Send {amount} to {name} {number}\nFee {fee}, total {total}\nEnter PIN to confirm:",
            amount=self.quoted.amount,
            name=self.name,
            number=self.number,
            fee=self.quoted.fee,
            total=self.quoted.total,
        )

    def then(self, hop: Hop, answer: None) -> Outcome:
        placed = transfers.order(
            hop.db,
            sender=hop.caller,
            recipient=self.to,
            quoted=self.quoted,
            key=hop.key,
            now=hop.now,
        )
        return Outcome(placed.id, hop.caller.account_id, self.name, self.quoted)


@dataclass(frozen=True)
class Outcome(OutcomeTell):
    """What became of the order, if the ledger has said so by now."""

    account_id: int
    name: str
    quoted: Quote

    def received(self, placed: Placed) -> Text:
        return _(
            "Your request to send {amount} to {name} is received. You will get an SMS."
            "\nRef {reference}",
            amount=self.quoted.amount,
            name=self.name,
            reference=placed.reference,
        )

    def done(self, placed: Placed) -> Text:
        balance = Money(placed.outcome[str(self.account_id)], Currency.KES)
        return _(
            "Sent {amount} to {name}.\nFee {fee}. Balance {balance}.\nRef {reference}",
            amount=self.quoted.amount,
            name=self.name,
            fee=self.quoted.fee,
            balance=balance,
            reference=placed.reference,
        )


def begin(hop: Hop) -> AnyScreen:
    """Fetch the people the caller sent money to last."""
    return Recipient(tuple(favourites.people(hop.unit.reading, subscriber=hop.caller.id)))
