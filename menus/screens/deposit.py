"""
Deposit from M-Pesa: how much, what it comes to, and a word on what the phone will ask next.

No PIN of ours is asked: money comes in, and M-Pesa asks for its own. What came of it is told by
SMS, on the first line of the caller's next session, and by My account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import deposits, limits, msisdn
from core.deposits import Quote
from core.limits import Bounds
from core.money import Currency, Money
from menus.screen import AnyScreen, Ask, FactMenu, Hop, Option
from menus.screens.ordering import PromptedTell
from menus.text import Text, _


@dataclass(frozen=True)
class Amount(Ask[Quote]):
    """How much, in whole shillings: M-Pesa knows no cents."""

    bounds: Bounds
    fetched: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Deposit from M-Pesa {number}\nAmount in KES, {least} to {most}:",
            number=msisdn.masked(hop.msisdn),
            least=self.bounds.least.brief,
            most=self.bounds.most.brief,
        )

    def read(self, hop: Hop, text: str) -> Quote:
        amount = Money.parse(text, Currency.KES)
        return deposits.quote(hop.unit.reading, person=hop.caller, amount=amount, now=hop.now)

    def then(self, hop: Hop, answer: Quote) -> Confirm:
        return Confirm(answer)

    def again(self, hop: Hop) -> AnyScreen:
        return begin(hop)


@dataclass(frozen=True)
class Confirm(FactMenu):
    """Everything once more: what leaves M-Pesa, what it and we keep, what comes."""

    quoted: Quote
    guarded: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _(
            "Deposit {amount} from M-Pesa {number}",
            amount=self.quoted.amount,
            number=msisdn.masked(hop.msisdn),
        )

    def facts(self, hop: Hop) -> Sequence[Text]:
        return [
            _(
                "Our fee {fee}, you get {credited}",
                fee=self.quoted.fee,
                credited=self.quoted.credited,
            ),
            _("M-Pesa charges you {tariff}", tariff=self.quoted.tariff),
        ]

    def options(self, hop: Hop) -> Sequence[Option]:
        return [Option(_("Confirm"), self._expect)]

    def _expect(self, hop: Hop) -> Prompted:
        expected = deposits.expect(
            hop.db,
            subscriber=hop.caller.id,
            payer=hop.msisdn,
            quoted=self.quoted,
            key=hop.key,
            now=hop.now,
            delay=hop.prompt_delay,
        )
        return Prompted(self.quoted.amount, expected.reference)


@dataclass(frozen=True)
class Prompted(PromptedTell):
    """What is asked for, and that the answer comes by SMS."""

    def words(self) -> Text:
        return _(
            "Enter your M-Pesa PIN on the next prompt to deposit {amount}. You will get an SMS."
            "\nRef {reference}",
            amount=self.amount,
            reference=self.reference,
        )


def begin(hop: Hop) -> AnyScreen:
    """Look how much can be deposited at once."""
    session, caller = hop.unit.reading, hop.caller.id
    return Amount(limits.bounds(session, subscriber=caller, kind="deposit", now=hop.now))
