"""
Pay a till from M-Pesa: the shop, the amount, and M-Pesa asks the caller for its PIN.

What the caller has here is not touched: the shop is credited with what comes from M-Pesa.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import deposits, favourites, merchants, msisdn
from core.deposits import Quote
from core.limits import AccountSuspended, RecipientSuspended
from core.money import Currency, Money
from menus.screen import AnyScreen, Ask, FactMenu, Hop, Option
from menus.screens import pay
from menus.screens.ordering import PromptedTell
from menus.screens.pay import Shop
from menus.text import Text, _


@dataclass(frozen=True)
class Till(pay.Till):
    """Which shop, as when it is paid out of the account."""

    def then(self, hop: Hop, answer: Shop) -> AnyScreen:
        return Amount(answer.owner.id, answer.owner.name, answer.till)


@dataclass(frozen=True)
class Amount(Ask[Quote]):
    """How much, in whole shillings: M-Pesa knows no cents."""

    to: int
    name: str
    till: str

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Pay {name}, till {till}, from M-Pesa\nAmount in KES, no cents:",
            name=self.name,
            till=self.till,
        )

    def read(self, hop: Hop, text: str) -> Quote:
        amount = Money.parse(text, Currency.KES)
        shop = merchants.at_till(hop.unit.reading, till=self.till)  # it may be gone by now
        try:
            return deposits.quote(
                hop.unit.reading,
                person=shop,
                amount=amount,
                now=hop.now,
                payer=hop.msisdn,
                purpose="till",
            )
        except AccountSuspended as error:  # which the caller's is not
            raise RecipientSuspended from error

    def then(self, hop: Hop, answer: Quote) -> Confirm:
        return Confirm(self.to, self.name, self.till, answer)


@dataclass(frozen=True)
class Confirm(FactMenu):
    """Everything once more. The shop bears our fee; M-Pesa's is the caller's."""

    to: int
    name: str
    till: str
    quoted: Quote
    guarded: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _(
            "Pay {amount} to {name}, till {till}",
            amount=self.quoted.amount,
            name=self.name,
            till=self.till,
        )

    def facts(self, hop: Hop) -> Sequence[Text]:
        return [
            _("From M-Pesa {number}", number=msisdn.masked(hop.msisdn)),
            _("M-Pesa charges you {tariff}", tariff=self.quoted.tariff),
        ]

    def options(self, hop: Hop) -> Sequence[Option]:
        return [Option(_("Confirm"), self._expect)]

    def _expect(self, hop: Hop) -> Prompted:
        expected = deposits.expect(
            hop.db,
            subscriber=self.to,
            payer=hop.msisdn,
            quoted=self.quoted,
            key=hop.key,
            now=hop.now,
            delay=hop.prompt_delay,
        )
        return Prompted(self.quoted.amount, expected.reference, self.name)


@dataclass(frozen=True)
class Prompted(PromptedTell):
    """What is asked for; of the payment M-Pesa tells by SMS, and we tell the shop."""

    name: str

    def words(self) -> Text:
        return _(
            "Enter your M-Pesa PIN on the next prompt to pay {amount} to {name}."
            " M-Pesa will send you an SMS.\nRef {reference}",
            amount=self.amount,
            name=self.name,
            reference=self.reference,
        )


def begin(hop: Hop) -> AnyScreen:
    """Fetch the shops the caller pays most."""
    return Till(tuple(favourites.tills(hop.unit.reading, subscriber=hop.caller.id)))
