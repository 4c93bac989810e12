"""M-Pesa: in, out, straight to a shop, and what became of the last of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core import merchants
from menus.screen import AnyScreen, Hop, Menu, Option
from menus.screens import deposit, last, settle, till, withdraw
from menus.text import Text, _


@dataclass(frozen=True)
class Mpesa(Menu):
    """What a shop alone is offered comes last, so that no number means two things."""

    is_merchant: bool

    def title(self, hop: Hop) -> Text:
        return Text("M-Pesa")

    def options(self, hop: Hop) -> Sequence[Option]:
        everybody = [
            Option(_("Deposit from M-Pesa"), deposit.begin),
            Option(_("Withdraw to M-Pesa"), withdraw.begin),
            Option(_("Pay a till from M-Pesa"), till.begin),
            Option(_("Last M-Pesa"), last.newest),
        ]
        shops = [Option(_("Settle my till"), settle.begin)] if self.is_merchant else []
        return [*everybody, *shops]


def begin(hop: Hop) -> AnyScreen:
    """See whether the caller has a shop."""
    return Mpesa(merchants.has_till(hop.unit.reading, subscriber=hop.caller.id))
