"""`/api/v1/payment-links`: asking for a payment in writing, and making it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import merchants, payment_links
from core.access.principals import Permission
from core.ledger import InsufficientFunds
from core.limits import AmountTooLarge, AmountTooSmall
from core.merchants import NoTill
from core.money import InvalidAmount
from core.orders import Asked, KeyReused, Placed
from core.payment_links import (
    Link,
    LinkAmountDiffers,
    LinkOver,
    LinkPaid,
    LinkTaken,
    UnknownLink,
)
from core.pins import PinLocked, WrongPin
from core.transfers import SameAccount
from gateway import problems
from gateway.api import edge, paging
from gateway.api.access import needs, public
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm, keyed, ordered, waits
from gateway.api.schemas import Page
from gateway.api.schemas.merchants import (
    LinkMade,
    LinkPaying,
    Links,
    LinkTold,
    PaidBy,
)
from gateway.api.schemas.orders import Ordered
from gateway.problems import Halted

TAG: Final = {"name": "Payment links", "description": "A payment asked for in writing, or by QR."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("payment_links", __name__, url_prefix="/api/v1/payment-links", tag=TAG)
    _hang_merchants(door, api)
    _hang_payers(door, api)
    return door


def _hang_merchants(door: APIBlueprint, api: Api) -> None:
    @door.post("")
    @needs(Permission.TRANSFER)
    @refuses(NoTill, InvalidAmount)
    @door.input(LinkMade)
    @door.output(LinkTold, 201)
    def make_link(json_data: LinkMade) -> LinkTold:
        """Ask for a payment. Send the link, or show its QR code."""
        person = edge.person()
        merchants.of(edge.reading(), subscriber=person.id)
        amount = None if json_data.amount is None else json_data.amount.money()
        link = payment_links.make(
            edge.session(),
            merchant=person.id,
            currency=json_data.currency if amount is None else amount.currency,
            amount=amount,
            memo=json_data.memo,
            is_single_use=json_data.single_use,
            expires_at=_later(json_data.expires_at),
            now=edge.now(),
        )
        return LinkTold.of(link, public_url=api.public_url)

    @door.get("")
    @needs(Permission.READ)
    @door.input(Page, location="query")
    @door.output(Links)
    def show_links(query_data: Page) -> Links:
        """Show one's links, the newest first."""
        found = payment_links.listed(
            edge.reading(),
            merchant=edge.person().id,
            before=paging.number(query_data.cursor),
            count=query_data.limit,
            now=edge.now(),
        )
        last = found[-1].id if len(found) == query_data.limit else None
        return Links(
            links=[LinkTold.of(each, public_url=api.public_url) for each in found],
            next=paging.cursor(last),
        )

    @door.get("/<code>/payments")
    @needs(Permission.READ)
    @refuses(UnknownLink)
    @door.input(Page, location="query")
    @door.output(PaidBy)
    def show_payments_by_link(code: str, query_data: Page) -> PaidBy:
        """Show the payments that were made by a link of one's own, the newest first."""
        found = payment_links.payments(
            edge.reading(),
            link=_own(code),
            before=paging.number(query_data.cursor),
            count=query_data.limit + 1,
        )
        page, following = paging.cut(found, query_data.limit)
        return PaidBy(payments=[each.reference for each in page], next=following)

    @door.delete("/<code>")
    @needs(Permission.TRANSFER)
    @refuses(UnknownLink)
    @door.output(LinkTold)
    def close_link(code: str) -> LinkTold:
        """Let nobody pay by a link from now on."""
        closed = payment_links.close(
            edge.session(), merchant=edge.person().id, code=code, now=edge.now()
        )
        return LinkTold.of(closed, public_url=api.public_url)


def _hang_payers(door: APIBlueprint, api: Api) -> None:
    @door.get("/<code>")
    @public
    @refuses(UnknownLink)
    @door.output(LinkTold)
    def show_link(code: str) -> LinkTold:
        """Show what a link asks for, to whoever has it."""
        link = payment_links.find(edge.reading(), code=code, now=edge.now())
        return LinkTold.of(link, public_url=api.public_url)

    @door.post("/<code>/payments")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(UnknownLink, LinkOver, LinkPaid, LinkTaken, LinkAmountDiffers, SameAccount),
        *(InvalidAmount, AmountTooSmall, AmountTooLarge, InsufficientFunds),
        *(WrongPin, PinLocked, KeyReused),
    )
    @door.input(LinkPaying)
    @door.output(Ordered, 201)
    def pay_by_link(code: str, json_data: LinkPaying) -> Response:
        """Pay what a link asks for."""
        payer = edge.person()
        confirm(api, payer, json_data)

        def order(asked: Asked) -> Placed:
            return payment_links.pay(
                edge.session(),
                payer=payer,
                code=code,
                amount=None if json_data.amount is None else json_data.amount.money(),
                key=asked,
                now=edge.now(),
            )

        return ordered(api, payer, order)


def _own(code: str) -> Link:
    link = payment_links.find(edge.reading(), code=code, now=edge.now())
    if link.merchant != edge.person().id:
        raise UnknownLink
    return link


def _later(at: datetime | None) -> datetime | None:
    if at is not None and at <= edge.now():
        fault = {"in": "json", "field": "expires_at", "fault": "That is over already"}
        raise Halted(problems.INVALID_REQUEST, errors=[fault])
    return at
