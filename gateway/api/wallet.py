"""`/api/v1/wallet`: what somebody has, and the number by which others pay them."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from core import holdings, msisdn, naming
from core.access.principals import Permission
from core.money import Money
from core.msisdn import InvalidMsisdn
from core.subscribers import InvalidWalletNumber, UnknownRecipient
from core.transfers import SameAccount
from gateway.api import edge, limits
from gateway.api.access import needs
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Other
from gateway.api.schemas.wallet import Balance, Holdings
from gateway.api.transfers import whom

TAG: Final = {"name": "Wallet", "description": "What there is, and where others send it."}
PEOPLE: Final = {"name": "People", "description": "Who is behind a number."}


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


def people(api: Api) -> APIBlueprint:
    """Hang the route by which somebody is looked up."""
    door = APIBlueprint("people", __name__, url_prefix="/api/v1/people", tag=PEOPLE)

    @door.get("/<number>")
    @needs(Permission.TRANSFER)
    @refuses(InvalidMsisdn, InvalidWalletNumber, UnknownRecipient, SameAccount)
    @limits.lookups(api)
    @limits.strangers(api)
    @door.output(Other)
    def show(number: str) -> Other:
        """Show who has a phone number or a wallet number: enough to be sure of whom one knows."""
        found = whom(edge.reading(), number, caller=edge.person())
        return Other(name=naming.masked(found.name), number=msisdn.masked(found.msisdn))

    return door
