"""`/api/v1/transfers` and `/api/v1/payments`: money for a person, money for a till."""

from __future__ import annotations

import re
from typing import Final

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy.orm import Session

from core import merchants, msisdn, naming, subscribers, transfers
from core.access.principals import Permission
from core.ledger import InsufficientFunds
from core.limits import AmountTooLarge, AmountTooSmall
from core.money import InvalidAmount, Money
from core.msisdn import InvalidMsisdn
from core.orders import Asked, KeyReused, Kind, Placed
from core.subscribers import Person, UnknownRecipient
from core.transfers import Quote, SameAccount, UnknownTill
from gateway.api import edge, limits
from gateway.api.access import needs
from gateway.api.auth import PINS
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm, keyed, ordered, waits
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Ordered, Other
from gateway.api.schemas.transfers import (
    Payment,
    PaymentAsked,
    Quoted,
    Transfer,
    TransferAsked,
)

_TRANSFERS: Final = {"name": "Transfers", "description": "Money for another person."}
_PAYMENTS: Final = {"name": "Payments", "description": "Money for a till. The shop bears the fee."}
_WALLET_NUMBER: Final = re.compile(r"384[0-9]{10}")


def door(api: Api) -> APIBlueprint:
    """Hang the routes for transfers."""
    door = APIBlueprint("transfers", __name__, url_prefix="/api/v1/transfers", tag=_TRANSFERS)

    @door.post("/quote")
    @needs(Permission.TRANSFER)
    @refuses(InvalidAmount, InvalidMsisdn, UnknownRecipient, SameAccount, InsufficientFunds)
    @limits.strangers(api)
    @door.input(TransferAsked)
    @door.output(Quoted)
    def quote(json_data: TransferAsked) -> Quoted:
        """Say what a transfer would cost. Nothing is moved or promised."""
        sender = edge.person()
        recipient = whom(edge.session(), json_data.to, caller=sender)
        quoted = transfers.quote(
            edge.session(), sender=sender, amount=json_data.amount.money(), now=edge.now()
        )
        return _told(quoted, recipient)

    @door.post("")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(InvalidAmount, InvalidMsisdn, UnknownRecipient, SameAccount, *PINS),
        *(AmountTooSmall, AmountTooLarge, InsufficientFunds, KeyReused),
    )
    @limits.strangers(api)
    @door.input(Transfer)
    @door.output(Ordered, 201)
    def send(json_data: Transfer) -> Response:
        """Send money to a phone number or a wallet number."""
        sender = edge.person()
        confirm(api, sender, json_data)

        def order(asked: Asked) -> Placed:
            recipient = whom(edge.session(), json_data.to, caller=sender)
            return _order(sender, recipient, json_data.amount.money(), Kind.TRANSFER, asked)

        return ordered(api, sender, order)

    return door


def payments(api: Api) -> APIBlueprint:
    """Hang the routes for payments."""
    door = APIBlueprint("payments", __name__, url_prefix="/api/v1/payments", tag=_PAYMENTS)

    @door.post("/quote")
    @needs(Permission.TRANSFER)
    @refuses(InvalidAmount, UnknownTill, SameAccount, InsufficientFunds)
    @door.input(PaymentAsked)
    @door.output(Quoted)
    def quote(json_data: PaymentAsked) -> Quoted:
        """Say whom a till belongs to, and what a payment would cost."""
        payer = edge.person()
        shop = _shop(edge.session(), json_data.till, caller=payer)
        quoted = transfers.quote(
            edge.session(),
            sender=payer,
            amount=json_data.amount.money(),
            kind=Kind.PAYMENT,
            now=edge.now(),
        )
        return _told(quoted, shop)

    @door.post("")
    @needs(Permission.TRANSFER)
    @keyed
    @waits
    @refuses(
        *(InvalidAmount, UnknownTill, SameAccount, *PINS),
        *(AmountTooSmall, AmountTooLarge, InsufficientFunds, KeyReused),
    )
    @door.input(Payment)
    @door.output(Ordered, 201)
    def pay(json_data: Payment) -> Response:
        """Pay a shop at its till."""
        payer = edge.person()
        confirm(api, payer, json_data)

        def order(asked: Asked) -> Placed:
            shop = _shop(edge.session(), json_data.till, caller=payer)
            return _order(payer, shop, json_data.amount.money(), Kind.PAYMENT, asked)

        return ordered(api, payer, order)

    return door


def whom(session: Session, number: str, *, caller: Person) -> Person:
    """
    Whom a phone number or a wallet number belongs to.

    Raises:
        InvalidMsisdn, InvalidWalletNumber: It is neither.
        UnknownRecipient: Nobody has it.
        SameAccount: It is the caller's own.
    """
    digits = "".join(number.split())
    if _WALLET_NUMBER.fullmatch(digits):
        found = subscribers.by_wallet_number(session, number=digits)
    else:
        found = subscribers.recipient(session, msisdn=msisdn.parse(number))
    if found.id == caller.id:
        raise SameAccount
    return found


def _shop(session: Session, till: str, *, caller: Person) -> Person:
    found = merchants.at_till(session, till=till)
    if found.id == caller.id:
        raise SameAccount
    return found


def _order(payer: Person, paid: Person, amount: Money, kind: Kind, asked: Asked) -> Placed:
    session, now = edge.session(), edge.now()
    quoted = transfers.quote(session, sender=payer, amount=amount, kind=kind, now=now)
    return transfers.order(
        session, sender=payer, recipient=paid.id, quoted=quoted, key=asked, now=now
    )


def _told(quoted: Quote, to: Person) -> Quoted:
    return Quoted(
        amount=Sum.of(quoted.amount),
        fee=Sum.of(quoted.fee),
        total=Sum.of(quoted.total),
        to=Other(name=naming.masked(to.name), number=msisdn.masked(to.msisdn)),
    )
