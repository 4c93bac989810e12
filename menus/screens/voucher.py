"""Use a voucher: its code, and what became of it. There is nothing to lose: no PIN is asked."""

from __future__ import annotations

from dataclasses import dataclass

from core import vouchers
from core.money import Money
from core.orders import Placed
from core.vouchers import Found
from menus.screen import Ask, Hop
from menus.screens.ordering import OutcomeTell
from menus.text import Text, _


@dataclass(frozen=True)
class Code(Ask[Found]):
    """The digits below the scratch layer. They are nowhere but in the aggregator's history."""

    def prompt(self, hop: Hop) -> Text:
        return _("Voucher code (20 digits):")

    def read(self, hop: Hop, text: str) -> Found:
        return vouchers.find(
            hop.db,
            person=hop.caller,
            typed=text,
            veil=hop.veil,
            actor=hop.actor,
            now=hop.now,
            key=hop.key,
        )

    def then(self, hop: Hop, answer: Found) -> Outcome:
        placed = vouchers.order(
            hop.db, subscriber=hop.caller.id, found=answer, key=hop.key, now=hop.now
        )
        return Outcome(placed.id, answer.value)


@dataclass(frozen=True)
class Outcome(OutcomeTell):
    """What became of the order, if the ledger has said so by now."""

    value: Money

    def received(self, placed: Placed) -> Text:
        return _(
            "Your voucher of {value} is received. You will get an SMS.\nRef {reference}",
            value=self.value,
            reference=placed.reference,
        )

    def done(self, placed: Placed) -> Text:
        return _(
            "You have received {value} from a voucher.\nRef {reference}",
            value=self.value,
            reference=placed.reference,
        )
