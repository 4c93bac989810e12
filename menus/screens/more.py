"""More services: what people come for less often. Its numbers never change either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from menus.screen import Hop, Menu, Option
from menus.screens import balances, exchange, mpesa, pay, voucher
from menus.text import Text, _


@dataclass(frozen=True)
class More(Menu):
    """One page of them."""

    def title(self, hop: Hop) -> Text:
        return _("More services")

    def options(self, hop: Hop) -> Sequence[Option]:
        options = [
            Option(_("Pay a till"), pay.begin),
            Option(_("Use a voucher"), lambda _hop: voucher.Code()),
            Option(_("Exchange money"), exchange.begin),
            Option(_("My money"), balances.mine),
        ]
        return [*options, Option(Text("M-Pesa"), mpesa.begin)] if hop.has_mpesa else options
