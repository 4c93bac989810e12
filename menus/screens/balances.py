"""My money: every account of the caller, each with its own statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core import holdings
from core.holdings import Holding
from menus.screen import AnyScreen, Hop, Pick
from menus.screens import statement
from menus.text import Text, _


@dataclass(frozen=True)
class Balances(Pick[Holding]):
    """What there is in each currency. The balances are of the moment they were fetched."""

    held: tuple[Holding, ...]
    fetched: ClassVar[bool] = True

    def title(self, hop: Hop) -> Text:
        if not any(holding.balance.minor for holding in self.held):
            return _("You have no money here yet.")
        return _("My money. Pick one for its statement:")

    def items(self, hop: Hop) -> Sequence[Holding]:
        return self.held

    def label(self, item: Holding) -> Text:
        return Text("{balance}", {"balance": item.balance})

    def then(self, hop: Hop, answer: Holding) -> AnyScreen:
        return statement.of(hop, account=answer.account, currency=answer.currency)


def mine(hop: Hop) -> AnyScreen:
    """Fetch what the caller holds."""
    return Balances(tuple(holdings.held(hop.unit.reading, subscriber=hop.caller.id)))
