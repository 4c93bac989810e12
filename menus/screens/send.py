"""Send money: recipient, amount, PIN, outcome."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import favourites, msisdn, strangers, subscribers, transfers
from core.favourites import Payee
from core.money import Currency, Money
from core.orders import Placed
from core.subscribers import Person
from core.transfers import Quote, SameAccount
from menus.screen import AnyScreen, Ask, Hop, Pick, View
from menus.screens.ordering import OutcomeTell, PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Recipient(Ask[Person | None]):
    """
    Whom to send to, by phone number or by the 13 digits of their wallet number.

    Or somebody of before, who is looked up on the next screen: the way here costs no SQL.
    """

    def prompt(self, hop: Hop) -> Text:
        return _("Send money to (phone number):")

    def show(self, hop: Hop) -> View:
        return View(self.prompt(hop), [_("Sent to before")])

    def read(self, hop: Hop, text: str) -> Person | None:
        if text.strip() == "1":
            return None
        # No country's code is 384, so no phone number looks like one of ours.
        is_ours = re.fullmatch(r"384[0-9]{10}", "".join(text.split())) is not None
        found = strangers.find(
            hop.unit.reading,
            number=text if is_ours else msisdn.parse(text),
            person=hop.caller,
            actor=hop.actor,
            now=hop.now,
            counting=lambda: hop.db,
        )
        if found.msisdn == hop.msisdn:
            raise SameAccount
        return found

    def then(self, hop: Hop, answer: Person | None) -> AnyScreen:
        if answer is not None:
            return _amount(answer)
        return Known(tuple(favourites.people(hop.unit.reading, subscriber=hop.caller.id)))


@dataclass(frozen=True)
class Known(Pick[Payee]):
    """Somebody who got money from the caller before, the last one first."""

    people: tuple[Payee, ...]
    fetched: ClassVar[bool] = True
    left_out: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _("Send money to:") if self.people else _("You have not sent money to anybody yet.")

    def items(self, hop: Hop) -> Sequence[Payee]:
        return self.people

    def label(self, item: Payee) -> Text:
        return Text("{name} {shown}", {"name": item.name, "shown": item.shown})

    def then(self, hop: Hop, answer: Payee) -> Amount:
        # Looked up as if it were typed: they may have left.
        return _amount(subscribers.by_wallet_number(hop.unit.reading, number=answer.number))


def _amount(recipient: Person) -> Amount:
    return Amount(recipient.id, recipient.name, msisdn.masked(recipient.msisdn))


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
