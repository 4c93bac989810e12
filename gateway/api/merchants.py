"""`/api/v1/merchants/me` and `/api/v1/refunds`: a shop, what it was paid, what it gives back."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import merchants, refunds, settlements, statements, takings, withdrawals
from core.access.principals import Permission
from core.ledger import InsufficientFunds, UnknownAccount
from core.limits import RecipientSuspended
from core.logins import SECONDS
from core.merchants import NoTill
from core.money import InvalidAmount, Money
from core.msisdn import InvalidMsisdn
from core.naming import InvalidName
from core.orders import Asked, KeyReused, Placed
from core.otp_codes import InvalidOtp
from core.pins import PinLocked, WrongPin
from core.refunds import NoSuchPayment, PaymentReversed, RefundTooLarge
from core.statements import NAIROBI, InvalidPeriod, Line, Page, Period, Wanted
from core.subscribers import Person
from core.takings import ByRail
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm, keyed, ordered, waits
from gateway.api.schemas import orders as schemas
from gateway.api.schemas.merchants import (
    Payments,
    PaymentsWanted,
    PaymentTold,
    Refundable,
    RefundAsked,
    SettlementQuoted,
    ShopChanged,
    ShopTold,
)
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Ordered, PinAndCodeGiven
from gateway.api.withdrawals import confirm_much

TAG: Final = {"name": "Merchants", "description": "A shop, what it was paid, and its takings."}
REFUNDS: Final = {"name": "Refunds", "description": "What a merchant gives back, by themselves."}
_FIRST: Final = date(2020, 1, 1)


def door(api: Api) -> APIBlueprint:
    """Hang the routes of a shop."""
    door = APIBlueprint("merchants", __name__, url_prefix="/api/v1/merchants/me", tag=TAG)
    _hang_shop(door)
    _hang_payments(door)
    _hang_settlements(door, api)
    return door


def refunding(api: Api) -> APIBlueprint:
    """Hang the route that gives back."""
    door = APIBlueprint("refunds", __name__, url_prefix="/api/v1/refunds", tag=REFUNDS)

    @door.post("")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(NoTill, NoSuchPayment, PaymentReversed, RefundTooLarge, InvalidAmount),
        *(InsufficientFunds, RecipientSuspended, WrongPin, PinLocked, KeyReused),
    )
    @door.input(RefundAsked)
    @door.output(Ordered, 201)
    def refund(json_data: RefundAsked) -> Response:
        """Give a payment back, or a part of it. The fee that was borne for it is not."""
        person = edge.person()
        merchants.of(edge.reading(), subscriber=person.id)
        confirm(api, person, json_data)

        def order(asked: Asked) -> Placed:
            session = edge.session()
            found = refunds.payment(session, merchant=person.id, reference=json_data.payment)
            given = json_data.amount
            amount = found.left if given is None else given.money()
            refunds.require_refundable(found, amount=amount)
            return refunds.order(
                session,
                merchant=person.id,
                found=found,
                amount=amount,
                key=asked,
                now=edge.now(),
            )

        return ordered(api, person, order)

    return door


def _hang_shop(door: APIBlueprint) -> None:
    @door.get("")
    @needs(Permission.READ)
    @refuses(NoTill)
    @door.output(ShopTold)
    def show_shop() -> ShopTold:
        """Show one's shop."""
        return _shop(edge.person())

    @door.patch("")
    @needs(Permission.OWN)
    @refuses(NoTill, InvalidName, InvalidMsisdn)
    @door.input(ShopChanged)
    @door.output(ShopTold)
    def change_shop(json_data: ShopChanged) -> ShopTold:
        """Change what a shop is called, what it sells, whom to ring, and when it is settled."""
        person = edge.person()
        merchants.describe(
            edge.session(),
            subscriber=person.id,
            shop_name=json_data.name,
            category=json_data.category,
            contact=json_data.contact,
            actor=edge.actor(person),
            now=edge.now(),
        )
        if json_data.settled_daily is not None:
            settlements.set_daily(
                edge.session(),
                subscriber=person.id,
                is_daily=json_data.settled_daily,
                actor=edge.actor(person),
                now=edge.now(),
            )
        edge.commit()
        return _shop(person)


