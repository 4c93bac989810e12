"""`/api/v1/admin/cases` and `/audit-log`: what is suspected of whom, and who did what."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response
from sqlalchemy import select

from core import audit, cases
from core.access.principals import Permission
from core.cases import Case, CaseClosed, UnknownCase
from core.staff_acts import What
from core.subscribers import Subscriber
from gateway.api import edge, paging
from gateway.api.access import needs
from gateway.api.acting import decided, looked_at
from gateway.api.admin_people import ACTS
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.ordering import keyed, waits
from gateway.api.schemas.admin import (
    ActTold,
    CasesTold,
    CasesWanted,
    CaseTold,
    CaseWhole,
    FactTold,
    Noted,
    RecordsTold,
    RecordsWanted,
    RecordTold,
)

TAG: Final = {"name": "Staff: cases", "description": "Suspicions, and the audit log."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("admin_cases", __name__, url_prefix="/api/v1/admin", tag=TAG)
    _looks(door)
    _decisions(door, api)
    _log(door)
    return door


def _looks(door: APIBlueprint) -> None:
    @door.get("/cases")
    @needs(Permission.ADMIN)
    @door.input(CasesWanted, location="query", arg_name="wanted")
    @door.output(CasesTold)
    def show_cases(wanted: CasesWanted) -> CasesTold:
        """Show cases, the newest first."""
        session, before = edge.staff(), paging.number(wanted.cursor)
        found = cases.listed(session, state=wanted.state, before=before, count=wanted.limit)
        looked_at(session, "cases")
        last = found[-1][0].id if len(found) == wanted.limit else None
        return CasesTold(
            cases=[CaseTold(**_told(each, phone)) for each, phone in found],
            next=paging.cursor(last),
        )

    @door.get("/cases/<int:case>")
    @needs(Permission.ADMIN)
    @refuses(UnknownCase)
    @door.output(CaseWhole)
    def show_case(case: int) -> CaseWhole:
        """Show a case and what it rests on. That it was looked at is kept."""
        session = edge.staff()
        found = cases.get(session, case=case)
        looked_at(session, f"case:{case}")
        facts = [
            FactTold(at=each.at, kind=each.kind, by=each.actor, evidence=each.evidence)
            for each in cases.facts(session, case=case)
        ]
        phone = select(Subscriber.msisdn).where(Subscriber.id == found.subscriber_id)
        return CaseWhole(**_told(found, session.scalars(phone).one()), facts=facts)


def _decisions(door: APIBlueprint, api: Api) -> None:
    @door.post("/cases/<int:case>/note")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(UnknownCase, CaseClosed, *ACTS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def note_case(case: int, given: Noted) -> Response:
        """Say something of an open case; its report will tell it."""
        return decided(api, What.NOTE_CASE, {"id": case, "note": given.note})

    @door.post("/cases/<int:case>/close")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(UnknownCase, CaseClosed, *ACTS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def close_case(case: int, given: Noted) -> Response:
        """Close a case. Whose money stands still because of it, it stays so."""
        return decided(api, What.CLOSE_CASE, {"id": case, "note": given.note})

    @door.post("/cases/<int:case>/report")
    @needs(Permission.ADMIN)
    @keyed
    @waits
    @refuses(UnknownCase, *ACTS)
    @door.input(Noted, arg_name="given")
    @door.output(ActTold, status_code=201)
    def report_case(case: int, given: Noted) -> Response:
        """Make the report of a case for the authority, and keep who had it made and why."""
        return decided(api, What.REPORT_CASE, {"id": case, "note": given.note})


def _log(door: APIBlueprint) -> None:
    @door.get("/audit-log")
    @needs(Permission.ADMIN)
    @door.input(RecordsWanted, location="query", arg_name="wanted")
    @door.output(RecordsTold)
    def show_audit_log(wanted: RecordsWanted) -> RecordsTold:
        """Show who did what, the newest first."""
        session = edge.staff()
        found = audit.history(
            session,
            subject=wanted.subject,
            actor=wanted.actor,
            action=wanted.action,
            before=paging.number(wanted.cursor),
            count=wanted.limit,
        )
        looked_at(session, "audit-log")
        last = found[-1].id if len(found) == wanted.limit else None
        return RecordsTold(
            records=[
                RecordTold(
                    number=each.id,
                    at=each.at,
                    actor=each.actor,
                    origin=each.origin,
                    request=each.request,
                    action=each.action,
                    subject=each.subject,
                    detail=each.detail,
                )
                for each in found
            ],
            next=paging.cursor(last),
        )


def _told(case: Case, phone: str) -> dict[str, Any]:
    return {
        "case": case.id,
        "kind": case.kind,
        "phone": phone,
        "state": case.state,
        "opened_at": case.opened_at,
        "closed_at": case.closed_at,
        "closed_by": case.closed_by,
        "note": case.note,
    }
