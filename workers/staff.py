"""
What staff have decided at the doors, done: each act once, in the name of who asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from core import (
    cases,
    kyc,
    rails,
    reports,
    resolutions,
    reversals,
    staff_acts,
    subscribers,
)
from core.access.principals import NotAuthenticated
from core.audit import Actor
from core.db import is_of_the_database, transact
from core.errors import DomainError
from core.execution import NotExecuted
from core.rails import Provider
from core.staff_acts import Taken, What
from core.subscribers import Tier
from workers.resources import Resources, current

log = structlog.get_logger(__name__)

Args = Mapping[str, Any]
Done = Mapping[str, object]
Do = Callable[[Session, Args, Actor, datetime], Done]


def act(**_: object) -> None:
    """Do whatever was decided, until nothing is left. Once or twice makes no difference."""
    have = current()
    while transact(have.databases, partial(_next, have)):
        pass


def _next(have: Resources, session: Session) -> bool:
    """Do the next act, as a whole or not at all; whether there was one."""
    now, may_move = have.clock(), have.anchor.holds(session)
    taken = staff_acts.take(session, with_money=may_move, now=now)
    if taken is None:
        return False
    try:
        with session.begin_nested():
            outcome = _do(session, taken, now)
    except DomainError as error:
        staff_acts.refused(session, act=taken.id, error=error, now=now)
    except Exception as error:
        if is_of_the_database(error):
            raise
        log.exception("staff.act_failed", act=taken.id, what=taken.what)
        staff_acts.refused(session, act=taken.id, error=NotExecuted(), now=now)
    else:
        staff_acts.done(session, act=taken.id, outcome=outcome, now=now)
    return True


def _do(session: Session, taken: Taken, now: datetime) -> Done:
    if taken.actor is None:
        raise NotAuthenticated
    return _DOES[taken.what](session, taken.args, taken.actor, now)


def _noted(do: Callable[..., None], name: str) -> Do:
    """What is decided about one thing, with a note."""

    def done(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
        do(session, **{name: args["id"]}, note=args["note"], actor=actor, now=now)
        return {}

    return done


def _set_tier(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    kyc.set_tier(
        session,
        subscriber=args["subscriber"],
        tier=Tier(args["tier"]),
        note=args["note"],
        case=args["case"],
        actor=actor,
        now=now,
    )
    return {}


def _propose_lift(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    lift = kyc.propose_lift(
        session,
        subscriber=args["subscriber"],
        tier=Tier(args["tier"]),
        reason=args["note"],
        actor=actor,
        now=now,
    )
    return {"id": lift}


def _report(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    report = reports.export(session, case=args["id"], reason=args["note"], actor=actor, now=now)
    return {"report": dict(report.data)}


def _request_reversal(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    reversal = reversals.request(
        session,
        subscriber=args["subscriber"],
        reference=args["reference"],
        reason=args["note"],
        actor=actor,
        now=now,
    )
    return {"id": reversal}


def _close_breaker(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    provider = Provider(args["provider"])
    rails.close_breaker(session, provider=provider, note=args["note"], actor=actor, now=now)
    return {}


def _credit(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    person = subscribers.by_id(session, subscriber=args["subscriber"])
    resolutions.credit(
        session, case=args["id"], person=person, note=args["note"], actor=actor, now=now
    )
    return {}


def _decide_payout(session: Session, args: Args, actor: Actor, now: datetime) -> Done:
    resolutions.decide_payout(
        session,
        case=args["id"],
        is_paid=args["paid"],
        note=args["note"],
        actor=actor,
        now=now,
    )
    return {}


_DOES: Final[Mapping[What, Do]] = {
    What.SET_TIER: _set_tier,
    What.PROPOSE_LIFT: _propose_lift,
    What.APPROVE_LIFT: _noted(kyc.approve_lift, "lift"),
    What.DECLINE_LIFT: _noted(kyc.decline_lift, "lift"),
    What.NOTE_CASE: _noted(cases.note, "case"),
    What.CLOSE_CASE: _noted(cases.close, "case"),
    What.REPORT_CASE: _report,
    What.REQUEST_REVERSAL: _request_reversal,
    What.APPROVE_REVERSAL: _noted(reversals.approve, "reversal"),
    What.DECLINE_REVERSAL: _noted(reversals.decline, "reversal"),
    What.CLOSE_BREAKER: _close_breaker,
    What.CREDIT_SUSPENSE: _credit,
    What.STRIKE_SUSPENSE: _noted(resolutions.strike, "case"),
    What.DISMISS_SUSPENSE: _noted(resolutions.dismiss, "case"),
    What.DECIDE_PAYOUT: _decide_payout,
}
