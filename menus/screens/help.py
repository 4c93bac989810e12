"""Help: short answers, each on a screen of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from core import fees
from core.fees import Tier
from core.money import Currency
from core.orders import Kind
from menus.screen import AnyScreen, Hop, Menu, Option, Tell, View
from menus.text import Text, _


class Subject(StrEnum):
    """What we explain."""

    SENDING = "sending"
    PIN = "pin"
    SHORTCUT = "shortcut"


_QUESTIONS: Final = {
    Subject.SENDING: _("Sending money"),
    Subject.PIN: _("Your PIN"),
    Subject.SHORTCUT: _("Shortcuts"),
}
_ANSWERS: Final = {
    Subject.SENDING: _(
        "Choose 1, type the number and the amount. We show the name and the fee."
        " Your PIN sends it; both of you get an SMS."
    ),
    Subject.PIN: _(
        "Your PIN shows as you type: let nobody see. We never ask for it."
        " 3 wrong PINs lock it 15 minutes. Forgot it? My account."
    ),
    Subject.SHORTCUT: _(
        "Dial *384*1*NUMBER*AMOUNT# to go straight to your PIN. Never dial the PIN itself."
    ),
}


@dataclass(frozen=True)
class Help(Menu):
    """The questions."""

    def title(self, hop: Hop) -> Text:
        return _("Help")

    def options(self, hop: Hop) -> Sequence[Option]:
        topics = [Option(_QUESTIONS[subject], _topic(subject)) for subject in Subject]
        return [*topics, Option(_("Fees"), tariff)]


@dataclass(frozen=True)
class Topic(Tell):
    """One answer."""

    subject: Subject

    def view(self, hop: Hop) -> View:
        return View(_ANSWERS[self.subject])


@dataclass(frozen=True)
class Fees(Tell):
    """What sending costs: the tariff that is charged, each tier from its amount up."""

    tiers: tuple[Tier, ...]
    fetched: ClassVar[bool] = True

    def view(self, hop: Hop) -> View:
        lines = [
            _("From {amount}: {fee}", amount=tier.amount_from.figures, fee=_fee(tier))
            for tier in self.tiers
        ]
        return View(_("Fees for sending, in KES:"), lines, numbered=False)


def _fee(tier: Tier) -> str:
    """A tier's fee as people write it: `5.00`, `1.5%`, `5.00 + 1%`."""
    percent = f"{tier.basis_points / 100:g}%" if tier.basis_points else ""
    flat = tier.flat.figures if tier.flat.minor or not percent else ""
    return " + ".join(part for part in (flat, percent) if part)


def tariff(hop: Hop) -> AnyScreen:
    """Fetch the tariff in force."""
    tiers = fees.tariff(hop.unit.reading, kind=Kind.TRANSFER, currency=Currency.KES, now=hop.now)
    return Fees(tuple(tiers))


def _topic(subject: Subject) -> Callable[[Hop], Topic]:
    return lambda _hop: Topic(subject)
