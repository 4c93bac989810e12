"""`/api/v1/admin/people` and `/lifts`: who somebody is, and how much they may move."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy.orm import Session

from core import holdings, kyc
from core.access import devices
from core.access.principals import NotAuthenticated, Permission
from core.cases import CaseClosed, UnknownCase
from core.decisions import AlreadyDecided, AlreadyRequested, NoReason, OwnRequest
from core.execution import NotExecuted
from core.kyc import NoPapers, SuspensionStands, UnknownLift
from core.msisdn import InvalidMsisdn
from core.orders import KeyReused
from core.staff_acts import What
from core.subscribers import InvalidWalletNumber, Person, Subscriber, Tier, UnknownRecipient
from gateway.api import edge
from gateway.api.access import needs
from gateway.api.acting import decided, looked_at, whom
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import keyed, waits
from gateway.api.schemas.admin import (
    ActTold,
    LiftProposed,
    LiftsTold,
    LiftTold,
    Noted,
    PersonTold,
    Suspended,
    TierSet,
)
from gateway.api.schemas.money import Sum

TAG: Final = {"name": "Staff: people", "description": "Tiers; a suspension is lifted by two."}
WHOM: Final = (InvalidMsisdn, InvalidWalletNumber, UnknownRecipient)
ACTS: Final = (KeyReused, NoReason, NotAuthenticated, NotExecuted)
_DECISIONS: Final = (UnknownLift, AlreadyDecided, OwnRequest, *ACTS)


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("admin_people", __name__, url_prefix="/api/v1/admin", tag=TAG)
    _people(door, api)
    _lifts(door, api)
    return door


def _people(door: APIBlueprint, api: Api) -> None:
    @door.get("/people/<number>")
    @needs(Permission.ADMIN)
    @refuses(*WHOM)
    @door.output(PersonTold)
    def show_person(number: str) -> PersonTold:
        """Show who has a phone number or a wallet number. That it was looked at is kept."""
        session = edge.staff()
        person = whom(session, number)
        looked_at(session, f"subscriber:{person.id}")
        return _told(session, person)

    @door.post("/people/<number>/tier")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(NoPapers, SuspensionStands, UnknownCase, CaseClosed, *WHOM, *ACTS)
    @door.input(TierSet, arg_name="given")
    @door.output(ActTold, status_code=201)
    def set_tier(number: str, given: TierSet) -> Response:
        """Set how much somebody may move."""
        return _tier(api, number, Tier(given.tier), given.note, given.case)

    @door.post("/people/<number>/suspension")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(UnknownCase, CaseClosed, *WHOM, *ACTS)
    @door.input(Suspended, arg_name="given")
    @door.output(ActTold, status_code=201)
    def suspend(number: str, given: Suspended) -> Response:
        """Let somebody move nothing, at once."""
        return _tier(api, number, Tier.SUSPENDED, given.note, given.case)

    @door.post("/people/<number>/lift")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(AlreadyRequested, AlreadyDecided, *WHOM, *ACTS)
    @door.input(LiftProposed, arg_name="given")
    @door.output(ActTold, status_code=201)
    def propose_lift(number: str, given: LiftProposed) -> Response:
        """Propose to lift a suspension; another decides."""
        subscriber = whom(edge.staff(), number).id
        args = {"subscriber": subscriber, "tier": given.tier, "note": given.note}
        return decided(api, What.PROPOSE_LIFT, args)


def _lifts(door: APIBlueprint, api: Api) -> None:
    @door.get("/lifts")
    @needs(Permission.ADMIN)
    @door.output(LiftsTold)
    def show_lifts() -> LiftsTold:
        """Show which lifts wait for a decision, the oldest first."""
        session = edge.staff()
        found = kyc.proposed_lifts(session)
        looked_at(session, "lifts")
        return LiftsTold(
            lifts=[
                LiftTold(
                    lift=lift.id,
                    phone=msisdn,
                    tier=Tier(lift.tier),
                    proposed_by=lift.proposed_by,
                    proposed_at=lift.proposed_at,
                    reason=lift.reason,
                )
                for lift, msisdn in found
            ]
        )

    @door.post("/lifts/<int:lift>/approval")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(NoPapers, *_DECISIONS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def approve_lift(lift: int, given: Noted) -> Response:
        """Lift a suspension that somebody else proposed to lift."""
        return decided(api, What.APPROVE_LIFT, {"id": lift, "note": given.note})

    @door.post("/lifts/<int:lift>/refusal")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(*_DECISIONS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def decline_lift(lift: int, given: Noted) -> Response:
        """Leave somebody suspended."""
        return decided(api, What.DECLINE_LIFT, {"id": lift, "note": given.note})


def _tier(api: Api, number: str, tier: Tier, note: str, case: int | None) -> Response:
    subscriber = whom(edge.staff(), number).id
    args = {"subscriber": subscriber, "tier": tier.value, "note": note, "case": case}
    return decided(api, What.SET_TIER, args)


def _told(session: Session, person: Person) -> PersonTold:
    row = session.get_one(Subscriber, person.id)
    lift = kyc.open_lift(session, subscriber=person.id)
    return PersonTold(
        name=person.name,
        phone=person.msisdn,
        wallet_number=person.wallet_number,
        language=person.language.value,
        kind=row.kind,
        tier=Tier(row.tier),
        screening=row.screening,
        registered_at=row.registered_at,
        balances=[Sum.of(each.balance) for each in holdings.held(session, subscriber=person.id)],
        held=[Sum.of(each) for each in holdings.aside(session, subscriber=person.id).values()],
        open_lift=lift,
        devices=len(devices.standing(session, subscriber=person.id, now=edge.now())),
    )
