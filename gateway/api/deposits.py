"""`/api/v1/deposits`: money that comes in by M-Pesa, card or bank."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response, jsonify

from core import deposits, msisdn, orders
from core.access.principals import Permission
from core.deposits import Deposit, DepositOpen, State, TooManyCheckouts, UnknownDeposit
from core.errors import DomainError
from core.limits import AmountTooLarge, AmountTooSmall, CeilingReached
from core.money import InvalidAmount, Money
from core.msisdn import InvalidMsisdn
from core.orders import Asked, KeyReused
from core.rails import NotWholeShillings, Provider, RailNotOffered
from core.subscribers import Person
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import key, keyed, waits
from gateway.api.schemas import Page
from gateway.api.schemas.money import Sum
from gateway.api.schemas.rails import DepositAsked, Deposits, DepositState, DepositTold

TAG: Final = {"name": "Deposits", "description": "Money that comes in."}
PATH: Final = "/api/v1/deposits"

_STATES: Final = {
    State.SETTLED: DepositState.CONFIRMED,
    State.DUPLICATE: DepositState.CONFIRMED,
    State.FAILED: DepositState.FAILED,
    State.EXPIRED: DepositState.EXPIRED,
    State.REVIEW: DepositState.IN_REVIEW,
}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("deposits", __name__, url_prefix=PATH, tag=TAG)

    @door.post("")
    @needs(Permission.DEPOSIT)
    @keyed
    @waits
    @refuses(
        *(InvalidAmount, InvalidMsisdn, RailNotOffered, NotWholeShillings, KeyReused),
        *(AmountTooSmall, AmountTooLarge, CeilingReached, DepositOpen, TooManyCheckouts),
    )
    @door.input(DepositAsked)
    @door.output(DepositTold, 201)
    def ask(json_data: DepositAsked) -> Response:
        """
        Ask for money to come in: by a prompt on a phone, or on a page to pay on.

        It is on its way when this is answered (202): ask for it until it is no longer pending.
        """
        person = edge.person()
        made = _told(_asked(api, person, json_data))
        answer = jsonify(made.model_dump(mode="json"))
        answer.status_code = 202 if made.state is DepositState.PENDING else 201
        answer.headers["Location"] = f"{PATH}/{made.reference}"
        return answer

    @door.get("")
    @needs(Permission.READ)
    @door.input(Page, location="query")
    @door.output(Deposits)
    def show_all(query_data: Page) -> Deposits:
        """Show one's deposits, the newest first."""
        found = deposits.listed(
            edge.reading(),
            subscriber=edge.person().id,
            before=paging.number(query_data.cursor),
            count=query_data.limit + 1,
        )
        page, more = paging.cut(found, query_data.limit)
        return Deposits(deposits=[_told(each) for each in page], next=more)

    @door.get("/<reference>")
    @needs(Permission.READ)
    @refuses(UnknownDeposit)
    @door.output(DepositTold)
    def show(reference: str) -> DepositTold:
        """Show what became of a deposit, and where it is paid."""
        found = deposits.of_reference(
            edge.reading(), subscriber=edge.person().id, reference=reference
        )
        return _told(found)

    return door


def _asked(api: Api, person: Person, asked: DepositAsked) -> Deposit:
    """What is asked for, or was by the same request before."""
    given = key(person)
    amount = asked.amount.money()
    payer = asked.method.value
    if asked.method is Provider.MPESA:
        payer = person.msisdn if asked.phone is None else msisdn.parse(asked.phone)
    wanted = (asked.method, amount, payer)
    orders.hold_key(edge.session(), key=given)
    if orders.asked(edge.session(), key=given) is not None:
        raise KeyReused  # it has moved money otherwise
    if (found := deposits.of_key(edge.session(), key=given)) is None:
        try:
            _expect(api, person, wanted, given=given)
        except DomainError:
            # The same request may have been quicker elsewhere, and be what stands in the way.
            found = deposits.of_key(edge.reading(), key=given)
            if found is None:
                raise
        else:
            edge.commit()
            found = deposits.of_key(edge.reading(), key=given)
    assert found is not None, "it was asked for"
    if (found.rail, found.money, found.payer) != wanted:
        raise KeyReused
    return found


def _expect(api: Api, person: Person, wanted: tuple[Provider, Money, str], *, given: Asked) -> None:
    session, now = edge.session(), edge.now()
    method, amount, payer = wanted
    offer(api, method, amount)
    if method is Provider.MPESA:
        prompt = deposits.quote(session, person=person, amount=amount, payer=payer, now=now)
        deposits.expect(
            session, subscriber=person.id, payer=payer, quoted=prompt, key=given, now=now
        )
        return
    page = deposits.quote_checkout(session, person=person, amount=amount, provider=method, now=now)
    deposits.expect_checkout(session, subscriber=person.id, quoted=page, key=given, now=now)


def offer(api: Api, method: Provider, amount: Money) -> None:
    """
    See that a rail is in use here, for that currency.

    Raises:
        RailNotOffered: It is not.
    """
    if amount.currency not in api.rails.get(method, frozenset()):
        raise RailNotOffered


def _told(found: Deposit) -> DepositTold:
    state = _STATES.get(State(found.state), DepositState.PENDING)
    return DepositTold(
        reference=found.reference,
        method=found.rail,
        state=state,
        amount=Sum.of(found.money),
        fee=Sum.of(found.cost),
        credited=Sum.of(found.money - found.cost),
        checkout_url=found.checkout_url if state is DepositState.PENDING else None,
        receipt=found.receipt,
        code=found.code,
        asked_at=found.expected_at,
        ended_at=found.ended_at,
    )
