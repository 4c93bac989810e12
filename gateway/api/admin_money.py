"""`/api/v1/admin/reversals`, `/rails` and `/suspense`: money that staff decide about."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response

from core import rail_rows, rails, reversals, suspense
from core.access.principals import Permission
from core.decisions import AlreadyDecided, AlreadyRequested, OwnRequest
from core.ledger import InsufficientFunds
from core.limits import CeilingReached, RecipientSuspended
from core.rails import BreakerClosed, Provider
from core.resolutions import NothingSuspended, StillSuspended
from core.reversals import UnknownReversal, UnknownTransfer
from core.staff_acts import What
from core.subscribers import AccountClosed
from core.suspense import Case, SuspenseClosed, UnknownSuspense
from gateway import problems
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.acting import decided, looked_at, whom
from gateway.api.admin_people import ACTS, WHOM
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import keyed, waits
from gateway.api.schemas.admin import (
    ActTold,
    BreakerTold,
    Noted,
    Paged,
    PayoutDecided,
    RailTold,
    ReversalAsked,
    ReversalsTold,
    ReversalTold,
    RowTold,
    SuspenseCredited,
    SuspensesTold,
    SuspenseTold,
    SuspenseWhole,
)
from gateway.api.schemas.money import Sum
from gateway.problems import Halted

TAG: Final = {"name": "Staff: money", "description": "Reversals, rails, and what is in suspense."}
_DECISIONS: Final = (UnknownReversal, AlreadyDecided, OwnRequest, *ACTS)
_SUSPENSE: Final = (UnknownSuspense, SuspenseClosed, *ACTS)


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("admin_money", __name__, url_prefix="/api/v1/admin", tag=TAG)
    _reversals(door, api)
    _rails(door, api)
    _suspense(door)
    _resolutions(door, api)
    return door


def _reversals(door: APIBlueprint, api: Api) -> None:
    @door.get("/reversals")
    @needs(Permission.ADMIN)
    @door.input(Paged, location="query", arg_name="wanted")
    @door.output(ReversalsTold)
    def show_requested(wanted: Paged) -> ReversalsTold:
        """Show which reversals wait for a decision, the oldest first."""
        after = paging.number(wanted.cursor) or 0
        session = edge.staff()
        found = reversals.requested(session, after=after, count=wanted.limit)
        looked_at(session, "reversals")
        told = [
            ReversalTold(
                reversal=each.id,
                reference=each.reference,
                amount=Sum.of(each.amount),
                sender=each.sender,
                recipient=each.recipient,
                requested_by=each.requested_by,
                requested_at=each.requested_at,
                reason=each.reason,
            )
            for each in found
        ]
        last = found[-1].id if len(found) == wanted.limit else None
        return ReversalsTold(reversals=told, next=paging.cursor(last))

    @door.post("/reversals")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(UnknownTransfer, AlreadyRequested, *WHOM, *ACTS)
    @door.input(ReversalAsked, arg_name="given")
    @door.output(ActTold, status_code=201)
    def request_reversal(given: ReversalAsked) -> Response:
        """Ask for a transfer back for who has sent it; another decides."""
        subscriber = whom(edge.staff(), given.number).id
        args = {"subscriber": subscriber, "reference": given.reference, "note": given.note}
        return decided(api, What.REQUEST_REVERSAL, args)

    @door.post("/reversals/<int:reversal>/approval")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(AccountClosed, *_DECISIONS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def approve_reversal(reversal: int, given: Noted) -> Response:
        """Take a transfer back that somebody else has asked back."""
        return decided(api, What.APPROVE_REVERSAL, {"id": reversal, "note": given.note})

    @door.post("/reversals/<int:reversal>/refusal")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(*_DECISIONS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def decline_reversal(reversal: int, given: Noted) -> Response:
        """Leave a transfer as it is."""
        return decided(api, What.DECLINE_REVERSAL, {"id": reversal, "note": given.note})


def _rails(door: APIBlueprint, api: Api) -> None:
    @door.get("/rails/<provider>")
    @needs(Permission.ADMIN)
    @door.output(RailTold)
    def show_rail(provider: str) -> RailTold:
        """Show what is under way over a rail, as mpesa, and whether payouts go out."""
        session, rail = edge.staff(), _rail(provider)
        stops = rails.breaker(session, provider=rail, now=edge.now())
        looked_at(session, f"rail:{rail}")
        return RailTold(
            provider=rail,
            breaker=None
            if stops is None
            else BreakerTold(
                opened_at=stops.opened_at, until=stops.until, code=stops.code, why=stops.why
            ),
            rows=[
                RowTold(
                    what=each.what,
                    reference=each.reference,
                    state=each.state,
                    amount=Sum.of(each.amount),
                    number=each.number,
                    at=each.at,
                    receipt=each.receipt,
                    code=each.code,
                )
                for each in rail_rows.under_way(session, provider=rail)
            ],
        )

    @door.post("/rails/<provider>/breaker/close")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(BreakerClosed, *ACTS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def close_breaker(provider: str, given: Noted) -> Response:
        """Let payouts over a rail go out again."""
        args = {"provider": _rail(provider).value, "note": given.note}
        return decided(api, What.CLOSE_BREAKER, args)


def _suspense(door: APIBlueprint) -> None:
    @door.get("/suspense")
    @needs(Permission.ADMIN)
    @door.input(Paged, location="query", arg_name="wanted")
    @door.output(SuspensesTold)
    def show_suspense(wanted: Paged) -> SuspensesTold:
        """Show what staff must look at, the oldest first."""
        after = paging.number(wanted.cursor) or 0
        session = edge.staff()
        found = suspense.listed(session, after=after, count=wanted.limit)
        looked_at(session, "suspense")
        last = found[-1].id if len(found) == wanted.limit else None
        told = [SuspenseTold(**_told(each)) for each in found]
        return SuspensesTold(cases=told, next=paging.cursor(last))

    @door.get("/suspense/<int:case>")
    @needs(Permission.ADMIN)
    @refuses(UnknownSuspense)
    @door.output(SuspenseWhole)
    def show_suspended(case: int) -> SuspenseWhole:
        """Show one case and all that was told of it. That it was looked at is kept."""
        session = edge.staff()
        found = suspense.get(session, case=case)
        looked_at(session, f"suspense:{case}")
        return SuspenseWhole(**_told(found), evidence=found.evidence)


def _resolutions(door: APIBlueprint, api: Api) -> None:
    @door.post("/suspense/<int:case>/credit")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(NothingSuspended, AccountClosed, RecipientSuspended, CeilingReached, *WHOM, *_SUSPENSE)
    @door.input(SuspenseCredited, arg_name="given")
    @door.output(ActTold, status_code=201)
    def credit_suspended(case: int, given: SuspenseCredited) -> Response:
        """Give what stands in suspense to whom it belongs."""
        subscriber = whom(edge.staff(), given.number).id
        args = {"id": case, "subscriber": subscriber, "note": given.note}
        return decided(api, What.CREDIT_SUSPENSE, args)

    @door.post("/suspense/<int:case>/strike")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(NothingSuspended, *_SUSPENSE)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def strike_suspended(case: int, given: Noted) -> Response:
        """Take out of suspense what had never come."""
        return decided(api, What.STRIKE_SUSPENSE, {"id": case, "note": given.note})

    @door.post("/suspense/<int:case>/dismiss")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(StillSuspended, *_SUSPENSE)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def dismiss_suspended(case: int, given: Noted) -> Response:
        """Close a case without money."""
        return decided(api, What.DISMISS_SUSPENSE, {"id": case, "note": given.note})

    @door.post("/suspense/<int:case>/payout")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(NothingSuspended, InsufficientFunds, *_SUSPENSE)
    @door.input(PayoutDecided, arg_name="given")
    @door.output(ActTold, status_code=201)
    def decide_payout(case: int, given: PayoutDecided) -> Response:
        """Say of a payout that contradicts itself whether it was paid."""
        args = {"id": case, "paid": given.paid, "note": given.note}
        return decided(api, What.DECIDE_PAYOUT, args)


def _rail(named: str) -> Provider:
    try:
        return Provider(named)
    except ValueError:
        raise Halted(problems.NOT_HERE) from None


def _told(case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "kind": case.kind,
        "subject": case.subject,
        "provider": case.provider,
        "amount": Sum.of(case.money),
        "receipt": case.receipt,
        "state": case.state,
        "opened_at": case.opened_at,
        "outcome": case.outcome,
        "closed_by": case.closed_by,
        "note": case.note,
    }
