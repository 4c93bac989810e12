"""
Withdraw to M-Pesa: how much, what it costs, PIN, outcome. It goes to the caller's own number.

A till is settled the same way, with all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import limits, msisdn, rails, settlements, withdrawals
from core.limits import Bounds
from core.money import Currency, Money
from core.orders import Placed
from core.rails import Provider
from core.withdrawals import Quote
from menus.screen import AnyScreen, Ask, FactMenu, Hop, Option
from menus.screens.ordering import OutcomeTell, PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Paused(FactMenu):
    """Payouts are stopped until staff have mended something: who withdraws all the same waits."""

    purpose: str = "own"
    fetched: ClassVar[bool] = True
    left_out: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _("M-Pesa payouts are paused.")

    def facts(self, hop: Hop) -> Sequence[Text]:
        return [_("Yours will wait, set aside.")]

    def options(self, hop: Hop) -> Sequence[Option]:
        return [Option(_("Withdraw all the same"), self._go_on)]

    def _go_on(self, hop: Hop) -> AnyScreen:
        return _all(hop) if self.purpose == "settlement" else _amount(hop)


@dataclass(frozen=True)
class Amount(Ask[Quote]):
    """How much, in whole shillings: M-Pesa knows no cents."""

    bounds: Bounds
    fetched: ClassVar[bool] = True

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Withdraw to M-Pesa {number}\nAmount in KES, {least} to {most}:",
            number=msisdn.masked(hop.msisdn),
            least=self.bounds.least.brief,
            most=self.bounds.most.brief,
        )

    def read(self, hop: Hop, text: str) -> Quote:
        amount = Money.parse(text, Currency.KES)
        return withdrawals.quote(hop.unit.reading, person=hop.caller, amount=amount, now=hop.now)

    def then(self, hop: Hop, answer: Quote) -> Confirm:
        return Confirm(answer)

    def again(self, hop: Hop) -> AnyScreen:
        return begin(hop)


@dataclass(frozen=True)
class Confirm(PinAsk):
    """Both fees and the total, and the PIN as the confirmation."""

    quoted: Quote
    purpose: str = "own"

    def prompt(self, hop: Hop) -> Text:
        return _(
            "Withdraw {amount} to M-Pesa {number}\nFee {fee}, M-Pesa {tariff}, total {total}"
            "\nEnter PIN to confirm:",
            amount=self.quoted.amount,
            number=msisdn.masked(hop.msisdn),
            fee=self.quoted.fee.figures,
            tariff=self.quoted.tariff.figures,
            total=self.quoted.total,
        )

    def then(self, hop: Hop, answer: None) -> Outcome:
        placed = withdrawals.order(
            hop.db,
            person=hop.caller,
            payee=hop.msisdn,
            quoted=self.quoted,
            key=hop.key,
            now=hop.now,
            purpose=self.purpose,
        )
        return Outcome(placed.id, hop.caller.account_id, self.quoted)


@dataclass(frozen=True)
class Outcome(OutcomeTell):
    """
    What became of the order, if the ledger has said so by now.

    That the ledger has set the money aside is not that M-Pesa has it: that is told by SMS.
    """

    account_id: int
    quoted: Quote

    def received(self, placed: Placed) -> Text:
        return _(
            "Your request to withdraw {amount} is received. You will get an SMS.\nRef {reference}",
            amount=self.quoted.amount,
            reference=placed.reference,
        )

    def done(self, placed: Placed) -> Text:
        return _(
            "{amount} is on its way to your M-Pesa. You will get an SMS."
            "\nBalance {balance}.\nRef {reference}",
            amount=self.quoted.amount,
            balance=Money(placed.outcome[str(self.account_id)], Currency.KES),
            reference=placed.reference,
        )


def begin(hop: Hop) -> AnyScreen:
    """Look how much can be withdrawn at once, and whether anything is."""
    return Paused() if _are_paused(hop) else _amount(hop)


def settle(hop: Hop) -> AnyScreen:
    """Price the withdrawal of all there is."""
    return Paused("settlement") if _are_paused(hop) else _all(hop)


def _amount(hop: Hop) -> Amount:
    session, caller = hop.unit.reading, hop.caller.id
    return Amount(limits.bounds(session, subscriber=caller, kind="withdrawal", now=hop.now))


def _all(hop: Hop) -> Confirm:
    quoted = settlements.quote(hop.unit.reading, person=hop.caller, now=hop.now)
    return Confirm(quoted, "settlement")


def _are_paused(hop: Hop) -> bool:
    return rails.breaker(hop.unit.reading, provider=Provider.MPESA, now=hop.now) is not None
