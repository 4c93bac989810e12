"""
Settle a till: its money goes to the merchant's own M-Pesa, now or by itself every day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import msisdn, settlements
from menus.screen import AnyScreen, Done, FactMenu, Hop, Option
from menus.screens import withdraw
from menus.screens.ordering import PinAsk
from menus.text import Text, _


@dataclass(frozen=True)
class Settle(FactMenu):
    """Both ways, and whether it happens by itself now."""

    is_daily: bool
    fetched: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        return _("Settle my till")

    def facts(self, hop: Hop) -> Sequence[Text]:
        number = msisdn.masked(hop.msisdn)
        if self.is_daily:
            return [_("To M-Pesa {number} every day.", number=number)]
        return [_("To M-Pesa {number} when you say so.", number=number)]

    def options(self, hop: Hop) -> Sequence[Option]:
        switch = _("Stop daily settlement") if self.is_daily else _("Settle every day")
        return [
            Option(_("Settle now"), withdraw.settle),
            Option(switch, lambda _hop: Daily(not self.is_daily)),
        ]


@dataclass(frozen=True)
class Daily(PinAsk):
    """Whoever holds the phone must not send a shop's money away, nor keep it from going."""

    is_daily: bool

    def prompt(self, hop: Hop) -> Text:
        if not self.is_daily:
            return _("Your money will stay here until you settle it.\nEnter PIN to confirm:")
        return _(
            "All you have will go to M-Pesa {number} every day, for the fee of a withdrawal."
            "\nEnter PIN to confirm:",
            number=msisdn.masked(hop.msisdn),
        )

    def then(self, hop: Hop, answer: None) -> Done:
        settlements.set_daily(
            hop.db,
            subscriber=hop.caller.id,
            is_daily=self.is_daily,
            actor=hop.actor,
            now=hop.now,
        )
        if self.is_daily:
            return Done(_("Daily settlement is on. You will get an SMS each time."))
        return Done(_("Daily settlement is off."))


def begin(hop: Hop) -> AnyScreen:
    """See whether it happens by itself."""
    return Settle(settlements.is_daily(hop.unit.reading, subscriber=hop.caller.id))
