"""`/api/v1/wallet`: what somebody has, and the number by which others pay them."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from core import holdings
from core.access.principals import Permission
from core.money import Money
from gateway.api import edge
from gateway.api.access import needs
from gateway.api.edge import Api
from gateway.api.schemas.money import Sum
from gateway.api.schemas.wallet import Balance, Holdings

TAG: Final = {"name": "Wallet", "description": "What there is, and whose it is."}


def door(_api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("wallet", __name__, url_prefix="/api/v1/wallet", tag=TAG)

    @door.get("")
    @needs(Permission.READ)
    @door.output(Holdings)
    def show() -> Holdings:
        """Show the balances in every currency ever used, and the wallet number."""
        person = edge.person()
        held = holdings.held(edge.reading(), subscriber=person.id)
        aside = holdings.aside(edge.reading(), subscriber=person.id)
        return Holdings(
            wallet_number=person.wallet_number,
            balances=[
                Balance(
                    available=Sum.of(each.balance),
                    held=Sum.of(aside.get(each.currency, Money(0, each.currency))),
                )
                for each in held
            ],
        )

    return door
