"""`/api/v1/exchange`: what money is worth, and one currency for another at a promised price."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import exchange, rates
from core.access.principals import Permission
from core.exchange import QuoteExpired, QuoteUsed, UnknownQuote
from core.holdings import LISTED
from core.ledger import InsufficientFunds
from core.money import Currency, InvalidAmount
from core.orders import Asked, KeyReused, Placed
from core.rates import ExchangeTooSmall, RateStale, SameCurrency
from gateway.api import edge
from gateway.api.access import needs, public
from gateway.api.auth import PINS
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm, keyed, ordered, waits
from gateway.api.schemas.exchange import Exchanged, Priced, Prices, Promise, Wish
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Ordered

TAG: Final = {"name": "Exchange", "description": "Money of one currency for another's."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("exchange", __name__, url_prefix="/api/v1/exchange", tag=TAG)

    @door.get("/rates")
    @public
    @door.output(Prices)
    def show() -> Prices:
        """Say what every other currency is worth in shillings, for people. Anybody may ask."""
        prices = []
        for currency in LISTED:
            if currency is Currency.KES:
                continue
            with suppress(RateStale):
                sell, buy = rates.in_shillings(edge.reading(), currency=currency, now=edge.now())
                prices.append(Priced(currency=currency, sell=Sum.of(sell), buy=Sum.of(buy)))
        return Prices(at=edge.now(), prices=prices)

    @door.post("/quotes")
    @needs(Permission.TRANSFER)
    @refuses(InvalidAmount, SameCurrency, ExchangeTooSmall, InsufficientFunds, RateStale)
    @door.input(Wish)
    @door.output(Promise, 201)
    def quote(json_data: Wish) -> Promise:
        """Promise a price for a minute. Nothing has moved."""
        quoted = exchange.quote(
            edge.session(),
            subscriber=edge.person().id,
            give=json_data.give.money(),
            currency=json_data.get,
            now=edge.now(),
        )
        return Promise(
            id=quoted.public_id,
            give=Sum.of(quoted.price.give),
            get=Sum.of(quoted.price.get),
            fee=Sum.of(quoted.price.spread),
            rate=f"{quoted.price.rate:f}",
            expires_at=quoted.expires_at,
        )

    @door.post("")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(UnknownQuote, QuoteExpired, QuoteUsed, InsufficientFunds),
        *PINS,
        KeyReused,
    )
    @door.input(Exchanged)
    @door.output(Ordered, 201)
    def take(json_data: Exchanged) -> Response:
        """Exchange money at the promised price."""
        person = edge.person()
        confirm(api, person, json_data)

        def order(asked: Asked) -> Placed:
            quote = exchange.named(edge.session(), subscriber=person.id, public_id=json_data.quote)
            return exchange.order(
                edge.session(), subscriber=person.id, quote=quote, key=asked, now=edge.now()
            )

        return ordered(api, person, order)

    return door
