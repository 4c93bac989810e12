"""`/api/v1/admin`: staff log in by two factors, and see how the house stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from apiflask import APIBlueprint
from flask import g, request

from core import figures, staff_logins
from core.access import staff
from core.access import tokens as access_tokens
from core.access.principals import NotAuthenticated, Permission
from core.access.staff import Opened
from core.access.tries import LogInLocked
from core.audit import Actor
from core.otp_codes import InvalidOtp
from core.staff_logins import Shown
from gateway import problems
from gateway.api import acting, edge
from gateway.api.access import needs, public
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.admin import (
    ActTold,
    BacklogTold,
    FiguresTold,
    FloatTold,
    HeldTold,
    StaffLoggingIn,
    StaffRefreshing,
    StaffTokens,
    StaffTold,
)
from gateway.api.schemas.money import Sum
from gateway.problems import Halted

TAG: Final = {"name": "Staff", "description": "Who works here logs in, sees and decides."}
_INVALID: Final = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("admin", __name__, url_prefix="/api/v1/admin", tag=TAG)
    _entries(door, api)
    _stays(door, api)
    _house(door)
    return door


def _entries(door: APIBlueprint, api: Api) -> None:
    @door.post("/login")
    @public
    @door.input(StaffLoggingIn, arg_name="given")
    @door.output(StaffTokens)
    @refuses(problems.NOT_KNOWN, InvalidOtp, LogInLocked)
    def log_staff_in(given: StaffLoggingIn) -> StaffTokens:
        """Log in by password and second factor. Which of them was wrong is not told."""
        shown = Shown(given.name, given.password.get_secret_value(), given.totp.get_secret_value())
        try:
            with edge.recorded() as session:
                opened = staff_logins.log_in(
                    session,
                    shown=shown,
                    hasher=api.conversation.hasher,
                    chest=api.chest,
                    actor=_stranger(),
                    now=edge.now(),
                )
        except NotAuthenticated:
            raise Halted(problems.NOT_KNOWN, headers=_INVALID) from None
        return _tokens(api, opened)

    @door.post("/refresh")
    @public
    @door.input(StaffRefreshing, arg_name="given")
    @door.output(StaffTokens)
    @refuses(problems.NOT_KNOWN)
    def refresh_staff(given: StaffRefreshing) -> StaffTokens:
        """Take a refresh token for the next. One that is used again ends the log-in."""
        try:
            with edge.recorded() as session:
                opened = staff.refresh(
                    session,
                    token=given.refresh_token.get_secret_value(),
                    actor=_stranger(),
                    now=edge.now(),
                )
        except NotAuthenticated:
            raise Halted(problems.NOT_KNOWN, headers=_INVALID) from None
        return _tokens(api, opened)


def _stays(door: APIBlueprint, api: Api) -> None:  # noqa: ARG001 - as all of them
    @door.post("/logout")
    @needs(Permission.ADMIN)
    @door.output({}, status_code=204)
    def log_staff_out() -> str:
        """Log out, at once: neither token is good any more."""
        caller = edge.principal()
        assert caller.log_in is not None, "staff are logged in"
        assert caller.staff is not None, "staff are somebody"
        staff_logins.log_out(
            edge.session(),
            log_in=caller.log_in,
            member=caller.staff,
            actor=edge.staff_actor(),
            now=edge.now(),
        )
        return ""

    @door.get("/me")
    @needs(Permission.ADMIN)
    @door.output(StaffTold)
    def show_staff() -> StaffTold:
        """Show who calls."""
        return StaffTold(name=edge.principal().name)

    @door.get("/acts/<int:act>")
    @needs(Permission.ADMIN)
    @door.output(ActTold)
    def show_act(act: int) -> ActTold:
        """Show what came of something the caller has decided."""
        return acting.told(acting.look(act))


def _house(door: APIBlueprint) -> None:
    @door.get("/figures")
    @needs(Permission.ADMIN)
    @door.output(FiguresTold)
    def show_figures() -> FiguresTold:
        """Show how the house stands: people, money held, orders, float, queues, what is open."""
        session = edge.staff()
        found = figures.look(session, now=edge.now())
        acting.looked_at(session, "figures")
        return FiguresTold(
            people=found.people,
            logged_in=found.logged_in,
            held=[HeldTold(people=each.people, money=Sum.of(each.money)) for each in found.held],
            orders=dict(found.orders),
            backlog=BacklogTold(
                orders=found.backlog.order.total_seconds(),
                outbox=found.backlog.outbox.total_seconds(),
                inbox=found.backlog.inbox.total_seconds(),
            ),
            open_breaks=dict(found.open_breaks),
            open_cases=found.open_cases,
            open_suspense=found.open_suspense,
            reversals=found.reversals,
            float=[
                FloatTold(pot=each.pot, available=Sum.of(each.available), told_at=each.told_at)
                for each in found.float
            ],
        )


def _stranger() -> Actor:
    """Who is not known yet, by the address they call from."""
    return Actor("nobody yet", request.remote_addr or "api", g.request_id)


def _tokens(api: Api, opened: Opened) -> StaffTokens:
    signed = api.keyring.sign(opened.public_id, now=edge.now())
    return StaffTokens(
        access_token=signed.token,
        expires_in=_seconds(access_tokens.LIVES),
        refresh_token=opened.refresh,
        ends_at=opened.until,
    )


def _seconds(lasts: timedelta) -> int:
    return int(lasts.total_seconds())
