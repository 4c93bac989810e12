"""`/api/v1/holds`: money set aside for a merchant, who takes it or gives it back."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import hold_orders, merchants, msisdn, transfers
from core.access.principals import Permission
from core.fees import FeeChanged
from core.hold_orders import Shown
from core.holds import HoldResolved, HoldTooSmall, UnknownHold
from core.ledger import InsufficientFunds
from core.limits import AmountTooLarge, AmountTooSmall, CeilingReached
from core.money import InvalidAmount
from core.orders import Asked, KeyReused, Kind, Placed
from core.subscribers import Person
from core.transfers import SameAccount, UnknownTill
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.auth import PINS
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm, keyed, ordered, waits
from gateway.api.schemas.holds import (
    GivingBack,
    HoldAsked,
    HoldsTold,
    HoldsWanted,
    HoldTold,
    Taking,
)
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Ordered, Other

TAG: Final = {"name": "Holds", "description": "Money set aside for a merchant, by its owner."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("holds", __name__, url_prefix="/api/v1/holds", tag=TAG)
    _looks(door)
    _resolves(door, api)

    @door.post("")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(InvalidAmount, UnknownTill, SameAccount, *PINS),
        *(AmountTooSmall, AmountTooLarge, InsufficientFunds, KeyReused),
    )
    @door.input(HoldAsked)
    @door.output(Ordered, 201)
    def place(json_data: HoldAsked) -> Response:
        """Set money aside for a shop. It comes back by itself when the time is over."""
        owner = edge.person()
        confirm(api, owner, json_data)

        def order(asked: Asked) -> Placed:
            session, now, amount = edge.session(), edge.now(), json_data.amount.money()
            shop = merchants.at_till(session, till=json_data.till)
            transfers.quote(session, sender=owner, amount=amount, kind=Kind.PAYMENT, now=now)
            return hold_orders.order(
                session,
                owner=owner,
                merchant=shop,
                amount=amount,
                days=json_data.days,
                key=asked,
                now=now,
            )

        return ordered(api, owner, order)

    return door


def _looks(door: APIBlueprint) -> None:
    @door.get("")
    @needs(Permission.READ)
    @door.input(HoldsWanted, location="query")
    @door.output(HoldsTold)
    def show_all(query_data: HoldsWanted) -> HoldsTold:
        """Show what one set aside, and what others set aside for one's shop, the newest first."""
        person = edge.person()
        found = hold_orders.listed(
            edge.reading(),
            subscriber=person.id,
            state=query_data.state,
            before=paging.number(query_data.cursor),
            count=query_data.limit + 1,
        )
        page, following = paging.cut(found, query_data.limit)
        return HoldsTold(holds=[_told(each, person) for each in page], next=following)

    @door.get("/<string(length=10):reference>")
    @needs(Permission.READ)
    @refuses(UnknownHold)
    @door.output(HoldTold)
    def show(reference: str) -> HoldTold:
        """Show a hold of one's own money, or for one's shop."""
        person = edge.person()
        found = hold_orders.of_reference(edge.reading(), subscriber=person.id, reference=reference)
        return _told(found, person)


def _resolves(door: APIBlueprint, api: Api) -> None:
    @door.post("/<string(length=10):reference>/capture")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(UnknownHold, HoldResolved, HoldTooSmall, InvalidAmount, KeyReused),
        *(CeilingReached, FeeChanged),
    )
    @door.input(Taking)
    @door.output(Ordered, 201)
    def capture(reference: str, json_data: Taking) -> Response:
        """Take what was set aside for one's shop, or some of it; the rest goes back at once."""
        merchant = edge.person()
        amount = None if json_data.amount is None else json_data.amount.money()

        def order(asked: Asked) -> Placed:
            return hold_orders.take(
                edge.session(),
                merchant=merchant.id,
                reference=reference,
                amount=amount,
                key=asked,
                now=edge.now(),
            )

        return ordered(api, merchant, order)

    @door.post("/<string(length=10):reference>/release")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(UnknownHold, HoldResolved, KeyReused)
    @door.input(GivingBack)
    @door.output(Ordered, 201)
    def release(reference: str, json_data: GivingBack) -> Response:  # noqa: ARG001 - it says nothing
        """Give back what was set aside for one's shop."""
        merchant = edge.person()

        def order(asked: Asked) -> Placed:
            return hold_orders.give_back(
                edge.session(),
                merchant=merchant.id,
                reference=reference,
                key=asked,
                now=edge.now(),
            )

        return ordered(api, merchant, order)


def _told(found: Shown, person: Person) -> HoldTold:
    is_owner = found.owner == person.id
    name = found.merchant_name if is_owner else found.owner_name
    number = found.merchant_msisdn if is_owner else found.owner_msisdn
    return HoldTold(
        reference=found.reference,
        side="owner" if is_owner else "merchant",
        other=Other(name=name, number=msisdn.masked(number)),
        amount=Sum.of(found.amount),
        captured=Sum.of(found.captured),
        state=found.state,
        placed_at=found.placed_at,
        expires_at=found.expires_at,
    )
