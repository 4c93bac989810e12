"""`/api/v1/withdrawals`: money that goes out, to a phone's M-Pesa or to a bank account."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from core import msisdn, withdrawals
from core.access.principals import Kind, Permission
from core.ledger import InsufficientFunds
from core.limits import AmountTooLarge, AmountTooSmall
from core.logins import SECONDS
from core.money import InvalidAmount, Money, kes
from core.msisdn import InvalidMsisdn
from core.orders import Asked, KeyReused, Placed
from core.otp_codes import InvalidOtp
from core.payees import InvalidPayee, Payee
from core.pins import PinLocked, WrongPin
from core.rails import NotWholeShillings, Provider, RailNotOffered
from core.subscribers import Person
from core.withdrawals import State, UnknownWithdrawal
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.auth import confirm_second_factor
from gateway.api.deposits import offer
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import confirm, keyed, ordered, waits
from gateway.api.schemas import Page
from gateway.api.schemas.money import Sum
from gateway.api.schemas.orders import Ordered, PinAndCodeGiven
from gateway.api.schemas.rails import (
    Withdrawal,
    WithdrawalAsked,
    WithdrawalQuoted,
    Withdrawals,
    WithdrawalState,
    WithdrawalTold,
)

TAG: Final = {"name": "Withdrawals", "description": "Money that goes out."}
PATH: Final = "/api/v1/withdrawals"

_STATES: Final = {
    State.PAID: WithdrawalState.PAID,
    State.FAILED: WithdrawalState.FAILED,
    State.RETURNED: WithdrawalState.RETURNED,
    State.REVIEW: WithdrawalState.IN_REVIEW,
}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("withdrawals", __name__, url_prefix=PATH, tag=TAG)
    _hang_asking(door, api)

    @door.get("")
    @needs(Permission.READ)
    @door.input(Page, location="query")
    @door.output(Withdrawals)
    def show_all(query_data: Page) -> Withdrawals:
        """Show one's withdrawals, the newest first."""
        found = withdrawals.listed(
            edge.reading(),
            subscriber=edge.person().id,
            before=paging.number(query_data.cursor),
            count=query_data.limit + 1,
        )
        page, more = paging.cut(found, query_data.limit)
        return Withdrawals(withdrawals=[_told(each) for each in page], next=more)

    @door.get("/<string(length=10):reference>")
    @needs(Permission.READ)
    @refuses(UnknownWithdrawal)
    @door.output(WithdrawalTold)
    def show(reference: str) -> WithdrawalTold:
        """Show what became of a withdrawal. Until it is set aside there is none."""
        found = withdrawals.of_reference(
            edge.reading(), subscriber=edge.person().id, reference=reference
        )
        return _told(found)

    return door


def _hang_asking(door: APIBlueprint, api: Api) -> None:
    @door.post("/quotes")
    @needs(Permission.WITHDRAW)
    @refuses(
        *(InvalidAmount, RailNotOffered, NotWholeShillings),
        *(AmountTooSmall, AmountTooLarge, InsufficientFunds),
    )
    @door.input(WithdrawalAsked)
    @door.output(WithdrawalQuoted)
    def quote(json_data: WithdrawalAsked) -> WithdrawalQuoted:
        """Say what a withdrawal would cost. Nothing is moved or promised."""
        amount = json_data.amount.money()
        offer(api, json_data.method, amount)
        quoted = withdrawals.quote(
            edge.session(),
            person=edge.person(),
            amount=amount,
            provider=json_data.method,
            now=edge.now(),
        )
        return WithdrawalQuoted(
            amount=Sum.of(quoted.amount),
            fee=Sum.of(quoted.fee + quoted.tariff),
            total=Sum.of(quoted.total),
        )

    @door.post("")
    @needs(Permission.WITHDRAW)
    @keyed
    @waits
    @refuses(
        *(InvalidAmount, InvalidMsisdn, InvalidPayee, RailNotOffered, NotWholeShillings),
        *(AmountTooSmall, AmountTooLarge, InsufficientFunds, KeyReused),
        *(WrongPin, PinLocked, InvalidOtp, *SECONDS),
    )
    @door.input(Withdrawal)
    @door.output(Ordered, 201)
    def take_out(json_data: Withdrawal) -> Response:
        """
        Take money out. Done means that it is set aside and on its way; see what became of it.
        """
        person, amount = edge.person(), json_data.amount.money()
        confirm(api, person, json_data)

        def show() -> None:
            confirm_much(api, person, amount, json_data)

        def order(asked: Asked) -> Placed:
            offer(api, json_data.method, amount)
            payee = _payee(person, json_data)
            session, now = edge.session(), edge.now()
            quoted = withdrawals.quote(
                session, person=person, amount=amount, provider=json_data.method, now=now
            )
            return withdrawals.order(
                session,
                person=person,
                payee=payee,
                quoted=quoted,
                key=asked,
                provider=json_data.method,
                now=now,
            )

        answer = ordered(api, person, order, show=show)
        answer.headers["Location"] = f"{PATH}/{answer.headers['Location'].rpartition('/')[2]}"
        return answer


def confirm_much(api: Api, person: Person, amount: Money, given: PinAndCodeGiven) -> None:
    """
    Let a person show their second factor, where they have one and it is much.

    It is what they take out in a day that counts: three of a third are as much as one.

    Raises:
        InvalidOtp, SecondFactorNeeded, SecondFactorWrong, LogInLocked: As
            `logins.check_second_factor`.
    """
    if edge.principal().kind is Kind.SERVICE:
        return
    session, now = edge.session(), edge.now()
    worth = withdrawals.worth(session, amount=amount, now=now)
    worth += withdrawals.today(session, subscriber=person.id, now=now)
    if kes(api.second_factor_above * 100) < worth:
        confirm_second_factor(api, person, given.totp)


def _payee(person: Person, given: Withdrawal) -> str:
    """
    Whom the money is for, as the core keeps it.

    Raises:
        InvalidPayee: It is nobody the rail can pay, or two at once.
        InvalidMsisdn: It is no phone.
    """
    if given.bank_account is not None:
        if given.method is Provider.MPESA or given.phone is not None:
            raise InvalidPayee
        to = given.bank_account
        return Payee.of_bank(bank=to.bank, account=to.account, name=to.name).written
    phone = person.msisdn if given.phone is None else msisdn.parse(given.phone)
    if given.method is Provider.MPESA:
        return phone
    return Payee.of_phone(msisdn=phone, name=person.name).written


def _told(found: withdrawals.Withdrawal) -> WithdrawalTold:
    is_mpesa = found.rail is Provider.MPESA
    cost = Money(found.fee + found.tariff, found.money.currency)
    return WithdrawalTold(
        reference=found.reference,
        method=found.rail,
        state=_STATES.get(State(found.state), WithdrawalState.PENDING),
        amount=Sum.of(found.money),
        fee=Sum.of(cost),
        total=Sum.of(found.money + cost),
        to=msisdn.masked(found.payee) if is_mpesa else Payee.read(found.payee).shown,
        receipt=found.receipt,
        code=found.code,
        asked_at=found.requested_at,
        ended_at=found.ended_at,
    )