def _hang_payments(door: APIBlueprint) -> None:
    @door.get("/payments")
    @needs(Permission.READ)
    @refuses(NoTill, UnknownAccount, InvalidPeriod)
    @door.input(PaymentsWanted, location="query")
    @door.output(Payments)
    def show_payments(query_data: PaymentsWanted) -> Payments:
        """Show what was paid at the till, from M-Pesa too, and by links, the newest first."""
        person = edge.person()
        merchants.of(edge.reading(), subscriber=person.id)
        page = _page(person, query_data)
        references = [line.reference for line in page.lines]
        ours = refunds.payments(edge.reading(), merchant=person.id, references=references)
        theirs = takings.by_rail(edge.reading(), merchant=person.id, references=references)
        return Payments(
            payments=[
                _told(line, ours.get(line.reference), theirs.get(line.reference))
                for line in page.lines
            ],
            next=paging.cursor(page.last),
        )

    @door.get("/payments/<reference>")
    @needs(Permission.READ)
    @refuses(NoSuchPayment)
    @door.output(Refundable)
    def show_payment(reference: str) -> Refundable:
        """Show what of a payment was given back, and what may be: of M-Pesa's, nothing."""
        session, person = edge.reading(), edge.person()
        theirs = takings.by_rail(session, merchant=person.id, references=[reference])
        if (brought := theirs.get(reference)) is not None:
            none = Sum.of(Money(0, brought.amount.currency))
            return Refundable(
                reference=reference,
                amount=Sum.of(brought.amount),
                refunded=none,
                refundable=none,
                reversed=False,
            )
        found = refunds.payment(session, merchant=person.id, reference=reference)
        return Refundable(
            reference=found.reference,
            amount=Sum.of(found.amount),
            refunded=Sum.of(found.refunded),
            refundable=Sum.of(found.left),
            reversed=found.is_reversed,
        )


def _hang_settlements(door: APIBlueprint, api: Api) -> None:
    @door.post("/settlements/quote")
    @needs(Permission.READ)
    @refuses(NoTill, InsufficientFunds)
    @door.output(SettlementQuoted)
    def quote_settlement() -> SettlementQuoted:
        """Say what would go to one's own M-Pesa now. Nothing is moved or promised."""
        person = edge.person()
        merchants.of(edge.reading(), subscriber=person.id)
        quoted = settlements.quote(edge.session(), person=person, now=edge.now())
        return SettlementQuoted(
            amount=Sum.of(quoted.amount),
            fee=Sum.of(quoted.total - quoted.amount),
            total=Sum.of(quoted.total),
        )

    @door.post("/settlements")
    @needs(Permission.WITHDRAW)
    @keyed
    @waits
    @refuses(
        *(NoTill, InsufficientFunds, WrongPin, PinLocked, KeyReused),
        *(InvalidOtp, *SECONDS),
    )
    @door.input(PinAndCodeGiven)
    @door.output(Ordered, 201)
    def settle(json_data: PinAndCodeGiven) -> Response:
        """Send all that was taken to one's own M-Pesa, as far as it goes at once."""
        person = edge.person()
        merchants.of(edge.reading(), subscriber=person.id)
        confirm(api, person, json_data)

        # Priced once: what comes in meanwhile would go out without the second factor it wants.
        shown: list[withdrawals.Quote] = []

        def show() -> None:
            quoted = settlements.quote(edge.session(), person=person, now=edge.now())
            confirm_much(api, person, quoted.amount, json_data)
            shown.append(quoted)

        def order(asked: Asked) -> Placed:
            [quoted] = shown
            return withdrawals.order(
                edge.session(),
                person=person,
                payee=person.msisdn,
                quoted=quoted,
                key=asked,
                now=edge.now(),
                purpose="settlement",
            )

        return ordered(api, person, order, show=show)


def _shop(person: Person) -> ShopTold:
    shop = merchants.of(edge.reading(), subscriber=person.id)
    return ShopTold(
        till=shop.till,
        name=shop.shop_name or shop.name,
        category=shop.category,
        contact=shop.contact,
        settled_daily=settlements.is_daily(edge.reading(), subscriber=person.id),
        opened_at=shop.opened_at,
    )


def _page(person: Person, wanted: PaymentsWanted) -> Page:
    tomorrow = edge.now().astimezone(NAIROBI).date() + timedelta(days=1)
    statement = statements.open_statement(
        edge.reading(),
        person=person,
        period=Period.days(wanted.since or _FIRST, wanted.until or tomorrow),
        currency=wanted.currency,
        place="main",
    )
    went_on = paging.number(wanted.cursor)
    return takings.page(
        edge.reading(),
        merchant=person.id,
        account=statement.account,
        wanted=Wanted(
            after=statement.after,
            last=statement.last if went_on is None else min(went_on, statement.last),
        ),
        lines_max=wanted.limit,
    )


def _told(line: Line, ours: refunds.Payment | None, theirs: ByRail | None) -> PaymentTold:
    none = Money(0, line.amount.currency)
    return PaymentTold(
        **schemas.Line.of(line).model_dump(),
        method=None if theirs is None else theirs.provider,
        receipt=None if theirs is None else theirs.receipt,
        refunded=Sum.of(none if ours is None else ours.refunded),
        refundable=Sum.of(none if ours is None else ours.left),
    )
