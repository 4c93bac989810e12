"""`/api/v1/vouchers`: having a voucher's money, and what became of those one issued."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import vouchers
from core.access.principals import Permission
from core.codes import InvalidVoucherCode
from core.orders import Asked, KeyReused, Placed
from core.vouchers import (
    Issued,
    TooManyCodes,
    UnknownVoucher,
    VoucherCancelled,
    VoucherExpired,
    VoucherUsed,
)
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import keyed, ordered, waits
from gateway.api.schemas import Page
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Ordered
from gateway.api.schemas.vouchers import Batch, Batches, Code

TAG: Final = {"name": "Vouchers", "description": "Money that was paid for, had by its code."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("vouchers", __name__, url_prefix="/api/v1/vouchers", tag=TAG)

    @door.get("")
    @needs(Permission.READ)
    @door.input(Page, location="query")
    @door.output(Batches)
    def show(query_data: Page) -> Batches:
        """Show the vouchers that one issued, batch by batch, the newest first, without codes."""
        found = vouchers.issued_by(
            edge.reading(),
            subscriber=edge.person().id,
            before=paging.number(query_data.cursor),
            count=query_data.limit + 1,
        )
        page, following = paging.cut(found, query_data.limit)
        return Batches(batches=[_told(each) for each in page], next=following)

    @door.post("/redeem")
    @needs(Permission.DEPOSIT)
    @keyed
    @waits
    @refuses(
        *(InvalidVoucherCode, UnknownVoucher, TooManyCodes),
        *(VoucherUsed, VoucherExpired, VoucherCancelled, KeyReused),
    )
    @door.input(Code)
    @door.output(Ordered, 201)
    def redeem(json_data: Code) -> Response:
        """Have a voucher's money. Five wrong codes in a day, and there is none until tomorrow."""
        person = edge.person()

        def order(asked: Asked) -> Placed:
            with edge.recorded() as session:
                found = vouchers.find(
                    session,
                    person=person,
                    typed=json_data.code.get_secret_value(),
                    veil=api.conversation.veil,
                    actor=edge.actor(person),
                    now=edge.now(),
                )
            return vouchers.order(
                edge.session(), subscriber=person.id, found=found, key=asked, now=edge.now()
            )

        return ordered(api, person, order)

    return door


def _told(issued: Issued) -> Batch:
    return Batch(
        number=issued.id,
        value=Sum.of(issued.value),
        count=issued.count,
        redeemed=issued.redeemed,
        refunded=issued.refunded,
        issued_at=issued.issued_at,
        expires_at=issued.expires_at,
        cancelled_at=issued.cancelled_at,
    )
